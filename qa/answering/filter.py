"""Which documents a question is asked of: by their place, their metadata and their day."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import translate
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from qa.errors import FilterError
from qa.reading.dates import day

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from qa.corpus.ignoring import Pattern
    from qa.store.membership import Described, Values
    from qa.store.protocol import Snapshot

__all__ = ["Filter", "allowed_passages", "make_filter"]

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

    def passing(self, documents: Described) -> NDArray[np.bool_]:
        """Whether each document passes, bool `[n]`; not to be changed."""
        key = (self.within, tuple(self.where.items()), self.since, self.until)
        return documents.kept(key, partial(self._passing, documents))

    def _passing(self, documents: Described) -> NDArray[np.bool_]:
        passing = np.ones(len(documents), np.bool_)
        if self.since:
            passing &= documents.days >= self.since.encode()
        if self.until:
            passing &= (documents.days <= self.until.encode()) & (documents.days != b"")
        if self.within:
            passing &= _lie_within(_parsed(self.within), documents)
        for key, wanted in self.where.items():
            passing &= _have(documents.values(key.lower()), wanted.casefold(), len(documents))
        return passing


def allowed_passages(chosen: Filter, snapshot: Snapshot) -> NDArray[np.int64]:
    """The ids, ascending, of the passages of the documents that pass a filter.

    Raises:
        FilterError: documents are indexed, and none passes.
    """
    documents = snapshot.described()
    passing = chosen.passing(documents)
    if len(documents) and not passing.any():
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
    _parsed(found.within)
    return found


_NOT_TOGETHER = "No indexed document passes all filters at once", "Ask with fewer of them."


def _unmatched(chosen: Filter, documents: Described) -> Iterator[tuple[str, str]]:
    """Say of each part of a filter that no document passes it, and what there is instead."""
    for pattern in chosen.within:
        if not pattern.startswith("!") and not Filter(within=(pattern,)).passing(documents).any():
            suffixes = Counter(map(_suffix, documents.paths))
            shown = f"Names end in {_counted(suffixes)}."
            yield f"No indexed document matches the pattern {pattern!r}", shown
    for key, wanted in chosen.where.items():
        values = Counter(
            str(about[key.lower()]) for about in documents.metadata() if key.lower() in about
        )
        if not values:
            keys = Counter(known for about in documents.metadata() for known in about)
            near = difflib.get_close_matches(key.lower(), keys, 1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            shown = f"The keys are {_counted(keys)}." if keys else "They have no metadata."
            yield f"No indexed document has metadata {key!r}", meant + shown
        elif not Filter(where={key: wanted}).passing(documents).any():
            yield f"No indexed document has {key}={wanted}", f"Values: {_counted(values)}."
    for text, part in (
        (f"{chosen.since} or later", Filter(since=chosen.since)),
        (f"{chosen.until} or earlier", Filter(until=chosen.until)),
    ):
        if part and not part.passing(documents).any():
            days = sorted({day.decode() for day in documents.days.tolist()} - {""})
            ends = f"{days[0]} to {days[-1]}" if days else "none"
            yield f"No indexed document is of {text}", f"Their dates: {ends}."


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


def _parsed(patterns: Iterable[str]) -> list[Pattern]:
    """Read the patterns of `within`.

    Raises:
        FilterError: one is not a pattern.
    """
    from qa.corpus.ignoring import parse

    parsed: list[Pattern] = []
    for line in patterns:
        pattern = parse(line)
        if pattern is None:
            raise FilterError(
                f"{line!r} is not a path pattern", hint='Write it like "reports/**" or "*.pdf".'
            )
        parsed.append(pattern)
    return parsed


def _lie_within(patterns: Sequence[Pattern], documents: Described) -> NDArray[np.bool_]:
    """Test `within`; what fits a path goes before what fits a folder, a nearer one first."""
    folders = documents.folders
    inside = np.full(len(folders.paths) + 1, _OPEN, np.int8)
    inside[-1] = False  # what is in no folder
    for fits, chooses, _, by_name in patterns:  # the last that fits decides
        tried = folders.names if by_name else folders.paths
        inside[:-1][_fitting(fits, tried)] = chooses
    while len(open_ := np.flatnonzero(inside == _OPEN)):
        inside[open_] = inside[folders.above[open_]]
    found = inside[folders.of]
    for fits, chooses, folders_only, by_name in patterns:
        if not folders_only:
            found[_fitting(fits, documents.names if by_name else documents.paths)] = chooses
    return found.astype(np.bool_)


_OPEN = -1


def _fitting(fits: Callable[[str], object], texts: Collection[str]) -> NDArray[np.bool_]:
    return np.fromiter(map(fits, texts), np.bool_, len(texts))


def _have(values: Values, wanted: str, count: int) -> NDArray[np.bool_]:
    """Which of so many documents have a value that fits."""
    fits = re.compile(translate(wanted)).match
    found = np.zeros(count, np.bool_)
    found[values.document[_fitting(fits, values.numbers)[values.number]]] = True
    return found
