"""The index at one moment: all that is read of it, for whoever is outside of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.store.accelerators import unnamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.ranking.candidates import Candidates
    from qa.ranking.scoring import Statistics
    from qa.store.accelerators import Accelerators
    from qa.store.catalog import Catalog
    from qa.store.identity import Identity
    from qa.store.rows import Described, DocumentRow, FilesKnown, PassageRow, ProblemRow

__all__ = ["Snapshot"]


class Snapshot:
    """The index at one moment; rows that are damaged raise CatalogDamagedError."""

    def __init__(self, catalog: Catalog, accelerators: Accelerators) -> None:
        """Take a catalog in a transaction, and what is opened of the files that it names."""
        self._catalog = catalog
        self._accelerators = accelerators

    # --- what it is ---------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The folder of the index."""
        return self._catalog.folder

    @property
    def identity(self) -> Identity:
        """What the index is bound to."""
        return self._catalog.identity()

    @property
    def changes(self) -> int:
        """How often the index was changed."""
        return self._catalog.number("changes")

    @property
    def calibration(self) -> str:
        """What `qa calibrate` kept; "" where it kept nothing."""
        return self._catalog.meta("calibration")

    def count_passages(self) -> int:
        """How many passages are indexed."""
        return self._catalog.number("passages")

    def count_documents(self) -> int:
        """How many documents could be read."""
        return self._catalog.documents.count()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search."""
        return not self.count_passages()

    def is_sound(self) -> bool:
        """Whether both accelerators can be used as they are."""
        return self.is_empty or (
            self._accelerators.vectors(self._catalog)[0] is not None
            and self._accelerators.lexical(self._catalog) is not None
        )

    def is_tidy(self) -> bool:
        """Whether no writer that died, or writes just now, has left files there."""
        return not unnamed(self.folder, self._catalog)

    def check_references(self) -> None:
        """Follow every reference between files, documents and texts (CatalogDamagedError)."""
        self._catalog.documents.check_references()

    def reporting_damage(self) -> AbstractContextManager[None]:
        """A context in which numbers that don't fit together are CatalogDamagedError."""
        return self._catalog.reporting_damage()

    # --- documents ----------------------------------------------------------------------

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files (CatalogDamagedError where rows are missing)."""
        return self._catalog.known_files()

    def problems(self) -> list[ProblemRow]:
        """The documents that could not be read, or only in part, by path."""
        return self._catalog.documents.problems()

    def documents(self, ids: Iterable[int]) -> Mapping[int, DocumentRow]:
        """Documents by id."""
        return self._catalog.documents.by_id(ids)

    def extract(self, document: int) -> str:
        """The text of a document of a converted format."""
        return self._catalog.documents.extract(document)

    def described(self, *, metadata: bool) -> list[Described]:
        """What all documents can be filtered by; their metadata only where asked for."""
        self._catalog.check_passages()
        with self._catalog.reporting_damage():
            return list(self._catalog.documents.described(metadata=metadata))

    # --- passages -----------------------------------------------------------------------

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages by id, in the order of `ids`, each once."""
        return self._catalog.passages.by_id(ids)

    def copies(self, one: int) -> list[int]:
        """The ids of passages with the same embedded text, `one` among them, by path and place."""
        return self._catalog.passages.copies(one)

    def passages_of(self, documents: Iterable[int]) -> list[int]:
        """The ids, ascending, of the passages of some documents."""
        return self._catalog.passages.of_documents(documents)

    def some_passages(self, count: int) -> list[PassageRow]:
        """So many passages, taken at random."""
        return self._catalog.passages.by_id(self._catalog.passages.some(count))

    def texts(self) -> Iterator[tuple[int, str, str]]:
        """`(id, context, text)` of all passages, by id."""
        return self._catalog.passages.texts()

    def vectors(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """`(id, vector [d])` of all passages, by id."""
        return self._catalog.passages.vectors()

    # --- search -------------------------------------------------------------------------

    def candidates(self, ids: Iterable[int], dimension: int) -> Candidates:
        """What passages are scored by, by path and place; an embedded text once."""
        return self._catalog.passages.candidates(ids, dimension)

    def statistics(self, terms: Iterable[int], tokens: Iterable[int]) -> Statistics:
        """What the whole index says of a question's terms and tokens, in their order."""
        import numpy as np

        from qa.ranking.scoring import Statistics

        catalog = self._catalog
        passages = catalog.number("passages")
        return Statistics(
            passages,
            catalog.number("total_terms") / max(1, passages),
            catalog.number("total_tokens") / max(1, passages),
            np.array(catalog.passages.document_frequencies("term", terms), np.int64),
            np.array(catalog.passages.document_frequencies("token", tokens), np.int64),
        )

    def dense_candidates(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of passages near to `vector [d]`: `k` of those merged, `k` of the new.

        Where `allowed` is not None, its ids (ascending) alone are searched.
        """
        opened, last = self._accelerators.vectors(self._catalog)
        found = opened.search(vector, k, allowed) if opened is not None else []
        among = None if allowed is None else set(allowed[allowed > last].tolist())
        unmerged = 0
        fresh: list[tuple[float, int]] = []
        for one, other in self._catalog.passages.vectors(after=last):
            unmerged += 1
            if among is None or one in among:
                fresh.append((-float(other @ vector), one))
        with self.reporting_damage():
            merged = 0 if opened is None else len(opened)
            if merged + unmerged != self.count_passages():
                raise ValueError("it lacks passages that were indexed")
        return found + [one for _, one in sorted(fresh)[:k]]

    def lexical_candidates(
        self, terms: Sequence[str], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of `k` passages that hold any of the terms, best BM25 first.

        Where `allowed` is not None, those that are not among its ids are passed over.
        """
        if self.is_empty:
            return []
        if allowed is None:
            return self._lexical_search(terms, k)
        among = set(allowed.tolist())
        wider = k
        while True:
            found = self._lexical_search(terms, wider)
            passing = [one for one in found if one in among][:k]
            if len(passing) == k or len(found) < wider:
                return passing
            wider *= 8

    def _lexical_search(self, terms: Sequence[str], k: int) -> list[int]:
        from qa.store.lexical import LexicalDamagedError

        index = self._accelerators.lexical(self._catalog)
        try:
            if index is not None:
                return index.search(terms, k)
        except LexicalDamagedError:
            pass
        return self._accelerators.lexical_in_memory(self._catalog).search(terms, k)
