"""An index from another: all that is stored, put in again without reading or embedding anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qa.types import Document

if TYPE_CHECKING:
    from qa.store.protocol import Snapshot, Store, Transaction
    from qa.store.rows import DocumentRow, StoredFile

__all__ = ["copy", "copy_index"]


def copy_index(source: Store, target: Store) -> int:
    """Put all that one index holds in the place of what another does; gives how many passages.

    Raises:
        IndexUnusableError: the one can't be read, or the other can't be written.
    """
    with source.snapshot() as snapshot, target.transaction(rebuild=True) as transaction:
        known = snapshot.identity
        corpus = target.seen_from(source.located(known.corpus))
        transaction.begin(replace(known, corpus=corpus), rebuild=True)
        return copy(snapshot, transaction)


def copy(source: Snapshot, target: Transaction) -> int:
    """Put all that an index holds into a transaction that has begun by deleting everything.

    Bit for bit the same, but for the numbers of rows; what waits for its embedding still does.

    Returns:
        How many passages were copied.

    Raises:
        CatalogDamagedError: a row of the source is not what was written.
    """
    passages = 0
    problems: dict[str, dict[str, str]] = {}
    for problem in source.problems():
        problems.setdefault(problem.file, {})[problem.path] = problem.reason
    for file in source.files():
        target.open_file(*file)
        for row in source.documents_of(file.path):
            target.put_document(_document(source, file, row))
            for one in source.stored_passages(row.id):
                target.put_stored(one)
                passages += 1
        target.close_file(problems.get(file.path, {}))
    target.keep(calibration=source.calibration, corpus_fit=source.corpus_fit)
    return passages


def _document(source: Snapshot, file: StoredFile, row: DocumentRow) -> Document:
    return Document(
        id=row.path,
        file=file.path,
        format=row.format,
        text="" if row.encoding else source.extract(row.id),  # else it is that of the file
        sha256=file.sha256,
        encoding=row.encoding,
        sections=(),
        metadata=row.metadata,
    )
