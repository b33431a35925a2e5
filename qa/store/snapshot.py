"""The index at one moment: all that is read of it, for whoever is outside of the store."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from itertools import chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING

from qa.store.accelerators import unnamed
from qa.words import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage
    from qa.ranking.candidates import Candidates
    from qa.ranking.scoring import Statistics
    from qa.store.accelerators import Accelerators
    from qa.store.catalog import Catalog
    from qa.store.identity import Identity
    from qa.store.lexical import LexicalIndex
    from qa.store.membership import Described
    from qa.store.rows import (
        DocumentRow,
        FilesKnown,
        PassageRow,
        ProblemRow,
        StoredFile,
        StoredPassage,
    )

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
    def place(self) -> str:
        """Where the index is, in words."""
        return str(self.folder)

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

    @property
    def corpus_fit(self) -> str:
        """What was fitted to the corpus itself; "" where nothing was."""
        return self._catalog.meta("corpus_fit")

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages, beside English, in whose ways the documents' words are stemmed."""
        return tuple(self._catalog.languages())

    def count_passages(self) -> int:
        """How many passages are indexed."""
        return self._catalog.number("passages")

    def count_pending(self) -> int:
        """How many of them have no embedding yet: they are found by their words alone."""
        return self._catalog.number("pending")

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
            self._accelerators.vectors(self._catalog).is_whole
            and self._accelerators.lexical(self._catalog) is not None
        )

    def has_current_terms(self) -> bool:
        """Whether its terms were found by the rules that a question's are found by."""
        return self.is_empty or self._catalog.meta("terms") == VERSION

    def is_tidy(self) -> bool:
        """Whether no writer that died, or writes just now, has left files there."""
        return not unnamed(self.folder, self._catalog)

    def check_references(self) -> None:
        """Follow every reference between rows (CatalogDamagedError)."""
        self._catalog.check_references()

    def reporting_damage(self) -> AbstractContextManager[None]:
        """A context in which numbers that don't fit together are CatalogDamagedError."""
        return self._catalog.reporting_damage()

    # --- documents ----------------------------------------------------------------------

    @property
    def listing(self) -> str:
        """The digest of all files that spares reading `known_files`; "" where that is no help."""
        if self._catalog.has_known_files():
            return ""
        self._catalog.check_counts()
        return self._catalog.meta("listing")

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files (CatalogDamagedError where rows are missing)."""
        return self._catalog.known_files()

    def files(self) -> Iterator[StoredFile]:
        """The corpus's files as they were when they were read, by path."""
        return self._catalog.documents.files()

    def documents_of(self, file: str) -> list[DocumentRow]:
        """The documents in a file, in the order in which they were read."""
        ids = self._catalog.documents.of_file(file)
        found = self.documents(ids)
        return [found[one] for one in ids]

    def stored_passages(self, document: int) -> Iterator[StoredPassage]:
        """All that is stored of a document's passages, in the order in which they were cut."""
        return self._catalog.passages.stored(document)

    def problems(self) -> list[ProblemRow]:
        """The documents that could not be read, or only in part, by path."""
        return self._catalog.documents.problems()

    def documents(self, ids: Iterable[int]) -> Mapping[int, DocumentRow]:
        """Documents by id."""
        return self._catalog.documents.by_id(ids)

    def document_named(self, one: str) -> DocumentRow | None:
        """The document with that id; None where there is none."""
        number = self._catalog.documents.id_of(one)
        return None if number is None else self.documents([number])[number]

    def documents_after(self, one: str | None, count: int) -> list[tuple[int, str]]:
        """The numbers and ids of so many documents, by id, from the one after `one` on."""
        return self._catalog.documents.after(one, count)

    def count_passages_of(self, document: int) -> int:
        """How many passages of a document are indexed."""
        return self._catalog.passages.count_of(document)

    def passages_of_document(self, document: int) -> list[PassageRow]:
        """The passages of a document, by where they begin."""
        found = self.passages(self._catalog.passages.of_documents([document]))
        return sorted(found, key=lambda row: (row.start, row.end))

    def extract(self, document: int) -> str:
        """The text of a document of a converted format."""
        return self._catalog.documents.extract(document)

    def described(self) -> Described:
        """What all documents can be filtered by; read once, and kept while it holds."""
        if not self._catalog.membership.is_kept():
            self._catalog.check_counts()
        return self._catalog.membership.described()

    # --- passages -----------------------------------------------------------------------

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages by id, in the order of `ids`, each once."""
        return self._catalog.passages.by_id(ids)

    def copies(self, one: int, allowed: NDArray[np.int64] | None = None) -> list[int]:
        """The ids of passages with the same embedded text, `one` among them, by path and place.

        Where `allowed` is not None, those that are not among its ids (ascending) are left out.
        """
        found = self._catalog.passages.copies(one)
        return [each for each in found if allowed is None or _is_among(each, allowed)]

    def passages_of(self, passing: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The ids, ascending, of the passages of the documents chosen among those described."""
        return self._catalog.membership.passages_of(passing)

    def all_passages(self) -> Iterator[PassageRow]:
        """All passages, by id, as they are read."""
        return self._catalog.passages.rows()

    def some_passages(self, count: int) -> list[PassageRow]:
        """So many passages, taken at random."""
        return self._catalog.passages.by_id(self._catalog.passages.some(count))

    def sample(self, count: int) -> list[PassageRow]:
        """So many passages of different texts: always the same of the same texts."""
        return self._catalog.passages.by_id(self._catalog.passages.sample(count))

    def texts(self) -> Iterator[tuple[int, str, str]]:
        """`(id, context, text)` of all passages, by id."""
        return ((row.id, row.context, row.text) for row in self._catalog.passages.rows())

    def vectors(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """`(id, vector [d])` of all passages that have one, in the order in which they came."""
        return ((one, vector) for _, one, vector in self._catalog.embeddings.vectors())

    def pending_among(self, passages: Iterable[int]) -> set[int]:
        """Those of some passages that have no embedding yet."""
        return self._catalog.embeddings.pending_among(passages) if self.count_pending() else set()

    # --- search -------------------------------------------------------------------------

    def candidates(
        self,
        ids: Iterable[int],
        dimension: int,
        embedded: Mapping[int, EncodedPassage] = MappingProxyType({}),
    ) -> Candidates:
        """What passages are scored by, by path and place; an embedded text once.

        Args:
            ids: of the passages.
            dimension: of the vectors.
            embedded: what encoding gave just now for those that have no embedding yet.
        """
        return self._catalog.passages.candidates(ids, dimension, embedded)

    def statistics(self, terms: Iterable[Sequence[int]], tokens: Iterable[int]) -> Statistics:
        """What the whole index says of a question's terms and tokens, in their order.

        A term is all that documents in one language or another have it as.
        """
        import numpy as np

        from qa.ranking.scoring import Statistics

        catalog = self._catalog
        passages = catalog.number("passages")
        return Statistics(
            passages,
            catalog.number("total_terms") / max(1, passages),
            catalog.number("total_tokens") / max(1, passages),
            np.array(self.document_frequencies(terms), np.int64),
            np.array(catalog.passages.document_frequencies("token", tokens), np.int64),
        )

    def document_frequencies(self, terms: Iterable[Sequence[int]]) -> list[int]:
        """How many passages hold each of some terms, which may have several forms.

        One that holds several forms counts as often.
        """
        forms = list(terms)
        counts = iter(
            self._catalog.passages.document_frequencies("term", chain.from_iterable(forms))
        )
        return [sum(islice(counts, len(several))) for several in forms]

    def passages_with_a_term_like(self, term: str, k: int) -> list[int]:
        """The ids of at most `k` passages with a term that differs from one by a letter."""
        return self._lexical(lambda index: index.like(term, k))

    def dense_candidates(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of the `k` passages nearest to `vector [d]`, nearest first.

        Those that have no embedding yet are not among them. Where `allowed` is not None, its ids
        (ascending) alone are searched.
        """
        dense = self._accelerators.vectors(self._catalog)
        found: list[tuple[float, int]] = []
        seen = 0
        for segment in dense.segments:
            found += segment.search(vector, k, allowed)
            seen += len(segment)
        for after, upto in dense.gaps:
            for _, one, other in self._catalog.embeddings.vectors(after=after, upto=upto):
                seen += 1
                if allowed is None or _is_among(one, allowed):
                    found.append((float(other @ vector), one))
        with self.reporting_damage():
            if seen + self.count_pending() != self.count_passages():
                raise ValueError("it lacks passages that were indexed")
        return [one for _, one in heapq.nsmallest(k, ((-near, one) for near, one in found))]

    def lexical_candidates(
        self, terms: Sequence[str], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of `k` passages that hold any of the terms, best BM25 first.

        Where `allowed` is not None, its ids (ascending) alone are searched.
        """
        return self._lexical(lambda index: index.search(terms, k, allowed))

    def _lexical(self, search: Callable[[LexicalIndex], list[int]]) -> list[int]:
        """Search the lexical index; where its files can't be read, one that is made in memory."""
        from qa.store.lexical import LexicalDamagedError

        if self.is_empty:
            return []
        index = self._accelerators.lexical(self._catalog)
        try:
            if index is not None:
                return search(index)
        except LexicalDamagedError:
            pass
        return search(self._accelerators.lexical_in_memory(self._catalog))


def _is_among(one: int, allowed: NDArray[np.int64]) -> bool:
    at = bisect_left(allowed, one)
    return at < len(allowed) and int(allowed[at]) == one
