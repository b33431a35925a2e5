"""Which lines of a PDF are headings: what its outline names, else what is set larger or bold."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from qa.reading.pdf.layout import body_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qa.reading.pdf.layout import Group
    from qa.reading.pdf.lines import Line

__all__ = ["Bookmark", "outline_levels", "with_headings"]

_MAX_LEVELS = 6
_MAX_LINES = 3
_MAX_LETTERS = 150
_LARGER = 1.12
# Where more of the letters than this would be headings, the size means something else.
_MAX_SHARE = 0.25
_NUMBERED = re.compile(r"(?:[IVX]+|\d+(?:\.\d+)*|[A-Z])[.)]?\s")


class Bookmark(NamedTuple):
    """An entry of the outline; the level counts from 1."""

    title: str
    level: int


def outline_levels(lines: Sequence[Line], bookmarks: Iterable[Bookmark]) -> dict[int, int]:
    """Find the lines of a page that bookmarks name: the level of each by its index.

    A number before the title may be missing on either side, and a title may take three lines.
    Where a title stands twice, the larger is meant.
    """
    letters = [_letters(line.text) for line in lines]
    levels: dict[int, int] = {}
    for bookmark in bookmarks:
        title = _letters(bookmark.title)
        best: tuple[float, int, int] | None = None
        for first in range(len(lines)):
            joined = ""
            for last in range(first, min(first + _MAX_LINES, len(lines))):
                joined += letters[last]
                if _is_same(joined, title) and first not in levels:
                    best = max(best or (0.0, 0, 0), (lines[first].size, -first, last))
                if len(joined) > len(title):
                    break
        if best is not None:
            levels.update(dict.fromkeys(range(-best[1], best[2] + 1), bookmark.level))
    return levels


def with_headings(groups: Sequence[Group]) -> list[Group]:
    """Mark as headings what is short and set larger than the body, all bold, or numbered capitals.

    Sizes give the levels, the largest the first; what has the body's size comes after them.
    """
    body = body_size(line for group in groups for line in group.lines)
    sizes = Counter(_step(group, body) for group in groups if _may_be_heading(group, body))
    if not sizes:
        return list(groups)
    everything = sum(_length(group) for group in groups)
    larger = [g for g in groups if _may_be_heading(g, body)]
    if sum(_length(group) for group in larger) > _MAX_SHARE * everything:
        return list(groups)
    levels = {
        size: min(rank, _MAX_LEVELS) for rank, size in enumerate(sorted(sizes, reverse=True), 1)
    }
    return [
        replace(group, level=levels[_step(group, body)]) if _may_be_heading(group, body) else group
        for group in groups
    ]


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _is_same(text: str, title: str) -> bool:
    if not text or not title:
        return False
    longer, shorter = sorted((text, title), key=len, reverse=True)
    before = longer.removesuffix(shorter)
    return text == title or (
        longer.endswith(shorter) and len(shorter) > 3 and len(before) <= 6 and _is_number(before)
    )


def _is_number(letters: str) -> bool:
    return letters.isdecimal() or (len(letters) < 5 and any(map(str.isdecimal, letters)))


def _step(group: Group, body: float) -> float:
    """The size that decides the level: bold of the body's size is below all larger ones."""
    return max(group.size, body)


def _length(group: Group) -> int:
    return sum(len(line.text) for line in group.lines)


def _may_be_heading(group: Group, body: float) -> bool:
    if group.is_table or group.is_aside or len(group.lines) > _MAX_LINES:
        return False
    text = " ".join(line.text for line in group.lines)
    letters = sum(map(str.isalpha, text))
    if letters < 2 or len(text) > _MAX_LETTERS or letters * 2 < len(text.replace(" ", "")):
        return False
    if text.endswith((".", ",", ";", ":")):
        return False
    is_bold = all(line.bold for line in group.lines) and group.size >= body - 0.5
    is_capital = text.isupper() and bool(_NUMBERED.match(text))
    return group.size >= _LARGER * body or is_bold or (is_capital and group.size >= body - 0.5)
