"""Tables of web pages: which ones hold data, and their rows as lines under the columns' names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.reading.tables import repeated_names, row_line, runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from selectolax.lexbor import LexborNode

__all__ = ["Table", "is_data"]

_MAX_REPEATED = 100_000  # characters that a table's cells may hold again in further rows
_MAX_SPANNED = 1000  # rows or columns, as HTML limits the latter
_LAYOUT = (
    "table, h1, h2, h3, h4, h5, h6, pre, form, blockquote, article, main, p + p, ul ul, select, "
    "textarea"
)


def is_data(table: LexborNode, attributes: Mapping[str, str | None]) -> bool:
    """Whether a table holds data, and does not only arrange parts of the page."""
    if attributes.get("role") in {"presentation", "none"} or _holds(table, _LAYOUT):
        return False
    if table.css_first("th, thead, caption") is not None:
        return True
    # A second row and a second column make a table.
    return table.css_first("tr + tr") is not None and table.css_first("td + td") is not None


def _holds(element: LexborNode, selector: str) -> bool:
    """Whether something within an element matches, the element itself left aside."""
    child = element.child
    while child is not None:
        if child.css_first(selector) is not None:
            return True
        child = child.next
    return False


def _span(attributes: Mapping[str, str | None], name: str) -> int:
    match = re.match(r"\s*(\d{1,6})", attributes.get(name) or "")
    return min(max(int(match[1]), 1), _MAX_SPANNED) if match else 1


@dataclass(slots=True)
class _Row:
    anchor: str
    own_anchor: bool
    cells: list[str] = field(default_factory=list)
    columns: int = 0  # that the cells take so far; some take several
    only_names: bool = True


class Table:
    """Gathers the cells of a table while the tree is walked."""

    def __init__(self) -> None:
        self.caption = ""
        self._rows: list[_Row] = []
        self._has_names = False
        # By column: how many further rows a cell reaches into, and its text.
        self._hanging: dict[int, tuple[int, str]] = {}
        self._repeated = 0

    def row(self, anchor: str, *, own_anchor: bool) -> None:
        """Begin a row; a link can name it alone where the anchor is its own."""
        self._fill()
        self._rows.append(_Row(anchor, own_anchor))

    def cell(self, text: str, attributes: Mapping[str, str | None], *, name: bool) -> None:
        """Add a cell, a column's or row's name or not; one that spans rows is said in each."""
        if not self._rows:
            self._rows.append(_Row("", own_anchor=False))
        self._fill()
        row = self._rows[-1]
        rows = _span(attributes, "rowspan")
        if rows > 1 and text:
            self._hanging[row.columns] = (rows - 1, text)
        row.cells.append(text)
        row.columns += _span(attributes, "colspan")
        self._has_names = self._has_names or name
        row.only_names = row.only_names and name

    def groups(self) -> Iterator[tuple[str, str]]:
        """Blocks of a few lines and their anchors; the columns' names head each.

        The names are those of the first row where the page says so, or marks no names at all.
        """
        rows = [(row, line) for row in self._rows if (line := row_line(row.cells))]
        names = ""
        if len(rows) > 1 and (rows[0][0].only_names or not self._has_names):
            (_, names), *rows = rows
        repeated = repeated_names(names)
        lines = [line for _, line in rows]
        breaks = {at for at, (row, _) in enumerate(rows) if row.own_anchor}
        for first, last in runs(lines, lead=len(names), repeated=len(repeated), breaks=breaks):
            head = repeated if first else names
            yield "\n".join([*filter(None, [head]), *lines[first:last]]), rows[first][0].anchor

    def _fill(self) -> None:
        """Put in what hangs down from the rows above, at the columns that come next."""
        if not self._rows:
            return
        row = self._rows[-1]
        while row.columns in self._hanging:
            left, text = self._hanging.pop(row.columns)
            self._repeated += len(text)
            if left > 1 and self._repeated < _MAX_REPEATED:
                self._hanging[row.columns] = (left - 1, text)
            row.cells.append(text)
            row.columns += 1
