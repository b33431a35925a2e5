"""Which documents a question is asked of: by their place, their metadata and their day."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from qa.errors import FilterError
from qa.reading.dates import day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qa.store.rows import Described
    from qa.store.snapshot import Snapshot

__all__ = ["Filter", "allowed_passages", "make_filter"]

_PARTS = re.compile(r"[,;]")
_NAMED = 8  # suffixes, keys or values that a message names


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

    def passing(self, documents: Iterable[Described]) -> list[int]:
        """The ids of those documents that pass."""
        lies_within = _matcher(self.within)
        return [
            one.id
            for one in documents
            if (not self.since or one.day >= self.since)
            and (not self.until or "" < one.day <= self.until)
            and lies_within(one.path)
            and self._fits(one.metadata)
        ]

    def _fits(self, metadata: Mapping[str, str]) -> bool:
        for key, wanted in self.where.items():
            value = metadata.get(key.lower(), "").casefold()
            values = [value, *(part.strip() for part in _PARTS.split(value))]
            if not any(part and fnmatchcase(part, wanted.casefold()) for part in values):
                return False
        return True


def allowed_passages(chosen: Filter, snapshot: Snapshot) -> list[int]:
    """The ids, ascending, of the passages of the documents that pass a filter.

    Raises:
        FilterError: documents are indexed, and none passes.
    """
    by_metadata = bool(chosen.where or chosen.since or chosen.until)
    documents = snapshot.described(metadata=by_metadata)
    passing = chosen.passing(documents)
    if documents and not passing:
        message, hint = next(_unmatched(chosen, documents), _NOT_TOGETHER)
        raise FilterError(message, hint=hint)
    return snapshot.passages_of(passing)


def make_filter(
    within: str | Iterable[str],
    where: Mapping[str, str] | None,
    since: str | date | None,
    until: str | date | None,
) -> Filter:
    """Check what a person gave; see `Filter`.

    Raises:
        FilterError: a day, pattern or condition that can't be read as one.
    """
    days = {name: _day(name, one) for name, one in (("since", since), ("until", until))}
    found = Filter(_patterns(within), _conditions(where), **days)
    _matcher(found.within)
    return found


_NOT_TOGETHER = "No indexed document passes all filters at once", "Ask with fewer of them."


def _unmatched(chosen: Filter, documents: Sequence[Described]) -> Iterator[tuple[str, str]]:
    """Say of each part of a filter that no document passes it, and what there is instead."""
    for pattern in chosen.within:
        if not pattern.startswith("!") and not Filter(within=(pattern,)).passing(documents):
            suffixes = Counter(_suffix(document.path) for document in documents)
            shown = f"Names end in {_counted(suffixes)}."
            yield f"No indexed document matches the pattern {pattern!r}", shown
    for key, wanted in chosen.where.items():
        values = Counter(
            document.metadata[key.lower()]
            for document in documents
            if key.lower() in document.metadata
        )
        if not values:
            keys = Counter(known for document in documents for known in document.metadata)
            near = difflib.get_close_matches(key.lower(), keys, 1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            shown = f"The keys are {_counted(keys)}." if keys else "They have no metadata."
            yield f"No indexed document has metadata {key!r}", meant + shown
        elif not Filter(where={key: wanted}).passing(documents):
            yield f"No indexed document has {key}={wanted}", f"Values: {_counted(values)}."
    days = sorted(document.day for document in documents if document.day) or ["none", "none"]
    for text, part in (
        (f"{chosen.since} or later", Filter(since=chosen.since)),
        (f"{chosen.until} or earlier", Filter(until=chosen.until)),
    ):
        if part and not part.passing(documents):
            yield f"No indexed document is of {text}", f"Their dates: {days[0]} to {days[-1]}."


def _suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name[1:] else "no suffix"


def _counted(found: Counter[str]) -> str:
    named = [f"{name} ({count:,})" for name, count in found.most_common(_NAMED)]
    return ", ".join([*named, "…"] if len(found) > _NAMED else named)


def _day(name: str, given: str | date | None) -> str:
    if not given:
        return ""
    text = given.isoformat()[:10] if isinstance(given, date) else given
    if not isinstance(text, str) or not (found := day(text)):
        raise FilterError(f"{name}: {given!r:.80} is not a date", hint="Write it like 2024-01-31.")
    return found


def _patterns(within: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(within, str):
        return (within,)
    patterns = tuple(within) if isinstance(within, Iterable) else (within,)
    for one in patterns:
        if not isinstance(one, str):
            raise FilterError(
                f"within has {one!r:.80}", hint='Give patterns as text, like "reports/**".'
            )
    return patterns


def _conditions(where: Mapping[str, str] | None) -> dict[str, str]:
    if not isinstance(where or {}, Mapping):
        raise FilterError(
            f"where is {where!r:.80}", hint='Give a mapping, like {"author": "A. Adams"}.'
        )
    conditions = dict(where or {})
    for key, value in conditions.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise FilterError(f"where has {key!r:.80}: {value!r:.80}", hint="Give both as text.")
    return conditions


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Make the test of `within`; what fits a path goes before what fits a folder above it."""
    if not patterns:
        return lambda _: True
    from qa.corpus.ignoring import Pattern, parse, verdict

    parsed: list[Pattern] = []
    for line in patterns:
        pattern = parse(line)
        if pattern is None:
            raise FilterError(
                f"{line!r} is not a path pattern", hint='Write it like "reports/**" or "*.pdf".'
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
