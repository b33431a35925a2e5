"""Tables of pages: which lines are rows, and which cell belongs to which column.

Both are told by cells that stand below each other.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.reading.pdf.lines import Cell, Line

__all__ = ["LIST_ITEM", "row_cells", "table_rows"]

LIST_ITEM = re.compile(
    r"(?:[•◦▪‣·●○■□*–—-]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,5})[.)]|\d+(?:\.\d+)+\.?)(?=\s|$)"
)
# A row may share its columns not with the next one but with one of these many after it.
_NEAR = 3
# What stands between two columns is decided by its neighbours, and decides others.
_MAX_ROUNDS = 12


def table_rows(lines: Sequence[Line]) -> list[bool]:
    """Which lines are rows: those whose cells stand below or above other lines' cells."""
    wide = [len(line.cells) > 1 for line in lines]
    rows = [line.has_leader for line in lines]
    for at, line in enumerate(lines):
        for near in range(max(0, at - _NEAR), at) if wide[at] else ():
            above = lines[near]
            if wide[near] and _may_be_rows(above, line) and _is_aligned(above, line, at - near):
                rows[near] = rows[at] = True
    for at in range(len(lines) - 1):
        rows[at] = rows[at] or (rows[at + 1] and _are_names(lines[at], lines[at + 1]))
    for at in range(1, len(lines) - 1):
        if rows[at - 1] and rows[at + 1] and not rows[at]:
            above, line, below = lines[at - 1 : at + 2]
            width = max(above.x1, below.x1) - min(above.x0, below.x0)
            rows[at] = above.base > line.base > below.base and line.x1 - line.x0 < 0.7 * width
    return rows


def _are_names(line: Line, row: Line) -> bool:
    """Whether a line has the names of a table's columns, set to another side than its cells.

    `row` is the table's first.
    """
    return (
        len(line.cells) >= max(len(row.cells), 3)
        and line.angle == row.angle
        and 0 < line.base - row.base < 4 * max(line.size, row.size)
        and min(line.x1, row.x1) - max(line.x0, row.x0) > 0.5 * (row.x1 - row.x0)
    )


def _may_be_rows(above: Line, line: Line) -> bool:
    """Whether two lines are more than items of a list.

    Where one has three cells, what looks like the mark of an item is a cell as well.
    """
    is_list = _is_marked(above) or _is_marked(line)
    return not is_list or max(len(above.cells), len(line.cells)) > 2


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


def row_cells(rows: Sequence[Line]) -> list[list[str]]:
    """The texts of each row's cells, "" for a cell that is empty.

    The columns are those of the rows that have the most cells. A row that does not fit them is
    given as it is.
    """
    columns = _columns(rows)
    placed = [_placed(row, columns) if columns else None for row in rows]
    if columns:
        _decide(rows, placed)
    texts = []
    for row, at in zip(rows, placed, strict=True):
        cells = [cell.text for cell in row.cells]
        if at is not None and all(a < b for a, b in itertools.pairwise(at)):
            by_column = dict(zip(at, cells, strict=True))
            cells = [by_column.get(column, "") for column in range(len(columns))]
        texts.append(cells)
    return texts


def _columns(rows: Sequence[Line]) -> list[tuple[float, float]]:
    """Where each column begins and ends; nothing where the rows have no columns in common."""
    most = max(len(row.cells) for row in rows)
    full = [row.cells for row in rows if len(row.cells) == most]
    if most < 2 or any(row.has_leader for row in rows):
        return []
    if len(full) < 2 and len(rows[0].cells) < most:
        return []
    columns = [
        (min(cell.x0 for cell in cells), max(cell.x1 for cell in cells))
        for cells in zip(*full, strict=True)
    ]
    if any(before[1] > after[0] for before, after in itertools.pairwise(columns)):
        return []
    return columns


def _placed(row: Line, columns: Sequence[tuple[float, float]]) -> list[float] | None:
    """The column of each cell; halves for one between two; None where a row does not fit."""
    if len(row.cells) == len(columns):
        return [*range(len(columns))]
    found: list[float] = []
    for cell in row.cells:
        under = [at for at, (x0, x1) in enumerate(columns) if cell.x0 < x1 and cell.x1 > x0]
        if not under:
            before = sum(x1 <= cell.x0 for _, x1 in columns) - 1
            found.append(min(max(before + 0.5, 0), len(columns) - 1))
        elif len(under) == 1 or abs(cell.x0 - columns[under[0]][0]) < 0.4 * row.size:
            found.append(under[0])  # perhaps longer than its column is wide
        else:
            return None
    return found


def _decide(rows: Sequence[Line], placed: Sequence[list[float] | None]) -> None:
    """Move what stands between two columns to the one that is empty in the same rows."""
    open_ones = list(_between(rows, placed))
    for is_last in (*[False] * min(len(open_ones), _MAX_ROUNDS), True):
        for cells in open_ones[:]:
            row, index = cells[0]
            left = (placed[row] or [])[index] - 0.5
            taken = {column for at, _ in cells for column in placed[at] or ()}
            if (left in taken) == (left + 1 in taken) and not is_last:
                continue
            for at, of in cells:
                (placed[at] or [])[of] = left + 1 if left in taken else left
            open_ones.remove(cells)


def _between(
    rows: Sequence[Line], placed: Sequence[list[float] | None]
) -> Iterator[list[tuple[int, int]]]:
    """The cells between two columns, as row and index; together those below each other."""
    found: list[tuple[float, Cell, tuple[int, int]]] = [
        (column, rows[row].cells[index], (row, index))
        for row, columns in enumerate(placed)
        for index, column in enumerate(columns or ())
        if column % 1
    ]
    group: list[tuple[int, int]] = []
    reached = (-1.0, 0.0)
    for column, cell, where in sorted(found, key=lambda one: (one[0], one[1].x0, one[2])):
        if group and (column, cell.x0) >= reached:
            yield group
            group = []
        group.append(where)
        reached = max(reached, (column, cell.x1))
    if group:
        yield group
