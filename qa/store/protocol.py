"""What every store can do: all that answering and indexing ask of one, wherever it is.

`qa.store.index` is the one in a folder, `qa.store.milvus.index` that on a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from qa.corpus import Stamp
    from qa.encoding.encoder import EncodedPassage
    from qa.progress import Progress, Running
    from qa.ranking.candidates import Candidates
    from qa.ranking.scoring import Statistics
    from qa.store.identity import Identity
    from qa.store.membership import Described
    from qa.store.rows import (
        DocumentRow,
        FilesKnown,
        NewPassage,
        PassageRow,
        ProblemRow,
        StoredFile,
        StoredPassage,
    )
    from qa.types import Document

__all__ = ["Snapshot", "Store", "Transaction"]


class Store(Protocol):
    """An index somewhere: read at one moment, written by one process at a time."""

    def close(self) -> None:
        """Let go of all that is open."""

    def snapshot(self, *, to_search: bool = False) -> AbstractContextManager[Snapshot]:
        """Read the index as it is at one moment; `to_search` opens what searches need now."""

    def transaction(
        self, *, rebuild: bool = False, unless: Callable[[], bool] = ...
    ) -> AbstractContextManager[Transaction]:
        """Change the index; what is not committed inside is undone where something raises."""

    def take_over(self) -> None:
        """Turn an index of an earlier version into one of this; nothing is embedded again."""

    def tidy(self, stamps: Mapping[str, Stamp], seen_ns: int, *, listing: str) -> None:
        """Note that files are the same, and remove what a writer that died has left."""

    def announcing(self) -> Callable[[Progress], None]:
        """Have others see that this process writes; gives what takes how far that is."""

    def is_written(self) -> bool:
        """Whether somebody writes the index at this moment."""

    def running(self) -> Running | None:
        """The refresh that is under way at this moment."""

    @property
    def address(self) -> str:
        """Where the index is, wherever one looks from."""

    def size_bytes(self) -> int:
        """What it takes to store; 0 where that is not known."""

    def seen_from(self, corpus: str) -> str:
        """Where a corpus lies, as the index notes it."""

    def located(self, corpus: str) -> str:
        """Where the corpus lies that `seen_from` noted; "" where it has no place."""

    def beside(self, fingerprint: str) -> Store:
        """The index of the same corpus by another model, whether or not there is one."""

    def exists(self) -> bool:
        """Whether there is an index, or the beginnings of one."""

    def keep(self, fingerprint: str) -> str:
        """Keep the index as it was last committed, by its model's fingerprint; gives where."""

    def remove(self) -> None:
        """Delete the index."""


class Known(Protocol):
    """What snapshots and transactions tell alike."""

    @property
    def identity(self) -> Identity:
        """What the index is bound to."""

    @property
    def changes(self) -> int:
        """How often the index was changed."""

    @property
    def calibration(self) -> str:
        """What `qa calibrate` kept; "" where it kept nothing."""


