"""Tables of pages: which lines are rows, told by cells that stand below each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.reading.pdf.lines import Line

__all__ = ["LIST_ITEM", "table_rows"]

LIST_ITEM = re.compile(
    r"(?:[•◦▪‣·●○■□*–—-]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,5})[.)]|\d+(?:\.\d+)+\.?)(?=\s|$)"
)
# A row may share its columns not with the next one but with one of these many after it.
_NEAR = 3


def table_rows(lines: Sequence[Line]) -> list[bool]:
    """Tell which lines are rows: those whose cells stand below or above other lines' cells."""
    wide = [len(a.cells) > 1 and not _is_marked(a) for a in lines]
    rows = [line.has_leader for line in lines]
    for at, line in enumerate(lines):
        for near in range(max(0, at - _NEAR), at) if wide[at] else ():
            if wide[near] and _is_aligned(lines[near], line, at - near):
                rows[near] = rows[at] = True
    for at in range(1, len(lines) - 1):
        if rows[at - 1] and rows[at + 1] and not rows[at]:
            above, line, below = lines[at - 1 : at + 2]
            width = max(above.x1, below.x1) - min(above.x0, below.x0)
            rows[at] = above.base > line.base > below.base and line.x1 - line.x0 < 0.7 * width
    return rows


def _is_marked(line: Line) -> bool:
    return len(line.cells) == 2 and bool(LIST_ITEM.fullmatch(line.cells[0].text))


def _is_aligned(above: Line, line: Line, apart: int) -> bool:
    size = max(above.size, line.size)
    if above.angle != line.angle or not 0 < above.base - line.base < 4 * size * apart:
        return False
    fewer, more = sorted((above.cells[1:], line.cells[1:]), key=len)
    hits = 0
    for cell in fewer:
        ends = (cell.x0, cell.x1, (cell.x0 + cell.x1) / 2)
        hits += any(
            abs(end - of) < 0.4 * size
            for other in more
            for end, of in zip(ends, (other.x0, other.x1, (other.x0 + other.x1) / 2), strict=True)
        )
    return hits * 2 >= len(fewer)
