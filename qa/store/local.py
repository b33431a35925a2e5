"""The local store: catalog, lexical index and vectors as one, with one commit that decides.

Order of a write: new passages go to the lexical index first, then (when due) a new file of
vectors is written beside the old one, then the catalog commits. Until that commit a reader sees
the old state, because what the accelerators hold too much vanishes in the join with the catalog.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from qa.errors import (
    EncoderMismatchError,
    ForeignIndexError,
    IndexLockedError,
    ReadOnlyIndexError,
)
from qa.store.catalog import CATALOG, Catalog
from qa.store.failures import storage_failures
from qa.store.lexical import LexicalDamagedError, LexicalIndex, analyse
from qa.store.vectors import Sealed, VectorIndex, VectorsDamagedError, build, is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.reading.corpus import Stamp
    from qa.store.catalog import DocumentRow, PassageRow
    from qa.types import Document

__all__ = ["Identity", "LocalStore", "Snapshot", "Writing"]

LOCK = "writer.lock"
# Passages that a search scans from the catalog before they are merged into the vectors' file:
# as many as cost a question less than opening the file does, or this share of the file.
UNMERGED = 256
UNMERGED_SHARE = 8


def lexical_text(context: str, text: str) -> str:
    """Give what the lexical index holds of a passage: its headings and itself."""
    return f"{context}\n{text}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an index is bound to: the encoder, and the corpus as seen from the index."""

    fingerprint: str
    model: str
    corpus: str


