"""Converted formats, read in a process of their own, with limits: see `worker`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from qa.reading.extracted import UnreadableError
from qa.reading.formats import CONVERTED, office_is_installed
from qa.reading.reasons import NEEDS_OFFICE, OCR_READS, SCAN
from qa.reading.sandbox.budget import Budget
from qa.reading.sandbox.ocr import ocr_is_installed, ocr_pdf
from qa.reading.sandbox.protocol import OUT_OF_MEMORY, WRONG, Picture, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from qa.reading.extracted import Extracted

__all__ = ["Converter"]

# -P: what lies in the working directory is not imported.
COMMAND = (sys.executable, "-P", "-m", "qa.reading.sandbox.worker")
WALL_SECONDS = 600  # of one document; its time on the processor is limited by the worker itself
# No pools of threads that spin, and no reports to anybody by libraries that a parser brings along.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}
_MAX_REPLY = 1024**3  # bytes
_MAX_HEAD = 1000
_DRAWING = 20.0  # seconds of the processor for a page


class Converter:
    """Hands files to a worker, which is started when the first one comes."""

    def __init__(
        self,
        *,
        ocr: bool = False,
        wall_seconds: float = WALL_SECONDS,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Set how it reads.

        Args:
            ocr: whether PDFs that are pictures of pages are read by `ocrmypdf`, where that is
                installed; where it is not, they are the only files that can't be read.
            wall_seconds: how long one document may take.
            command: starts the worker.
        """
        self._ocr = ocr
        self._command = command
        self._wall_seconds = wall_seconds
        self._worker: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def abandon(self) -> None:
        """End the worker in the middle of a file that another thread has read: it fails."""
        if (worker := self._worker) is not None:
            worker.kill()

    def close(self) -> None:
        """End the worker; the next file starts another."""
        with self._lock:
            self._end()

    def convert(self, kind: str, raw: bytes, budget: Budget | None = None) -> Extracted:
        """What a file of that format says.

        Args:
            kind: a key of `formats.CONVERTED`.
            raw: the whole file.
            budget: the time that is left for it, where it is inside another file; what it takes
                is taken off.

        Raises:
            UnreadableError: it can't be read; the message says why in a few words.
        """
        if not CONVERTED[kind].is_installed:
            raise UnreadableError(NEEDS_OFFICE)
        budget = budget or Budget.of(len(raw))
        found = None
        try:
            found = self._converted(kind, raw, budget)
        except UnreadableError as error:
            if str(error) != SCAN or not self._reads_scans():
                raise
        if found and not (any(map(_names_scans, found.warnings)) and self._reads_scans()):
            return found
        try:
            return _after_ocr(self._converted(kind, self._with_text(raw, budget), budget))
        except UnreadableError as error:
            if found:
                return _after_ocr(found)
            # Not the same reason, which would have it tried again at every refresh.
            raise UnreadableError(f"a scan that ocrmypdf could not make out ({error})") from error

    def picture(
        self, raw: bytes, *, page: int, width: int, quotes: Sequence[tuple[int, str]] = ()
    ) -> Picture:
        """Draw a page of a PDF; see `qa.reading.pdf.picture`.

        Raises:
            UnreadableError: it can't be drawn; the message says why in a few words.
        """
        budget = Budget(_DRAWING, _DRAWING * 4)
        asked = {"page": page, "width": width, "quotes": list(quotes)}
        found = self._converted("pdf", raw, budget, page=asked)
        try:
            return Picture.of(found, len(quotes))
        except WRONG as error:
            raise UnreadableError("its parser returned invalid output") from error

    def can_retry(self, reason: str) -> bool:
        """Whether what could not be read for that reason can be by now."""
        if reason == NEEDS_OFFICE:
            return office_is_installed()
        return (reason == SCAN or _names_scans(reason)) and self._reads_scans()

    def _reads_scans(self) -> bool:
        return self._ocr and ocr_is_installed()

    def _with_text(self, raw: bytes, budget: Budget) -> bytes:
        """A scan with the text that `ocrmypdf` sees on it."""
        began = time.monotonic()
        try:
            return ocr_pdf(raw, time_limit=min(self._wall_seconds, budget.clock))
        finally:
            budget.spend(clock=time.monotonic() - began)

    def _converted(
        self, kind: str, raw: bytes, budget: Budget, *, page: Mapping[str, object] | None = None
    ) -> Extracted:
        if budget.is_spent:
            raise UnreadableError("the time for its file was used up by what comes before it")
        with self._lock:
            worker = self._started()
            late = threading.Event()
            limit = min(self._wall_seconds, budget.clock)
            timer = threading.Timer(limit, _end_late, (worker, late))
            timer.start()
            began = time.monotonic()
            try:
                reply, seconds = _exchange(worker, kind, raw, budget.processor, page)
            finally:
                timer.cancel()
            took = time.monotonic() - began
            # What a worker tells need not be true; where it ended, it told nothing.
            used = seconds if seconds is not None and 0 <= seconds <= took else took
            budget.spend(processor=used, clock=took)
            if reply is None:
                self._end()
                raise UnreadableError(_why_ended(worker, late=late.is_set()))
        try:
            found = unpack(reply)
        except WRONG as error:
            raise UnreadableError("its parser returned invalid output") from error
        if found == OUT_OF_MEMORY:
            self.close()  # what is left of its memory is in pieces: another worker goes on
        if isinstance(found, str):
            raise UnreadableError(found)
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        if self._worker is None or self._worker.poll() is not None:
            self._end()
            self._worker = subprocess.Popen(  # noqa: S603 - this program itself
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | _ENVIRONMENT,
            )
        return self._worker

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        with suppress(OSError):
            if worker.stdin is not None:
                worker.stdin.close()
        try:
            worker.wait(timeout=1)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        if worker.stdout is not None:
            worker.stdout.close()


def _names_scans(warning: str) -> bool:
    return OCR_READS in warning


def _after_ocr(found: Extracted) -> Extracted:
    """Note of pages still without text that OCR failed: they would be tried again for ever."""
    warnings = (
        warning.replace(OCR_READS, "ocrmypdf can't make them out") for warning in found.warnings
    )
    return replace(found, warnings=tuple(warnings))


def _end_late(worker: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    worker.kill()


def _why_ended(worker: subprocess.Popen[bytes], *, late: bool) -> str:
    """Why a worker broke off, once it has ended."""
    if late or worker.returncode == -_SIGXCPU:
        return "reading it took too much time"
    return "its parser crashed"


_SIGXCPU = 24  # the processor's time is used up; the same number wherever it exists


def _exchange(
    worker: subprocess.Popen[bytes],
    kind: str,
    raw: bytes,
    seconds: float,
    page: Mapping[str, object] | None,
) -> tuple[bytes | None, float | None]:
    """Send a file, and the seconds of the processor that it may take.

    Returns:
        The reply, and the seconds that it took; None for both where the worker ended instead.
    """
    if worker.stdin is None or worker.stdout is None:
        return None, None
    request = {"format": kind, "size": len(raw), "seconds": seconds, "page": page}
    try:
        worker.stdin.write(json.dumps(request).encode() + b"\n")
        worker.stdin.write(raw)
        worker.stdin.flush()
        head = json.loads(worker.stdout.readline(_MAX_HEAD) or b"{}")
        size, used = int(head.get("size", -1)), float(head.get("seconds", -1))
        if not 0 <= size <= _MAX_REPLY:
            worker.kill()
            return None, None
        reply = worker.stdout.read(size)
    except (OSError, *WRONG):
        return None, None
    return (reply, used) if len(reply) == size else (None, None)
