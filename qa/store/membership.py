"""What documents are filtered by, and which passages are theirs: read once for each change."""

from __future__ import annotations

import json
import re
from functools import cached_property, lru_cache, partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from qa.store.checks import require, text_check
from qa.store.failures import reporting_damage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Described", "Folders", "Membership", "Values"]

_PARTS = re.compile(r"[,;]")
_AT_ONCE = 4096  # documents whose metadata is parsed by one call: a third of the time
_KEPT = 16  # values of a key, or verdicts of a filter
_T = TypeVar("_T")


class Values(NamedTuple):
    """The values under one key of the documents' metadata, in lower case.

    Attributes:
        numbers: each value, and each of the parts between its commas and semicolons, with its
            number; they stand in the order of these, from 0 on.
        number: of a value that a document has, int32 `[v]`; a document may have several, or none.
        document: which of the documents that is, int32 `[v]`.
    """

    numbers: Mapping[str, int]
    number: NDArray[np.int32]
    document: NDArray[np.int32]


class Folders(NamedTuple):
    """Distinct folders.

    Attributes:
        paths: of each.
        names: the last part of each.
        above: the number of the folder that each is in, int32 `[f]`; -1 for none.
        of: the number of the folder that each document is in, int32 `[n]`; -1 for none.
    """

    paths: Sequence[str]
    names: Sequence[str]
    above: NDArray[np.int32]
    of: NDArray[np.int32]


