"""Passages and the counts of what they hold: the catalog's tables of these."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from qa.store.checks import (
    MODULUS,
    blob_check,
    check,
    checked_count,
    coded_count,
    require,
    scored_check,
)
from qa.store.failures import reporting_damage
from qa.store.rows import NewPassage, PackedEmbedding, PassageRow, StoredPassage
from qa.types import Place, PlaceKind

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from qa.encoding.encoder import EncodedPassage
    from qa.ranking.candidates import Candidates
    from qa.words.terms import PassageTerms

__all__ = ["PassageTables"]

COPIES = 1000  # of one text: to bring more in order takes as long as the rest of a question


class PassageTables:
    """The tables of passages, terms and tokens, over the catalog's connection."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._db = connection

    def put(self, one: int, document: int, new: NewPassage) -> None:
        """Insert a passage under an id; it has no embedding yet, and is not pending either."""
        from qa.store.packing import pack_spans, pack_terms, pack_tokens

        scored = (new.terms.length, *pack_terms(new.terms), pack_tokens(new.tokens))
        places = json.dumps(new.places) if new.places else ""
        headings, spans = json.dumps(new.heading_path), pack_spans(new.spans)
        cited = (new.end, headings, places, new.context, new.text, spans)
        self._db.execute(
            "INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(one, document, new.start, *scored),
                check(one, document, new.start, *scored),
                *cited,
                new.digest,
                check(one, document, new.start, *cited),
            ),
        )

    def put_terms(self, row: PassageRow, new: PassageTerms) -> tuple[int, bytes]:
        """Replace the terms of a passage; gives the length and the packed terms that it had."""
        from qa.store.packing import pack_terms

        old = self._db.execute(_SCORED + " WHERE id = ?", (row.id,)).fetchone()
        with reporting_damage(self._folder):
            _check_scored(old)
        scored = (new.length, *pack_terms(new), old[6])
        self._db.execute(
            "UPDATE passage SET length = ?, terms = ?, counts = ?, tokens = ?, scored_sum = ?"
            " WHERE id = ?",
            (*scored, check(row.id, row.document, row.start, *scored), row.id),
        )
        return old[3], old[4]

    def by_id(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages, in the order of `ids`, each once."""
        query = _PASSAGE + " WHERE id = ?"
        with reporting_damage(self._folder):
            return [
                _passage(one, self._db.execute(query, (one,)).fetchone())
                for one in dict.fromkeys(ids)
            ]

    def stored(self, document: int) -> Iterator[StoredPassage]:
        """All that is stored of a document's passages, by id."""
        rows = self._db.execute(_STORED, (document,))
        for row in rows:
            with reporting_damage(self._folder):
                yield _stored(row)

    def some(self, count: int) -> list[int]:
        """The ids of so many passages, taken at random."""
        rows = self._db.execute("SELECT id FROM passage ORDER BY random() LIMIT ?", (count,))
        return [row[0] for row in rows]

    def sample(self, count: int) -> list[int]:
        """The ids of so many passages of different texts, those of the lowest digests.

        They are as good as drawn, and the same for the same texts.
        """
        query = "SELECT min(id) FROM passage GROUP BY digest ORDER BY digest LIMIT ?"
        return [row[0] for row in self._db.execute(query, (count,))]

    def candidates(
        self, ids: Iterable[int], dimension: int, embedded: Mapping[int, EncodedPassage]
    ) -> Candidates:
        """Passages by path and place; of those with the same embedded text, the first alone.

        Args:
            ids: of the passages.
            dimension: of the vectors.
            embedded: what encoding gave for those that are pending.
        """
        from qa.store.packing import unpack_candidates

        query = (
            "SELECT path, start, passage.id, vector, sentences, length, terms, counts, tokens,"
            " document, vector_sum, sentences_sum, scored_sum, digest"
            " FROM passage JOIN document ON document.id = document"
            " LEFT JOIN embedding ON embedding.passage = passage.id"
            " WHERE passage.id IN (SELECT value FROM json_each(?))"
        )
        wanted = list(set(ids))
        rows = self._db.execute(query, (json.dumps(wanted),)).fetchall()
        with reporting_damage(self._folder):
            if len(rows) != len(wanted):
                raise ValueError("it lacks passages that were indexed")
            rows.sort(key=itemgetter(0, 1))
            once: dict[tuple[bytes, bytes], tuple[Any, ...]] = {}
            for *row, digest in rows:  # a digest has no check, tokens have one
                once.setdefault((digest, row[8]), tuple(row))
            found = [_candidate(row, embedded) for row in once.values()]
            return unpack_candidates(found, dimension)

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

    def rows(self, first: int = 0) -> Iterator[PassageRow]:
        """The passages from id `first` on, by id: those of a document one after the other."""
        for row in self._db.execute(_PASSAGE + " WHERE id >= ? ORDER BY id", (first,)):
            with reporting_damage(self._folder):
                passage = _passage(row[0], row)
            yield passage

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

    def count_of(self, document: int) -> int:
        """Count the passages of a document."""
        query = "SELECT count(*) FROM passage WHERE document = ?"
        return int(self._db.execute(query, (document,)).fetchone()[0])

    def drop(self, ids: Iterable[int]) -> Iterator[tuple[int, int, bytes, bytes]]:
        """Delete passages, and give `(id, length, terms, tokens)` of each."""
        for one in ids:
            row = self._db.execute(_SCORED + " WHERE id = ?", (one,)).fetchone()
            with reporting_damage(self._folder):
                _check_scored(row)
            self._db.execute("DELETE FROM passage WHERE id = ?", (one,))
            yield one, row[3], row[4], row[6]

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
                _check_scored(row)
                terms, _, tokens = unpack_ids(row[4], row[6])
                counted["term"].update(terms)
                counted["token"].update(tokens)
            for _ in self.rows():
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
_STORED = (
    "SELECT id, document, start, end, headings, places, context, text, spans, cited_sum,"
    " length, terms, counts, tokens, scored_sum, digest,"
    " vector, vector_sum, sentences, sentences_sum"
    " FROM passage LEFT JOIN embedding ON passage = id WHERE document = ? ORDER BY id"
)
_SCORED = "SELECT id, document, start, length, terms, counts, tokens, scored_sum FROM passage"


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


def _stored(row: tuple[Any, ...]) -> StoredPassage:
    from qa.store.packing import unpack_terms, unpack_tokens

    read = _passage(row[0], row[:10])
    length, terms, counts, tokens, scored_sum, digest, *embedding = row[10:]
    _check_scored((*row[:3], length, terms, counts, tokens, scored_sum))
    vector, vector_sum, sentences, sentences_sum = embedding
    if vector is not None:
        require(read.id, vector_sum, blob_check(read.id, vector))
        require(read.id, sentences_sum, blob_check(read.id, sentences))
    return StoredPassage(
        NewPassage(
            *(read.start, read.end, read.heading_path, read.places, read.context, read.text),
            *(read.spans, digest, unpack_terms(terms, counts, length), unpack_tokens(tokens)),
        ),
        None if vector is None else PackedEmbedding(vector, sentences),
    )


def _check_scored(row: tuple[Any, ...]) -> None:
    require(row[0], row[-1], scored_check(row[:-1]))


def _candidate(
    row: tuple[Any, ...], embedded: Mapping[int, EncodedPassage]
) -> tuple[str, int, int, bytes, bytes, int, bytes, bytes, bytes]:
    """What `unpack_candidates` takes of a row, compared with its sums."""
    from qa.store.packing import pack_encoded

    path, start, one, vector, sentences, length, terms, counts, tokens, document, *sums = row
    vector_sum, sentences_sum, scored_sum = sums
    require(one, scored_sum, scored_check((one, document, start, length, terms, counts, tokens)))
    if one in embedded:
        vector, sentences = pack_encoded(embedded[one])
    else:
        require(one, vector_sum, blob_check(one, vector))
        require(one, sentences_sum, blob_check(one, sentences))
    return path, start, one, vector, sentences, length, terms, counts, tokens
