"""The catalog: the SQLite database that is the truth about what is indexed.

One commit decides. Ids of passages are reserved in a commit of their own before they are used,
so that an id that reached an accelerator just before a crash is never given to another passage.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from qa.errors import CatalogDamagedError
from qa.reading.corpus import Stamp
from qa.store.database import connect_to_read, connect_to_write
from qa.store.failures import REBUILD
from qa.store.rows import DocumentRow, PassageRow, ProblemRow

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage
    from qa.retrieval.candidates import Candidates
    from qa.store.rows import NewPassage

__all__ = ["Catalog"]

# Ids set aside for one refresh: more than it can use, few enough for 2^31 refreshes.
ID_BLOCK = 2**32


class Catalog:
    """One connection to the catalog of an index folder."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._db = connection

    @classmethod
    def create(cls, folder: Path) -> Catalog:
        """Open for writing; made where there is none; see `connect_to_write`."""
        return cls(folder, connect_to_write(folder))

    @classmethod
    def open(cls, folder: Path) -> Catalog:
        """Open for reading; see `connect_to_read`."""
        return cls(folder, connect_to_read(folder))

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._db.close()

    @contextmanager
    def _sense(self) -> Iterator[None]:
        """Report rows that no writer of ours can have written."""
        try:
            yield
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise CatalogDamagedError(
                f"The catalog of the index {self.folder} is damaged ({error})", hint=REBUILD
            ) from error

    # --- transactions -------------------------------------------------------------------

    def begin(self, *, write: bool) -> None:
        """Start a transaction; what is read in it is of one moment."""
        self._db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        self._db.execute("SELECT 1 FROM meta LIMIT 1").fetchone()

    def commit(self) -> None:
        """End the transaction and keep what it did."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """End the transaction, if one is open, and undo what it did."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # --- meta ---------------------------------------------------------------------------

    def meta(self, key: str, default: str = "") -> str:
        """Give one entry of the catalog's own notes."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else default

    def number(self, key: str) -> int:
        """Give one entry that is a number; 0 where there is none."""
        with self._sense():
            number = int(self.meta(key) or 0)
            if not 0 <= number < _MOST:
                raise ValueError(f"{key} is {number}")
            return number

    def set_meta(self, **values: str | int) -> None:
        """Set entries."""
        self._db.executemany("REPLACE INTO meta VALUES (?, ?)", values.items())

    def reserve_ids(self) -> tuple[range, range]:
        """Commit that a block of passage ids is taken; not inside a transaction.

        Returns:
            The ids that earlier writers reserved and, having crashed, never used; the new ids.
        """
        self.begin(write=True)
        first = self.number("next_id") or 1
        lost = self.number("pending") or first
        self.set_meta(next_id=first + ID_BLOCK, pending=lost)
        self.commit()
        return range(lost, first), range(first, first + ID_BLOCK)

    # --- documents ----------------------------------------------------------------------

    def documents(self) -> dict[str, DocumentRow]:
        """Give all documents by path."""
        return {row[1]: _document(row) for row in self._db.execute(_DOCUMENT)}

    def documents_by_id(self, ids: Iterable[int]) -> dict[int, DocumentRow]:
        """Give some documents by id."""
        query = _DOCUMENT + " WHERE id = ?"
        rows = (self._db.execute(query, (one,)).fetchone() for one in set(ids))
        return {row[0]: _document(row) for row in rows if row}

    def put_document(
        self,
        path: str,
        *,
        sha256: str,
        encoding: str,
        metadata: Mapping[str, str],
        stamp: Stamp,
        seen_ns: int,
    ) -> int:
        """Insert a document, or replace the one of the same path; gives its id."""
        row = self._db.execute(
            "INSERT INTO document (path, sha256, encoding, metadata, size, mtime_ns, ctime_ns,"
            " inode, seen_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (path) DO UPDATE SET sha256 = excluded.sha256,"
            " encoding = excluded.encoding, metadata = excluded.metadata, size = excluded.size,"
            " mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,"
            " inode = excluded.inode, seen_ns = excluded.seen_ns RETURNING id",
            (path, sha256, encoding, json.dumps(dict(metadata)), *_stamp(stamp), seen_ns),
        ).fetchone()
        return int(row[0])

    def touch_documents(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
        """Note that documents were read again and are the same."""
        self._db.executemany(
            "UPDATE document SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, seen_ns = ?"
            " WHERE path = ?",
            ((*_stamp(stamp), seen_ns, path) for path, stamp in stamps.items()),
        )

    def touch_problems(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
        """Note that files which can't be read were looked at again, and are the same."""
        self._db.executemany(
            "UPDATE problem SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, seen_ns = ?"
            " WHERE path = ?",
            ((*_stamp(stamp), seen_ns, path) for path, stamp in stamps.items()),
        )

    def drop_document(self, path: str) -> None:
        """Delete a document; its passages must be gone already."""
        self._db.execute("DELETE FROM document WHERE path = ?", (path,))

    def problems(self) -> dict[str, ProblemRow]:
        """Give the files that could not be read, by path."""
        rows = self._db.execute(
            "SELECT CAST(path AS TEXT), CAST(reason AS TEXT), CAST(sha256 AS TEXT),"
            f" {_TIMES} FROM problem"
        )
        return {r[0]: ProblemRow(r[1], r[2], Stamp(*r[3:7]), r[7]) for r in rows}

    def set_problems(self, problems: Mapping[str, ProblemRow]) -> None:
        """Replace the list of files that could not be read."""
        self._db.execute("DELETE FROM problem")
        self._db.executemany(
            "INSERT INTO problem VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((p, x.reason, x.sha256, *_stamp(x.stamp), x.seen_ns) for p, x in problems.items()),
        )

    # --- passages -----------------------------------------------------------------------

    def put_passage(self, new: NewPassage) -> None:
        """Insert a passage."""
        from qa.store.packing import pack_encoded, pack_spans, pack_terms

        row = new.row
        vector, sentences, tokens = pack_encoded(new.encoded)
        self._db.execute(
            "INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.id,
                row.document,
                row.start,
                vector,
                sentences,
                new.terms.length,
                *pack_terms(new.terms),
                tokens,
                row.end,
                json.dumps(row.heading_path),
                row.context,
                row.text,
                pack_spans(row.spans),
                new.digest,
            ),
        )

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Give those of the passages that exist, in the order of `ids`, each once."""
        query = _PASSAGE + " WHERE id = ?"
        rows = (self._db.execute(query, (one,)).fetchone() for one in dict.fromkeys(ids))
        with self._sense():
            return [_passage(row) for row in rows if row]

    def some_passages(self, count: int) -> list[int]:
        """Give the ids of so many passages, taken at random."""
        rows = self._db.execute("SELECT id FROM passage ORDER BY random() LIMIT ?", (count,))
        return [row[0] for row in rows]

    def candidates(self, ids: Iterable[int], dimension: int) -> Candidates:
        """Give those of the passages that exist, with their documents, by path and place."""
        from qa.store.packing import unpack_candidates

        query = (
            "SELECT path, start, passage.id, vector, sentences, length, terms, counts, tokens"
            " FROM passage JOIN document ON document.id = document"
            " WHERE passage.id IN (SELECT value FROM json_each(?))"
        )
        rows = self._db.execute(query, (json.dumps(list(ids)),)).fetchall()
        with self._sense():
            rows.sort(key=itemgetter(0, 1))
            return unpack_candidates(rows, dimension)

    def encoded(self, digest: bytes) -> EncodedPassage | None:
        """Give what encoding a passage of that digest gave, if there is one."""
        from qa.store.packing import unpack_encoded

        query = "SELECT vector, sentences, tokens FROM passage WHERE digest = ? LIMIT 1"
        row = self._db.execute(query, (digest,)).fetchone()
        with self._sense():
            return unpack_encoded(*row) if row else None

    def texts(self, first: int = 0) -> Iterator[tuple[int, str, str]]:
        """Give `(id, context, text)` of the passages from id `first` on."""
        query = "SELECT id, context, text FROM passage WHERE id >= ? ORDER BY id"
        return self._db.execute(query, (first,))

    def vectors(self, *, after: int = 0) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Give `(id, vector [d])` of the passages with an id over `after`, by id."""
        from qa.store.packing import unpack_vector

        rows = self._db.execute("SELECT id, vector FROM passage WHERE id > ? ORDER BY id", (after,))
        for row in rows:
            with self._sense():
                vector = unpack_vector(row[1])
            yield row[0], vector

    def count_after(self, last: int) -> int:
        """Count the passages with an id over `last`."""
        row = self._db.execute("SELECT count(*) FROM passage WHERE id > ?", (last,)).fetchone()
        return int(row[0])

    def drop_passages(self, path: str) -> Iterator[tuple[int, bytes, bytes]]:
        """Delete a document's passages and mark them dead; gives `(length, terms, tokens)`."""
        gone = self._db.execute(
            "DELETE FROM passage WHERE document = (SELECT id FROM document WHERE path = ?)"
            " RETURNING id, length, terms, tokens",
            (path,),
        ).fetchall()
        self._db.executemany("INSERT INTO dead VALUES (?, 1, 1)", ((row[0],) for row in gone))
        return (row[1:] for row in gone)

    def dead(self) -> list[int]:
        """Give the ids that the vectors' file may still hold though they are gone."""
        rows = self._db.execute("SELECT id FROM dead WHERE in_vectors ORDER BY id")
        return [row[0] for row in rows]

    def dead_in_lexical(self) -> list[int]:
        """Give the ids that the lexical index may still hold though they are gone."""
        return [row[0] for row in self._db.execute("SELECT id FROM dead WHERE in_lexical")]

    def note_purged(self, ids: Iterable[int]) -> None:
        """Note that the lexical index no longer holds these ids."""
        self._db.executemany("UPDATE dead SET in_lexical = 0 WHERE id = ?", ((one,) for one in ids))
        self._db.execute("DELETE FROM dead WHERE NOT in_lexical AND NOT in_vectors")

    def forget_dead(self) -> None:
        """Note that the vectors' file was made anew without them."""
        self._db.execute("UPDATE dead SET in_vectors = 0")
        self._db.execute("DELETE FROM dead WHERE NOT in_lexical")

    # --- terms and tokens ---------------------------------------------------------------

    def add_counts(self, table: Literal["term", "token"], counts: Counter[int]) -> None:
        """Add to the number of passages that hold each id (subtract with negative counts)."""
        self._db.executemany(
            f"INSERT INTO {table} VALUES (?, ?)"
            " ON CONFLICT (id) DO UPDATE SET passages = passages + excluded.passages",
            counts.items(),
        )
        fewer = ((one,) for one, count in counts.items() if count < 0)
        self._db.executemany(f"DELETE FROM {table} WHERE id = ? AND passages = 0", fewer)

    def passages_with(self, table: Literal["term", "token"], ids: Iterable[int]) -> list[int]:
        """Count the passages that hold each of the ids."""
        query = f"SELECT passages FROM {table} WHERE id = ?"
        rows = (self._db.execute(query, (one,)).fetchone() for one in ids)
        with self._sense():
            return [min(max(0, int(row[0])), _MOST) if row else 0 for row in rows]


