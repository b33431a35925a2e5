"""The rows of an index at one moment, in bounded memory."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from qa.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qa.store.protocol import Snapshot
    from qa.store.rows import DocumentRow

    T = TypeVar("T")

__all__ = ["TABLES", "Table", "check_table", "rows"]

Table = Literal["documents", "passages", "places", "vectors"]
TABLES: tuple[Table, ...] = get_args(Table)
_AT_ONCE = 1000  # rows of the catalog that are looked up together


def check_table(what: str) -> Table:
    """Give the table of a name.

    Raises:
        QuestionError: there is none.
    """
    for one in TABLES:
        if one == what:
            return one
    raise QuestionError(f"what is {what!r:.80}", hint=f"Give one of: {', '.join(TABLES)}.")


def rows(snapshot: Snapshot, what: Table) -> Iterator[dict[str, object]]:
    """The rows of a table; docs/data.md has their columns.

    Vectors are float32 `[d]`, of unit length as far as float16 tells, in the order in which they
    came; passages that have none yet are left out. What is in memory is a thousand rows, and of
    places those of one document.
    """
    match what:
        case "documents":
            return _documents(snapshot)
        case "passages":
            return _passages(snapshot)
        case "places":
            return _places(snapshot)
        case "vectors":
            return _vectors(snapshot)


def _all_documents(snapshot: Snapshot) -> Iterator[DocumentRow]:
    after = None
    while page := snapshot.documents_after(after, _AT_ONCE):
        found = snapshot.documents(number for number, _ in page)
        for number, after in page:  # noqa: B007 - the last one is where the next page begins
            yield found[number]


def _documents(snapshot: Snapshot) -> Iterator[dict[str, object]]:
    for row in _all_documents(snapshot):
        yield {
            "document": row.path,
            "file": row.file,
            "format": row.format,
            "encoding": row.encoding,
            "sha256": row.sha256,
            "title": row.metadata.get("title", ""),
            "metadata": dict(row.metadata),
            "passages": snapshot.count_passages_of(row.id),
        }


def _passages(snapshot: Snapshot) -> Iterator[dict[str, object]]:
    for batch in _batches(snapshot.all_passages()):
        documents = snapshot.documents(row.document for row in batch)
        waiting = snapshot.pending_among(row.id for row in batch)
        for row in batch:
            yield {
                "passage": row.id,
                "document": documents[row.document].path,
                "start": row.start,
                "end": row.end,
                "heading_path": list(row.heading_path),
                "text": row.text,
                "has_vector": row.id not in waiting,
            }


def _places(snapshot: Snapshot) -> Iterator[dict[str, object]]:
    for document in _all_documents(snapshot):
        passages = snapshot.passages_of_document(document.id)
        places = dict.fromkeys(place for row in passages for place in row.places)
        for place in sorted(places, key=lambda one: one.start):
            yield {
                "document": document.path,
                "start": place.start,
                "kind": str(place.kind),
                "value": place.value,
            }


def _vectors(snapshot: Snapshot) -> Iterator[dict[str, object]]:
    for batch in _batches(snapshot.vectors()):
        passages = snapshot.passages(one for one, _ in batch)
        documents = snapshot.documents(row.document for row in passages)
        for row, (_, vector) in zip(passages, batch, strict=True):
            yield {
                "passage": row.id,
                "document": documents[row.document].path,
                "start": row.start,
                "end": row.end,
                "vector": vector,
            }


def _batches(found: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(found)
    return iter(lambda: list(islice(rest, _AT_ONCE)), [])
