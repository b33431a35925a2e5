"""Quotes as styled lines: the evidence stands out, on a terminal by its style, else in «…».

No colour is named, so whatever theme a terminal has stays readable: styles are weights of its own
foreground.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from qa.cli.layout import TAB, around, clip, columns, edge, lay_out
from qa.cli.output import Line, Segment, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.cli.layout import Row
    from qa.types import CitedPassage

__all__ = [
    "EVIDENCE", "INDENT", "NUMBER", "PLACE", "QUIET", "Style", "gist", "quote", "segments",
    "styled",
]  # fmt: skip

NUMBER, PLACE, QUIET = "bold", "bold", "dim"
EVIDENCE, MARK = "underline", "bold underline"
OPENING, CLOSING = "«", "»"
INDENT = 3
_MARKED = 2  # columns
_FEWEST_ROWS = 4  # of a quote that is clipped
_SPACE = re.compile(r"[ \t\r\n]+")


class Style(NamedTuple):
    """Characters `[start, end)` of a text are of one style; what stands around them without."""

    start: int
    end: int
    style: str
    before: str = ""
    after: str = ""


def quote(
    one: CitedPassage, *, width: int, room: int, most: int | None = None, whole: str = "--full"
) -> Iterator[Line]:
    """Lay out a passage; its evidence is highlighted, and in it what could be the answer.

    Args:
        one: the passage.
        width: columns of prose.
        room: columns of a line of code or of a table.
        most: rows; of a passage that needs more, those around the evidence.
        whole: what shows all of them.
    """
    text = one.citation.quote
    start, end, styles = _styles(one, text, one.citation.start, (QUIET, EVIDENCE, MARK))

    def is_evidence(first: int, last: int) -> bool:
        return first < end and start < last

    width, room = width - INDENT - _MARKED, room - INDENT - _MARKED
    rows = list(lay_out(text, one.citation.format, width=width, room=room, whole=is_evidence))
    first, last = 0, len(rows)
    if most is not None and len(rows) > (most := max(most, _FEWEST_ROWS)):
        held = [n for n, row in enumerate(rows) if is_evidence(row.start, row.end)] or [0]
        first, last = _window(len(rows), held[0], held[-1] + 1, most)
    lead = " " * INDENT
    if first:
        yield (Segment(f"{lead}… ({whole})" if last == len(rows) else f"{lead}…", QUIET),)
    for row in rows[first:last]:
        yield (Segment(lead + " " * row.indent), *segments(text, row, styles, room))
    if last < len(rows):
        yield (Segment(f"{lead}… ({whole})", QUIET),)


def _window(rows: int, first: int, last: int, most: int) -> tuple[int, int]:
    """Which rows to show of too many, around `[first, last)`, with a row for each end cut off."""
    for lines in (most - 1, most - 2):
        above = max(0, lines - (last - first)) // 3
        start = max(0, min(first - above, rows - lines))
        if lines == most - 2 or start == 0 or start + lines == rows:
            break
    return start, start + lines


def gist(one: CitedPassage, width: int) -> Line:
    """The evidence on one line of at most `width` columns, clipped around what is marked in it."""
    text = one.evidence.citation.quote
    _, _, found = _styles(one, text, one.evidence.citation.start, ("", "", NUMBER))
    shown, styles, marked = "", [], []
    for first, last, style, _, _ in found:
        piece = visible(_SPACE.sub(" ", text[first:last]))
        styles.append((len(shown), len(shown) + len(piece), style))
        if style:
            marked.append(styles[-1][:2])
        shown += piece
    start, end = marked[0] if marked else (0, 0)
    for _, after in marked[1:]:
        if columns(shown[start:after]) <= width // 2:
            end = after
    first, last = around(shown, start, end, width - _MARKED)
    return (
        Segment("…" * (first > 0), QUIET, plain=OPENING + "…" * (first > 0)),
        *(
            Segment(shown[max(first, start) : min(last, end)], style)
            for start, end, style in styles
            if max(first, start) < min(last, end)
        ),
        Segment("…" * (last < len(shown)), QUIET, plain="…" * (last < len(shown)) + CLOSING),
    )


def _styles(
    one: CitedPassage, text: str, begin: int, styles: tuple[str, str, str]
) -> tuple[int, int, list[Style]]:
    """Where the evidence stands in a text, and the styles of that: around it, in it, of its marks.

    The text begins at the character `begin` of the document.
    """
    around, ordinary, marked = styles
    evidence = one.evidence.citation
    lead = len(evidence.quote) - len(evidence.quote.lstrip())
    first = evidence.start - begin + lead
    last = first + len(evidence.quote.strip())
    borders = [(0, around), (first, ordinary)]
    for mark in one.evidence.marks:
        start, end = max(mark.start - begin, first), min(mark.end - begin, last)
        borders += [(start, marked), (end, ordinary)]
    borders += [(last, around), (len(text), "")]
    start, end = edge(text, first), edge(text, last)
    found = [
        each._replace(
            before=OPENING if each.start == start else "", after=CLOSING if each.end == end else ""
        )
        if start <= each.start and each.end <= end
        else each
        for each in styled(text, borders)
    ]
    return start, end, found


def styled(text: str, borders: Sequence[tuple[int, str]]) -> tuple[Style, ...]:
    """What is of one style, never parting a character from the marks on it."""
    edges = [(edge(text, at), style) for at, style in borders]
    return tuple(
        Style(start, end, style) for (start, style), (end, _) in pairwise(edges) if start < end
    )


def segments(text: str, row: Row, styles: Sequence[Style], width: int) -> Iterator[Segment]:
    """A line's text as it is shown, cut off at the width where it keeps its white space."""
    pieces: list[Segment] = []
    used = row.indent
    for one in styles:
        if part := text[max(one.start, row.start) : min(one.end, row.end)]:
            if row.filled:
                part = _SPACE.sub(" ", part)
            elif "\t" in part:
                part = (" " * used + part).expandtabs(TAB)[used:]
            shown = visible(part)
            before = one.before if one.start >= row.start else ""
            after = one.after if one.end <= row.end else ""
            pieces.append(Segment(shown, one.style, plain=f"{before}{shown}{after}"))
            used += columns(shown)
    fits, room = row.filled or used <= width, width
    for piece in pieces:
        if fits or (size := columns(piece.text)) < room:
            yield piece
            room -= 0 if fits else size
        else:
            yield Segment(clip(f"{piece.text}…", room), piece.style)
            return
