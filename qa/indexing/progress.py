"""How far a refresh is: work counted as it is done, and a steady estimate of what is left."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from qa.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JUMP", "Meter", "amount", "steadied"]

_PAUSE = 0.1  # seconds between two reports
# Seconds of work after which what was measured counts half: one passage costs about as much as
# another, while files differ widely.
_READING, _EMBEDDING = 60.0, 15.0
# The shown estimate comes half of the way to the measured one in so many seconds, or in this part
# of what is left, if that is less: else it would run out before the work does.
_FOLLOWED, _PART = 5.0, 0.2
JUMP = 1.25  # the shown estimate changes by no larger factor from one report to the next
_EVIDENCE = 2.0  # seconds of embedding before the rest is guessed from it
_SHORTEST = 1.0  # seconds: less is not told apart
# Embedding one passage takes about as long as another: what takes this long, and so many times
# as long as usual, is a stall (a laptop's lid, a disk that wakes up) and says little of the rest.
_STALL = 5.0
_SLOWER = 4


def amount(one: Progress) -> tuple[int, int]:
    """How much of its phase is done, of how much: bytes, documents without any, or passages."""
    if one.phase == "embedding":
        return one.passages, one.passages_total
    if one.bytes_total:
        return one.bytes, one.bytes_total
    return one.documents, one.documents_total


def steadied(shown: float | None, measured: float, passed: float) -> float:
    """The next estimate to show, in seconds: it moves towards what is measured and never jumps.

    Args:
        shown: the one that was shown last.
        measured: what would be left by the newest figures.
        passed: seconds since the last one was shown.
    """
    measured = max(measured, _SHORTEST)
    if shown is None:
        return measured
    aged = max(shown - passed, shown / JUMP)
    step: float = (measured / aged) ** (1 - 0.5 ** (passed / min(_FOLLOWED, aged * _PART)))
    return aged * min(max(step, 1 / JUMP), JUMP)


class _Pace:
    """Seconds that a unit of work takes, exponentially smoothed over the time that was worked."""

    def __init__(self, half_life: float, *, stall: float = math.inf) -> None:
        self._half_life = half_life
        self._units = self._seconds = 0.0  # older ones fade
        self._stall = stall
        self.measured = 0.0  # seconds in all

    def take(self, units: int, seconds: float) -> None:
        """Take in that so much was done in this time."""
        if self._units:
            usual = units * self._seconds / self._units
            seconds = min(seconds, max(self._stall, _SLOWER * usual))
        fade = 0.5 ** (seconds / self._half_life)
        self._units = self._units * fade + units
        self._seconds = self._seconds * fade + seconds
        self.measured += seconds

    def needs(self, units: float) -> float | None:
        """Seconds that so many units take; None where nothing tells."""
        if not units:
            return 0.0
        return units * self._seconds / self._units if self._units else None


class Meter:
    """Counts what a refresh does, and reports it: at most every 0.1 s, and at each turn.

    A turn is the start, a commit, the change of phase and the end. The time between two calls
    counts as spent on what the second tells of, so work of both kinds may alternate.
    """

    def __init__(
        self, told: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take who is told, and what gives the time in seconds."""
        self._told = [told]
        self._clock = clock
        self._begun = self._embeds = False
        self._documents = self._documents_total = self._bytes = self._bytes_total = 0
        self._found = self._embedded = self._kept = self._passages_kept = 0
        self._passages_total: int | None = None
        self._document = ""
        self._reading = _Pace(_READING)
        self._embedding = _Pace(_EMBEDDING, stall=_STALL)
        self._shown: float | None = None
        self._last = self._reported = self._estimated = clock()

    def tell(self, told: Callable[[Progress], None]) -> None:
        """Have somebody else told as well, from now on."""
        self._told.append(told)
        self._report(at_once=True)

    def begin(self, *, documents: int, bytes: int) -> None:  # noqa: A002 - the word for it
        """Say what has to be read: nothing where there are only passages to embed.

        It may be said again, as long as nothing was read.
        """
        self._documents_total, self._bytes_total = documents, bytes
        self._last = self._clock()
        self._report(at_once=True)

    def read(self, document: str, *, bytes: int, passages: int) -> None:  # noqa: A002
        """Count a document that was read.

        Args:
            document: the file's path.
            bytes: its size, as `begin` counted it.
            passages: those it has that need to be embedded.
        """
        self._document = document
        self._documents += 1
        self._bytes += bytes
        self._found += passages
        self._reading.take(bytes, self._passed())
        self._report()

    def begin_embedding(self, passages: int) -> None:
        """Say that all is read, and how many passages are to be embedded from now on."""
        self._passages_total = passages
        self._embedded = self._passages_kept = 0
        self._last = self._clock()
        self._report(at_once=True)

    def embedded(self, passages: int = 1) -> None:
        """Count passages that were embedded; best called for each as it comes."""
        passed = self._passed()
        if self._embeds:
            self._embedding.take(passages, passed)
        self._embeds = True  # the first ones waited for the model to be loaded: not counted
        self._embedded += passages
        self._report()

    def committed(self, documents: int | None = None) -> None:
        """Say that what was counted is kept, or of the documents this many in all."""
        self._kept = self._documents if documents is None else documents
        self._passages_kept = self._embedded
        self._report(at_once=True)

    def end(self) -> None:
        """Say that all is done and kept."""
        self._kept, self._passages_kept = self._documents, self._embedded
        self._report(at_once=True, left=0.0)

    def _passed(self) -> float:
        before, self._last = self._last, self._clock()
        return self._last - before

    def _report(self, *, at_once: bool = False, left: float | None = None) -> None:
        now, total = self._clock(), self._passages_total or 0
        is_due = at_once or now - self._reported >= _PAUSE
        self._begun |= bool(self._documents_total or total)
        if not is_due or not self._begun:
            return
        self._reported = now
        far = Progress(
            phase="embedding" if total else "reading",
            documents=self._documents,
            documents_total=self._documents_total,
            bytes=min(self._bytes, self._bytes_total),
            bytes_total=self._bytes_total,
            passages=self._embedded if total else 0,
            passages_total=total,
            kept=self._kept,
            passages_kept=self._passages_kept if total else 0,
            document=self._document,
            seconds_left=self._left(now) if left is None else left,
        )
        for told in self._told:
            told(far)

    def _left(self, now: float) -> float | None:
        """The estimate to show now; None as long as nothing was measured."""
        measured = self._measured()
        if measured is not None:
            self._shown = steadied(self._shown, measured, now - self._estimated)
            self._estimated = now
        return self._shown

    def _measured(self) -> float | None:
        """Seconds that are left by what was measured."""
        if self._embedding.measured < _EVIDENCE:
            return None
        to_read, to_embed = 0.0, 0.0
        if self._passages_total is None:
            to_read = max(self._bytes_total - self._bytes, 0)
            density = self._found / self._bytes if self._bytes else 0.0  # passages a byte
            to_embed = max(self._found - self._embedded, 0) + to_read * density
        else:
            to_embed = max(self._passages_total - self._embedded, 0)
        reading, embedding = self._reading.needs(to_read), self._embedding.needs(to_embed)
        return None if reading is None or embedding is None else reading + embedding
