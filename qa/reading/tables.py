"""Tables to text: one line a row, in blocks of a few rows under the names of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.types import BlockKind, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from qa.reading.extracted import Composer

__all__ = ["add_table", "by_column", "repeated_names", "row_line", "runs"]

# Characters: about what one passage holds. Names longer than a third of it are not repeated.
_MAX_BLOCK = 800
_MAX_NAMES = 250
_MAX_ABOVE_NAMES = 4  # rows: captions may stand above the names


def by_column(cells: Iterable[str]) -> dict[int, str]:
    """The texts of a row by their columns, without the empty ones."""
    return {column: text for column, text in enumerate(cells) if text}


def add_table(
    composer: Composer,
    rows: Sequence[Mapping[int, str]],
    *,
    paragraphs: Sequence[int] | None = None,
) -> None:
    """Add a table, of which the first row with several cells has the names of the columns.

    It is cut into blocks that fit a passage, and the names stand at the head of each, so that
    every row is found, and can be read, with what its cells mean. Columns that are empty in all
    rows are left out, and so are empty rows.

    Args:
        composer: builds the document.
        rows: the cells' texts by their columns; a sheet has very many that are empty.
        paragraphs: the number of each row's paragraph.
    """
    used = sorted({column for row in rows for column, text in row.items() if text.strip()})
    told = (row_line(row.get(column, "") for column in used) for row in rows)
    found = [(at, line) for at, line in enumerate(told) if line]
    lines = [line for _, line in found]
    named = next(
        (at for at, line in enumerate(lines[:_MAX_ABOVE_NAMES]) if " | " in line.strip()), 0
    )
    names = repeated_names(lines[named]) if lines else ""
    for first, last in runs(lines):
        repeats = bool(names) and first > named
        text = [names, *lines[first:last]] if repeats else lines[first:last]
        inside = []
        if paragraphs is not None:
            numbers = [paragraphs[at] for at, _ in found[first:last]]
            composer.place(PlaceKind.PARAGRAPH, numbers[0])
            offset = len(names) + 1 if repeats else 0
            for line, number in zip(lines[first:last], numbers, strict=True):
                inside.append((offset, PlaceKind.PARAGRAPH, number))
                offset += len(line) + 1
        composer.add("\n".join(text), kind=BlockKind.LINES, inside=inside)


def row_line(cells: Iterable[str]) -> str:
    """A row as one line, its cells parted by ` | `; "" where all are empty."""
    texts = [" ".join(cell.split()) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts)


def repeated_names(names: str) -> str:
    """The line of names that heads each further block of a table; "" where it is too long."""
    return names if len(names) <= _MAX_NAMES else ""


def runs(
    lines: Sequence[str], *, lead: int = 0, repeated: int = 0, breaks: Container[int] = ()
) -> Iterator[tuple[int, int]]:
    """Part lines into runs of about one passage.

    Args:
        lines: the rows of a table.
        lead: characters that stand above the first run.
        repeated: characters that stand above each further one.
        breaks: lines that begin a run of their own.

    Yields:
        The first line of each run, and the one after its last.
    """
    first, size = 0, lead
    for at, line in enumerate(lines):
        if at > first and (size + len(line) > _MAX_BLOCK or at in breaks):
            yield first, at
            first, size = at, repeated
        size += len(line) + 1
    if lines:
        yield first, len(lines)