# SQLite keeps any type in any column: the casts make good what a stranger's catalog may break.
_TIMES = ", ".join(
    f"CAST({one} AS INTEGER)" for one in ("size", "mtime_ns", "ctime_ns", "inode", "seen_ns")
)
_DOCUMENT = (
    "SELECT id, CAST(path AS TEXT), CAST(sha256 AS TEXT), CAST(encoding AS TEXT),"
    f" {_TIMES} FROM document"
)
_MOST = 2**62  # what any number in the notes may reach: ids of passages have 63 bits
_PASSAGE = "SELECT id, document, start, end, headings, context, text, spans FROM passage"


def _stamp(stamp: Stamp) -> tuple[int, int, int, int]:
    return stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode


def _document(row: tuple[Any, ...]) -> DocumentRow:
    number, path, sha256, encoding, *stamp, seen_ns = row
    return DocumentRow(number, path, sha256, encoding, Stamp(*stamp), seen_ns)


def _passage(row: tuple[Any, ...]) -> PassageRow:
    from qa.store.packing import unpack_spans

    id_, document, start, end, headings, context, text, spans = row
    if not all(isinstance(one, int) for one in (document, start, end)):
        raise TypeError(f"passage {id_} is at no place")
    inside = unpack_spans(spans)
    if any(not start <= span.start < span.end <= end for span in inside):
        raise ValueError(f"passage {id_} has sentences outside itself")
    path = tuple(json.loads(headings))
    if not all(isinstance(one, str) for one in (*path, context, text)):
        raise TypeError(f"passage {id_} has text that is none")
    return PassageRow(id_, document, start, end, path, context, text, inside)
