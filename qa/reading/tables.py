"""Tables to text: one line a row, in blocks of a few rows under the names of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.types import BlockKind, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.reading.extracted import Composer

__all__ = ["add_table", "row_line"]

# Characters: about what one passage holds. Names longer than a third of it are not repeated.
_LONGEST_BLOCK = 800
_LONGEST_NAMES = 250
_LAST_NAMES = 4  # rows: captions may stand above the names


def row_line(cells: Sequence[str]) -> str:
    """Give a row as one line, its cells parted by ` | `; "" where all are empty."""
    texts = [" ".join(cell.split()) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts)


def add_table(
    composer: Composer, rows: Sequence[Sequence[str]], *, paragraph: int | None = None
) -> int:
    """Add a table, of which the first row with several cells has the names of the columns.

    It is cut into blocks that fit a passage, and the names stand at the head of each, so that
    every row is found, and can be read, with what its cells mean.

    Args:
        composer: builds the document.
        rows: the cells' texts.
        paragraph: the number of the paragraph before; each row that isn't empty counts as one.

    Returns:
        The number of the last row's paragraph.
    """
    lines = [line for line in map(row_line, rows) if line]
    before = paragraph or 0
    named = next((at for at, line in enumerate(lines[:_LAST_NAMES]) if " | " in line.strip()), 0)
    for first, last in _blocks(lines):
        repeats = first > named and len(lines[named]) <= _LONGEST_NAMES
        text = [lines[named], *lines[first:last]] if repeats else lines[first:last]
        inside = []
        if paragraph is not None:
            composer.place(PlaceKind.PARAGRAPH, before + first + 1)
            offset = 0
            for at, line in enumerate(text, start=first - repeats):
                if at > first:
                    inside.append((offset, PlaceKind.PARAGRAPH, before + at + 1))
                offset += len(line) + 1
        composer.add("\n".join(text), kind=BlockKind.LINES, inside=inside)
    return before + len(lines)


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Part the lines into runs of about one passage: the first of each, the one after its last."""
    first = size = 0
    for at, line in enumerate(lines):
        if at > first and size + len(line) > _LONGEST_BLOCK:
            yield first, at
            first, size = at, 0
        size += len(line) + 1
    if lines:
        yield first, len(lines)
