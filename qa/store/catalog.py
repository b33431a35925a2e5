"""The catalog: the SQLite database that is the truth about what is indexed. One commit decides.

What is read for an answer is checked: rows carry sums, and all that refers to a row must find it.
"""

from __future__ import annotations

import json
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from qa.store.checks import meta_check
from qa.store.database import CATALOG, connect_to_read, connect_to_write
from qa.store.documents import DocumentTables
from qa.store.embeddings import EmbeddingTables
from qa.store.failures import reporting_damage
from qa.store.identity import Identity
from qa.store.membership import Membership
from qa.store.passages import PassageTables
from qa.store.rows import FilesKnown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path


__all__ = ["Catalog"]


class Catalog:
    """One connection to the catalog of an index.

    Its tables are in `documents`, `passages` and `embeddings`.
    """

    def __init__(
        self,
        folder: Path,
        connection: sqlite3.Connection,
        seen: Sequence[tuple[int, ...]] = (),
        *,
        is_frozen: bool = False,
    ) -> None:
        self.folder = folder
        self.documents = DocumentTables(folder, connection)
        self.passages = PassageTables(folder, connection)
        self.embeddings = EmbeddingTables(folder, connection)
        self.membership = Membership(folder, connection)
        self._db = connection
        self._meta: dict[str, str] = {}
        self._seen = seen
        self._known: FilesKnown | None = None
        self._known_at = (-1, -1)  # the moment that is of
        self._is_frozen = is_frozen

    @classmethod
    def create(cls, folder: Path) -> Catalog:
        """Open for writing; made where there is none; see `connect_to_write`."""
        return cls(folder, connect_to_write(folder))

    @classmethod
    def open(cls, folder: Path) -> Catalog:
        """Open for reading; see `connect_to_read`."""
        seen = _look(folder)
        connection, is_frozen = connect_to_read(folder)
        return cls(folder, connection, seen, is_frozen=is_frozen)

    @classmethod
    @contextmanager
    def reading(cls, folder: Path) -> Iterator[Catalog]:
        """Open for reading, at one moment, and close afterwards; see `connect_to_read`."""
        with closing(cls.open(folder)) as catalog:
            catalog.begin(write=False)
            yield catalog

    @classmethod
    @contextmanager
    def writing(cls, folder: Path) -> Iterator[Catalog]:
        """Open for writing, in a transaction, and close afterwards; see `connect_to_write`.

        What is not committed inside is undone.
        """
        with closing(cls.create(folder)) as catalog:
            try:
                catalog.begin(write=True)
                yield catalog
            finally:
                catalog.rollback()

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._db.close()

    def is_current(self) -> bool:
        """Whether what is open is the catalog as it is now.

        Where the folder can't be written, SQLite itself may not notice that it was changed.
        """
        now = _look(self.folder)
        return now == self._seen if self._is_frozen else now[:1] == self._seen[:1]

    def reporting_damage(self) -> AbstractContextManager[None]:
        """A context in which what no writer of ours can have written is CatalogDamagedError."""
        return reporting_damage(self.folder)

    # --- transactions -------------------------------------------------------------------

    def begin(self, *, write: bool) -> None:
        """Start a transaction; what is read in it is of one moment."""
        self._db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        self._meta = dict(self._db.execute("SELECT key, value FROM meta"))
        known = self._meta.pop(_CHECK, None)
        with self.reporting_damage():
            if (self._meta or known) and known != meta_check(self._meta.items()):
                raise ValueError("its notes fail their checksum")
            if not self._meta and self._db.execute("SELECT 1 FROM file LIMIT 1").fetchone():
                raise ValueError("it lacks its notes")

    def commit(self) -> None:
        """End the transaction and keep what it did."""
        values = (_CHECK, meta_check(self._meta.items()))
        self._db.execute("REPLACE INTO meta VALUES (?, ?)", values)
        self._db.execute("COMMIT")

    def checkpoint(self) -> None:
        """Move what was committed from SQLite's log to its file, and empty the log.

        Where somebody reads just now, that is left to the next writer; this is to close next.
        """
        self.rollback()
        self._db.execute("PRAGMA busy_timeout = 0")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rollback(self) -> None:
        """End the transaction, if one is open, and undo what it did."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # --- meta ---------------------------------------------------------------------------

    def meta(self, key: str, default: str = "") -> str:
        """One entry of the catalog's own notes, as of the start of the transaction."""
        return self._meta.get(key, default)

    def number(self, key: str) -> int:
        """One entry that is a number; 0 where there is none."""
        with self.reporting_damage():
            number = int(self.meta(key) or 0)
            if not 0 <= number < _MAX_NUMBER:
                raise ValueError(f"{key} is {number}")
            return number

    def identity(self) -> Identity:
        """What the index is bound to."""
        return Identity(self.meta("fingerprint"), self.meta("model"), self.meta("corpus"))

    def set_meta(self, **values: str | int) -> None:
        """Set entries."""
        self._meta |= {key: str(value) for key, value in values.items()}
        self._db.executemany("REPLACE INTO meta VALUES (?, ?)", values.items())

    def languages(self) -> dict[str, int]:
        """How many documents there are in each language that is stemmed in its own way."""
        from qa.words.terms import STEMMED

        with self.reporting_damage():
            found = json.loads(self.meta("languages") or "{}")
            if not isinstance(found, dict) or not all(
                code in STEMMED and isinstance(count, int) and count > 0
                for code, count in found.items()
            ):
                raise ValueError("its documents are in languages that there are not")
            return dict(found)

    def note_languages(self, documents: Mapping[str, int]) -> None:
        """Note what `languages` gives."""
        kept = {code: count for code, count in sorted(documents.items()) if count > 0}
        self.set_meta(languages=json.dumps(kept) if kept else "")

    def note_counts(self) -> None:
        """Note how many rows there are of what nothing else need refer to, for `check_counts`."""
        self.set_meta(**{key: self._count(table) for key, table in _NOTED.items()})

    def check_counts(self) -> None:
        """Refuse a catalog that has lost rows which nothing else need refer to.

        Raises:
            CatalogDamagedError: it has.
        """
        with self.reporting_damage():
            for key, table in _TABLES.items():
                # One that was never written has no such notes.
                if key in self._meta and self._count(table) != self.number(key):
                    raise ValueError(f"it lacks {key} that were indexed")

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files; read once for each change.

        Raises:
            CatalogDamagedError: rows are missing.
        """
        if self._known is None or not self.has_known_files():
            self.check_counts()
            stamps, sha256s = self.documents.stamps()
            self._known = FilesKnown(stamps, sha256s, self.documents.problems())
            self._known_at = self._moment()
        return self._known

    def has_known_files(self) -> bool:
        """Whether what is known of the files was read already, and still is so."""
        return self._known is not None and self._known_at == self._moment()

    def _moment(self) -> tuple[int, int]:
        # The second number tells of what others commit without counting it as a change.
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        return self.number("changes"), version

    def check_references(self) -> None:
        """Follow every reference between the rows (CatalogDamagedError)."""
        self.documents.check_references()
        self.embeddings.check_references()

    def _count(self, table: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def clear(self) -> None:
        """Delete all documents and passages, whatever state their rows are in."""
        for table in _ALL:
            self._db.execute(f"DELETE FROM {table}")
        self.set_meta(
            passages=0, total_terms=0, total_tokens=0, vectors="", lexical="", languages=""
        )

    # --- all of it ----------------------------------------------------------------------

    def check_structure(self) -> list[str]:
        """Have SQLite check every page and index; gives what is wrong, a line each."""
        rows = self._db.execute("PRAGMA integrity_check").fetchall()
        return [f"The catalog is damaged: {row[0]}" for row in rows if row[0] != "ok"]

    def check_rows(self) -> list[str]:
        """Compare every row with its sums, and the counts with the rows; gives what is wrong."""
        self.documents.check_rows()
        self.embeddings.check_rows()
        wrong = self.passages.check_rows()
        if self._count("passage") != self.number("passages"):
            wrong.append("The catalog is damaged: it lacks passages that were indexed")
        return wrong


_CHECK = "check"
_MAX_NUMBER = 2**62  # what any number in the notes may reach: ids of passages have 63 bits
_ALL = (
    *("embedding", "pending", "dead", "passage", "term", "token"),
    *("extract", "document", "problem", "file"),
)
_NOTED = {"files": "file", "documents": "document", "problems": "problem", "pending": "pending"}
_TABLES = _NOTED | {"passages": "passage"}  # whose number the writer keeps


def _look(folder: Path) -> list[tuple[int, ...]]:
    """What shows that the catalog was replaced; then, that it or its log was written."""
    found: list[tuple[int, ...]] = []
    for name in (CATALOG, f"{CATALOG}-wal"):
        with suppress(OSError):
            one = (folder / name).stat()
            if name == CATALOG:
                found.append((one.st_dev, one.st_ino))
            if one.st_size:  # SQLite makes an empty log itself, to read
                found.append((one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns))
    return found
