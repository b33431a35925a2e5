"""Documents to filter, and what tells of one document at a time whether it passes."""

from __future__ import annotations

import re
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from qa.corpus.ignoring import parse, verdict
from qa.store.membership import Described

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qa.answering.filter import Filter

__all__ = ["described", "passes", "passing_of"]


def described(
    paths: Sequence[str],
    days: Sequence[str] = (),
    metadata: Sequence[Mapping[str, str]] = (),
) -> Described:
    """Documents by their columns; without a day and metadata where none are given."""
    return Described(
        paths,
        days=lambda: days or [""] * len(paths),
        metadata=lambda: metadata or [{}] * len(paths),
    )


def passing_of(chosen: Filter, paths: Sequence[str]) -> list[str]:
    """Those of some paths that pass."""
    passing = chosen.passing(described(paths)).tolist()
    return [path for path, passes in zip(paths, passing, strict=True) if passes]


def passes(chosen: Filter, path: str, day: str, metadata: Mapping[str, str]) -> bool:
    """Whether a document passes, in the plainest way."""
    of_day = date.fromisoformat(day) if day else None
    if chosen.since and (of_day is None or of_day < date.fromisoformat(chosen.since)):
        return False
    if chosen.until and (of_day is None or of_day > date.fromisoformat(chosen.until)):
        return False
    if chosen.within and not _lies_within(chosen.within, path):
        return False
    for key, wanted in chosen.where.items():
        value = metadata.get(key.lower(), "").casefold()
        values = [value, *(part.strip() for part in re.split("[,;]", value))]
        if not any(part and fnmatchcase(part, wanted.casefold()) for part in values):
            return False
    return True


def _lies_within(lines: Sequence[str], path: str) -> bool:
    patterns = [pattern for line in lines if (pattern := parse(line))]
    path = path.removeprefix("./").removeprefix("/")
    found = verdict(patterns, path, is_folder=False)
    while found is None and "/" in path:
        path = path.rpartition("/")[0]
        found = verdict(patterns, path, is_folder=True)
    return bool(found)
