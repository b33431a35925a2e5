"""The catalog: the SQLite database that is the truth about what is indexed. One commit decides.

What is read for an answer is checked: rows carry sums, and all that refers to a row must find it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from qa.store.checks import MODULUS, check, checked_count, coded_count, meta_check, require
from qa.store.database import CATALOG, connect_to_read, connect_to_write
from qa.store.documents import DocumentTables
from qa.store.rows import PassageRow
from qa.types import Place, PlaceKind

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage
    from qa.ranking.candidates import Candidates
    from qa.store.rows import NewPassage

__all__ = ["Catalog"]

# Ids set aside for one refresh: more than it can use, few enough for 2^31 refreshes.
ID_BLOCK = 2**32


class Catalog(DocumentTables):
    """One connection to the catalog of an index folder."""

    def __init__(
        self,
        folder: Path,
        connection: sqlite3.Connection,
        seen: Sequence[tuple[int, int, int, int]] = (),
    ) -> None:
        super().__init__(folder, connection)
        self._meta: dict[str, str] = {}
        self._seen = seen

    @classmethod
    def create(cls, folder: Path) -> Catalog:
        """Open for writing; made where there is none; see `connect_to_write`."""
        return cls(folder, connect_to_write(folder))

    @classmethod
    def open(cls, folder: Path) -> Catalog:
        """Open for reading; see `connect_to_read`."""
        seen = _look(folder)
        return cls(folder, connect_to_read(folder), seen)

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._db.close()

    def is_current(self) -> bool:
        """Tell whether the file is as it was when it was opened for reading.

        Where the folder can't be written, SQLite itself may not notice that it was changed.
        """
        return self._seen == _look(self.folder)

    # --- transactions -------------------------------------------------------------------

    def begin(self, *, write: bool) -> None:
        """Start a transaction; what is read in it is of one moment."""
        self._db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        self._meta = dict(self._db.execute("SELECT key, value FROM meta"))
        known = self._meta.pop(_CHECK, None)
        with self.sense():
            if (self._meta or known) and known != meta_check(self._meta.items()):
                raise ValueError("its notes are not what was written")
            if not self._meta and self._db.execute("SELECT 1 FROM file LIMIT 1").fetchone():
                raise ValueError("it lacks its notes")

    def commit(self) -> None:
        """End the transaction and keep what it did."""
        values = (_CHECK, meta_check(self._meta.items()))
        self._db.execute("REPLACE INTO meta VALUES (?, ?)", values)
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """End the transaction, if one is open, and undo what it did."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # --- meta ---------------------------------------------------------------------------

    def meta(self, key: str, default: str = "") -> str:
        """Give one entry of the catalog's own notes, as of the start of the transaction."""
        return self._meta.get(key, default)

    def number(self, key: str) -> int:
        """Give one entry that is a number; 0 where there is none."""
        with self.sense():
            number = int(self.meta(key) or 0)
            if not 0 <= number < _MOST:
                raise ValueError(f"{key} is {number}")
            return number

    def set_meta(self, **values: str | int) -> None:
        """Set entries."""
        self._meta |= {key: str(value) for key, value in values.items()}
        self._db.executemany("REPLACE INTO meta VALUES (?, ?)", values.items())

    def take_ids(self) -> range:
        """Give ids for the passages of one refresh; none of them was ever used."""
        first = self.number("next_id") or 1
        self.set_meta(next_id=first + ID_BLOCK)
        return range(first, first + ID_BLOCK)

    def note_counts(self) -> None:
        """Note how many files, documents and problems there are, for `check_counts`."""
        self.set_meta(**{key: self._count(table) for key, table in _NOTED.items()})

    def check_counts(self) -> None:
        """Refuse a catalog that has lost rows which nothing else need refer to.

        Raises:
            CatalogDamagedError: it has.
        """
        with self.sense():
            for key, table in _TABLES.items():
                # Catalogs of earlier versions have no such notes.
                if key in self._meta and self._count(table) != self.number(key):
                    raise ValueError(f"it lacks {key} that were indexed")

    def check_passages(self) -> None:
        """Refuse a catalog with passages that would be missed where one asks by documents.

        Raises:
            CatalogDamagedError: there are some.
        """
        self.check_counts()
        query = "SELECT id FROM passage WHERE document NOT IN (SELECT id FROM document) LIMIT 1"
        with self.sense():
            if (row := self._db.execute(query).fetchone()) is not None:
                raise ValueError(f"it lacks the document of passage {row[0]}")

    def _count(self, table: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def clear(self) -> None:
        """Delete all documents and passages, whatever state their rows are in."""
        for table in ("passage", "extract", "document", "problem", "file", *_COUNTED, "dead"):
            self._db.execute(f"DELETE FROM {table}")
        self.set_meta(passages=0, total_terms=0, total_tokens=0, vectors="", lexical="")

    # --- passages -----------------------------------------------------------------------

    def put_passage(self, new: NewPassage) -> None:
        """Insert a passage."""
        from qa.store.packing import pack_encoded, pack_spans, pack_terms

        row = new.row
        vector, sentences, tokens = pack_encoded(new.encoded)
        scored = (sentences, new.terms.length, *pack_terms(new.terms), tokens)
        spans = pack_spans(row.spans)
        places = json.dumps(row.places) if row.places else ""
        cited = (row.end, json.dumps(row.heading_path), places, row.context, row.text, spans)
        self._db.execute(
            "INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(row.id, row.document, row.start, vector),
                check(row.id, vector),
                check(row.id, row.document, row.start, *scored),
                *scored,
                *cited,
                new.digest,
                check(row.id, row.document, row.start, *cited),
            ),
        )

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Give passages, in the order of `ids`, each once."""
        query = _PASSAGE + " WHERE id = ?"
        with self.sense():
            return [
                _passage(one, self._db.execute(query, (one,)).fetchone())
                for one in dict.fromkeys(ids)
            ]

    def some_passages(self, count: int) -> list[int]:
        """Give the ids of so many passages, taken at random."""
        rows = self._db.execute("SELECT id FROM passage ORDER BY random() LIMIT ?", (count,))
        return [row[0] for row in rows]

    def candidates(self, ids: Iterable[int], dimension: int) -> Candidates:
        """Give passages, with their documents, by path and place."""
        from qa.store.packing import unpack_candidates

        query = (
            "SELECT path, start, passage.id, vector, sentences, length, terms, counts, tokens,"
            " document, vector_sum, scored_sum FROM passage JOIN document"
            " ON document.id = document WHERE passage.id IN (SELECT value FROM json_each(?))"
        )
        wanted = list(set(ids))
        rows = self._db.execute(query, (json.dumps(wanted),)).fetchall()
        with self.sense():
            if len(rows) != len(wanted):
                raise ValueError("it lacks passages that were indexed")
            for _, start, one, vector, *scored, document, vector_sum, scored_sum in rows:
                require(one, vector_sum, check(one, vector))
                require(one, scored_sum, check(one, document, start, *scored))
            rows.sort(key=itemgetter(0, 1))
            return unpack_candidates([row[:9] for row in rows], dimension)

    def encoded(self, digest: bytes, context: str, text: str) -> EncodedPassage | None:
        """Give what encoding a passage of that digest gave, if there is one.

        A digest is found by an index of SQLite's, which may be damaged and lead to another row:
        only one of the same context and text will do.
        """
        from qa.store.packing import unpack_encoded

        query = _SCORED + " WHERE digest = ? AND context = ? AND text = ? LIMIT 1"
        row = self._db.execute(query, (digest, context, text)).fetchone()
        with self.sense():
            return unpack_encoded(*_checked_scored(row)) if row else None

    def texts(self, first: int = 0) -> Iterator[tuple[int, str, str]]:
        """Give `(id, context, text)` of the passages from id `first` on."""
        for row in self._db.execute(_PASSAGE + " WHERE id >= ? ORDER BY id", (first,)):
            with self.sense():
                passage = _passage(row[0], row)
            yield passage.id, passage.context, passage.text

    def vectors(self, *, after: int = 0) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Give `(id, vector [d])` of the passages with an id over `after`, by id."""
        from qa.store.packing import unpack_vector

        query = "SELECT id, vector, vector_sum FROM passage WHERE id > ? ORDER BY id"
        for one, packed, vector_sum in self._db.execute(query, (after,)):
            with self.sense():
                require(one, vector_sum, check(one, packed))
                vector = unpack_vector(packed)
            yield one, vector

    def count_after(self, last: int) -> int:
        """Count the passages with an id over `last`."""
        row = self._db.execute("SELECT count(*) FROM passage WHERE id > ?", (last,)).fetchone()
        return int(row[0])

    def passages_of(self, documents: Iterable[int]) -> list[int]:
        """Give the ids of the passages of some documents, ascending."""
        rows = self._db.execute(
            "SELECT id FROM passage WHERE document IN (SELECT value FROM json_each(?)) ORDER BY id",
            (json.dumps(list(documents)),),
        )
        return [row[0] for row in rows]

    def drop_passages(self, ids: Iterable[int]) -> Iterator[tuple[int, int, bytes, bytes]]:
        """Delete passages, mark them dead, and give `(id, length, terms, tokens)` of each."""
        for one in ids:
            row = self._db.execute(_SCORED + " WHERE id = ?", (one,)).fetchone()
            with self.sense():
                _checked_scored(row)
            self._db.execute("DELETE FROM passage WHERE id = ?", (one,))
            self._db.execute("INSERT INTO dead VALUES (?)", (one,))
            yield one, row[5], row[6], row[8]

    def dead(self) -> list[int]:
        """Give the ids that the vectors' file may still hold though they are gone."""
        return [row[0] for row in self._db.execute("SELECT id FROM dead ORDER BY id")]

    def forget_dead(self) -> None:
        """Note that the vectors' file was made anew without them."""
        self._db.execute("DELETE FROM dead")

    # --- terms and tokens ---------------------------------------------------------------

    def add_counts(self, table: Literal["term", "token"], counts: Counter[int]) -> None:
        """Add to the number of passages that hold each id (subtract with negative counts)."""
        self._db.executemany(
            f"INSERT INTO {table} VALUES (?, ?)"
            " ON CONFLICT (id) DO UPDATE SET passages = passages + ?",
            (
                (one, coded_count(one, count), count * MODULUS)
                for one, count in counts.items()
                if count
            ),
        )
        fewer = ((one, MODULUS) for one, count in counts.items() if count < 0)
        self._db.executemany(f"DELETE FROM {table} WHERE id = ? AND passages < ?", fewer)

    def passages_with(self, table: Literal["term", "token"], ids: Iterable[int]) -> list[int]:
        """Count the passages that hold each of the ids."""
        query = (
            f"SELECT value, passages FROM json_each(?) LEFT JOIN {table} ON {table}.id = value"
            " ORDER BY json_each.key"
        )
        rows = self._db.execute(query, (json.dumps(list(ids)),))
        with self.sense():
            return [0 if coded is None else checked_count(one, coded) for one, coded in rows]

    # --- all of it ----------------------------------------------------------------------

    def check_structure(self) -> list[str]:
        """Have SQLite check every page and index; gives what is wrong, a line each."""
        rows = self._db.execute("PRAGMA integrity_check").fetchall()
        return [f"The catalog is damaged: {row[0]}" for row in rows if row[0] != "ok"]

    def check_rows(self) -> list[str]:
        """Compare every row with its sums, and the counts with the rows; gives what is wrong."""
        from collections import Counter

        from qa.store.packing import unpack_ids

        terms: Counter[int] = Counter()
        tokens: Counter[int] = Counter()
        wrong: list[str] = []
        with self.sense():
            self.check_documents()
            passages = 0
            for row in self._db.execute(_SCORED):
                _checked_scored(row)
                of_terms, _, of_tokens = unpack_ids(row[6], row[8])
                terms.update(of_terms)
                tokens.update(of_tokens)
                passages += 1
            for _ in self.texts():
                pass
            for table, counts in (("term", terms), ("token", tokens)):
                rows = self._db.execute(f"SELECT id, passages FROM {table}")
                if {one: checked_count(one, coded) for one, coded in rows} != counts:
                    wrong.append(f"The catalog is damaged: a {table} is counted wrongly")
            if passages != self.number("passages"):
                wrong.append("The catalog is damaged: it lacks passages that were indexed")
        return wrong


