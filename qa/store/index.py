"""The index in one folder: catalog, lexical index and vectors, read and written as one."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from qa.errors import (
    ForeignIndexError,
    IndexLockedError,
    IndexUnusableError,
    ReadOnlyIndexError,
)
from qa.store.accelerators import DERIVED, Accelerators, sweep
from qa.store.catalog import Catalog
from qa.store.database import CATALOG
from qa.store.durable_files import make_folder
from qa.store.failures import storage_failures
from qa.store.hardening import check_files
from qa.store.identity import check_corpus, seen_from
from qa.store.kept import KEPT
from qa.store.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from qa.corpus import Corpus, Stamp
    from qa.progress import Progress, Running
    from qa.store.transaction import Transaction

__all__ = ["LOCK", "Index"]

LOCK = "writer.lock"


class Index:
    """The index in one folder. Readers take no lock; writers take one lock of the OS."""

    def __init__(
        self,
        folder: Path,
        corpus: Corpus | None = None,
        *,
        lock_timeout: float = 0,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the folder, and the corpus that the index has to be of, if it has to."""
        self.folder = folder
        self._corpus = corpus
        self._lock_timeout = lock_timeout
        self._notify = notify
        self._catalog: Catalog | None = None
        self._accelerators = Accelerators(folder, notify)
        self._checked_corpus = ""
        self._told_of_waiting = False
        self._in_use = threading.RLock()

    def close(self) -> None:
        """Let go of all files."""
        with self._in_use:
            if self._catalog is not None:
                self._catalog.close()
            self._catalog = None
            self._accelerators = Accelerators(self.folder, self._notify)

    @contextmanager
    def snapshot(self, *, to_search: bool = False) -> Iterator[Snapshot]:
        """Read the index as it is at one moment; one thread of an index at a time.

        Args:
            to_search: open both accelerators now. A writer may remove them between the moment
                and that; then the moment is a later one.

        Raises:
            IndexMissingError: there is no index.
            IndexUnusableError: it can't be read, or was made for another corpus.
        """
        with self._in_use, storage_failures(self.folder):
            if self._catalog is not None and not self._catalog.is_current():
                self.close()
            if self._catalog is None:
                self._catalog = Catalog.open(self.folder)
            snapshot = Snapshot(self._catalog, self._accelerators)
            try:
                self._catalog.begin(write=False)
                self._check_corpus(self._catalog)
                while to_search and not snapshot.is_sound():
                    changes = snapshot.changes
                    self._catalog.rollback()
                    self._catalog.begin(write=False)
                    self._check_corpus(self._catalog)
                    if snapshot.changes == changes:
                        break  # they are damaged; the catalog answers alone
                yield snapshot
            except BaseException:
                # What failed may hold on to a query, and with it to this moment.
                self.close()
                raise
            self._catalog.rollback()

    @contextmanager
    def transaction(
        self, *, rebuild: bool = False, unless: Callable[[], bool] = lambda: False
    ) -> Iterator[Transaction]:
        """Change the index: what is done inside, or since its last commit, is kept or undone.

        It is undone where something raises.

        Args:
            rebuild: replace an index that can't be read, or is of another corpus (never one of
                another program).
            unless: whether not to wait for another process any longer; asked once a second.

        Raises:
            IndexLockedError: another process writes and did not finish in time.
            ReadOnlyIndexError: the folder can't be written.
            StorageError: the disk is full or refuses.
        """
        from qa.store.running import clearing
        from qa.store.transaction import Transaction

        with self._in_use, storage_failures(self.folder), self._lock(unless=unless):
            self.close()
            with self._catalog_to_write(rebuild=rebuild) as catalog, clearing(self.folder):
                if not rebuild:
                    self._check_corpus(catalog)
                transaction = Transaction(self.folder, catalog)
                yield transaction
                transaction.commit()
                catalog.checkpoint()

    def take_over(self) -> None:
        """Turn an index of an earlier version into one of this; nothing is embedded again.

        Raises:
            IndexLockedError, ReadOnlyIndexError, StorageError: see `transaction`.
            CatalogDamagedError: it can't be.
        """
        self._notify(f"Taking over the index {self.folder} from an earlier version …")
        with self.transaction() as transaction:  # whoever opens it to write takes it over
            transaction.compact()

    def tidy(self, stamps: Mapping[str, Stamp], seen_ns: int, *, listing: str) -> None:
        """Note that files are the same, and remove what a writer that died has left.

        A help, not a duty: where it can't be done now, it is left undone.

        Args:
            stamps: of the files whose times alone are others.
            seen_ns: when they were.
            listing: the digest of all files, "" where it is not known.
        """
        if not os.access(self.folder, os.W_OK):
            return
        from qa.store.running import clearing

        with (
            suppress(IndexUnusableError),
            self._in_use,
            storage_failures(self.folder),
            self._lock(timeout=0),
        ):
            self.close()
            with Catalog.writing(self.folder) as catalog, clearing(self.folder):
                catalog.documents.restamp(stamps, seen_ns)
                catalog.set_meta(listing=listing)
                catalog.commit()
                sweep(self.folder, catalog)
                catalog.checkpoint()

    def _tell_of_waiting(self) -> None:
        if not self._told_of_waiting:
            self._notify(f"Another process is writing {self.folder}; waiting …")
        self._told_of_waiting = True

    def announcing(self) -> Callable[[Progress], None]:
        """Say beside the index that this process writes it; see `qa.store.running.announcing`."""
        from qa.store.running import announcing

        return announcing(self.folder)

    def is_written(self) -> bool:
        """Whether somebody writes the index at this moment."""
        from filelock import FileLock, Timeout

        if not (self.folder / LOCK).exists():  # which looking must not make, nor the folder
            return False
        try:
            with FileLock(self.folder / LOCK, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that can't be written
            return False

    def running(self) -> Running | None:
        """The refresh that is under way at this moment, by what its process says of it."""
        from qa.store.running import read_running

        said = read_running(self.folder)
        return said if said is not None and self.is_written() else None

    # --- where it is --------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the index is, wherever one looks from."""
        return str(self.folder.resolve())

    def size_bytes(self) -> int:
        """What its files take."""
        return sum(_sizes(self.folder))

    def seen_from(self, corpus: str) -> str:
        """Where a corpus lies, as seen from the index; see `qa.store.identity.seen_from`."""
        return seen_from(self.folder, corpus)

    def located(self, corpus: str) -> str:
        """Where the corpus lies that `seen_from` noted; "" where it has no place."""
        return os.path.normpath(self.folder.resolve() / corpus) if corpus else ""

    def beside(self, fingerprint: str) -> Index:
        """The index of the same corpus by another model, whether or not there is one."""
        from qa.store.kept import folder_for

        return Index(folder_for(self.folder, fingerprint), self._corpus, notify=self._notify)

    def exists(self) -> bool:
        """Whether there is an index, or the beginnings of one."""
        return self.folder.exists()

    def keep(self, fingerprint: str) -> str:
        """Keep the index as it was last committed; gives where. See `qa.store.kept.keep`."""
        from qa.store.kept import keep

        return str(keep(self.folder, fingerprint))

    def remove(self) -> None:
        """Delete the index."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- how ----------------------------------------------------------------------------

    def _catalog_to_write(self, *, rebuild: bool) -> AbstractContextManager[Catalog]:
        _require_ours(self.folder)
        if rebuild:
            from qa.store.health import is_healthy

            if not is_healthy(self.folder):
                for name in (CATALOG, f"{CATALOG}-wal", f"{CATALOG}-shm"):
                    (self.folder / name).unlink(missing_ok=True)
        return Catalog.writing(self.folder)

    def _check_corpus(self, catalog: Catalog) -> None:
        """Refuse an index of another corpus; the same one is looked at once."""
        known = catalog.identity()
        if self._corpus is not None and known.corpus and known.corpus != self._checked_corpus:
            check_corpus(known, self.folder, self._corpus.location)
            self._checked_corpus = known.corpus

    @contextmanager
    def _lock(
        self, timeout: float | None = None, unless: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        from filelock import FileLock, Timeout

        patience = self._lock_timeout if timeout is None else timeout
        until = time.monotonic() + patience
        try:
            make_folder(self.folder)
            check_files(self.folder)
            lock = FileLock(self.folder / LOCK)
            while not lock.is_locked:
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    if time.monotonic() >= until or unless():
                        raise
                    self._tell_of_waiting()
                    with suppress(Timeout):
                        lock.acquire(timeout=max(0, min(1, until - time.monotonic())))
        except Timeout as error:
            raise IndexLockedError(
                f"Another process has been writing {self.folder} for over {patience:g} s",
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


def _sizes(folder: Path) -> Iterator[int]:
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a writer may remove it meanwhile
                yield os.stat(os.path.join(inside, name)).st_size  # noqa: PTH116, PTH118


def _require_ours(folder: Path) -> None:
    """Refuse to make an index among things that are not an index's."""
    if (folder / CATALOG).exists():
        return
    ours = {LOCK, KEPT, "README.md", ".gitignore", f"{CATALOG}-wal", f"{CATALOG}-shm"}
    others = [p.name for p in folder.iterdir() if p.name not in ours]
    others = [name for name in others if not DERIVED.fullmatch(name)]
    if others:
        from qa.store.running import is_announcement

        others = [name for name in others if not is_announcement(folder / name)]
    if others:
        raise ForeignIndexError(
            f"{folder} is not an index: it contains {min(others)!r}",
            hint="Name an empty or new folder with --index.",
        )
