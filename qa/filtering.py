"""Which documents a question is asked of: by their place, their metadata and their day."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from qa.errors import QuestionError
from qa.reading.dates import day

if TYPE_CHECKING:
    from collections.abc import Callable

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
    since: str | date | None,
    until: str | date | None,
) -> Filter:
    """Check what a person gave; see `Filter`.

    Raises:
        QuestionError: a day, pattern or condition that can't be read as one.
    """
    days = {name: _day(name, one) for name, one in (("since", since), ("until", until))}
    found = Filter(_patterns(within), _conditions(where), **days)
    _matcher(found.within)
    return found


def _day(name: str, given: str | date | None) -> str:
    if not given:
        return ""
    text = given.isoformat()[:10] if isinstance(given, date) else given
    if not isinstance(text, str) or not (found := day(text)):
        raise QuestionError(f"{name} is {given!r:.80}", hint="Write a day like 2024-01-31.")
    return found


def _patterns(within: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(within, str):
        return (within,)
    patterns = tuple(within) if isinstance(within, Iterable) else (within,)
    for one in patterns:
        if not isinstance(one, str):
            raise QuestionError(
                f"within has {one!r:.80}", hint='Give patterns as text, like "reports/**".'
            )
    return patterns


def _conditions(where: Mapping[str, str] | None) -> dict[str, str]:
    if not isinstance(where or {}, Mapping):
        raise QuestionError(
            f"where is {where!r:.80}", hint='Give a mapping, like {"author": "A. Adams"}.'
        )
    conditions = dict(where or {})
    for key, value in conditions.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise QuestionError(f"where has {key!r:.80}: {value!r:.80}", hint="Give both as text.")
    return conditions


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
