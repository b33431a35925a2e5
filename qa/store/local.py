"""The local store: catalog, lexical index and vectors in one folder, read and written as one."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from qa.errors import (
    ForeignIndexError,
    IndexLockedError,
    IndexUnusableError,
    ReadOnlyIndexError,
)
from qa.store.catalog import Catalog
from qa.store.database import CATALOG
from qa.store.failures import storage_failures
from qa.store.hardening import check_files
from qa.store.health import is_healthy
from qa.store.lexical import LexicalDamagedError, LexicalIndex
from qa.store.seals import make_folder
from qa.store.vectors import VectorIndex, VectorsDamagedError
from qa.store.writing import (
    DERIVED,
    Writing,
    lexical_texts,
    open_lexical,
    sweep,
    unnamed,
    vectors_notes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.corpus import Stamp
    from qa.store.rows import Described, DocumentRow, PassageRow

__all__ = ["LocalStore", "Snapshot"]

LOCK = "writer.lock"


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
        self._lexical_in_memory: tuple[str, LexicalIndex | None] = ("", None)
        self._checked = -1  # the change whose passages were
        self._in_use = threading.RLock()

    def close(self) -> None:
        """Let go of all files."""
        with self._in_use:
            if self._catalog is not None:
                self._catalog.close()
            self._catalog = None
            self._vectors, self._lexical = ("", None), ("", None)
            self._lexical_in_memory = ("", None)
            self._checked = -1

    @contextmanager
    def snapshot(self, *, to_search: bool = False) -> Iterator[Snapshot]:
        """Read the index as it is at one moment; one thread of a store at a time.

        Args:
            to_search: open both accelerators now. A writer may remove them between the moment
                and that; then the moment is a later one.

        Raises:
            IndexMissingError: there is no index.
            IndexUnusableError: it can't be read.
        """
        with self._in_use, storage_failures(self.folder):
            if self._catalog is not None and not self._catalog.is_current():
                self.close()
            if self._catalog is None:
                self._catalog = Catalog.open(self.folder)
            snapshot = Snapshot(self, self._catalog)
            try:
                self._catalog.begin(write=False)
                while to_search and not snapshot.is_sound():
                    changes = self._catalog.number("changes")
                    self._catalog.rollback()
                    self._catalog.begin(write=False)
                    if self._catalog.number("changes") == changes:
                        break  # they are damaged; the catalog answers alone
                yield snapshot
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
                catalog.begin(write=True)
                writing = Writing(self.folder, catalog)
                yield writing
                writing.commit()
            finally:
                catalog.rollback()
                catalog.close()

    def tidy(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
        """Note that files are the same, and remove what a writer that died has left.

        A help, not a duty: where it can't be done now, it is left undone.
        """
        if not os.access(self.folder, os.W_OK):
            return
        with (
            suppress(IndexUnusableError),
            self._in_use,
            storage_failures(self.folder),
            self._lock(timeout=0),
        ):
            self.close()
            catalog = Catalog.create(self.folder)
            try:
                catalog.begin(write=True)
                catalog.touch_files(stamps, seen_ns)
                catalog.commit()
                sweep(self.folder, catalog)
            finally:
                catalog.close()

    def is_written(self) -> bool:
        """Tell whether another process writes the index at this moment."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.folder / LOCK, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that can't be written
            return False

    def _catalog_for_writing(self, *, anew: bool) -> Catalog:
        _require_ours(self.folder)
        if anew and not is_healthy(self.folder):
            for name in (CATALOG, f"{CATALOG}-wal", f"{CATALOG}-shm"):
                (self.folder / name).unlink(missing_ok=True)
        return Catalog.create(self.folder)

    @contextmanager
    def _lock(self, timeout: float | None = None) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            make_folder(self.folder)
            check_files(self.folder)
            lock = FileLock(self.folder / LOCK)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if timeout != 0:
                    self._tell(f"Another process is writing {self.folder}; waiting …")
                lock.acquire(timeout=self._lock_timeout if timeout is None else timeout)
        except Timeout as error:
            raise IndexLockedError(
                f"Another process has been writing {self.folder} for over {self._lock_timeout:g} s",
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
        notes = vectors_notes(described)
        key = f"{described} {catalog.number('changes')}"
        if self._vectors[0] != key or self._vectors[1] is None:
            index = None
            if notes:
                with suppress(VectorsDamagedError):
                    index = VectorIndex(self.folder, *notes, catalog.dead())
            self._vectors = (key, index)
        opened = self._vectors[1]
        return opened, notes[1].last_id if opened is not None and notes else 0

    def lexical(self, catalog: Catalog) -> LexicalIndex | None:
        """Give the opened lexical index; None where it is no use."""
        key = catalog.meta("lexical")
        if self._lexical[0] != key or self._lexical[1] is None:
            self._lexical = (key, open_lexical(self.folder, key))
        return self._lexical[1]

    def check_passages(self, catalog: Catalog) -> None:
        """Refuse a catalog with passages that no document leads to; once for each change."""
        changes = catalog.number("changes")
        if self._checked != changes:
            catalog.check_passages()
            self._checked = changes

    def lexical_in_memory(self, catalog: Catalog) -> LexicalIndex:
        """Make the lexical index anew, for this process only."""
        key, index = str(catalog.number("changes")), self._lexical_in_memory[1]
        if index is None or self._lexical_in_memory[0] != key:
            self._tell(
                f"The lexical index in {self.folder} can't be used; working from the catalog."
            )
            index = LexicalIndex(None)
            index.write(add=lexical_texts(catalog))
            self._lexical_in_memory = (key, index)
        return index


def _require_ours(folder: Path) -> None:
    """Refuse to make an index among things that are not an index's."""
    if (folder / CATALOG).exists():
        return
    ours = {LOCK, "README.md", ".gitignore", f"{CATALOG}-wal", f"{CATALOG}-shm"}
    others = [p.name for p in folder.iterdir() if p.name not in ours]
    others = [name for name in others if not DERIVED.fullmatch(name)]
    if others:
        raise ForeignIndexError(
            f"{folder} is no index: it holds {min(others)!r}",
            hint="Name an empty or new folder with --index.",
        )


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

    def described(self, *, metadata: bool) -> list[Described]:
        """Give what all documents can be filtered by; their metadata only where asked for."""
        self._store.check_passages(self.catalog)
        with self.catalog.sense():
            return list(self.catalog.described(metadata=metadata))

    def passages_of(self, documents: Iterable[int]) -> list[int]:
        """Give the ids, ascending, of the passages of some documents."""
        return self.catalog.passages_of(documents)

    def check_references(self) -> None:
        """Follow every reference between files, documents and texts (CatalogDamagedError)."""
        self.catalog.check_references()

    def is_tidy(self) -> bool:
        """Tell whether no writer that died, or writes just now, has left files there."""
        return not unnamed(self._store.folder, self.catalog)

    def dense_candidates(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """Give the ids of passages near to `vector [d]`: `k` of those merged, `k` of the new.

        Where `allowed` is not None, its ids (ascending) alone are searched.
        """
        opened, last = self._store.vectors(self.catalog)
        found = opened.search(vector, k, allowed) if opened is not None else []
        among = None if allowed is None else set(allowed[allowed > last].tolist())
        unmerged = 0
        fresh: list[tuple[float, int]] = []
        for one, other in self.catalog.vectors(after=last):
            unmerged += 1
            if among is None or one in among:
                fresh.append((-float(other @ vector), one))
        with self.catalog.sense():
            merged = 0 if opened is None else len(opened)
            if merged + unmerged != self.catalog.number("passages"):
                raise ValueError("it lacks passages that were indexed")
        return found + [one for _, one in sorted(fresh)[:k]]

    def lexical_candidates(
        self, terms: Sequence[str], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """Give the ids of `k` passages that hold any of the terms, best BM25 first.

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
        index = self._store.lexical(self.catalog)
        try:
            if index is not None:
                return index.search(terms, k)
        except LexicalDamagedError:
            pass
        return self._store.lexical_in_memory(self.catalog).search(terms, k)

    def passages(self, ids: Sequence[int]) -> list[PassageRow]:
        """Give passages by id."""
        return self.catalog.passages(ids)

    def documents(self, ids: Sequence[int]) -> Mapping[int, DocumentRow]:
        """Give documents by id."""
        return self.catalog.documents_by_id(ids)
