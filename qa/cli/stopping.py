"""What a signal does to a command: it ends at once, wherever it is.

An exception raised by a signal's handler has to find its way out of whatever runs at that moment:
imports that turn it into another error, callbacks that swallow it, C++ that aborts, a lock that is
waited for behind it. Nothing waits for it here, since what is on disk is whole at every instant.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["signals_held", "stoppable"]

_SIGNALLED = 128  # and the number of the signal
_HELD = 3.0  # seconds that a signal waits at most
_NUMBERS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable() -> Iterator[None]:
    """End the process on a signal, saying what is kept; its status is 128 and the signal's number.

    A second signal does not wait for more than that, and a third for nothing.
    """
    came: list[int] = []
    is_said = False

    def stop(number: int, _: object) -> None:
        nonlocal is_said
        came.append(number)
        try:
            if len(came) <= 2 and not is_said:
                _say_what_is_kept()
                is_said = True
            if len(came) == 1:
                _drop_the_rest(number)
        finally:
            os._exit(_SIGNALLED + number)

    usual = {signal.SIG_DFL, signal.default_int_handler}  # else nobody is to stop it
    before: dict[int, Any] = {}
    with suppress(ValueError):  # not in the main thread
        for number in _NUMBERS:
            if (handler := signal.getsignal(number)) in usual:
                signal.signal(number, stop)
                before[number] = handler
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_held() -> Iterator[Callable[[], bool]]:
    """Let a signal wait until the end of this, for what had better not be left half done.

    It waits for some seconds, and a second one not at all. Gives a function that tells whether one
    has come.
    """
    import threading

    came: list[int] = []
    before: dict[int, Any] = {}
    waiting: list[threading.Timer] = []

    def note(number: int, _: object) -> None:
        came.append(number)
        restore()
        if hasattr(signal, "pthread_kill"):  # what waits for a reader would wait for ever
            main = threading.main_thread().ident
            waiting.append(threading.Timer(_HELD, signal.pthread_kill, [main, number]))
            waiting[0].daemon = True
            waiting[0].start()

    def restore() -> None:
        for timer in waiting:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)

    if threading.current_thread() is threading.main_thread():
        for number in _NUMBERS:
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        restore()
    if came:
        signal.raise_signal(came[0])


def _say_what_is_kept() -> None:
    """Say it on stderr, past buffers that may be in use where the signal came."""
    message, hint, drawn = "Stopped.", "", 0
    with suppress(Exception):
        from qa.cli.output import Output

        drawn = Output.drawn()
        if Output.indexing is not None:
            from qa.cli.progress import stopped

            message, hint = stopped(Output.indexing)
    if sys.stderr is not None:  # else its number may be that of another file
        erased = f"\r{' ' * drawn}\r" if drawn else ""
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), f"{erased}qa: {message}\n".encode())
            if hint:
                os.write(sys.stderr.fileno(), f"    {hint}\n".encode())


def _drop_the_rest(number: int) -> None:
    with suppress(Exception):
        from qa import logs
        from qa.unfinished import drop_all

        drop_all()
        logs.record("stopped", level=30, signal=number)
