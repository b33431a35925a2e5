"""A program on a terminal of its own, and what a person types there."""

from __future__ import annotations

import os
import select
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PATIENCE = 60  # seconds until something is called hung


def on_terminal(
    command: Sequence[str],
    *talk: tuple[str, str],
    cwd: Path,
    environment: Mapping[str, str],
) -> tuple[int, str]:
    """Run a command; once each first text is shown, type the second. Gives status and screen."""
    import pty  # which Windows has not

    leader, follower = pty.openpty()
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, cwd=cwd, env=environment,
        start_new_session=True,
    ) as running:  # fmt: skip
        os.close(follower)
        try:
            screen = b""
            for awaited, typed in talk:
                seen = len(screen)
                while awaited.encode() not in screen[seen:]:
                    more = _read(leader)
                    assert more, f"{awaited!r} is not in {screen.decode()!r}"
                    screen += more
                os.write(leader, typed.encode())
            while more := _read(leader):
                screen += more
            return running.wait(_PATIENCE), screen.decode()
        finally:
            running.kill()
            os.close(leader)


def _read(leader: int) -> bytes:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if select.select([leader], [], [], 1)[0]:
            with suppress(OSError):  # the other end is closed
                return os.read(leader, 65536)
            return b""
    raise TimeoutError
