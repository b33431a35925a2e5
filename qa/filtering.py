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
    if not patterns:
        return lambda _: True
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise QuestionError(
            f"--in: {error}", hint='Write it like "reports/**" or "*.pdf".'
        ) from error
    return lambda path: bool(spec.match_file(path))
