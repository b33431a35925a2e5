"""Columns that are drawn line by line across the page, taken apart: prose, and blocks of lines.

A table is drawn in the same way. What stands in its columns is of one kind, and a cell does not
go on in the next row.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from qa.reading.pdf.lines import HYPHEN, Cell, Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["columns_apart"]

_MIN_LINES = 3
# From this many lines on, lines that are long and full are enough to be prose.
_MANY = 4
# In a line of prose, on average; a cell is shorter.
_MIN_WORDS = 3
_DIGITS = re.compile(r"[^\W\d_]+|\d+")
_WORD = re.compile(r"[^\W\d_]{2,}")  # what has none is a number, or a formula
_SENTENCE_END = re.compile(r"[.!?:]['\"”’»)\]]*$")


def columns_apart(lines: Sequence[tuple[Line, int]]) -> Iterator[tuple[Line, int]]:
    """Columns one after the other; each line stands with what is known of it."""
    index = 0
    while index < len(lines):
        end, gutter = _columns(lines, index)
        if not gutter:
            yield lines[index]
            index += 1
            continue
        left: list[tuple[Line, int]] = []
        right: list[tuple[Line, int]] = []
        for line, level in lines[index:end]:
            parts = [tuple(c for c in line.cells if (c.x0 >= gutter) == side) for side in (0, 1)]
            for cells, column in zip(parts, (left, right), strict=True):
                if cells:
                    column.append((replace(line, cells=cells), level))
        yield from left
        yield from columns_apart(right)
        index = end


def _columns(lines: Sequence[tuple[Line, int]], start: int) -> tuple[int, float]:
    """Find where columns that begin at a line end, and what parts them; 0 for none."""
    low, high = 0.0, 0.0
    pairs: list[tuple[Cell, Cell]] = []
    end = start
    for at in range(start, len(lines)):
        line = lines[at][0]
        if line.angle != lines[start][0].angle:
            break
        if len(line.cells) == 1:
            if not pairs or (line.x0 < high - 1 and line.x1 > low + 1):
                break
            continue
        gaps = list(itertools.pairwise(line.cells))
        near = [g for g in gaps if not pairs or min(g[1].x0, high) > max(g[0].x1, low)]
        if not near:
            break
        pair = max(near, key=lambda g: g[1].x0 - g[0].x1)
        low = max(low, pair[0].x1) if pairs else pair[0].x1
        high = min(high, pair[1].x0) if pairs else pair[1].x0
        pairs.append(pair)
        end = at + 1
    if len(pairs) < _MIN_LINES:
        return start, 0.0
    sides = list(zip(*pairs, strict=True))
    size = lines[start][0].size
    are_columns = (len(pairs) >= _MANY and all(map(_is_wide, sides))) or (
        not _is_below_a_row(lines, start)
        and (
            all(_runs_on(side, size) for side in sides)
            or (end - start == len(pairs) and _are_blocks(lines[start:end]))
        )
    )
    if not are_columns:
        return start, 0.0
    gutter = (low + high) / 2
    return _with_the_longer(lines, end, gutter), gutter


def _is_below_a_row(lines: Sequence[tuple[Line, int]], start: int) -> bool:
    """Whether cells stand right above a line: it is not the first of its columns."""
    above, line = lines[max(start - 1, 0)][0], lines[start][0]
    return len(above.cells) > 1 and 0 < above.base - line.base < 2.5 * line.size


def _with_the_longer(lines: Sequence[tuple[Line, int]], end: int, gutter: float) -> int:
    """Find where the longer of two columns ends: lines of one alone go on below the last pair."""
    side: bool | None = None
    while end < len(lines):
        before, line = lines[end - 1][0], lines[end][0]
        is_right = line.x0 >= gutter
        is_next = 0 < before.base - line.base < 1.6 * before.size and line.angle == before.angle
        is_one = is_right or line.x1 < gutter
        if not is_next or not is_one or side not in {None, is_right}:
            break
        side = is_right
        end += 1
    return end


def _is_wide(side: Sequence[Cell]) -> bool:
    """Whether the lines of a column are long, and most are full."""
    wide = max(cell.x1 - cell.x0 for cell in side)
    full = sum(cell.x1 - cell.x0 >= 0.75 * wide for cell in side)
    return sum(len(cell.text) for cell in side) >= 20 * len(side) and full * 2 >= len(side)


def _runs_on(side: Sequence[Cell], size: float) -> bool:
    """Whether a column is prose: its lines are full, and most go on in the next."""
    words = sum(len(cell.text.split()) for cell in side)
    if words < _MIN_WORDS * len(side):
        return False
    right = max(cell.x1 for cell in side)
    goes_on = 0
    for cell, following in itertools.pairwise(side):
        word = following.text.split(" ", 1)[0]
        is_cut = cell.text.endswith(HYPHEN)
        width = (following.x1 - following.x0) * (len(word) + 1) / len(following.text)
        has_room = cell.x1 + width < right - 0.3 * size
        if has_room and not is_cut and not _SENTENCE_END.search(cell.text):
            return False
        goes_on += is_cut or following.text[0].islower()
    numbers = sum(any(map(str.isdecimal, cell.text)) for cell in side)
    return goes_on * 2 >= len(side) - 1 and numbers * 2 <= len(side)


def _are_blocks(lines: Sequence[tuple[Line, int]]) -> bool:
    """Whether two blocks of lines stand side by side: addresses, as on a letter.

    What stands in one line is of a kind on either side (names, streets, towns), and what stands
    below each other is not, while a table's columns are each of one kind.
    """
    if any(len(line.cells) != 2 for line, _ in lines):
        return False
    kinds = [[_kind(cell.text) for cell in line.cells] for line, _ in lines]
    if any(not one or not other for one, other in kinds):
        return False
    is_like = all(("9" in one) == ("9" in other) for one, other in kinds)
    return is_like and all(len({row[side] for row in kinds[1:]}) > 1 for side in (0, 1))


def _kind(text: str) -> str:
    """Where in a text words and numbers stand, as A9; "" where it has no word, or is a name.

    A name ends in a colon: what it names stands beside it.
    """
    if text.endswith(":"):
        return ""
    runs = "".join("9" if run[0].isdigit() else "A" for run in _DIGITS.findall(text))
    kind = "".join(run for run, _ in itertools.groupby(runs))
    return kind if _WORD.search(text) else ""