class Snapshot(Known, Protocol):
    """An index at one moment; rows that are damaged raise CatalogDamagedError."""

    # --- what it is ---------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Where the index is, in words."""

    @property
    def corpus_fit(self) -> str:
        """What was fitted to the corpus itself; "" where nothing was."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages, beside English, in whose ways the documents' words are stemmed."""

    def has_current_terms(self) -> bool:
        """Whether its terms were found by the rules that a question's are found by."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search."""

    @property
    def listing(self) -> str:
        """The digest of all files that spares reading `known_files`; "" where that is no help."""

    def count_passages(self) -> int:
        """How many passages are indexed."""

    def count_pending(self) -> int:
        """How many of them have no embedding yet."""

    def count_documents(self) -> int:
        """How many documents could be read."""

    def is_sound(self) -> bool:
        """Whether what searches can be used as it is."""

    def is_tidy(self) -> bool:
        """Whether no writer that died has left anything."""

    def check_references(self) -> None:
        """Follow every reference between rows (CatalogDamagedError)."""

    def reporting_damage(self) -> AbstractContextManager[None]:
        """A context in which numbers that don't fit together are CatalogDamagedError."""

    # --- documents ----------------------------------------------------------------------

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files."""

    def files(self) -> Iterator[StoredFile]:
        """The corpus's files as they were when they were read, by path."""

    def documents_of(self, file: str) -> list[DocumentRow]:
        """The documents in a file, in the order in which they were read."""

    def stored_passages(self, document: int) -> Iterator[StoredPassage]:
        """All that is stored of a document's passages, in the order in which they were cut."""

    def problems(self) -> list[ProblemRow]:
        """The documents that could not be read, or only in part, by path."""

    def documents(self, ids: Iterable[int]) -> Mapping[int, DocumentRow]:
        """Documents by number."""

    def document_named(self, one: str) -> DocumentRow | None:
        """The document with that id; None where there is none."""

    def documents_after(self, one: str | None, count: int) -> list[tuple[int, str]]:
        """The numbers and ids of so many documents, by id, from the one after `one` on."""

    def count_passages_of(self, document: int) -> int:
        """How many passages of a document are indexed."""

    def passages_of_document(self, document: int) -> list[PassageRow]:
        """The passages of a document, by where they begin."""

    def extract(self, document: int) -> str:
        """The text of a document of a converted format."""

    def described(self) -> Described:
        """What all documents can be filtered by."""

    # --- passages -----------------------------------------------------------------------

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages by id, in the order of `ids`, each once."""

    def copies(self, one: int, allowed: NDArray[np.int64] | None = None) -> list[int]:
        """The ids of passages with the same embedded text, `one` among them, by path and place."""

    def passages_of(self, passing: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The ids, ascending, of the passages of the documents chosen among those described."""

    def all_passages(self) -> Iterator[PassageRow]:
        """All passages, by id, as they are read."""

    def sample(self, count: int) -> list[PassageRow]:
        """So many passages of different texts: always the same of the same texts."""

    def some_passages(self, count: int) -> list[PassageRow]:
        """So many passages, taken at random."""

    def texts(self) -> Iterator[tuple[int, str, str]]:
        """`(id, context, text)` of all passages, by id."""

    def vectors(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """`(id, vector [d])` of all passages that have one."""

    def pending_among(self, passages: Iterable[int]) -> set[int]:
        """Those of some passages that have no embedding yet."""

    # --- search -------------------------------------------------------------------------

    def candidates(
        self, ids: Iterable[int], dimension: int, embedded: Mapping[int, EncodedPassage] = ...
    ) -> Candidates:
        """What passages are scored by, by path and place; an embedded text once."""

    def statistics(self, terms: Iterable[Sequence[int]], tokens: Iterable[int]) -> Statistics:
        """What the whole index says of a question's terms and tokens, in their order.

        A term is all that documents in one language or another have it as.
        """

    def document_frequencies(self, terms: Iterable[Sequence[int]]) -> list[int]:
        """How many passages hold each of some terms; one with several forms counts as often."""

    def passages_with_a_term_like(self, term: str, k: int) -> list[int]:
        """The ids of at most `k` passages with a term that differs from one by a letter."""

    def dense_candidates(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of the `k` passages nearest to `vector [d]`, nearest first; of those allowed."""

    def lexical_candidates(
        self, terms: Sequence[str], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of `k` passages that hold any of the terms, best first; of those allowed."""


class Transaction(Known, Protocol):
    """Changes of an index, kept by each commit."""

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files."""

    def begin(self, identity: Identity, *, rebuild: bool) -> None:
        """Say what the index is bound to; `rebuild` deletes everything first."""

    def open_file(self, path: str, sha256: str, stamp: Stamp, seen_ns: int) -> None:
        """Add or replace a file: its documents and their passages follow, then `close_file`."""

    def put_document(self, document: Document) -> None:
        """Add a document to the open file."""

    def put_passage(self, new: NewPassage) -> bool:
        """Add a passage to the document that was put last; gives whether its embedding is known."""

    def put_stored(self, one: StoredPassage) -> None:
        """Add a passage with what encoding gave for it, as it was stored elsewhere."""

    def close_file(self, problems: Mapping[str, str]) -> None:
        """End a file, with why documents in it can't be read, by their ids."""

    def drop_file(self, path: str) -> None:
        """Delete a file."""

    def restamp(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
        """Note that files were read again and are the same."""

    def count_pending(self) -> int:
        """How many passages have no embedding yet."""

    def pending(self) -> list[int]:
        """The passages that have none, those of the most recently changed files first."""

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages by id, in the order of `ids`, each once."""

    def put_known(self, passage: PassageRow, digest: bytes) -> bool:
        """Add for a pending passage the embedding of one of that digest, if there is one."""

    def put_embedding(self, passage: int, encoded: EncodedPassage) -> None:
        """Add what encoding gave for a pending passage."""

    def keep(self, **notes: str) -> None:
        """Keep notes, when this commits."""

    def commit(self) -> None:
        """Keep what was done since the last commit; go on with a new change."""

    def compact(self) -> None:
        """Bring in order what searches gain by, now that nobody waits."""
