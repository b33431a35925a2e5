"""Who is writing an index, and how far that is: a small file beside it, to be shown and no more.

The file is replaced as a whole, never synced, and means something only while the lock is held.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from qa.corpus.regular import read_regular
from qa.progress import Progress, Running
from qa.store.accelerators import ANNOUNCED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["announcing", "clearing", "is_announcement", "read_running", "read_said"]

_RUNNING, _NEW = ANNOUNCED
_PAUSE = 1.0  # seconds between two writings
_LARGEST = 65_536  # bytes of the file
_LONGEST = 1000  # characters of a name
_MOST = 2**53  # what a number in it may reach: whole in any JSON
_COUNTS = (
    *("documents", "documents_total", "bytes", "bytes_total"),
    *("passages", "passages_total", "kept", "passages_kept"),
)


def announcing(
    folder: Path, clock: Callable[[], float] = time.monotonic
) -> Callable[[Progress], None]:
    """Say in the index's folder that this process writes it, from now on.

    To be called by who holds the lock, within `clearing`. A help, not a duty: what can't be
    written is left.

    Returns:
        What takes how far that is, and writes it at most once a second.
    """
    import socket

    me = Running(os.getpid(), socket.gethostname()[:_LONGEST], time.time())
    _write(folder, me)
    last, phase = clock(), ""

    def announce(one: Progress) -> None:
        nonlocal last, phase
        if clock() - last >= _PAUSE or one.phase != phase:
            last, phase = clock(), one.phase
            short = dataclasses.replace(one, document=one.document[:_LONGEST])
            _write(folder, dataclasses.replace(me, progress=short))

    return announce


def _write(folder: Path, one: Running) -> None:
    new = folder / _NEW
    with suppress(OSError):
        new.unlink(missing_ok=True)  # a stranger's link must not be written through
        with new.open("x", encoding="ascii") as stream:
            json.dump(dataclasses.asdict(one), stream)
        new.replace(folder / _RUNNING)


@contextmanager
def clearing(folder: Path) -> Iterator[None]:
    """Remove what a writer that died has said of itself, and at the end what this one said.

    The folder must be known to be an index: another program's file may have the same name.
    """
    _forget(folder)
    try:
        yield
    finally:
        _forget(folder)


def _forget(folder: Path) -> None:
    for name in ANNOUNCED:
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)


def read_running(folder: Path) -> Running | None:
    """What the file says; None where it says nothing that a writer of ours can have written.

    A writer that died may have left it: it holds only while the index is being written.
    """
    return _read(folder / _RUNNING)


def read_said(said: str) -> Running | None:
    """What a writer says of itself; None where no writer of ours can have said it."""
    return _parsed(said.encode("utf-8", "replace"))


def is_announcement(path: Path) -> bool:
    """Whether a writer of ours wrote this file, or began to when the power went."""
    if path.name not in ANNOUNCED or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size == 0 or _read(path) is not None


def _read(path: Path) -> Running | None:
    try:
        return _parsed(read_regular(os.fspath(path), _LARGEST))
    except OSError:
        return None


def _parsed(raw: bytes) -> Running | None:
    try:
        read = json.loads(raw)
        far = read["progress"]
        return Running(
            process=_count(read["process"]),
            host=_text(read["host"]),
            started=_seconds(read["started"]),
            progress=None if far is None else _progress(far),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _progress(read: dict[str, Any]) -> Progress:
    if read["phase"] not in {"reading", "embedding"}:
        raise ValueError("there is no such phase")
    left = read["seconds_left"]
    return Progress(
        phase=read["phase"],
        document=_text(read["document"]),
        seconds_left=None if left is None else _seconds(left),
        **{name: _count(read[name]) for name in _COUNTS},
    )


def _count(read: object) -> int:
    if type(read) is int and 0 <= read <= _MOST:
        return read
    raise ValueError("it is not a count")


def _seconds(read: object) -> float:
    if isinstance(read, int | float) and not isinstance(read, bool) and 0 <= read <= _MOST:
        return float(read)
    raise ValueError("it is not a time")


def _text(read: object) -> str:
    if isinstance(read, str) and len(read) <= _LONGEST:
        return read
    raise ValueError("it is not a name")
