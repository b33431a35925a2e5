"""The index kept in line with its corpus by a thread of its own, so that no question waits."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from qa.errors import ClosedError, QaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qa.assistant import Assistant
    from qa.progress import Progress
    from qa.types import Problem

__all__ = ["Follower"]

_AGAIN = 30.0  # seconds after which what failed at once is tried again


_NICE = 10  # of 19: about a tenth of the processor where questions want all of it


class _Leaving(BaseException):
    """Ends a refresh; what it committed stays."""


class Follower:
    """Follows a corpus until it is left; what fails, and what can't be read, is told once."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        """Take what is told of a problem, and of what to do about it."""
        self._tell = tell
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        self._known: set[Problem] = set()
        self.problem = ""  # that is not over

    def progress(self, _: Progress) -> None:
        """End a refresh that is under way when this is left (see `Assistant`)."""
        if self._leaving.is_set():
            raise _Leaving

    def start(self, assistant: Assistant) -> None:
        """Begin."""
        self._thread = threading.Thread(
            target=self._run, args=(assistant,), name="qa-follow", daemon=True
        )
        self._thread.start()

    def leave(self, seconds: float) -> None:
        """End; wait so many seconds for what is under way."""
        self._leaving.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, assistant: Assistant) -> None:
        _give_way()
        while not self._leaving.is_set():
            try:
                for step in assistant.follow():
                    if isinstance(step, QaError):
                        self._note(step)
                    else:
                        self._note(None)
                        self._name(step.problems)
                    if self._leaving.is_set():
                        return
            except (ClosedError, _Leaving):
                return
            except (QaError, OSError) as error:
                self._note(error)
                self._leaving.wait(_AGAIN)

    def _note(self, error: Exception | None) -> None:
        problem = "" if error is None else str(error)
        if problem and problem != self.problem:
            hint = getattr(error, "hint", "")
            self._tell(problem, f"{hint} Until then, qa keeps trying.".lstrip())
        self.problem = problem

    def _name(self, problems: Sequence[Problem]) -> None:
        """Tell of documents that can't be read, each once."""
        for one in problems:
            if one not in self._known:
                self._tell(f"{one.document}: {one.reason}", "")
        self._known = set(problems)


def _give_way() -> None:
    """Let questions go first: on Linux, a thread has a priority, which those it starts take on."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
