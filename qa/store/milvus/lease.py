"""One writer at a time, by a lease that each renews while it lives.

Milvus has no compare-and-set. What it has are reads that see every write before them (the
consistency level Strong): enough for Lamport's bakery (A new solution of Dijkstra's concurrent
programming problem, 1974). Whoever wants to write takes a number higher than all it sees, and
waits until nobody has a lower one. A claim that is not renewed for `LEASE` seconds, by the clock of
whoever waits, is dead; so is one of a process that has gone from the same machine.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from qa.errors import IndexLockedError, QaError
from qa.store.milvus.layout import CLAIMS, NO_VECTOR, claims

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.place import MilvusPlace
    from qa.store.milvus.server import Server

__all__ = ["LEASE", "Claim", "Lease", "claims_of"]

LEASE = 15.0
_RENEWED = 5  # times in that
_PAUSE = 0.2
_CHOOSING = 0  # the number of a claim that has none yet


@dataclass(frozen=True, slots=True)
class Claim:
    """Who writes or wants to.

    `beat` counts how often it was renewed; `at` is when, in seconds since 1970, to be shown;
    `term` is that of the epochs it writes, once it may; `said` is what the process says of its
    work; `is_broken`, that it stopped half-way.
    """

    id: str
    number: int
    beat: int
    host: str
    process: int
    at: float
    term: int = 0
    said: str = ""
    is_broken: bool = False

    def has_gone(self) -> bool:
        """Whether it surely writes nothing more."""
        return self.is_broken or (self.host == _host() and not _is_alive(self.process))


class Lease:
    """The right to write an index, for as long as it is renewed."""

    def __init__(self, server: Server, place: MilvusPlace, seconds: float = LEASE) -> None:
        self._server = server
        self._place = place
        self._seconds = seconds
        self._claim = Claim(uuid.uuid4().hex, _CHOOSING, 0, _host(), os.getpid(), time.time())
        self._renewed = time.monotonic()
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._dead: list[Claim] = []

    def acquire(
        self, patience: float, *, unless: Callable[[], bool], notify: Callable[[], None]
    ) -> None:
        """Wait for the right to write.

        Args:
            patience: seconds.
            unless: whether not to wait any longer; asked once a second.
            notify: is told that somebody else writes.

        Raises:
            IndexLockedError: somebody else wrote for longer.
        """
        self._server.make(CLAIMS, claims())
        until = time.monotonic() + patience
        self._write()
        try:
            highest = max(one.number for one in self._all())
            self._claim = replace(self._claim, number=highest + 1)
            self._write()
            self._thread = threading.Thread(target=self._renew, name="qa-lease", daemon=True)
            self._thread.start()
            seen: dict[str, tuple[int, float]] = {}  # the beat of each, and since when
            asked = time.monotonic()
            while rivals := self._rivals(seen):
                now = time.monotonic()
                if now >= until or (now - asked >= 1 and unless()):
                    raise IndexLockedError(
                        f"Another process has been writing {self._place} for over {patience:g} s "
                        f"({rivals[0].process} on {rivals[0].host})",
                        hint="Try again when it is done, or wait longer with --lock-timeout.",
                    )
                asked = now if now - asked >= 1 else asked
                notify()
                time.sleep(_PAUSE)
        except BaseException:
            self.release(is_broken=False)
            raise

    @property
    def took_over(self) -> bool:
        """Whether a writer before did not finish: what it left has to be repaired."""
        return bool(self._dead)

    def begin(self, last: int) -> int:
        """Take a term that is over the last in the manifest, and over those of all that died."""
        term = 1 + max(last, *(one.term for one in self._dead), 0)
        self._claim = replace(self._claim, term=term)
        self._write()
        return term

    def bury(self) -> None:
        """Forget the writers that did not finish: what they left was repaired."""
        for one in self._dead:
            self._forget(one)
        self._dead = []

    def check(self) -> None:
        """Refuse to write on without the right to (IndexLockedError)."""
        if time.monotonic() - self._renewed > self._seconds * (_RENEWED - 1) / _RENEWED:
            raise IndexLockedError(
                f"This process lost the right to write {self._place}: it could not renew it",
                hint="Run the command again; what was committed is kept.",
            )

    def say(self, text: str) -> None:
        """Have it known how far the work is, with the next renewal."""
        self._claim = replace(self._claim, said=text)

    def release(self, *, is_broken: bool) -> None:
        """Give the right back; where the work broke off, for the next writer to repair it."""
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        try:
            if is_broken:
                self._claim = replace(self._claim, is_broken=True)
                self._write()
            else:
                self._forget(self._claim)
        except QaError:  # the server is away: the claim dies of itself
            pass

    def _renew(self) -> None:
        while not self._ended.wait(self._seconds / _RENEWED):
            try:
                self._write()
            except QaError:
                continue  # `check` tells when that has gone on for too long

    def _write(self) -> None:
        with self._writing:
            began = time.monotonic()
            self._claim = replace(self._claim, beat=self._claim.beat + 1, at=time.time())
            payload = json.dumps(asdict(self._claim))
            row = {"id": self._claim.id, "name": self._place.name, "payload": payload}
            self._server.put(CLAIMS, [{**row, "none": NO_VECTOR}], patience=1)
            self._renewed = began

    def _all(self) -> list[Claim]:
        return claims_of(self._server, self._place)

    def _rivals(self, seen: dict[str, tuple[int, float]]) -> list[Claim]:
        """Those that are alive and come first; the dead stay until what they left is repaired."""
        self._dead = []
        now = time.monotonic()
        mine = (self._claim.number, self._claim.id)
        rivals: list[Claim] = []
        for one in self._all():
            if one.id == self._claim.id:
                continue
            beat, since = seen.get(one.id, (-1, now))
            if beat != one.beat:
                beat, since = one.beat, now
            seen[one.id] = (beat, since)
            if one.has_gone() or now - since > self._seconds:
                self._dead.append(one)
            elif one.number == _CHOOSING or (one.number, one.id) < mine:
                rivals.append(one)
        return rivals

    def _forget(self, one: Claim) -> None:
        self._server.delete(CLAIMS, f'id in ["{one.id}"]')


def claims_of(server: Server, place: MilvusPlace) -> list[Claim]:
    """All claims to write an index, lowest number first."""
    rows = server.scan(CLAIMS, f'name == "{place.name}"', ["payload"], after="")
    found = [Claim(**json.loads(row["payload"])) for row in rows]
    return sorted(found, key=lambda one: (one.number, one.id))


def _host() -> str:
    return socket.gethostname()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user; or a system that does not tell
        return True
    return True
