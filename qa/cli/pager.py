"""The pager for what is longer than the screen: `PAGER`, else `less`; as `LESS` says, else -FRX."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Pager", "find"]

_OPTIONS = "FRX"  # leave at once where it fits, pass styles on, leave what was shown


@dataclass(frozen=True, slots=True)
class Pager:
    """A program that shows text a screen at a time.

    Attributes:
        command: its path and arguments.
        is_styled: whether it passes styles on to the terminal.
        options: what `LESS` is set to.
    """

    command: tuple[str, ...]
    is_styled: bool
    options: str

    def show(self, lines: Iterable[str]) -> None:
        """Show lines, until the person leaves."""
        environment = os.environ | {"LESS": self.options}
        with (
            subprocess.Popen(  # noqa: S603 - what the person has named
                self.command, stdin=subprocess.PIPE, env=environment
            ) as running,
            _interrupts_ignored(),
            suppress(BrokenPipeError),  # left before the end
        ):
            text = "".join(f"{line}\n" for line in lines)
            running.communicate(text.encode("utf-8", "replace"))


def find(environment: Mapping[str, str] = os.environ) -> Pager | None:
    """The pager that an environment asks for; None where it asks for none, or there is none."""
    if environment.get("TERM") in {"dumb", "unknown"}:
        return None
    try:
        asked = shlex.split(environment.get("PAGER", "less"))
    except ValueError:  # a quote without its end
        return None
    path = shutil.which(asked[0]) if asked else None
    name = PurePath(path or "").stem
    if path is None or name == "cat":
        return None
    options = environment.get("LESS") or _OPTIONS
    given = [one for one in asked[1:] if one.startswith("-") and not one.startswith("--")]
    is_styled = name == "less" and "r" in " ".join([options, *given]).lower()
    return Pager((path, *asked[1:]), is_styled, options)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave Ctrl-C to the pager, for which it means something else than to end."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
