"""A session in a real terminal: keys go in, and a screen comes out."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pexpect
import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["HANG", "Talk", "talking"]

HANG = 20  # seconds after which something hangs


class Talk:
    """A program on a terminal of so many columns and lines."""

    def __init__(self, child: Any, width: int, height: int) -> None:
        """Take the program's pseudo-terminal."""
        self.child = child
        self.sent = ""  # all that the program sent
        self._at = 0  # how far that was waited for
        self._screen = pyte.Screen(width, height)
        # Where the cursor is, when that is asked.
        setattr(self._screen, "write_process_input", child.send)  # noqa: B010 - mypy refuses else
        self._stream = pyte.Stream(self._screen)

    def type(self, text: str) -> None:
        """Type keys."""
        self.child.send(text)

    def wait_for(self, text: str) -> None:
        """Read on until a text comes after the one that was waited for before."""
        self._read_until(lambda: text in self.sent[self._at :])
        found = self.sent.find(text, self._at)
        assert found >= 0, f"{text!r} not in {self.sent[self._at :]!r}"
        self._at = found + len(text)

    def read(self, seconds: float) -> None:
        """Take in what is sent in so many seconds."""
        end = time.monotonic() + seconds
        self._read_until(lambda: time.monotonic() > end)

    def wait_for_end(self) -> int:
        """Read until the program has ended; gives its exit status, or minus its signal."""
        self._read_until(lambda: False, until_end=True)
        self.child.close(force=False)
        status = self.child.exitstatus
        return int(status) if status is not None else -int(self.child.signalstatus)

    @property
    def screen(self) -> str:
        """What stands on the screen, without spaces at the ends of lines."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def _read_until(self, is_met: Callable[[], bool], *, until_end: bool = False) -> None:
        begun = time.monotonic()
        while not is_met() and time.monotonic() - begun < HANG:
            try:
                new = self.child.read_nonblocking(65536, timeout=0.1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                return
            self.sent += new
            self._stream.feed(new)
        assert not until_end, f"it goes on: {self.sent[-2000:]!r}"


@contextlib.contextmanager
def talking(
    *arguments: str,
    folder: Path,
    width: int = 80,
    height: int = 24,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (sys.executable, "-m", "qa"),
) -> Iterator[Talk]:
    """Run `qa`, or another program, with arguments in a terminal; at the end it is gone."""
    given = os.environ | {"TERM": "xterm-256color"} | dict(environment or {})
    for name in ("NO_COLOR", "COLUMNS", "LINES", "VISUAL", "EDITOR", "DISPLAY", "WAYLAND_DISPLAY"):
        if name not in (environment or {}):
            given.pop(name, None)
    child = pexpect.spawn(
        program[0], [*program[1:], *arguments], cwd=str(folder), env=given,
        dimensions=(height, width), encoding="utf-8", codec_errors="replace",
    )  # fmt: skip
    child.delaybeforesend = None
    try:
        yield Talk(child, width, height)
    finally:
        child.close(force=True)
