"""The index on a Milvus server, as `qa.store.protocol.Store` has it."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from qa.errors import (
    ForeignIndexError,
    IndexLockedError,
    IndexMissingError,
    QaError,
)
from qa.place import MilvusPlace
from qa.store.milvus.catalog import Catalog
from qa.store.milvus.layout import Names
from qa.store.milvus.lease import LEASE, Lease, claims_of
from qa.store.milvus.manifest import GRACE, Manifest, read_manifest
from qa.store.milvus.server import Server
from qa.store.milvus.snapshot import MilvusSnapshot
from qa.store.milvus.transaction import MilvusTransaction
from qa.store.milvus.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qa.corpus import Corpus, Stamp
    from qa.progress import Progress, Running

__all__ = ["MilvusIndex"]

_DIGITS = 16  # of a fingerprint, in a name
_SHOWN = 2 * LEASE  # seconds for which a claim that is not renewed counts as somebody's


class MilvusIndex:
    """The index in collections of a server. Readers take no lock; writers take a lease."""

    def __init__(
        self,
        place: MilvusPlace,
        corpus: Corpus | None = None,
        *,
        lock_timeout: float = 0,
        notify: Callable[[str], None] = lambda _: None,
        lease: float = LEASE,
    ) -> None:
        """Take the place, the corpus that the index has to be of, and seconds of a lease."""
        self.place = place
        self._names = Names(place.name)
        self._corpus = corpus
        self._lock_timeout = lock_timeout
        self._notify = notify
        self._seconds = lease
        self._server = Server(place.uri)
        self._told_of_waiting = False
        self._in_use = threading.RLock()
        self._known: Manifest | None = None
        self._kept: dict[str, Any] = {}  # what was read of the moment that is known
        self._lease: Lease | None = None

    def close(self) -> None:
        """Let go of the connection."""
        with self._in_use:
            self._server.close()
            self._known, self._kept = None, {}

    @contextmanager
    def snapshot(self, *, to_search: bool = False) -> Iterator[MilvusSnapshot]:
        """Read the index as it is at one moment; one thread of an index at a time.

        Raises:
            IndexMissingError: there is no index.
            ServerUnreachableError, ServerDeniedError: the server can't be asked.
            IndexLockedError: it took over a minute, and what was read is gone by now.
        """
        del to_search  # what searches is always open
        with self._in_use:
            began = time.monotonic()
            manifest = read_manifest(self._server, self._names, self.place, self._known)
            if not manifest.epoch or not manifest.identity.fingerprint:
                raise self._missing()
            self._check_corpus(manifest)
            if manifest is not self._known:
                self._known, self._kept = manifest, {}
            yield MilvusSnapshot(self._catalog(manifest), self._kept)
            if time.monotonic() - began > GRACE:
                now = read_manifest(self._server, self._names, self.place, manifest)
                if now.epoch != manifest.epoch:
                    raise IndexLockedError(
                        f"{self.place} was changed while it was read for over {GRACE:g} s",
                        hint="Try again.",
                    )

    @contextmanager
    def transaction(
        self, *, rebuild: bool = False, unless: Callable[[], bool] = lambda: False
    ) -> Iterator[MilvusTransaction]:
        """Change the index: what is done inside, or since its last commit, is kept or undone.

        Raises:
            IndexLockedError: another process writes and did not finish in time.
            ServerUnreachableError, ServerDeniedError, StorageError: the server can't or won't.
        """
        lease = Lease(self._server, self.place, self._seconds)
        lease.acquire(self._lock_timeout, unless=unless, notify=self._tell_of_waiting)
        finished = False
        self._lease = lease
        try:
            writer = Writer(self._catalog(Manifest()), lease)
            writer.make()
            catalog = self._catalog(read_manifest(self._server, self._names, self.place))
            if not rebuild:
                self._check_corpus(catalog.manifest)
            term = lease.begin(catalog.manifest.term)
            transaction = MilvusTransaction(catalog, writer, term)
            if lease.took_over:
                transaction.take_over()
                lease.bury()
            yield transaction
            transaction.commit()
            finished = True
        finally:
            self._lease = None
            lease.release(is_broken=not finished)

    def take_over(self) -> None:
        """Nothing: there is no earlier version."""

    def tidy(self, stamps: Mapping[str, Stamp], seen_ns: int, *, listing: str) -> None:
        """Note that files are the same; where that can't be done now, it is left undone."""
        with suppress(QaError), self._impatient().transaction() as transaction:
            transaction.restamp(stamps, seen_ns)
            transaction.keep(listing=listing)

    def _impatient(self) -> MilvusIndex:
        one = MilvusIndex(self.place, self._corpus, notify=self._notify, lease=self._seconds)
        one._server = self._server
        return one

    def announcing(self) -> Callable[[Progress], None]:
        """Say on the server that this process writes; gives what takes how far that is."""
        from qa.progress import Running

        host, me = os.uname().nodename if hasattr(os, "uname") else "", os.getpid()
        started = time.time()

        def announce(one: Progress) -> None:
            if self._lease is not None:
                running = Running(me, host, started, progress=one)
                self._lease.say(json.dumps(dataclasses.asdict(running)))

        return announce

    def is_written(self) -> bool:
        """Whether somebody writes the index at this moment."""
        return bool(self._writing())

    def running(self) -> Running | None:
        """The refresh that is under way at this moment, by what its process says of it."""
        from qa.store.running import read_said

        return next((read_said(said) for said in self._writing()), None)

    def _writing(self) -> list[str]:
        try:
            claims = claims_of(self._server, self.place)
        except IndexMissingError:
            return []
        now = time.time()
        return [one.said for one in claims if not one.has_gone() and abs(now - one.at) < _SHOWN]

    # --- beside -------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the index is."""
        return str(self.place)

    def size_bytes(self) -> int:
        """0: the server does not tell."""
        return 0

    def seen_from(self, corpus: str) -> str:
        """The corpus as the index notes it: where it is, as many machines may see it."""
        return corpus

    def located(self, corpus: str) -> str:
        """Where the corpus lies that `seen_from` noted."""
        return corpus

    def beside(self, fingerprint: str) -> MilvusIndex:
        """The index of the same corpus by another model."""
        place = MilvusPlace(self.place.uri, f"{self.place.name}_{fingerprint[:_DIGITS]}")
        return MilvusIndex(
            place,
            self._corpus,
            lock_timeout=self._lock_timeout,
            notify=self._notify,
            lease=self._seconds,
        )

    def exists(self) -> bool:
        """Whether there is an index."""
        return self._server.has(self._names.state)

    def keep(self, fingerprint: str) -> str:
        """Keep the index as it was last committed, for going back to its model; gives where."""
        from qa.store.copying import copy

        target = self.beside(fingerprint)
        with self.snapshot() as source, target.transaction(rebuild=True) as transaction:
            transaction.begin(source.identity, rebuild=True)
            copy(source, transaction)
        target.close()
        return str(target.place)

    def remove(self) -> None:
        """Delete the index, with all its collections."""
        for name in self._server.names():
            if self._names.is_ours(name):
                self._server.drop(name)
        self.close()

    # --- how ----------------------------------------------------------------------------

    def _catalog(self, manifest: Manifest) -> Catalog:
        return Catalog(self._server, self._names, self.place, manifest)

    def _missing(self) -> IndexMissingError:
        return IndexMissingError(
            f"There is no index {self.place}", hint="Build it with `qa index`."
        )

    def _check_corpus(self, manifest: Manifest) -> None:
        """Refuse an index of a corpus that lies elsewhere, unless that one is gone."""
        known = manifest.identity.corpus
        if self._corpus is None or not known or known == self._corpus.location:
            return
        if os.path.exists(known):  # noqa: PTH110 - as it was noted
            raise ForeignIndexError(
                f"The index {self.place} was made for the corpus {known}",
                hint="Name another with --index, or replace it with `qa index --rebuild`.",
            )

    def _tell_of_waiting(self) -> None:
        if not self._told_of_waiting:
            self._notify(f"Another process is writing {self.place}; waiting …")
        self._told_of_waiting = True
