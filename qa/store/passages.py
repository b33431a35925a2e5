"""Passages and the counts of what they hold: the catalog's tables of these."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from qa.store.checks import MODULUS, check, checked_count, coded_count, require
from qa.store.failures import reporting_damage
from qa.store.rows import PassageRow
from qa.types import Place, PlaceKind

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage
    from qa.ranking.candidates import Candidates
    from qa.store.rows import NewPassage

__all__ = ["PassageTables"]

COPIES = 1000  # of one text: to bring more in order takes as long as the rest of a question


class PassageTables:
    """The tables of passages, terms and tokens, over the catalog's connection."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._db = connection

    def put(self, one: int, document: int, new: NewPassage) -> None:
        """Insert a passage under an id."""
        from qa.store.packing import pack_encoded, pack_spans, pack_terms

        vector, sentences, tokens = pack_encoded(new.encoded)
        scored = (sentences, new.terms.length, *pack_terms(new.terms), tokens)
        places = json.dumps(new.places) if new.places else ""
        headings, spans = json.dumps(new.heading_path), pack_spans(new.spans)
        cited = (new.end, headings, places, new.context, new.text, spans)
        self._db.execute(
            "INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(one, document, new.start, vector),
                check(one, vector),
                check(one, document, new.start, *scored),
                *scored,
                *cited,
                new.digest,
                check(one, document, new.start, *cited),
            ),
        )

    def by_id(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages, in the order of `ids`, each once."""
        query = _PASSAGE + " WHERE id = ?"
        with reporting_damage(self._folder):
            return [
                _passage(one, self._db.execute(query, (one,)).fetchone())
                for one in dict.fromkeys(ids)
            ]

    def some(self, count: int) -> list[int]:
        """The ids of so many passages, taken at random."""
        rows = self._db.execute("SELECT id FROM passage ORDER BY random() LIMIT ?", (count,))
        return [row[0] for row in rows]

    def candidates(self, ids: Iterable[int], dimension: int) -> Candidates:
        """Passages by path and place; of those with the same embedded text, the first alone."""
        from qa.store.packing import unpack_candidates

        query = (
            "SELECT path, start, passage.id, vector, sentences, length, terms, counts, tokens,"
            " document, vector_sum, scored_sum, digest FROM passage JOIN document"
            " ON document.id = document WHERE passage.id IN (SELECT value FROM json_each(?))"
        )
        wanted = list(set(ids))
        rows = self._db.execute(query, (json.dumps(wanted),)).fetchall()
        with reporting_damage(self._folder):
            if len(rows) != len(wanted):
                raise ValueError("it lacks passages that were indexed")
            rows.sort(key=itemgetter(0, 1))
            once: dict[tuple[bytes, bytes], tuple[Any, ...]] = {}
            for row in rows:  # digests alone may be damaged; tokens have a check
                once.setdefault((row[-1], row[8]), row)
            for (
                _,
                start,
                one,
                vector,
                *scored,
                document,
                vector_sum,
                scored_sum,
                _,
            ) in once.values():
                require(one, vector_sum, check(one, vector))
                require(one, scored_sum, check(one, document, start, *scored))
            return unpack_candidates([row[:9] for row in once.values()], dimension)

    def copies(self, one: int) -> list[int]:
        """The ids of passages with the digest of one, itself among them, by path and place.

        Where there are very many, they are `COPIES` of them. (A digest is not checked: whether
        their texts are the same is for whoever reads them to see.)
        """
        query = (
            "SELECT passage.id FROM passage JOIN document ON document.id = document"
            " WHERE passage.id IN (SELECT id FROM passage WHERE digest ="
            " (SELECT digest FROM passage WHERE id = ?) ORDER BY id LIMIT ?)"
            " ORDER BY path, start"
        )
        return [row[0] for row in self._db.execute(query, (one, COPIES))]

    def encoded(self, digest: bytes, context: str, text: str) -> EncodedPassage | None:
        """What encoding a passage of that digest gave, if there is one.

        A digest is found by an index of SQLite's, which may be damaged and lead to another row:
        only one of the same context and text will do.
        """
        from qa.store.packing import unpack_encoded

        query = _SCORED + " WHERE digest = ? AND context = ? AND text = ? LIMIT 1"
        row = self._db.execute(query, (digest, context, text)).fetchone()
        with reporting_damage(self._folder):
            return unpack_encoded(*_checked_scored(row)) if row else None

    def texts(self, first: int = 0) -> Iterator[tuple[int, str, str]]:
        """`(id, context, text)` of the passages from id `first` on."""
        for row in self._db.execute(_PASSAGE + " WHERE id >= ? ORDER BY id", (first,)):
            with reporting_damage(self._folder):
                passage = _passage(row[0], row)
            yield passage.id, passage.context, passage.text

    def vectors(self, *, after: int = 0) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """`(id, vector [d])` of the passages with an id over `after`, by id."""
        from qa.store.packing import unpack_vector

        query = "SELECT id, vector, vector_sum FROM passage WHERE id > ? ORDER BY id"
        for one, packed, vector_sum in self._db.execute(query, (after,)):
            with reporting_damage(self._folder):
                require(one, vector_sum, check(one, packed))
                vector = unpack_vector(packed)
            yield one, vector

    def count_after(self, last: int) -> int:
        """Count the passages with an id over `last`."""
        row = self._db.execute("SELECT count(*) FROM passage WHERE id > ?", (last,)).fetchone()
        return int(row[0])

    def of_documents(self, documents: Iterable[int]) -> list[int]:
        """The ids of the passages of some documents, ascending."""
        rows = self._db.execute(
            "SELECT id FROM passage WHERE document IN (SELECT value FROM json_each(?)) ORDER BY id",
            (json.dumps(list(documents)),),
        )
        return [row[0] for row in rows]

    def drop(self, ids: Iterable[int]) -> Iterator[tuple[int, int, bytes, bytes]]:
        """Delete passages, mark them dead, and give `(id, length, terms, tokens)` of each."""
        for one in ids:
            row = self._db.execute(_SCORED + " WHERE id = ?", (one,)).fetchone()
            with reporting_damage(self._folder):
                _checked_scored(row)
            self._db.execute("DELETE FROM passage WHERE id = ?", (one,))
            self._db.execute("INSERT INTO dead VALUES (?)", (one,))
            yield one, row[5], row[6], row[8]

    def deleted_ids(self) -> list[int]:
        """The ids that the vectors' file may still hold though they are gone."""
        return [row[0] for row in self._db.execute("SELECT id FROM dead ORDER BY id")]

    def forget_deleted_ids(self) -> None:
        """Note that the vectors' file was rebuilt without them."""
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

    def document_frequencies(
        self, table: Literal["term", "token"], ids: Iterable[int]
    ) -> list[int]:
        """Count the passages that hold each of the ids."""
        query = (
            f"SELECT value, passages FROM json_each(?) LEFT JOIN {table} ON {table}.id = value"
            " ORDER BY json_each.key"
        )
        rows = self._db.execute(query, (json.dumps(list(ids)),))
        with reporting_damage(self._folder):
            return [0 if coded is None else checked_count(one, coded) for one, coded in rows]

    def check_rows(self) -> list[str]:
        """Compare every row with its sums, and the counts with the rows; gives what is wrong."""
        from collections import Counter

        from qa.store.packing import unpack_ids

        counted: dict[str, Counter[int]] = {"term": Counter(), "token": Counter()}
        wrong: list[str] = []
        with reporting_damage(self._folder):
            for row in self._db.execute(_SCORED):
                _checked_scored(row)
                terms, _, tokens = unpack_ids(row[6], row[8])
                counted["term"].update(terms)
                counted["token"].update(tokens)
            for _ in self.texts():
                pass
            for table, counts in counted.items():
                rows = self._db.execute(f"SELECT id, passages FROM {table}")
                if {one: checked_count(one, coded) for one, coded in rows} != counts:
                    wrong.append(f"The catalog is damaged: a {table} is counted wrongly")
        return wrong


_PASSAGE = (
    "SELECT id, document, start, end, headings, places, context, text, spans, cited_sum"
    " FROM passage"
)
_SCORED = (
    "SELECT id, document, start, vector, sentences, length, terms, counts, tokens, vector_sum,"
    " scored_sum FROM passage"
)


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
        raise TypeError(f"passage {id_} has a non-text value")
    return PassageRow(id_, document, start, end, path, found, context, text, inside)


def _checked_scored(row: tuple[Any, ...]) -> tuple[bytes, bytes, bytes]:
    one, document, start, vector, *scored, vector_sum, scored_sum = row
    require(one, vector_sum, check(one, vector))
    require(one, scored_sum, check(one, document, start, *scored))
    return vector, scored[0], scored[-1]
