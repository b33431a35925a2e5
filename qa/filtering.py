"""Which documents a question is asked of: by their place, their metadata and their day."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from qa.errors import QuestionError
from qa.reading.dates import day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Filter", "make_filter"]

_PARTS = re.compile(r"[,;]")


@dataclass(frozen=True, slots=True)
class Filter:
    """Documents pass that lie where `within` says, are as `where` says, and of those days.

    Attributes:
        within: patterns as in .gitignore, of paths relative to the corpus; one must fit.
        where: metadata key to wanted value, upper and lower case alike, `*` and `?` as in file
            names; it fits the whole value, or one of those that commas or semicolons part. All
            must fit.
        since: the first day, YYYY-MM-DD, or "".
        until: the last day, or "".
    """

    within: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    until: str = ""

    def __bool__(self) -> bool:
        return bool(self.within or self.where or self.since or self.until)

    def passing(self, documents: Iterable[tuple[int, str, str, str]]) -> list[int]:
        """Give the ids of those documents that pass, of `(id, path, day, metadata as JSON)`."""
        lies_within = _matcher(self.within)
        return [
            number
            for number, path, of_day, metadata in documents
            if (not self.since or of_day >= self.since)
            and (not self.until or "" < of_day <= self.until)
            and lies_within(path)
            and (not self.where or self._fits(json.loads(metadata)))
        ]

    def _fits(self, metadata: Mapping[str, str]) -> bool:
        for key, wanted in self.where.items():
            value = metadata.get(key.lower(), "").casefold()
            values = [value, *(part.strip() for part in _PARTS.split(value))]
            if not any(one and fnmatchcase(one, wanted.casefold()) for one in values):
                return False
        return True


def make_filter(
    within: str | Iterable[str],
    where: Mapping[str, str] | None,
    since: str | None,
    until: str | None,
) -> Filter:
    """Check what a person gave; see `Filter`.

    Raises:
        QuestionError: a day that is none, or a pattern that can't be read.
    """
    days = {}
    for name, text in {"since": since, "until": until}.items():
        days[name] = day(text) if text else ""
        if text and not days[name]:
            raise QuestionError(f"--{name} {text!r} is no day", hint="Write it like 2024-01-31.")
    patterns = (within,) if isinstance(within, str) else tuple(within)
    found = Filter(patterns, dict(where or {}), **days)
    _matcher(found.within)
    return found


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Make the test of `within`; what fits a path goes before what fits a folder above it."""
    if not patterns:
        return lambda _: True
    from qa.reading.ignoring import Pattern, parse, verdict

    parsed: list[Pattern] = []
    for line in patterns:
        pattern = parse(line)
        if pattern is None:
            raise QuestionError(
                f"--in {line!r} is not a pattern", hint='Write it like "reports/**" or "*.pdf".'
            )
        parsed.append(pattern)

    def lies_within(path: str) -> bool:
        path = path.removeprefix("./").removeprefix("/")  # as ids of pairs may begin
        chosen = verdict(parsed, path, is_folder=False)
        while chosen is None and "/" in path:
            path = path.rpartition("/")[0]
            chosen = verdict(parsed, path, is_folder=True)
        return bool(chosen)

    return lies_within
