"""Sections from headings and blocks as they come, whatever the format."""

from __future__ import annotations

from qa.types import Block, BlockKind, Section

__all__ = ["SectionBuilder", "block_between"]


class SectionBuilder:
    """Puts blocks below the headings that they stand under.

    A heading is a block only where nothing stands below it: its words would be lost.
    """

    def __init__(self) -> None:
        self._path: list[tuple[int, str]] = []
        self._blocks: list[Block] = []
        self._sections: list[Section] = []
        self._lone: Block | None = None  # the heading above, as long as nothing stands below it

    def heading(self, title: str, block: Block | None, *, level: int) -> None:
        """Begin a section, whose heading stands in `block`; level 1 is the outermost."""
        if self._lone and level <= self._path[-1][0]:
            self._blocks.append(self._lone)
        self._close()
        self._path = [(above, name) for above, name in self._path if above < level]
        self._path.append((level, title))
        self._lone = block

    def add(self, block: Block) -> None:
        """Add a block to the section."""
        self._blocks.append(block)
        self._lone = None

    def finish(self) -> tuple[Section, ...]:
        """The sections, in order."""
        if self._lone:
            self.add(self._lone)
        self._close()
        return tuple(self._sections)

    def _close(self) -> None:
        if self._blocks:
            names = tuple(name for _, name in self._path if name)
            self._sections.append(Section(names, tuple(self._blocks)))
            self._blocks = []


def block_between(
    text: str, start: int, end: int, kind: BlockKind = BlockKind.PROSE
) -> Block | None:
    """The characters `[start, end)` as a block, without white space around; None where blank."""
    body = text[start:end]
    stripped = len(body.rstrip())
    lead = len(body) - len(body.lstrip())
    return Block(start + lead, start + stripped, kind) if stripped > lead else None
