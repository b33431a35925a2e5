"""The blocks of a web page, as they are gathered from pieces of its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.reading.html.boilerplate import Count
from qa.types import BlockKind

if TYPE_CHECKING:
    from qa.reading.html.tables import Table

__all__ = ["BREAK", "BlockBuilder", "PageBlock"]

BREAK = "\r"  # stands for <br> while a block is gathered: the parser leaves no CR of the page's
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")  # where a word may break, and marks
_MAX_TERMS = 3  # that are described together


@dataclass(slots=True)
class PageBlock:
    """A heading (its level is then above 0) or a block, and the anchor that it stands below."""

    text: str
    anchor: str
    level: int = 0
    kind: BlockKind = BlockKind.PROSE
    linked: int = 0  # characters of it that stand in links
    in_main: bool = False  # in what the page marks as its main part
    only_image: bool = False  # it is what an image says in place of itself


class BlockBuilder:
    """Gathers pieces of text, ends blocks, and forgets those that turn out to be furniture."""

    def __init__(self) -> None:
        self.blocks: list[PageBlock] = []
        self.count = Count()
        self.anchor = ""  # the last that was met
        self.has_text = False
        self.in_main = False
        self._buffer: list[str] = []
        self._has_words = False
        self._linked_before = 0
        self._block_anchor = ""
        self._terms: list[str] = []
        self._prefix = ""

    def say(self, text: str, *, linked: bool, image: bool = False) -> None:
        """Add a piece of text, or what an image says, to the block."""
        size = len(text.strip())
        if size:
            if not self.has_text:
                self.has_text = True
                self._block_anchor = self.anchor
            self._has_words = self._has_words or not image
            self.count.characters += size
            if linked:
                self.count.linked += size
        self._buffer.append(text)

    def put(self, separator: str) -> None:
        """Part what was said from what comes next in the block."""
        self._buffer.append(separator)

    def end_line(self) -> None:
        """Part lines of preformatted text, unless that is done."""
        if self._buffer and not self._buffer[-1].endswith("\n"):
            self._buffer.append("\n")

    def mark(self) -> int:
        """Where the next piece will stand."""
        return len(self._buffer)

    def said_since(self, mark: int) -> str:
        """What the block says from a mark on."""
        return "".join(self._buffer[mark:])

    def forget(self, first: int, *, count: Count, anchor: str) -> None:
        """Leave out the blocks from `first` on: everything is as it was before them."""
        del self.blocks[first:]
        self.count = count
        self.anchor = anchor
        self._linked_before = count.linked

    def take(self) -> str:
        """What was gathered, as one line, instead of making a block of it."""
        return " ".join(self._take().split())

    def end_heading(self, level: int) -> None:
        """Make a heading; the anchor is the last, though it may follow the heading's words."""
        if self.has_text:
            self._block_anchor = self.anchor
            self._add(self.take(), level=level)
            self.count.titles += level == 1
        self._take()

    def end_lines(self) -> None:
        """Make a block of lines, with the white space that is in them."""
        if self.has_text:
            self._add(self._take().strip("\n"), kind=BlockKind.LINES)
        self._take()

    def end_prose(self) -> None:
        """Make a paragraph; several, where empty lines part them."""
        if not self._buffer:
            return
        only_image = self.has_text and not self._has_words
        has_text, lines = self.has_text, self._take().split(BREAK)
        paragraph: list[str] = []
        for line in [*(" ".join(line.split()) for line in lines), ""] if has_text else ():
            if line:
                paragraph.append(line)
            elif paragraph:
                self._add("\n".join(paragraph), only_image=only_image)
                paragraph = []

    def end_term(self) -> None:
        """Keep what was gathered as a term, to be said with what describes it."""
        if len(self._terms) == _MAX_TERMS:
            self.add_terms()
        if term := self.take():
            self._terms.append(term)

    def begin_description(self) -> None:
        """Put the terms before the next block."""
        if self._terms:
            self.set_prefix(", ".join(self._terms).rstrip(":") + ": ")
            self._terms = []

    def add_terms(self) -> None:
        """Add terms that nothing describes."""
        for term in self._terms:
            self._add(term)
        self._terms = []

    def set_prefix(self, prefix: str) -> None:
        """Put a number or a term before the next block; a term that nothing follows stays."""
        if self._prefix.endswith(": "):
            term, self._prefix = self._prefix[:-2], ""
            self._add(term)
        self._prefix = prefix

    def add_table(self, table: Table) -> None:
        """Add the rows that a table has gathered, below its caption."""
        linked = self.count.linked - self._linked_before
        self._block_anchor = self.anchor
        if table.caption:
            self._add(table.caption)
        for text, anchor in table.groups():
            self._block_anchor = anchor
            self._linked_before = self.count.linked - min(linked, len(text))
            self._add(text, kind=BlockKind.LINES)

    def _take(self) -> str:
        text = _INVISIBLE.sub("", "".join(self._buffer))
        self._buffer = []
        self.has_text = self._has_words = False
        return text

    def _add(
        self,
        text: str,
        *,
        level: int = 0,
        kind: BlockKind = BlockKind.PROSE,
        only_image: bool = False,
    ) -> None:
        linked = self.count.linked - self._linked_before
        self._linked_before = self.count.linked
        if not text.strip():
            return
        if self._prefix and (level or kind is BlockKind.LINES):
            self.set_prefix("")
        text, self._prefix = self._prefix + text, ""
        self.blocks.append(
            PageBlock(
                text,
                self._block_anchor,
                level=level,
                kind=kind,
                linked=linked,
                in_main=self.in_main,
                only_image=only_image,
            )
        )
