"""An index on Milvus at one moment: all that is read of it; see `qa.store.protocol.Snapshot`.

Milvus proposes candidates, from its vectors and its BM25, with filters pushed down. What they are
scored by is read for them alone, and scored here as everywhere.
"""

from __future__ import annotations

import random
from functools import cached_property
from itertools import chain, islice
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qa.store.failures import reporting_damage
from qa.store.milvus.described import allowing, read_table
from qa.store.milvus.words import edits, path_key, words_of
from qa.store.rows import StoredPassage
from qa.words import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage
    from qa.ranking.candidates import Candidates
    from qa.ranking.scoring import Statistics
    from qa.store.identity import Identity
    from qa.store.membership import Described
    from qa.store.milvus.catalog import Catalog, DocumentKept, FileKept
    from qa.store.milvus.described import Table
    from qa.store.rows import DocumentRow, FilesKnown, PassageRow, ProblemRow, StoredFile

__all__ = ["MilvusSnapshot"]

_MOST = 16_384  # hits that Milvus gives at once
_COPIES = 1000  # of one text: see `qa.store.passages`


class MilvusSnapshot:
    """The index by one manifest; rows that are damaged raise CatalogDamagedError."""

    def __init__(self, catalog: Catalog, kept: dict[str, Any]) -> None:
        """Take the catalog of a moment, and what was read of it before and is kept."""
        self._catalog = catalog
        self._manifest = catalog.manifest
        self._kept = kept

    # --- what it is ---------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Where the index is, in words."""
        return str(self._catalog.place)

    @property
    def identity(self) -> Identity:
        """What the index is bound to."""
        return self._manifest.identity

    @property
    def changes(self) -> int:
        """How often the index was changed."""
        return self._manifest.changes

    @property
    def calibration(self) -> str:
        """What `qa calibrate` kept; "" where it kept nothing."""
        return self._manifest.notes.get("calibration", "")

    @property
    def corpus_fit(self) -> str:
        """What was fitted to the corpus itself; "" where nothing was."""
        return self._manifest.notes.get("corpus_fit", "")

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages, beside English, in whose ways the documents' words are stemmed."""
        return tuple(self._manifest.languages)

    def has_current_terms(self) -> bool:
        """Whether its terms were found by the rules that a question's are found by."""
        return self.is_empty or self._manifest.notes.get("terms") == VERSION

    def count_passages(self) -> int:
        """How many passages are indexed."""
        return self._manifest.passages

    def count_pending(self) -> int:
        """How many of them have no embedding yet: they are found by their words alone."""
        return self._manifest.pending

    def count_documents(self) -> int:
        """How many documents could be read."""
        return self._manifest.documents

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search."""
        return not self.count_passages()

    def is_sound(self) -> bool:
        """Whether what searches can be used as it is: the server sees to that."""
        return True

    def is_tidy(self) -> bool:
        """Whether no writer that died has left anything: the next writer sees to that."""
        return True

    def check_references(self) -> None:
        """Compare the numbers of files and documents with the rows (CatalogDamagedError)."""
        with self.reporting_damage():
            if len(self._files) != self._manifest.files:
                raise ValueError("it lacks files that were indexed")
            table = self._table
            if len(table.documents) != self._manifest.documents:
                raise ValueError("it lacks documents that were indexed")
            if int(table.held.sum()) != self._manifest.passages:
                raise ValueError("it lacks passages that were indexed")

    def reporting_damage(self) -> AbstractContextManager[None]:
        """A context in which numbers that don't fit together are CatalogDamagedError."""
        return reporting_damage(self._catalog.place)

    # --- documents ----------------------------------------------------------------------

    @property
    def listing(self) -> str:
        """The digest of all files that spares reading `known_files`; "" where that is no help."""
        return self._manifest.notes.get("listing", "")

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files (CatalogDamagedError where rows are missing)."""
        return self._catalog.files_known()

    def files(self) -> Iterator[StoredFile]:
        """The corpus's files as they were when they were read, by path."""
        return (one.file for one in self._files)

    def documents_of(self, file: str) -> list[DocumentRow]:
        """The documents in a file, in the order in which they were read."""
        return [one.row for one in self._by_file.get(file, ())]

    def stored_passages(self, document: int) -> Iterator[StoredPassage]:
        """All that is stored of a document's passages, in the order in which they were cut."""
        for portion in _portions(self._catalog.stored(f"document == {document}")):
            embeddings = self._catalog.embeddings([one for one, _ in portion])
            for one, new in portion:
                yield StoredPassage(new, embeddings.get(one))

    def problems(self) -> list[ProblemRow]:
        """The documents that could not be read, or only in part, by path."""
        return self._catalog.problems()

    def documents(self, ids: Iterable[int]) -> Mapping[int, DocumentRow]:
        """Documents by id."""
        return self._catalog.documents_by_id(ids)

    def document_named(self, one: str) -> DocumentRow | None:
        """The document with that id; None where there is none."""
        found = self._catalog.documents(f'key == "{path_key(one)}"')
        return found[0].row if found else None

    def documents_after(self, one: str | None, count: int) -> list[tuple[int, str]]:
        """The numbers and ids of so many documents, by id, from the one after `one` on."""
        by_path = self._keep(
            "by_path",
            lambda: sorted((each.row.path, each.row.id) for each in self._table.documents),
        )
        from bisect import bisect_right

        begin = 0 if one is None else bisect_right(by_path, one, key=itemgetter(0))
        return [(number, path) for path, number in by_path[begin : begin + count]]

    def count_passages_of(self, document: int) -> int:
        """How many passages of a document are indexed."""
        [found] = self._catalog.documents(f'id in ["d{document}"]')
        return found.passages

    def passages_of_document(self, document: int) -> list[PassageRow]:
        """The passages of a document, by where they begin."""
        [found] = self._catalog.documents(f'id in ["d{document}"]')
        rows = self.passages(range(found.first, found.first + found.passages))
        return sorted(rows, key=lambda row: (row.start, row.end))

    def extract(self, document: int) -> str:
        """The text of a document of a converted format."""
        return self._catalog.extract(document)

    def described(self) -> Described:
        """What all documents can be filtered by; read once, and kept while it holds."""
        return self._table.described

    # --- passages -----------------------------------------------------------------------

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages by id, in the order of `ids`, each once."""
        return self._catalog.passages(ids)

    def copies(self, one: int, allowed: NDArray[np.int64] | None = None) -> list[int]:
        """The ids of passages with the same embedded text, `one` among them, by path and place."""
        ids = self._catalog.copies(one, _COPIES)
        if allowed is None:
            return ids
        import numpy as np

        held: list[int] = np.array(ids, np.int64)[np.isin(ids, allowed)].tolist()
        return held

    def passages_of(self, passing: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The ids, ascending, of the passages of the documents chosen among those described."""
        import numpy as np

        table = self._table
        first, count = table.first[passing], table.held[passing]
        ids = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
        return np.sort(ids)

    def all_passages(self) -> Iterator[PassageRow]:
        """All passages, by id, as they are read."""
        return self._catalog.texts()

    def sample(self, count: int) -> list[PassageRow]:
        """So many passages of different texts: always the same of the same texts."""
        first: dict[str, int] = {}
        for row in self._catalog.digests():
            first.setdefault(row["digest"], row["id"])
        return self.passages(first[one] for one in sorted(first)[:count])

    def some_passages(self, count: int) -> list[PassageRow]:
        """So many passages, taken at random."""
        import numpy as np

        ids = self.passages_of(np.ones(len(self._table.documents), np.bool_)).tolist()
        return self.passages(random.sample(ids, min(count, len(ids))))

    def texts(self) -> Iterator[tuple[int, str, str]]:
        """`(id, context, text)` of all passages, by id."""
        return ((row.id, row.context, row.text) for row in self.all_passages())

    def vectors(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """`(id, vector [d])` of all passages that have one."""
        return self._catalog.vectors()

    def pending_among(self, passages: Iterable[int]) -> set[int]:
        """Those of some passages that have no embedding yet."""
        if not self.count_pending():
            return set()
        wanted = list(dict.fromkeys(passages))
        return set(wanted) - self._catalog.embedded(wanted)

    # --- search -------------------------------------------------------------------------

    def candidates(
        self,
        ids: Iterable[int],
        dimension: int,
        embedded: Mapping[int, EncodedPassage] = MappingProxyType({}),
    ) -> Candidates:
        """What passages are scored by, by path and place; an embedded text once."""
        from qa.store.packing import pack_encoded, unpack_candidates

        wanted = list(dict.fromkeys(ids))
        catalog = self._catalog
        rows = catalog.server.get(catalog.names.passages, wanted, ["start", "digest", "scored"])
        packed: dict[int, tuple[bytes, bytes]] = {
            **catalog.embeddings([one for one in wanted if one not in embedded]),
            **{one: pack_encoded(each) for one, each in embedded.items()},
        }
        with self.reporting_damage():
            if len(rows) < len(wanted) or any(one not in packed for one in wanted):
                raise ValueError("it lacks passages that were indexed")
            found = []
            for one, row in rows.items():
                scored = catalog.scored(row)
                found.append((scored.path, row["start"], one, *packed[one], *scored[1:]))
            found.sort(key=itemgetter(0, 1))
            once: dict[tuple[str, bytes], tuple[Any, ...]] = {}
            for each in found:
                once.setdefault((rows[each[2]]["digest"], each[-1]), each)
            return unpack_candidates(list(once.values()), dimension)

    def statistics(self, terms: Iterable[Sequence[int]], tokens: Iterable[int]) -> Statistics:
        """What the whole index says of a question's terms and tokens, in their order."""
        import numpy as np

        from qa.ranking.scoring import Statistics

        passages = self._manifest.passages
        return Statistics(
            passages,
            self._manifest.total_terms / max(1, passages),
            self._manifest.total_tokens / max(1, passages),
            np.array(self.document_frequencies(terms), np.int64),
            np.array(self._catalog.document_frequencies("token", _numbers(tokens)), np.int64),
        )

    def document_frequencies(self, terms: Iterable[Sequence[int]]) -> list[int]:
        """How many passages hold each of some terms; one with several forms counts as often."""
        forms = [_numbers(several) for several in terms]
        counts = iter(self._catalog.document_frequencies("term", chain.from_iterable(forms)))
        return [sum(islice(counts, len(several))) for several in forms]

    def passages_with_a_term_like(self, term: str, k: int) -> list[int]:
        """The ids of at most `k` passages with a term that differs from one by a letter.

        Of terms in Latin letters and digits: what there may be is tried.
        """
        from qa.words.terms import term_ids

        near = sorted(edits(term))
        held = self._catalog.document_frequencies("term", term_ids(near).tolist())
        found = [one for one, count in zip(near, held, strict=True) if count]
        return self.lexical_candidates(found, k)

    def dense_candidates(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of the `k` passages nearest to `vector [d]`, nearest first.

        Those that have no embedding yet are not among them.
        """
        dimension = self._manifest.dimension
        if not dimension or dimension != len(vector) or (allowed is not None and not len(allowed)):
            return []
        collection = self._catalog.names.vectors(dimension)
        return self._search(collection, "vector", vector, k, allowed, metric="IP")

    def lexical_candidates(
        self, terms: Sequence[str], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of `k` passages that hold any of the terms, best BM25 first."""
        from qa.words.terms import term_ids

        if self.is_empty or not terms or (allowed is not None and not len(allowed)):
            return []
        words = words_of(term_ids(dict.fromkeys(terms)).tolist())
        return self._search(self._catalog.names.passages, "bm25", words, k, allowed, metric="BM25")

    def _search(
        self,
        collection: str,
        field: str,
        wanted: object,
        k: int,
        allowed: NDArray[np.int64] | None,
        *,
        metric: str,
    ) -> list[int]:
        if k < 1:
            return []
        chosen = self._manifest.visible()
        if allowed is not None:
            chosen += f" and ({allowing(allowed, lambda: self._table)})"
        server = self._catalog.server
        return server.search(collection, field, wanted, min(k, _MOST), chosen, metric=metric)

    # --- what is kept -------------------------------------------------------------------

    def _keep(self, key: str, make: Any) -> Any:  # noqa: ANN401 - each key has its own type
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    @property
    def _files(self) -> list[FileKept]:
        found: list[FileKept] = self._keep("files", self._catalog.files)
        return found

    @cached_property
    def _by_file(self) -> dict[str, list[DocumentKept]]:
        found: dict[str, list[DocumentKept]] = {}
        for one in self._table.documents:
            found.setdefault(one.row.file, []).append(one)
        return found

    @property
    def _table(self) -> Table:
        table: Table = self._keep("table", lambda: read_table(self._catalog, self._files))
        return table


def _numbers(ids: Iterable[Any]) -> list[int]:
    return [int(one) for one in ids]


def _portions(
    found: Iterator[tuple[int, Any]], count: int = 200
) -> Iterator[list[tuple[int, Any]]]:
    while portion := list(islice(found, count)):
        yield portion
