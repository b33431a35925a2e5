"""The one output sink: data to stdout; notes, progress and hints to stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.progress import Progress, TaskID

__all__ = ["Line", "Output", "Segment", "visible"]

_WIDEST = 100  # columns; longer lines are hard to read


@dataclass(frozen=True, slots=True)
class Segment:
    """Text of one style; `link` is where a click leads."""

    text: str
    style: str = ""
    link: str = ""


Line = tuple[Segment, ...]

# Characters that a terminal obeys (C0, DEL, C1) or that reorder what is read (bidirectional
# marks) are shown as pictures or numbers. A tab is left as a space.
_PICTURES = {code: 0x2400 + code for code in range(32)} | {0x09: " ", 0x7F: "\u2421"}
_NUMBERED = [*range(0x80, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_VISIBLE: dict[int, int | str] = {
    **_PICTURES,
    **{code: f"<U+{code:04X}>" for code in [*_NUMBERED, 0x2028, 0x2029, 0xFEFF]},
}


# The same characters, but for those that JSON writes as numbers anyhow; and line breaks stay.
_OBEYED = re.compile("[" + "".join(map(chr, [0x7F, *_NUMBERED, 0x2028, 0x2029, 0xFEFF])) + "]")


def visible(text: str) -> str:
    """Show control characters instead of sending them; surrogates as question marks."""
    shown = text.translate(_VISIBLE)
    return shown.encode("utf-8", "replace").decode("utf-8")


class Output:
    """Writes for people on a terminal, plainly to a pipe."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    @property
    def width(self) -> int:
        """Columns to fill: those of the terminal within reason, 80 in a pipe."""
        columns = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
        return max(40, min(columns, _WIDEST))

    def data(self, text: str) -> None:
        """Write text that is data, line by line."""
        for line in text.split("\n"):
            _write(sys.stdout, visible(line))

    def json(self, value: dict[str, Any]) -> None:
        """Write one JSON object."""
        text = json.dumps(value, ensure_ascii=False, indent=2)
        _write(sys.stdout, _OBEYED.sub(lambda one: f"\\u{ord(one[0]):04x}", text))

    def lines(self, lines: Iterable[Line]) -> None:
        """Write styled lines: with colour and links on a terminal, without in a pipe."""
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            self._styled(lines)
        else:
            for line in lines:
                _write(sys.stdout, "".join(visible(one.text) for one in line).rstrip())

    def note(self, text: str) -> None:
        """Tell the person something that is not data."""
        if not self._quiet:
            self._stop_progress()
            _write(sys.stderr, visible(text))

    def error(self, message: str, hint: str) -> None:
        """Say what happened and what to do now; even when quiet."""
        self._stop_progress()
        _write(sys.stderr, f"qa: {visible(message)}")
        if hint:
            _write(sys.stderr, f"    {visible(hint)}")

    def progress(self, done: int, total: int, document: str) -> None:
        """Show how far indexing is, on a terminal."""
        if self._quiet or not sys.stderr.isatty():
            return
        if self._progress is None:
            self._start_progress(total)
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task, completed=done, document=visible(document)[-40:], refresh=True
            )
            if done == total:
                self._stop_progress()

    def _start_progress(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("Indexing"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[document]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task("", total=total, document="")

    def _stop_progress(self) -> None:
        if self._progress is not None:
            self._progress.stop()
        self._progress = self._task = None

    def _styled(self, lines: Iterable[Line]) -> None:
        from rich.console import Console
        from rich.style import Style
        from rich.text import Text

        console = Console(width=self.width, highlight=False, soft_wrap=True)
        for line in lines:
            text = Text()
            for one in line:
                style = Style.parse(one.style) + Style(link=one.link or None)
                text.append(visible(one.text), style)
            console.print(text)


def _write(stream: TextIO, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(f"{text}\n".encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        # The reader has gone (`qa ask … | head -1`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(0)
