"""Sections of a text that is read in place: spans refer to the text of the file itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qa.reading.detect.decoding import LineIndex
from qa.reading.sections import SectionBuilder, block_between
from qa.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qa.types import Block, Section

__all__ = ["Lines", "Outline", "block_of"]

_LINE_END = re.compile(r"\r\n?|\n")


class Lines:
    """The lines of a text, counted from 0, without their ends or white space behind them."""

    def __init__(self, text: str) -> None:
        self.texts = [line.rstrip() for line in _LINE_END.split(text)]
        self._starts = LineIndex(text).starts
        self._length = len(text)

    def __len__(self) -> int:
        """Count the lines; an empty text has one."""
        return len(self.texts)

    def __getitem__(self, line: int) -> str:
        """One line; "" past the last."""
        return self.texts[line] if line < len(self.texts) else ""

    def start(self, line: int) -> int:
        """The offset of the line's first character; past the last, the text's length."""
        return self._starts[line] if line < len(self._starts) else self._length

    def indent(self, line: int) -> int:
        """Count the white space in front of the line's first character."""
        return len(self[line]) - len(self[line].lstrip())

    def filled(self, line: int) -> int:
        """The first line from `line` on that is not blank."""
        while line < len(self.texts) and not self.texts[line]:
            line += 1
        return line

    def blank(self, line: int) -> int:
        """The first line from `line` on that is blank, or past the end."""
        while line < len(self.texts) and self.texts[line]:
            line += 1
        return line

    def indented(self, line: int, *, over: int) -> int:
        """The line after the run from `line` on that is blank or indented by more."""
        last = line
        while line < len(self.texts) and (not self.texts[line] or self.indent(line) > over):
            line += 1
            last = line if self.texts[line - 1] else last
        return last


def block_of(text: str, lines: Lines, first: int, last: int, kind: BlockKind) -> Block | None:
    """The lines `[first, last)` as a block, without white space around; None where blank."""
    return block_between(text, lines.start(first), lines.start(last), kind)


class Outline:
    """Builds sections from headings and blocks that are named by their lines, in order."""

    def __init__(self, text: str, lines: Lines) -> None:
        self._text = text
        self._lines = lines
        self._sections = SectionBuilder()

    def heading(self, title: str, *, level: int, first: int, last: int) -> None:
        """Begin a section; its heading stands in the lines `[first, last)`."""
        block = block_of(self._text, self._lines, first, last, BlockKind.PROSE)
        self._sections.heading(" ".join(title.split()), block, level=level)

    def add(self, first: int, last: int, kind: BlockKind = BlockKind.PROSE) -> None:
        """Add the lines `[first, last)` as a block, where they are not blank."""
        if (block := block_of(self._text, self._lines, first, last, kind)) is not None:
            self._sections.add(block)

    def add_parts(self, first: int, last: int, starts: Iterable[int]) -> None:
        """Add prose that is cut before each line of `starts`: the items of a list."""
        at = first
        for start in starts:
            if first < start < last:
                self.add(at, start)
                at = start
        self.add(at, last)

    def finish(self) -> tuple[Section, ...]:
        """The sections, in order."""
        return self._sections.finish()