class LocalStore:
    """The index in one folder. Readers take no lock; writers take one lock of the OS."""

    def __init__(
        self,
        folder: Path,
        *,
        lock_timeout: float,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder
        self._lock_timeout = lock_timeout
        self._tell = tell
        self._catalog: Catalog | None = None
        self._vectors: tuple[str, VectorIndex | None] = ("", None)
        self._lexical: tuple[str, LexicalIndex | None] = ("", None)
        self._in_use = threading.RLock()

    def close(self) -> None:
        """Let go of all files."""
        with self._in_use:
            if self._catalog is not None:
                self._catalog.close()
            self._catalog = None
            self._vectors, self._lexical = ("", None), ("", None)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Read the index as it is at one moment; one thread of a store at a time.

        Raises:
            IndexMissingError: there is no index.
            IndexUnusableError: it can't be read.
        """
        with self._in_use, storage_failures(self.folder):
            if self._catalog is None:
                self._catalog = Catalog.open(self.folder)
            self._catalog.begin(write=False)
            try:
                yield Snapshot(self, self._catalog)
            finally:
                self._catalog.rollback()

    @contextmanager
    def writing(self, *, anew: bool = False) -> Iterator[Writing]:
        """Change the index: all of what is done inside, or nothing where it raises.

        Args:
            anew: replace an index that can't be read (never one of another program).

        Raises:
            IndexLockedError: another process writes and did not finish in time.
            ReadOnlyIndexError: the folder can't be written.
            StorageError: the disk is full or refuses.
        """
        with self._in_use, storage_failures(self.folder), self._lock():
            self.close()
            catalog = self._catalog_for_writing(anew=anew)
            try:
                writing = Writing(self.folder, catalog)
                yield writing
                writing.commit()
            finally:
                catalog.rollback()
                catalog.close()

    def _catalog_for_writing(self, *, anew: bool) -> Catalog:
        if anew:
            try:
                Catalog.create(self.folder).close()
            except Exception as error:
                if isinstance(error, ForeignIndexError) and "another program" in str(error):
                    raise
                for name in (CATALOG, f"{CATALOG}-wal", f"{CATALOG}-shm"):
                    (self.folder / name).unlink(missing_ok=True)
        return Catalog.create(self.folder)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / LOCK)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self._tell(f"Another process is writing {self.folder}; waiting …")
                lock.acquire(timeout=self._lock_timeout)
        except Timeout as error:
            raise IndexLockedError(
                f"Another process has been writing {self.folder} for over "
                f"{self._lock_timeout:g} seconds",
                hint="Try again when it is done, or wait longer with --lock-timeout.",
            ) from error
        except (NotADirectoryError, FileExistsError) as error:
            raise ReadOnlyIndexError(
                f"{self.folder} is not a folder", hint="Name another folder with --index."
            ) from error
        try:
            yield
        finally:
            lock.release()

    # --- accelerators -------------------------------------------------------------------

    def vectors(self, catalog: Catalog) -> tuple[VectorIndex | None, int]:
        """Give the opened vectors and the last id in them; (None, 0) where they are no use."""
        described = catalog.meta("vectors")
        key = f"{described} {catalog.number('changes')}"
        if self._vectors[0] != key:
            index = None
            if notes := _notes(described):
                with suppress(VectorsDamagedError):
                    index = VectorIndex(self.folder, *notes, catalog.dead())
            self._vectors = (key, index)
        opened = self._vectors[1]
        notes = _notes(described)
        return opened, notes[1].last_id if opened and notes else 0

    def lexical(self, catalog: Catalog) -> LexicalIndex | None:
        """Give the opened lexical index; None where it is no use."""
        name = catalog.meta("lexical")
        key = f"{name} {catalog.number('changes')}"
        if self._lexical[0] != key:
            self._lexical = (key, _open_lexical(self.folder, name, catalog.number("passages")))
        return self._lexical[1]

    def lexical_in_memory(self, catalog: Catalog) -> LexicalIndex:
        """Make the lexical index anew, for this process only."""
        self._tell(f"The lexical index in {self.folder} is damaged; working from the catalog.")
        index = LexicalIndex(None)
        index.write(add=_lexical_texts(catalog))
        self._lexical = (self._lexical[0], index)
        return index


def check_encoder(catalog: Catalog, fingerprint: str, model: str) -> None:
    """Refuse to mix vectors of different encoders.

    Raises:
        EncoderMismatchError: the index was made with another one.
    """
    known = catalog.meta("fingerprint")
    if known and known != fingerprint:
        theirs = catalog.meta("model")
        same = "another version of it" if theirs == model else model
        raise EncoderMismatchError(
            f"The index {catalog.folder} was made with {theirs}; this is {same}",
            hint="Ask with the model of the index (leave --model out), or embed all documents "
            "again with `qa index --rebuild`, naming the model with --model.",
        )


def _notes(described: str) -> tuple[str, Sealed] | None:
    """Read what the catalog keeps of the vectors' files."""
    if not described:
        return None
    notes = json.loads(described)
    return notes.pop("stem"), Sealed(**notes)


def _open_lexical(folder: Path, name: str, passages: int) -> LexicalIndex | None:
    if not name or not (folder / name / "meta.json").is_file():
        return None
    try:
        index = LexicalIndex(folder / name)
    except LexicalDamagedError:
        return None
    return index if index.size >= passages else None


def _lexical_texts(catalog: Catalog) -> Iterator[tuple[int, str]]:
    return ((one, lexical_text(context, text)) for one, context, text in catalog.texts())


class Snapshot:
    """The index at one moment."""

    def __init__(self, store: LocalStore, catalog: Catalog) -> None:
        self._store = store
        self.catalog = catalog

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to search."""
        return not self.catalog.number("passages")

    def is_sound(self) -> bool:
        """Tell whether both accelerators can be used as they are."""
        store, catalog = self._store, self.catalog
        return self.is_empty or (
            store.vectors(catalog)[0] is not None and store.lexical(catalog) is not None
        )

    def dense_candidates(self, vector: NDArray[np.float32], k: int) -> list[int]:
        """Give the ids of passages near to `vector [d]`: `k` of those merged, `k` of the new."""
        opened, last = self._store.vectors(self.catalog)
        found = opened.search(vector, k) if opened else []
        fresh: list[tuple[float, int]] = [
            (-float(other @ vector), one) for one, other in self.catalog.vectors(after=last)
        ]
        return found + [one for _, one in sorted(fresh)[:k]]

    def lexical_candidates(self, terms: Sequence[str], k: int) -> list[int]:
        """Give the ids of `k` passages that hold any of the terms, best BM25 first."""
        index = self._store.lexical(self.catalog)
        try:
            if index is not None:
                return index.search(terms, k)
        except LexicalDamagedError:
            pass
        return self._store.lexical_in_memory(self.catalog).search(terms, k)

    def passages(self, ids: Sequence[int]) -> list[PassageRow]:
        """Give those of the passages that exist."""
        return self.catalog.passages(ids)

    def documents(self, ids: Sequence[int]) -> Mapping[int, DocumentRow]:
        """Give documents by id."""
        return self.catalog.documents_by_id(ids)


class Writing:
    """One change of the index, kept by one commit."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._folder = folder
        self.catalog = catalog
        self._added: list[tuple[int, str]] = []
        self._terms: Counter[str] = Counter()
        self._passages = 0
        self._total_terms = 0
        self._ids = iter(range(0))
        self._lost = range(0)
        self._purge: list[int] = []
        self._begun = False

    def begin(self, identity: Identity, *, anew: bool) -> None:
        """Start the one transaction; `anew` deletes everything first.

        Raises:
            EncoderMismatchError: the index was made with another encoder.
        """
        if not anew:
            check_encoder(self.catalog, identity.fingerprint, identity.model)
        self._lost, ids = self.catalog.reserve_ids()
        self._ids = iter(ids)
        self.catalog.begin(write=True)
        self._begun = True
        self._purge = self.catalog.dead_in_lexical()
        if anew:
            for path in self.catalog.documents():
                self.drop(path)
        self.catalog.set_meta(**asdict(identity))

    def put(
        self,
        document: Document,
        stamp: Stamp,
        seen_ns: int,
        passages: Callable[[int, Iterator[int]], Iterable[PassageRow]],
    ) -> None:
        """Replace a document: `passages` makes its rows from its id and a source of ids."""
        self.drop_passages(document.id)
        number = self.catalog.put_document(
            document.id,
            sha256=document.sha256,
            encoding=document.encoding,
            metadata=document.metadata,
            stamp=stamp,
            seen_ns=seen_ns,
        )
        for row in passages(number, self._ids):
            self.catalog.put_passage(row)
            text = lexical_text(row.context, row.text)
            self._added.append((row.id, text))
            self._terms.update(set(analyse(text)))
            self._passages += 1
            self._total_terms += row.terms

    def drop(self, path: str) -> None:
        """Delete a document."""
        self.drop_passages(path)
        self.catalog.drop_document(path)

    def drop_passages(self, path: str) -> None:
        """Delete a document's passages."""
        for _, context, text in self.catalog.drop_passages(path):
            terms = analyse(lexical_text(context, text))
            self._terms.subtract(set(terms))
            self._passages -= 1
            self._total_terms -= len(terms)

    def commit(self) -> None:
        """Bring the accelerators up to date, then commit the catalog."""
        if not self._begun:
            return
        catalog = self.catalog
        catalog.add_terms(self._terms)
        before = catalog.number("passages")
        catalog.set_meta(
            passages=before + self._passages,
            total_terms=catalog.number("total_terms") + self._total_terms,
            changes=catalog.number("changes") + 1,
            pending="",
        )
        self._bring_lexical(before)
        self._bring_vectors()
        catalog.commit()
        self._sweep()

    def _bring_lexical(self, before: int) -> None:
        """Add the new passages; delete those that were gone before this change began."""
        catalog, name = self.catalog, self.catalog.meta("lexical")
        index = _open_lexical(self._folder, name, before)
        if index is not None:
            # Ids that a crashed writer had reserved may be in there, though nobody has them.
            index.write(delete=self._purge, delete_range=self._lost, add=self._added)
            catalog.note_purged(self._purge)
            return
        name = f"lexical-{catalog.number('changes')}"
        shutil.rmtree(self._folder / name, ignore_errors=True)
        LexicalIndex(self._folder / name).write(add=_lexical_texts(catalog))
        catalog.note_purged(catalog.dead_in_lexical())
        catalog.set_meta(lexical=name)

    def _bring_vectors(self) -> None:
        """Merge what is not in the vectors' file into a new one, where that is due."""
        catalog, notes = self.catalog, _notes(self.catalog.meta("vectors"))
        if notes and is_whole(self._folder, *notes):
            unmerged = catalog.count_after(notes[1].last_id) + len(catalog.dead())
            if unmerged <= max(UNMERGED, notes[1].rows // UNMERGED_SHARE):
                return
        if not (passages := catalog.number("passages")):
            catalog.set_meta(vectors="")
            catalog.forget_dead()
            return
        stem = f"vectors-{catalog.number('changes')}"
        sealed = build(self._folder, stem, catalog.vectors, passages)
        catalog.set_meta(vectors=json.dumps({"stem": stem, **asdict(sealed)}))
        catalog.forget_dead()

    def _sweep(self) -> None:
        """Remove files that the catalog no longer names; one in use elsewhere goes next time."""
        notes = _notes(self.catalog.meta("vectors"))
        stem = notes[0] if notes else ""
        named = {f"{stem}.faiss", f"{stem}.ids.npy", self.catalog.meta("lexical")}
        for path in self._folder.iterdir():
            if path.name in named or not path.name.startswith(("vectors-", "lexical-", "new-")):
                continue
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
