"""The one table of errors: what a person sees, and the exit status."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["report_errors", "signals_held"]

FAILED = 2
_SIGNALLED = 128  # and the number of the signal
_HELD = 3.0  # seconds that a signal waits at most
TRACEBACK = "RETRIEVAL_QA_TRACEBACK"


class _Stopped(BaseException):
    """A signal ends the command; typer, which takes KeyboardInterrupt for itself, lets it pass."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except _Stopped as stopped:
        from qa import logs

        logs.record("stopped", level=30, signal=stopped.number)
        raise
    except Exception as error:
        from qa import logs

        logs.error(error)
        raise


@contextmanager
def _signals() -> Iterator[None]:
    """End on a signal as on an error, so that all is put away; on a second one, at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopping = False

    def stop(number: int, _: object) -> None:
        nonlocal stopping
        if stopping:
            with suppress(OSError):
                said = "\n    ".join(filter(None, _what_is_kept()))
                os.write(2, f"\nqa: {said}\n".encode())
            os._exit(_SIGNALLED + number)
        stopping = True
        raise _Stopped(number)

    usual = {signal.SIG_DFL, signal.default_int_handler}  # else nobody is to stop it
    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) in usual
    }
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
        for number in (signal.SIGINT, signal.SIGTERM):
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        restore()
    if came:
        raise _Stopped(came[0])


def _what_is_kept() -> tuple[str, str]:
    from qa.cli.output import Output

    if Output.indexing is None:
        return "Stopped.", ""
    from qa.cli.progress import stopped

    return stopped(Output.indexing)


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn expected failures into a message, a hint and exit status 2, without a traceback.

    A signal that ends the command is one: its status is 128 and the signal's number. Mistakes in
    how a command is typed are put in typer's words, with status 2 too.
    """
    try:
        with _signals(), _logged():
            yield
    except _Stopped as stopped:
        from qa.cli.output import Output

        Output().error(*_what_is_kept())
        sys.exit(_SIGNALLED + stopped.number)
    except Exception as error:
        from qa.cli.output import Output
        from qa.errors import QaError

        output = Output()
        if (show := getattr(error, "show", None)) is not None:  # typer's, of a command's words
            from qa.cli.suggest import explain

            explain(error, sys.argv[1:])
            said = io.StringIO()
            show(file=said)
            output.refuse(said.getvalue())
        elif isinstance(error, QaError):
            output.error(str(error), error.hint)
        elif isinstance(error, OSError):
            output.error(f"Operating-system error: {error}", "")
        else:
            output.error(
                f"Internal error (a bug in qa): {type(error).__name__}: {error}",
                "Please report it, with the command that you ran. "
                f"{TRACEBACK}=1 in the environment shows the traceback.",
            )
            if os.environ.get(TRACEBACK):
                raise
        sys.exit(FAILED)
