"""What encoding gave for passages, and which of them wait for it: the catalog's tables of these.

Embeddings are numbered in the order in which they came, so that what was added since can be told
by number alone; no number is used twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.store.checks import blob_check, require
from qa.store.failures import reporting_damage
from qa.store.rows import PackedEmbedding

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage

__all__ = ["EmbeddingTables"]


class EmbeddingTables:
    """The tables of embeddings, of passages without one, and of embeddings that are gone."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._db = connection

    def put(self, passage: int, number: int, encoded: EncodedPassage) -> None:
        """Insert what encoding gave for a pending passage, which then is not pending any more."""
        from qa.store.packing import pack_encoded

        self.put_packed(passage, number, PackedEmbedding(*pack_encoded(encoded)))

    def put_packed(self, passage: int, number: int, packed: PackedEmbedding) -> None:
        """Insert what is packed already for a pending passage, which then is not pending."""
        self._insert(passage, number, *packed)
        self._db.execute("DELETE FROM pending WHERE passage = ?", (passage,))

    def put_known(
        self,
        passage: int,
        number: int,
        *,
        digest: bytes,
        context: str,
        text: str,
        in_all: bool = True,
    ) -> bool:
        """Insert for a passage what is known of one of that digest; gives whether there is one.

        A digest is found by an index of SQLite's, which may be damaged and lead to another row:
        only one of the same context and text will do.

        Args:
            passage: its id.
            number: that its embedding gets.
            digest: of what is embedded of it.
            context: what stands before its text there.
            text: its own.
            in_all: whether to look further where the first such passage waits itself: for each of
                very many of the same text, that would take the square of their number.
        """
        row = self._db.execute(
            "SELECT passage, vector, vector_sum, sentences, sentences_sum FROM passage"
            f" {'' if in_all else 'LEFT '}JOIN embedding ON embedding.passage = passage.id"
            " WHERE digest = ? AND context = ? AND text = ? LIMIT 1",
            (digest, context, text),
        ).fetchone()
        if row is None or row[0] is None:
            return False
        with reporting_damage(self._folder):
            other, vector, vector_sum, sentences, sentences_sum = row
            require(other, vector_sum, blob_check(other, vector))
            require(other, sentences_sum, blob_check(other, sentences))
        self._insert(passage, number, vector, sentences)
        self._db.execute("DELETE FROM pending WHERE passage = ?", (passage,))
        return True

    def _insert(self, passage: int, number: int, vector: bytes, sentences: bytes) -> None:
        self._db.execute(
            "INSERT INTO embedding VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(passage, number, vector, blob_check(passage, vector)),
                *(sentences, blob_check(passage, sentences)),
            ),
        )

    def drop(self, passages: Iterable[int], *, last: int) -> None:
        """Delete what there is for some passages; those numbered up to `last` are noted as dead."""
        for one in passages:
            self._db.execute("DELETE FROM pending WHERE passage = ?", (one,))
            query = "DELETE FROM embedding WHERE passage = ? RETURNING number"
            for (number,) in self._db.execute(query, (one,)).fetchall():
                if number <= last:
                    self._db.execute("INSERT INTO dead VALUES (?, ?)", (number, one))

    # --- waiting ------------------------------------------------------------------------

    def add_pending(self, passage: int) -> None:
        """Note that a passage waits for its embedding."""
        self._db.execute("INSERT INTO pending VALUES (?)", (passage,))

    def pending(self) -> list[int]:
        """The passages that wait, those of the most recently changed files first."""
        rows = self._db.execute(
            "SELECT pending.passage FROM pending"
            " LEFT JOIN passage ON passage.id = pending.passage"
            " LEFT JOIN document ON document.id = passage.document"
            " LEFT JOIN file ON file.id = document.file"
            " ORDER BY file.mtime_ns DESC, pending.passage"
        )
        return [row[0] for row in rows]

    def pending_among(self, passages: Iterable[int]) -> set[int]:
        """Those of some passages that wait."""
        query = "SELECT 1 FROM pending WHERE passage = ?"
        return {one for one in passages if self._db.execute(query, (one,)).fetchone()}

    # --- vectors ------------------------------------------------------------------------

    def vectors(
        self, *, after: int = 0, upto: int | None = None
    ) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """`(number, passage, vector [d])` of the embeddings over `after`, by number."""
        from qa.store.packing import unpack_vector

        query = (
            "SELECT number, passage, vector, vector_sum FROM embedding"
            " WHERE number > ? AND number <= ? ORDER BY number"
        )
        for number, one, packed, vector_sum in self._db.execute(
            query, (after, _NO_END if upto is None else upto)
        ):
            with reporting_damage(self._folder):
                require(one, vector_sum, blob_check(one, packed))
                vector = unpack_vector(packed)
            yield number, one, vector

    def count_after(self, last: int, *, upto: int | None = None) -> int:
        """Count the embeddings with a number over `last`."""
        query = "SELECT count(*) FROM embedding WHERE number > ? AND number <= ?"
        return int(self._db.execute(query, (last, _NO_END if upto is None else upto)).fetchone()[0])

    def number_of(self, after: int, count: int) -> int:
        """The number of the `count`-th embedding over `after`."""
        query = "SELECT number FROM embedding WHERE number > ? ORDER BY number LIMIT 1 OFFSET ?"
        return int(self._db.execute(query, (after, count - 1)).fetchone()[0])

    def dead(self) -> list[int]:
        """The numbers, ascending, that the files of vectors may still hold though they are gone."""
        return [row[0] for row in self._db.execute("SELECT number FROM dead ORDER BY number")]

    def forget_dead(self, *, after: int = 0, upto: int | None = None) -> None:
        """Note that the files with the numbers over `after` were made without the dead."""
        query = "DELETE FROM dead WHERE number > ? AND number <= ?"
        self._db.execute(query, (after, _NO_END if upto is None else upto))

    # --- all of it ----------------------------------------------------------------------

    def check_references(self) -> None:
        """Compare embeddings and what waits with the passages (CatalogDamagedError)."""
        with reporting_damage(self._folder):
            for broken, query in _BROKEN.items():
                if (row := self._db.execute(query + " LIMIT 1").fetchone()) is not None:
                    raise ValueError(broken.format(row[0]))

    def check_rows(self) -> None:
        """Compare every row with its sums (CatalogDamagedError)."""
        self.check_references()
        query = "SELECT passage, vector, vector_sum, sentences, sentences_sum FROM embedding"
        with reporting_damage(self._folder):
            for one, vector, vector_sum, sentences, sentences_sum in self._db.execute(query):
                require(one, vector_sum, blob_check(one, vector))
                require(one, sentences_sum, blob_check(one, sentences))


_NO_END = 2**63 - 1
_BROKEN = {
    "it lacks the embedding of passage {}": (
        "SELECT id FROM passage WHERE id NOT IN (SELECT passage FROM embedding)"
        " AND id NOT IN (SELECT passage FROM pending)"
    ),
    "it lacks passage {}, which has an embedding": (
        "SELECT passage FROM embedding WHERE passage NOT IN (SELECT id FROM passage)"
    ),
    "it lacks passage {}, which waits for its embedding": (
        "SELECT passage FROM pending WHERE passage NOT IN (SELECT id FROM passage)"
    ),
    "passage {} has an embedding, and waits for it": (
        "SELECT passage FROM pending WHERE passage IN (SELECT passage FROM embedding)"
    ),
}
