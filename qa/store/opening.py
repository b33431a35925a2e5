"""An index by its place: a folder, or a name on a server."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qa.corpus import Corpus
    from qa.place import MilvusPlace
    from qa.store.protocol import Snapshot, Store

__all__ = ["moment", "open_store"]


def open_store(
    place: Path | MilvusPlace,
    corpus: Corpus | None = None,
    *,
    lock_timeout: float = 0,
    notify: Callable[[str], None] = lambda _: None,
) -> Store:
    """The store at a place; see `qa.store.index.Index`, `qa.store.milvus.index.MilvusIndex`."""
    if isinstance(place, Path):
        from qa.store.index import Index

        return Index(place, corpus, lock_timeout=lock_timeout, notify=notify)
    from qa.store.milvus.index import MilvusIndex

    return MilvusIndex(place, corpus, lock_timeout=lock_timeout, notify=notify)


@contextmanager
def moment(place: Path | MilvusPlace, corpus: Corpus | None = None) -> Iterator[Snapshot]:
    """One moment of an index, with nothing kept open afterwards; see `Store.snapshot`."""
    with closing(open_store(place, corpus)) as index, index.snapshot() as snapshot:
        yield snapshot
