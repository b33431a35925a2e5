"""Files, the documents in them, and why some can't be read: the catalog's tables of these."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qa.corpus.walking import RACY_NS
from qa.store.checks import check, require
from qa.store.failures import reporting_damage
from qa.store.rows import DocumentRow, ProblemRow, StoredFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from qa.corpus import Stamp
    from qa.types import Document

__all__ = ["DocumentTables"]


class DocumentTables:
    """The tables of files, documents and problems, over the catalog's connection."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._db = connection

    def stamps(self) -> tuple[dict[str, Stamp | None], list[str]]:
        """The stamps of all files by path, of those that can't be read too, and their SHA-256.

        A stamp that a change after the file was read might not show in is None.
        """
        stamps: dict[str, Stamp | None] = {}
        sha256s: list[str] = []
        for path, sha256, size, mtime_ns, ctime_ns, inode, is_settled in self._db.execute(_STAMPS):
            stamps[path] = (size, mtime_ns, ctime_ns, inode) if is_settled else None
            sha256s.append(sha256)
        with reporting_damage(self._folder):
            if None in stamps or len(stamps) < len(sha256s):
                raise ValueError("a file without a path of its own")
        return stamps, sha256s

    def files(self) -> Iterator[StoredFile]:
        """All files, by path."""
        for path, sha256, size, mtime_ns, ctime_ns, inode, seen_ns, cited_sum in self._db.execute(
            "SELECT path, sha256, size, mtime_ns, ctime_ns, inode, seen_ns, cited_sum FROM file"
            " ORDER BY path"
        ):
            with reporting_damage(self._folder):
                require(0, cited_sum, check(path, sha256))
                yield StoredFile(path, sha256, (size, mtime_ns, ctime_ns, inode), seen_ns)

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

    def restamp(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
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

        metadata = _packed(document.metadata)
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

    def put_metadata(self, document: int, metadata: Mapping[str, str]) -> None:
        """Replace a document's metadata."""
        query = "SELECT file, path, format, encoding FROM document WHERE id = ?"
        cited = (*self._db.execute(query, (document,)).fetchone(), _packed(metadata))
        self._db.execute(
            "UPDATE document SET metadata = ?, cited_sum = ? WHERE id = ?",
            (cited[-1], check(*cited), document),
        )

    def put_problem(self, path: str, file: int, reason: str) -> None:
        """Note that a document of a file can't be read."""
        self._db.execute("INSERT INTO problem VALUES (?, ?, ?)", (path, file, reason))

    def of_file(self, file: str) -> list[int]:
        """The ids of a file's documents."""
        query = (
            "SELECT document.id FROM document JOIN file ON file.id = file WHERE file.path = ?"
            " ORDER BY document.id"
        )
        return [row[0] for row in self._db.execute(query, (file,))]

    def all_ids(self) -> list[int]:
        """The ids of all documents, ascending."""
        return [row[0] for row in self._db.execute("SELECT id FROM document ORDER BY id")]

    def drop_of_file(self, file: str) -> None:
        """Delete what is known of a file's documents, but for their passages."""
        of_file = "file = (SELECT id FROM file WHERE path = ?)"
        self._db.execute(
            f"DELETE FROM extract WHERE document IN (SELECT id FROM document WHERE {of_file})",
            (file,),
        )
        self._db.execute(f"DELETE FROM document WHERE {of_file}", (file,))
        self._db.execute(f"DELETE FROM problem WHERE {of_file}", (file,))

    def by_id(self, ids: Iterable[int]) -> dict[int, DocumentRow]:
        """Some documents by id."""
        query = _DOCUMENT + " WHERE document.id = ?"
        rows = ((one, self._db.execute(query, (one,)).fetchone()) for one in set(ids))
        with reporting_damage(self._folder):
            return {one: _document(one, row) for one, row in rows}

    def id_of(self, path: str) -> int | None:
        """The number of the document with that id; None where there is none."""
        query = "SELECT id FROM document WHERE path = ?"
        row = self._db.execute(query, (path,)).fetchone()
        return None if row is None else int(row[0])

    def after(self, path: str | None, count: int) -> list[tuple[int, str]]:
        """The numbers and ids of so many documents, by id, from the one after `path` on."""
        query = "SELECT id, path FROM document WHERE path > ? ORDER BY path LIMIT ?"
        return self._db.execute(query, ("" if path is None else path, count)).fetchall()

    def check_rows(self) -> None:
        """Compare every document and its text with what was written (CatalogDamagedError)."""
        self.check_references()
        with reporting_damage(self._folder):
            for row in self._db.execute(_DOCUMENT):
                _document(row[0], row)
            for row in self._db.execute("SELECT document FROM extract"):
                self.extract(row[0])

    def count(self) -> int:
        """Count the documents that could be read."""
        return int(self._db.execute("SELECT count(*) FROM document").fetchone()[0])

    def extract(self, document: int) -> str:
        """The text of a document whose row has no encoding: it is kept beside."""
        query = "SELECT text, text_sum FROM extract WHERE document = ?"
        found = self._db.execute(query, (document,)).fetchone()
        with reporting_damage(self._folder):
            if found is None:
                raise ValueError(f"it lacks the text of document {document}")
            require(document, found[1], check(document, found[0]))
        return str(found[0])

    def problems(self) -> list[ProblemRow]:
        """The documents that could not be read, or only in part, by path."""
        rows = self._db.execute(
            "SELECT problem.path, file.path, reason,"
            " EXISTS (SELECT 1 FROM document WHERE document.path = problem.path)"
            " OR problem.path = file.path"  # of a mailbox, say, the members are the documents
            " AND EXISTS (SELECT 1 FROM document WHERE document.file = file.id)"
            " FROM problem LEFT JOIN file ON file.id = problem.file ORDER BY problem.path"
        )
        with reporting_damage(self._folder):
            return [_problem(row) for row in rows]

    def check_references(self) -> None:
        """Follow every reference between files, documents and texts (CatalogDamagedError)."""
        with reporting_damage(self._folder):
            for broken, query in _BROKEN.items():
                if (row := self._db.execute(query + " LIMIT 1").fetchone()) is not None:
                    raise ValueError(broken.format(row[0]))
            self.problems()


# SQLite keeps any type in any column: the cast makes good what a stranger's catalog may break. What
# is broken in the other columns is no stamp that a file has.
_STAMPS = (
    "SELECT CAST(path AS TEXT), CAST(sha256 AS TEXT), size, mtime_ns, ctime_ns, inode,"
    f" max(mtime_ns, ctime_ns) < seen_ns - {RACY_NS} FROM file"
)
_DOCUMENT = (
    "SELECT document.id, file, document.path, format, encoding, metadata, document.cited_sum,"
    " file.path, sha256, file.cited_sum FROM document JOIN file ON file.id = file"
)


# What is wrong where a query finds a row: that it refers to another that is not there.
_BROKEN = {
    "it lacks the file of document {}": (
        "SELECT document.id FROM document LEFT JOIN file ON file.id = file WHERE file.id IS NULL"
    ),
    "it lacks the text of document {}": (
        "SELECT id FROM document LEFT JOIN extract ON document = id"
        " WHERE encoding = '' AND document IS NULL"
    ),
    "it lacks the document of text {}": (
        "SELECT document FROM extract LEFT JOIN document ON id = document WHERE id IS NULL"
    ),
    "it lacks the documents of file {}": (
        "SELECT id FROM file WHERE id NOT IN (SELECT file FROM document)"
        " AND id NOT IN (SELECT file FROM problem)"
    ),
}


def _packed(metadata: Mapping[str, str]) -> str:
    return json.dumps(dict(metadata), ensure_ascii=False)


def _problem(row: tuple[Any, ...]) -> ProblemRow:
    path, file, reason, indexed = row
    if not all(isinstance(text, str) for text in (path, file, reason)):
        raise TypeError("a problem of no document, or without a reason")
    if path != file and not path.startswith(f"{file}/"):
        raise ValueError(f"a problem of {path} that is not in {file}")
    return ProblemRow(path, file, reason, bool(indexed))


def _document(one: int, row: tuple[Any, ...] | None) -> DocumentRow:
    if row is None:
        raise ValueError(f"it lacks document {one}")
    number, *cited, cited_sum, file, sha256, file_sum = row
    require(one, cited_sum, check(*cited))
    require(one, file_sum, check(file, sha256))
    _, path, kind, encoding, metadata = cited
    about = json.loads(metadata)
    if not all(isinstance(text, str) for text in (path, kind, encoding, file, sha256, *about)):
        raise TypeError(f"document {one} has a non-text value")
    about = {key: str(value) for key, value in about.items()}
    return DocumentRow(number, path, kind, encoding, file, sha256, about)
