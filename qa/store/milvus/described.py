"""All documents of a moment, what they are filtered by, and how their passages are chosen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qa.store.membership import Described
    from qa.store.milvus.catalog import Catalog, DocumentKept, FileKept

__all__ = ["Table", "allowing", "read_table"]

_RUNS = 64  # runs of ids that are named by their ends


class Table(NamedTuple):
    """All documents by number, and what they are filtered by.

    Of each there is its `number`, the `first` of its passages, and how many these are.
    """

    documents: Sequence[DocumentKept]
    described: Described
    number: NDArray[np.int64]
    first: NDArray[np.int64]
    held: NDArray[np.int64]


def read_table(catalog: Catalog, files: Iterable[FileKept]) -> Table:
    """Read all documents; a document without a date has the day of its file."""
    import numpy as np

    from qa.store.membership import Described

    documents = catalog.documents()
    changed = {one.number: one.file.stamp[1] for one in files}

    def metadata() -> Iterator[Mapping[str, object]]:
        return (one.row.metadata for one in documents)

    return Table(
        documents,
        Described(
            [one.row.path for one in documents],
            days=lambda: (one.day or _day_of(changed.get(one.number)) for one in documents),
            metadata=metadata,
        ),
        np.array([one.row.id for one in documents], np.int64),
        np.array([one.first for one in documents], np.int64),
        np.array([one.passages for one in documents], np.int64),
    )


def allowing(allowed: NDArray[np.int64], table: Callable[[], Table]) -> str:
    """An expression that chooses passages by their ids, ascending; most often whole documents'.

    A document's passages are numbered in a row: few runs of them are named by their ends, else the
    documents are named.
    """
    import numpy as np

    ends = np.flatnonzero(np.diff(allowed) != 1)
    if len(ends) < _RUNS:
        starts = [0, *(ends + 1).tolist()]
        stops = [*ends.tolist(), len(allowed) - 1]
        return " or ".join(
            f"(id >= {allowed[start]} and id <= {allowed[stop]})"
            for start, stop in zip(starts, stops, strict=True)
        )
    known = table()
    order = np.flatnonzero(known.held)
    order = order[np.argsort(known.first[order])]
    at = order[np.searchsorted(known.first[order], allowed, side="right") - 1]
    chosen, held = np.unique(at, return_counts=True)
    if (held == known.held[chosen]).all():
        return f"document in {known.number[chosen].tolist()}"
    return f"id in {allowed.tolist()}"


def _day_of(mtime_ns: int | None) -> str:
    if mtime_ns is None:
        return ""
    try:
        return datetime.fromtimestamp(mtime_ns // 1_000_000_000, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return ""