_CHECK = "check"
_MOST = 2**62  # what any number in the notes may reach: ids of passages have 63 bits
_COUNTED = ("term", "token")
_NOTED = {"files": "file", "documents": "document", "problems": "problem"}
_TABLES = _NOTED | {"passages": "passage"}  # whose number the writer keeps
_PASSAGE = (
    "SELECT id, document, start, end, headings, places, context, text, spans, cited_sum"
    " FROM passage"
)
_SCORED = (
    "SELECT id, document, start, vector, sentences, length, terms, counts, tokens, vector_sum,"
    " scored_sum FROM passage"
)


def _look(folder: Path) -> list[tuple[int, int, int, int]]:
    """Give what shows that the catalog or its log was replaced or written."""
    found = []
    for name in (CATALOG, f"{CATALOG}-wal"):
        with suppress(OSError):
            one = (folder / name).stat()
            if one.st_size:  # SQLite makes an empty log itself, to read
                found.append((one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns))
    return found


def _passage(one: int, row: tuple[Any, ...] | None) -> PassageRow:
    from qa.store.packing import unpack_spans

    if row is None:
        raise ValueError(f"it lacks passage {one}")
    id_, document, start, *cited, cited_sum = row
    require(one, cited_sum, check(one, document, start, *cited))
    end, headings, places, context, text, spans = cited
    if not all(isinstance(one, int) for one in (document, start, end)):
        raise TypeError(f"passage {id_} is at no place")
    inside = unpack_spans(spans)
    if any(not start <= span.start < span.end <= end for span in inside):
        raise ValueError(f"passage {id_} has sentences outside itself")
    path = tuple(json.loads(headings))
    found = tuple(
        Place(int(at), PlaceKind(kind), str(value))
        for at, kind, value in (json.loads(places) if places else ())
    )
    if not all(isinstance(one, str) for one in (*path, context, text)):
        raise TypeError(f"passage {id_} has text that is none")
    return PassageRow(id_, document, start, end, path, found, context, text, inside)


def _checked_scored(row: tuple[Any, ...]) -> tuple[bytes, bytes, bytes]:
    one, document, start, vector, *scored, vector_sum, scored_sum = row
    require(one, vector_sum, check(one, vector))
    require(one, scored_sum, check(one, document, start, *scored))
    return vector, scored[0], scored[-1]