class Described:
    """What all documents are filtered by, column by column; what is not asked for is not read.

    Attributes:
        paths: of each document.
        metadata: gives that of each, as JSON has it.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        days: Callable[[], Iterable[str]],
        metadata: Callable[[], Iterable[Mapping[str, object]]],
    ) -> None:
        """Take the columns; a day is YYYY-MM-DD or ""."""
        # The ids of pairs may begin so.
        self.paths = [path.removeprefix("./").removeprefix("/") for path in paths]
        self.metadata = metadata
        self._read_days = days
        self._kept: dict[Hashable, object] = {}

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def days(self) -> NDArray[np.bytes_]:
        """The day of each document's own date, else of its file's last change, as ASCII."""
        import numpy as np

        return np.array(list(self._read_days()), "S10")

    @cached_property
    def folders(self) -> Folders:
        """The folders of the documents, and those above them."""
        import numpy as np

        numbers: dict[str, int] = {}
        of = list(map(_above, self.paths))
        for folder in dict.fromkeys(of):
            one = folder
            while one is not None and one not in numbers:
                numbers[one] = len(numbers)
                one = _above(one)

        def number(folder: str | None) -> int:
            return -1 if folder is None else numbers[folder]

        return Folders(
            paths=list(numbers),
            names=list(map(_name, numbers)),
            above=np.fromiter(map(number, map(_above, numbers)), np.int32, len(numbers)),
            of=np.fromiter(map(number, of), np.int32, len(of)),
        )

    @cached_property
    def names(self) -> list[str]:
        """The last part of each document's path."""
        return list(map(_name, self.paths))

    def values(self, key: str) -> Values:
        """What the documents have under a key of their metadata."""
        return self.kept(key, lambda: _values(str(one.get(key, "")) for one in self.metadata()))

    def kept(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What was made under a key, or is made now; of what was made the last few are kept."""
        if key not in self._kept:
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = make()
        return cast("_T", self._kept[key])


class Membership:
    """What the catalog's documents are filtered by, and their passages; kept until it changes."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._db = connection
        self._version = -1
        self._kept: _Kept | None = None

    def is_kept(self) -> bool:
        """Whether what was read last is what would be read now."""
        return self._kept is not None and self._version == self._seen_version()

    def described(self) -> Described:
        """What all documents are filtered by, in the order of their ids.

        Every document is compared with its sum.

        Raises:
            CatalogDamagedError: rows are damaged, or passages are of no document.
        """
        return self._read().described

    def passages_of(self, passing: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The ids, ascending, of the passages of the documents chosen among those described."""
        kept = self._read()
        return kept.passages[passing[kept.document]]

    def _read(self) -> _Kept:
        if self._kept is None or not self.is_kept():
            self._kept = None
            self._version = self._seen_version()
            with reporting_damage(self._folder):
                ids, paths = self._documents()
                described = Described(
                    paths,
                    days=partial(_days, self._folder, self._db),
                    metadata=partial(_metadata, self._folder, self._db),
                )
                self._kept = _Kept(described, *self._passages(ids))
        return self._kept

    def _seen_version(self) -> int:
        # Unlike the number of changes it also tells that a file was touched, which moves its day.
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _documents(self) -> tuple[list[int], list[str]]:
        """The ids and paths of all documents, by id."""
        rows = self._db.execute(
            "SELECT id, file, path, format, encoding, metadata, cited_sum FROM document ORDER BY id"
        )
        ids: list[int] = []
        paths: list[str] = []
        for one, file, path, *others, cited_sum in rows:
            require(one, cited_sum, text_check(str(file), path, *others))
            ids.append(one)
            paths.append(path)
        return ids, paths

    def _passages(self, documents: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The ids of all passages, ascending, and where in `documents` that of each stands.

        Raises:
            ValueError: a document is not there.
            TypeError: an id is not a whole number.
        """
        import numpy as np

        # A document's passages are numbered in a row, so that the ends tell them all, in a third
        # of the time that reading every passage takes.
        document, first, last, count = _integers(
            self._db, "SELECT document, min(id), max(id), count(*) FROM passage GROUP BY document"
        )
        if not (last - first + 1 == count).all():
            document, first = _integers(self._db, "SELECT document, id FROM passage")
            count = np.ones_like(first)
        order = np.argsort(first)
        document, first, count = document[order], first[order], count[order]
        known = np.array(documents, np.int64)
        if (first < 1).any():
            raise ValueError(f"it has a passage {first[0]}")
        if len(lost := first[~np.isin(document, known)]):
            raise ValueError(f"it lacks the document of passage {lost[0]}")
        of = np.searchsorted(known, document).astype(np.int32)
        ids = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
        return ids, np.repeat(of, count)


def _days(folder: Path, db: sqlite3.Connection) -> Iterator[str]:
    """The day of each document; its own is compared with the date that it is taken from."""
    from qa.reading.dates import day

    day_of = lru_cache(maxsize=None)(day)  # many documents have few dates
    rows = db.execute(
        "SELECT document.id, day,"
        " CASE day WHEN '' THEN date(mtime_ns / 1000000000, 'unixepoch') END"
        " FROM document LEFT JOIN file ON file.id = file ORDER BY document.id"
    )
    with reporting_damage(folder):
        for (one, of_day, changed), about in zip(rows, _metadata(folder, db), strict=True):
            if of_day != day_of(str(about.get("date", ""))):
                raise ValueError(f"document {one} is of another day")
            yield of_day or changed or ""


def _metadata(folder: Path, db: sqlite3.Connection) -> Iterator[Mapping[str, object]]:
    """The metadata of each document."""
    rows = db.execute("SELECT metadata FROM document ORDER BY id")
    with reporting_damage(folder):
        while portion := [text for (text,) in rows.fetchmany(_AT_ONCE)]:
            found = json.loads(f"[{','.join(portion)}]")
            if len(found) != len(portion) or not all(isinstance(one, dict) for one in found):
                raise TypeError("metadata that is not a JSON object")
            yield from found


def _above(path: str) -> str | None:
    """The folder that a path is in."""
    return path[: path.rfind("/")] if "/" in path else None


def _name(path: str) -> str:
    return path[path.rfind("/") + 1 :]


class _Kept(NamedTuple):
    """What was read: the ids of all passages, and where the document of each stands."""

    described: Described
    passages: NDArray[np.int64]
    document: NDArray[np.int32]


def _integers(db: sqlite3.Connection, query: str) -> Iterable[NDArray[np.int64]]:
    """The columns that a query gives.

    Raises:
        TypeError: not all of it are whole numbers.
    """
    import numpy as np

    rows = db.execute(query)
    found = np.array(rows.fetchall() or np.empty((0, len(rows.description)), np.int64))
    if found.dtype != np.int64:
        raise TypeError("ids that are not whole numbers")
    return found.T


def _values(column: Iterable[str]) -> Values:
    import numpy as np

    numbers: dict[str, int] = {}
    known: dict[str, list[int]] = {"": []}
    each = []
    for text in column:
        if (found := known.get(text)) is None:
            value = text.casefold()
            parts = {value, *(part.strip() for part in _PARTS.split(value))} - {""}
            found = known[text] = [numbers.setdefault(part, len(numbers)) for part in parts]
        each.append(found)
    counts = np.fromiter(map(len, each), np.int64, len(each))
    number = np.fromiter(chain.from_iterable(each), np.int32, counts.sum())
    return Values(numbers, number, np.repeat(np.arange(len(each), dtype=np.int32), counts))
