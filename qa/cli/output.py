"""The one output sink: data to stdout; notes, progress and hints to stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TextIO

from qa.visible import escaped, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qa.cli.pager import Pager
    from qa.logs import Pace
    from qa.progress import Progress

__all__ = ["Line", "Output", "Segment", "visible"]

_WIDEST = 100  # columns; longer lines are hard to read
_REDRAWN = 0.1  # seconds between two drawings of the progress
_FIRST = 1  # seconds of work before the first line of it in a pipe
_GUESSED = 3  # seconds of work before the rest is guessed from it
_ECHO = 2  # columns of the ^C that a terminal puts behind the progress


class Segment(NamedTuple):
    """Text of one style; `link` is where a click leads; `plain` stands for it without styles."""

    text: str
    style: str = ""
    link: str = ""
    plain: str | None = None

    @property
    def unstyled(self) -> str:
        """What is shown where there are no styles."""
        return self.text if self.plain is None else self.plain


Line = tuple[Segment, ...]


class Output:
    """Writes for people on a terminal, plainly to a pipe."""

    # There is one terminal for all who write to it: the columns of the line of progress on it.
    _drawn: ClassVar[int] = 0
    # How far indexing is; None where nothing was indexed.
    indexing: ClassVar[Progress | None] = None

    def __init__(
        self,
        *,
        quiet: bool = False,
        paged: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quiet = quiet
        self._paged = paged
        self._clock = clock
        self._pace: Pace | None = None
        self._doing = ""
        self._begun = self._redrawn = clock()

    @property
    def width(self) -> int:
        """Columns to fill: those of the terminal within reason, 80 in a pipe."""
        return min(self.room, _WIDEST) if _is_terminal(sys.stdout) else 80

    @property
    def room(self) -> int:
        """Columns of a line that had better stay one: the terminal's, any number in a pipe."""
        if not _is_terminal(sys.stdout):
            return sys.maxsize
        return max(40, shutil.get_terminal_size((80, 24)).columns)

    @property
    def rows(self) -> int | None:
        """Rows of the screen; None in a pipe."""
        if not _is_terminal(sys.stdout):
            return None
        return shutil.get_terminal_size((80, 24)).lines

    def data(self, text: str) -> None:
        """Write text that is data, line by line."""
        self._plain(visible(line) for line in text.split("\n"))

    def json(self, value: dict[str, Any], *, indent: int | None = 2) -> None:
        """Write one JSON object; in one line where `indent` is None."""
        self._plain(escaped(json.dumps(value, ensure_ascii=False, indent=indent)).split("\n"))

    def lines(self, lines: Iterable[Line]) -> None:
        """Write styled lines: with styles and links on a terminal, without in a pipe."""
        if not _is_styled():
            self._plain("".join(visible(x.unstyled) for x in line).rstrip() for line in lines)
            return
        self._erase()
        lines = list(lines)
        shown = ["".join(visible(one.text) for one in line) for line in lines]
        if (pager := self._pager(shown)) is None:
            self._styled(lines)
        elif pager.is_styled:
            unlinked = [tuple(one._replace(link="") for one in line) for line in lines]
            pager.show(self._sequences(unlinked))
        else:
            pager.show("".join(visible(x.unstyled) for x in line).rstrip() for line in lines)

    def _plain(self, lines: Iterable[str]) -> None:
        self._erase()
        if self._paged and _is_terminal(sys.stdout):
            lines = list(lines)
            if (pager := self._pager(lines)) is not None:
                pager.show(lines)
                return
        for line in lines:
            _write(sys.stdout, line)

    def _pager(self, shown: list[str]) -> Pager | None:
        """What shows so many lines; None where they fit the screen or nothing is to."""
        if not self._paged:
            return None
        from qa.cli.layout import columns

        size = shutil.get_terminal_size((80, 24))
        needed = sum(max(1, -(-columns(line) // size.columns)) for line in shown)
        if needed < size.lines:
            return None
        from qa.cli.pager import find

        return find()

    def note(self, text: str) -> None:
        """Tell the person something that is not data."""
        if not self._quiet:
            self._erase()
            _write(sys.stderr, visible(text))

    def error(self, message: str, hint: str) -> None:
        """Say what happened and what to do now; even when quiet."""
        self._erase()
        _write(sys.stderr, f"qa: {visible(message)}")
        if hint:
            _write(sys.stderr, f"    {visible(hint)}")

    def refuse(self, text: str) -> None:
        """Write lines about how a command was typed; even when quiet."""
        for line in text.rstrip("\n").split("\n"):
            _write(sys.stderr, visible(line))

    def progress(self, one: Progress) -> None:
        """Show how far indexing is: redrawn on a terminal, elsewhere a line now and then.

        The cursor is neither moved up nor hidden, so however this ends, there is nothing to undo.
        """
        from qa.cli.progress import fitting, indexing
        from qa.indexing.progress import amount

        Output.indexing = one
        if self._quiet:
            return
        if not _is_terminal(sys.stderr):
            if self._is_due(*amount(one), one.phase):
                _write(sys.stderr, indexing(one))
        elif one.seconds_left == 0:
            self._erase()
        else:
            self._draw(fitting(one, self._columns))

    def far(self, done: int, total: int, doing: str, things: str) -> None:
        """Show how far something else is, in the same way."""
        from qa.cli.progress import left

        if doing != self._doing:
            self._doing = doing
            self._begun = self._redrawn = self._clock()
        if self._quiet:
            return
        said = f"{doing} {done:,} of {total:,} {things} ({100 * done // max(total, 1)} %)"
        passed = self._clock() - self._begun
        if done and passed >= _GUESSED:
            said += left(passed / done * (total - done))
        if not _is_terminal(sys.stderr):
            if self._is_due(done, total, doing):
                _write(sys.stderr, said)
        elif done >= total:
            self._erase()
        elif not self._drawn or self._clock() - self._redrawn >= _REDRAWN:
            self._redrawn = self._clock()
            self._draw(said)

    def doing(self, text: str) -> None:
        """Show what is going on, on a terminal alone; what is written next takes its place."""
        if not self._quiet and _is_terminal(sys.stderr):
            self._draw(text)

    def _is_due(self, done: int, total: int, doing: str) -> bool:
        if self._pace is None:
            from qa.logs import Pace

            self._pace = Pace(self._clock, first=_FIRST)
        return self._pace.is_due(done, total, doing)

    @property
    def _columns(self) -> int:
        """Columns of a line on the terminal that stays one, with what may be put behind it."""
        width = shutil.get_terminal_size((80, 24)).columns
        return max(width - _ECHO - 1, 1)

    @classmethod
    def drawn(cls) -> int:
        """Columns of the line that stands on the terminal until the next takes its place."""
        return cls._drawn + _ECHO if cls._drawn else 0

    def _draw(self, text: str) -> None:
        from qa.cli.layout import clip, columns

        shown = clip(text, self._columns)
        rest = " " * (self._drawn - columns(shown))
        Output._drawn = columns(shown)
        _write(sys.stderr, f"\r{shown}{rest}", end="\r" + shown if rest else "")

    def _erase(self) -> None:
        if drawn := self.drawn():
            _write(sys.stderr, "\r" + " " * drawn, end="\r")
            Output._drawn = 0

    def _styled(self, lines: Iterable[Line]) -> None:
        for text in self._sequences(lines):
            _write(sys.stdout, text)

    def _sequences(self, lines: Iterable[Line]) -> Iterator[str]:
        """Lines with the sequences for their styles, as the terminal takes them."""
        from rich.console import Console
        from rich.style import Style
        from rich.text import Text

        console = Console(width=self.width, highlight=False, soft_wrap=True)
        for line in lines:
            text = Text()
            for one in line:
                style = Style.parse(one.style) + Style(link=one.link or None)
                text.append(visible(one.text), style)
            with console.capture() as captured:
                console.print(text, end="")
            yield captured.get()


def _is_styled() -> bool:
    """Whether what goes to stdout may have styles."""
    is_dumb = os.environ.get("TERM") in {"dumb", "unknown"}
    return _is_terminal(sys.stdout) and not is_dumb and not os.environ.get("NO_COLOR")


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _write(stream: TextIO | None, text: str, *, end: str = "\n") -> None:
    if stream is None:  # closed by who started this
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(f"{text}{end}".encode(encoding, "replace").decode(encoding))
        stream.flush()
    except OSError as error:
        # What is left in the buffer must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if stream is sys.stderr:
            return  # nobody hears; the work goes on
        if isinstance(error, BrokenPipeError):
            sys.exit(0)  # the reader has gone (`qa ask … | head -1`)
        raise
