"""Texts cut into pieces, so that a template only has to escape them; offsets count characters."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qa.contents import DocumentText
    from qa.types import Citation, CitedPassage

__all__ = ["Line", "Marked", "Piece", "View", "pieces", "quoted", "view", "where"]

_AROUND = 20_000  # characters before and after a place that are shown of a long document
_END = re.compile(r"\r\n|\r|\n")
_LONG = 60  # characters from which on a line may have been broken at a width
_GOES_ON = re.compile(r"[ \t]*(?!\d+[.)]\s)(?=[^\s\-*+#>|])")  # and no item, quote or table follows


class Marked(NamedTuple):
    """Characters `[start, end)` of a text are of a kind: "passage", or the "evidence" in one."""

    start: int
    end: int
    kind: str


class Piece(NamedTuple):
    """Text that is of one kind throughout; "" for what is not marked."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a document, without its end. The place that is looked for begins in it, or not."""

    number: int
    pieces: tuple[Piece, ...]
    level: int
    is_place: bool


@dataclass(frozen=True, slots=True)
class View:
    """The lines of a document around a place, and where what is before and after them stands."""

    lines: tuple[Line, ...]
    before: int | None
    after: int | None


def pieces(text: str, start: int, end: int, marks: Sequence[Marked]) -> tuple[Piece, ...]:
    """Cut `[start, end)` of a text where marks begin and end; the last mark there counts."""
    inside = [one for one in marks if one.start < end and start < one.end]
    edges = {start, end, *(min(max(at, start), end) for one in inside for at in one[:2])}
    ordered = sorted(edges)
    found: list[Piece] = []
    for first, last in pairwise(ordered):
        kinds = [one.kind for one in inside if one.start <= first and last <= one.end]
        kind = kinds[-1] if kinds else ""
        if found and found[-1].kind == kind:
            found[-1] = Piece(found[-1].text + text[first:last], kind)
        else:
            found.append(Piece(text[first:last], kind))
    return tuple(found)


def quoted(one: CitedPassage) -> tuple[Piece, ...]:
    """A passage's quote, its evidence marked; lines that were broken at a width run on."""
    quote, begin, evidence = one.citation.quote, one.citation.start, one.evidence.citation
    start, end = evidence.start - begin, evidence.end - begin
    if one.citation.format != "code":
        quote, (start, end) = _running_on(quote, (start, end))
    return pieces(quote, 0, len(quote), [Marked(start, end, "evidence")])


def _running_on(text: str, places: Sequence[int]) -> tuple[str, list[int]]:
    """A text whose lines are not broken, and where places of it stand then."""
    kept: list[str] = []
    breaks: list[tuple[int, int]] = []
    line = last = 0
    for end in _END.finditer(text):
        if end.start() - line >= _LONG and (found := _GOES_ON.match(text, end.end())):
            kept.append(text[last : end.start()])
            last = found.end()
            breaks.append((end.start(), last))
        line = end.end()
    kept.append(text[last:])
    return " ".join(kept), [
        at - sum(max(0, min(at, last) - first - 1) for first, last in breaks) for at in places
    ]


def where(citation: Citation) -> str:
    """The place of a citation within its document, in words."""
    if citation.page is not None:
        return f"page {citation.page}" + (f" ({citation.label})" if citation.label else "")
    for kind in ("row", "paragraph", "chapter"):
        if (number := getattr(citation, kind)) is not None:
            return f"{kind} {number}"
    first, last = citation.start_line, citation.end_line
    return f"line {first}" if first == last else f"lines {first}–{last}"


def view(
    document: DocumentText,
    passages: Iterable[CitedPassage],
    at: int,
    part: tuple[int, int] | None = None,
) -> View:
    """What is shown of a document, with the passages of it marked.

    Args:
        document: as it was indexed.
        passages: of an answer; those of other documents are left out.
        at: the character that is looked for.
        part: the characters to show; by default as many as fit, around that one.
    """
    text = document.text
    own = [one for one in passages if one.citation.document == document.id]
    marks = [Marked(one.citation.start, one.citation.end, "passage") for one in own]
    marks += [
        Marked(one.evidence.citation.start, one.evidence.citation.end, "evidence") for one in own
    ]
    at = min(at, len(text))
    first, last = part or _window(text, at)
    starts = [0, *(end.end() for end in _END.finditer(text))]
    levels = {heading.line: min(heading.level, 6) for heading in document.outline}
    lines: list[Line] = []
    number = bisect_right(starts, first)
    start = first
    while start < last or not lines:
        following = starts[number] if number < len(starts) else len(text)
        end = min(following, last)
        shown = len(text[start:end].rstrip("\r\n")) + start
        is_place = start <= at < following or (at == len(text) == following)
        cut = pieces(text, start, shown, marks)
        lines.append(Line(number, cut, levels.get(number, 0), is_place))
        if end == len(text):
            break
        start, number = end, number + 1
    return View(tuple(lines), first or None, last if last < len(text) else None)


def _window(text: str, at: int) -> tuple[int, int]:
    """So much around a place as is shown, in whole lines where they are not too long."""
    first, last = max(0, at - _AROUND), min(len(text), at + _AROUND)
    if first and (end := _END.search(text, first, at)):
        first = end.end()
    if last < len(text) and (found := text.rfind("\n", at, last)) >= 0:
        last = found + 1
    return first, last
