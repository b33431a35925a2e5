"""Files, the documents in them, and why some can't be read: the catalog's tables of these."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qa.errors import CatalogDamagedError
from qa.reading.corpus import Stamp
from qa.store.checks import check, require
from qa.store.failures import REBUILD
from qa.store.rows import DocumentRow, FileRow, ProblemRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from qa.types import Document

__all__ = ["DocumentTables"]


class DocumentTables:
    """The part of the catalog that tells of files and documents."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._db = connection

    @contextmanager
    def sense(self) -> Iterator[None]:
        """Report what no writer of ours can have written."""
        try:
            yield
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise CatalogDamagedError(
                f"The catalog of the index {self.folder} is damaged ({error})", hint=REBUILD
            ) from error

    def files(self) -> dict[str, FileRow]:
        """Give all files by path, those that can't be read too."""
        rows = self._db.execute(
            f"SELECT id, CAST(path AS TEXT), CAST(sha256 AS TEXT), {_TIMES} FROM file"
        )
        return {r[1]: FileRow(r[0], r[1], r[2], Stamp(*r[4:]), r[3]) for r in rows}

    def put_file(self, path: str, *, sha256: str, stamp: Stamp, seen_ns: int) -> int:
        """Insert a file, or replace what is known of it; gives its id."""
        row = self._db.execute(
            "INSERT INTO file (path, sha256, size, mtime_ns, ctime_ns, inode, seen_ns, cited_sum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET"
            " sha256 = excluded.sha256, size = excluded.size, mtime_ns = excluded.mtime_ns,"
            " ctime_ns = excluded.ctime_ns, inode = excluded.inode, seen_ns = excluded.seen_ns,"
            " cited_sum = excluded.cited_sum RETURNING id",
            (path, sha256, *stamp, seen_ns, check(path, sha256)),
        ).fetchone()
        return int(row[0])

    def touch_files(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
        """Note that files were read again and are the same."""
        self._db.executemany(
            "UPDATE file SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, seen_ns = ?"
            " WHERE path = ?",
            ((*stamp, seen_ns, path) for path, stamp in stamps.items()),
        )

    def drop_file(self, path: str) -> None:
        """Delete a file; its documents must be gone already."""
        self._db.execute("DELETE FROM file WHERE path = ?", (path,))

    def put_document(self, document: Document, file: int) -> int:
        """Insert a document of a file; gives its id."""
        from qa.reading.dates import day

        metadata = json.dumps(dict(document.metadata), ensure_ascii=False)
        cited = (file, document.id, document.format, document.encoding, metadata)
        row = self._db.execute(
            "INSERT INTO document (file, path, format, encoding, metadata, day, cited_sum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (*cited, day(document.metadata.get("date", "")), check(*cited)),
        ).fetchone()
        if not document.encoding:  # the text is no part of the file, so it is kept
            self._db.execute(
                "INSERT INTO extract VALUES (?, ?, ?)",
                (row[0], document.text, check(row[0], document.text)),
            )
        return int(row[0])

    def put_problem(self, path: str, file: int, reason: str) -> None:
        """Note that a document of a file can't be read."""
        self._db.execute("INSERT INTO problem VALUES (?, ?, ?)", (path, file, reason))

    def documents_of(self, file: str) -> list[int]:
        """Give the ids of a file's documents."""
        query = "SELECT document.id FROM document JOIN file ON file.id = file WHERE file.path = ?"
        return [row[0] for row in self._db.execute(query, (file,))]

    def drop_documents(self, file: str) -> None:
        """Delete what is known of a file's documents, but for their passages."""
        of_file = "file = (SELECT id FROM file WHERE path = ?)"
        self._db.execute(
            f"DELETE FROM extract WHERE document IN (SELECT id FROM document WHERE {of_file})",
            (file,),
        )
        self._db.execute(f"DELETE FROM document WHERE {of_file}", (file,))
        self._db.execute(f"DELETE FROM problem WHERE {of_file}", (file,))

    def documents_by_id(self, ids: Iterable[int]) -> dict[int, DocumentRow]:
        """Give some documents by id."""
        query = _DOCUMENT + " WHERE document.id = ?"
        rows = ((one, self._db.execute(query, (one,)).fetchone()) for one in set(ids))
        with self.sense():
            return {one: _document(one, row) for one, row in rows}

    def check_documents(self) -> None:
        """Compare every document and its text with what was written (CatalogDamagedError)."""
        with self.sense():
            for row in self._db.execute(_DOCUMENT):
                _document(row[0], row)
            for row in self._db.execute("SELECT document FROM extract"):
                self.extract(row[0])

    def count_documents(self) -> int:
        """Count the documents that could be read."""
        return int(self._db.execute("SELECT count(*) FROM document").fetchone()[0])

    def extract(self, document: int) -> str | None:
        """Give the text of a document of a converted format; None where there is none."""
        query = "SELECT text, text_sum FROM extract WHERE document = ?"
        found = self._db.execute(query, (document,)).fetchone()
        if found is None:
            return None
        with self.sense():
            require(document, found[1], check(document, found[0]))
        return str(found[0])

    def problems(self) -> list[ProblemRow]:
        """Give the documents that could not be read, by path."""
        rows = self._db.execute(
            "SELECT CAST(problem.path AS TEXT), CAST(file.path AS TEXT), CAST(reason AS TEXT)"
            " FROM problem JOIN file ON file.id = file ORDER BY problem.path"
        )
        return [ProblemRow(*row) for row in rows]

    def described(self) -> Iterator[tuple[int, str, str, str]]:
        """Give `(id, path, day, metadata as JSON)` of all documents.

        The day is that of the document's own date; where it has none, of the file's last change.
        """
        return self._db.execute(
            "SELECT document.id, document.path,"
            " CASE day WHEN '' THEN coalesce(date(mtime_ns / 1000000000, 'unixepoch'), '')"
            " ELSE day END, metadata FROM document JOIN file ON file.id = file"
        )


# SQLite keeps any type in any column: the casts make good what a stranger's catalog may break.
_TIMES = ", ".join(
    f"CAST({one} AS INTEGER)" for one in ("seen_ns", "size", "mtime_ns", "ctime_ns", "inode")
)
_DOCUMENT = (
    "SELECT document.id, file, document.path, format, encoding, metadata, document.cited_sum,"
    " file.path, sha256, file.cited_sum FROM document JOIN file ON file.id = file"
)


def _document(one: int, row: tuple[Any, ...] | None) -> DocumentRow:
    if row is None:
        raise ValueError(f"it lacks document {one}")
    number, *cited, cited_sum, file, sha256, file_sum = row
    require(one, cited_sum, check(*cited))
    require(one, file_sum, check(file, sha256))
    _, path, kind, encoding, metadata = cited
    about = json.loads(metadata)
    if not all(isinstance(text, str) for text in (path, kind, encoding, file, sha256, *about)):
        raise TypeError(f"document {one} has text that is none")
    about = {key: str(value) for key, value in about.items()}
    return DocumentRow(number, path, kind, encoding, file, sha256, about)
