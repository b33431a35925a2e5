"""From lines of pages to paragraphs, tables and headings in reading order: pure functions.

The order in which a file draws is nearly always the order of reading, also of columns; so it is
kept, but that what stands above comes before what stands below it in the same column, and that
columns drawn line by line across the page are taken apart.
"""

from __future__ import annotations

import heapq
import itertools
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from qa.reading.pdf.columns import columns_apart
from qa.reading.pdf.lines import HYPHEN, Cell, Line
from qa.reading.pdf.tables import LIST_ITEM, table_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "Group",
    "body_size",
    "count_words",
    "group_lines",
    "is_continued",
    "join_lines",
    "reading_order",
]

_END = re.compile(r"[.!?:;。！？؟۔]['\"”’»)\]]*$")
_NUMBERING = re.compile(r"(?:\d{1,3}(?:\.\d{1,3})*\.?|[A-Z]\.|[IVX]+\.)$")
_WORD = re.compile(r"\w+(?:-\w+)*")
_LAST_WORD = re.compile(r"[\w-]+$")
_CJK = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
_MAX_ORDERED = 500
_SUSPENDED = frozenset("and or to und oder bis bzw et ou y o e u en of".split())


@dataclass(frozen=True)
class Group:
    """Lines of a page that belong together: a paragraph, a list item, or rows of a table."""

    lines: tuple[Line, ...]
    page: int
    level: int = 0  # 0 where it is not a heading
    is_table: bool = False
    is_aside: bool = False  # a running head or foot: text goes on across it

    @cached_property
    def size(self) -> float:
        """The font height of most of its letters, in points."""
        return body_size(self.lines)

    @cached_property
    def x0(self) -> float:
        """The left end."""
        return min(line.x0 for line in self.lines)

    @cached_property
    def x1(self) -> float:
        """The right end."""
        return max(line.x1 for line in self.lines)

    @cached_property
    def is_list(self) -> bool:
        """Whether its lines are units of their own: most end before they are full.

        In code, some do.
        """
        share = 0.2 if all(line.mono for line in self.lines) else 0.5
        pairs = list(itertools.pairwise(self.lines))
        broken = sum(_is_broken(line, following, self.x1) for line, following in pairs)
        return not self.level and broken > share * len(pairs)


@dataclass(slots=True)
class _Open:
    """A group that is being built."""

    lines: list[Line] = field(default_factory=list)
    level: int = 0
    is_table: bool = False
    right: float = 0.0


def body_size(lines: Iterable[Line]) -> float:
    """The font height in which most letters are set, to half a point."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += sum(len(cell.text) for cell in line.cells)
    return max(sizes.items(), key=lambda item: (item[1], item[0]))[0] if sizes else 0.0


def group_lines(lines: Sequence[Line], page: int, levels: Mapping[int, int]) -> list[Group]:
    """Group the lines of a page, in the order in which they are drawn.

    Args:
        lines: of one page.
        page: its number.
        levels: of the lines, by their index, that are known to be headings.
    """
    marked = [(line, levels.get(index, 0)) for index, line in enumerate(lines)]
    marked = list(columns_apart(marked))
    tables = table_rows([line for line, _ in marked])
    leading = _leading([line for line, _ in marked])
    groups: list[Group] = []
    current = _Open()
    for at, ((line, level), is_table) in enumerate(zip(marked, tables, strict=True)):
        clean = line if is_table else _numbered(line)
        ahead = clean.base - marked[at + 1][0].base if at + 1 < len(marked) else 0.0
        if (
            current.lines
            and current.level == level
            and current.is_table == is_table
            and _is_next(clean, current, leading, ahead)
            and (is_table or level or not _begins(clean, current))
        ):
            current.lines.append(clean)
            current.right = max(current.right, clean.x1)
            continue
        if current.lines:
            groups.append(Group(tuple(current.lines), page, current.level, current.is_table))
        current = _Open([clean], level, is_table, clean.x1)
    if current.lines:
        groups.append(Group(tuple(current.lines), page, current.level, current.is_table))
    return groups


def reading_order(groups: Sequence[Group]) -> list[Group]:
    """Order the groups of a page: as drawn, but what stands above comes first.

    A group waits for those that stand above it and share at least a third of the narrower one's
    width with it. A page of more than some hundred groups is a drawing: it stays as drawn.
    """
    if len(groups) > _MAX_ORDERED:
        return list(groups)
    boxes = [
        _Box(g.x0, g.x1, g.lines[-1].base, g.lines[0].base + 0.3 * g.size, g.lines[0].angle)
        for g in groups
    ]
    waiting = [0] * len(groups)
    below: list[list[int]] = [[] for _ in groups]
    for first, second in itertools.permutations(range(len(groups)), 2):
        if _is_above(boxes[first], boxes[second]):
            below[first].append(second)
            waiting[second] += 1
    ready = [index for index, count in enumerate(waiting) if not count]
    ordered: list[Group] = []
    while ready:
        index = heapq.heappop(ready)
        ordered.append(groups[index])
        for other in below[index]:
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, other)
    return ordered


def is_continued(group: Group, following: Group) -> bool:
    """Whether a paragraph goes on in a group of the next column or page."""
    if group.is_table or following.is_table or group.level or following.level:
        return False
    last, first = group.lines[-1], following.lines[0]
    is_below = group.page == following.page and first.base < last.base
    is_other = abs(group.size - following.size) > 0.08 * group.size
    if is_below or is_other or LIST_ITEM.match(first.text):
        return False
    if last.text.endswith(HYPHEN) or _END.search(last.text):
        return last.text.endswith(HYPHEN) and first.text[:1].isalpha()
    is_full = last.x1 >= group.x1 - 0.1 * (group.x1 - group.x0)
    are_paragraphs = len(group.lines) > 1 and len(following.lines) > 1 and len(first.text) > 25
    return first.text[:1].islower() or (are_paragraphs and is_full)


def join_lines(lines: Sequence[Line], words: Mapping[str, int]) -> tuple[str, list[int]]:
    """Join the lines of a paragraph; give the text, and where in it each line begins.

    A word cut at a line's end is made whole. Whether its hyphen belongs to it is told by the
    other words of the document (`words` counts them in lower case), else by its parts.
    """
    text, starts = "", []
    for line in lines:
        piece = line.text
        if text.endswith(HYPHEN):
            text = text[:-1] + _hyphen(text[:-1], piece, words)
        elif text and not (_CJK.match(text[-1]) and _CJK.match(piece[0])):
            text += " "
        starts.append(len(text))
        text += piece
    return (text[:-1] + "-" if text.endswith(HYPHEN) else text), starts


def count_words(lines: Iterable[Line]) -> Counter[str]:
    """Count the words that are not cut at a line's end, in lower case."""
    words: Counter[str] = Counter()
    is_cut = False
    for line in lines:
        found = _WORD.findall(line.text.lower())
        cut, is_cut = is_cut, line.text.endswith(HYPHEN)
        words.update(found[1 if cut else 0 : -1 if is_cut else None])
        for compound in found:
            if "-" in compound:
                words.update(compound.split("-"))
    return words


def _hyphen(text: str, ahead: str, words: Mapping[str, int]) -> str:
    match, following = _LAST_WORD.search(text), _WORD.match(ahead)
    if match is None or following is None:
        return "-"
    left, right = match[0], following[0].split("-")[0]
    if right in _SUSPENDED and not words.get((left + right).lower()):
        return "- "  # short- and long-term
    whole, parted = (left + right).lower(), f"{left}-{right}".lower()
    if words.get(parted, 0) or words.get(whole, 0):
        return "-" if words.get(parted, 0) > words.get(whole, 0) else ""
    if "-" in left or left[-1].isdigit() or not right[0].islower():
        return "" if left.isalpha() and left.isupper() and right.isupper() else "-"
    both = len(left) > 2 and len(right) > 3 and left.lower() in words and right in words
    return "-" if both else ""


class _Box(NamedTuple):
    x0: float
    x1: float
    bottom: float
    top: float  # a bit below the top of the first line's letters: groups may touch
    angle: int


def _is_above(box: _Box, other: _Box) -> bool:
    # The bottoms decide as well, so that no two can each be above the other.
    if box.bottom < other.top or box.bottom <= other.bottom or box.angle != other.angle:
        return False
    narrower = min(box.x1 - box.x0, other.x1 - other.x0)
    return min(box.x1, other.x1) - max(box.x0, other.x0) >= narrower / 3


def _is_broken(line: Line, following: Line, right: float) -> bool:
    """Whether a line ends on purpose: the next one's first word had room on it."""
    text = following.text
    word = text.split(" ", 1)[0]
    width = (following.x1 - following.x0) * (len(word) + 1) / len(text)
    return not line.text.endswith(HYPHEN) and line.x1 + width < right - 0.3 * line.size


def _numbered(line: Line) -> Line:
    """Join the mark of a list item, or the number of a heading, with what it is for."""
    if len(line.cells) != 2:
        return line
    mark, rest = line.cells
    if LIST_ITEM.fullmatch(mark.text) or _NUMBERING.match(mark.text):
        return replace(line, cells=(Cell(f"{mark.text} {rest.text}", mark.x0, rest.x1),))
    return line


def _leading(lines: Sequence[Line]) -> float:
    """The distance from line to line, in font heights, that is the most usual."""
    steps = [
        (a.base - b.base) / a.size
        for a, b in itertools.pairwise(lines)
        if a.size and a.angle == b.angle and 0.6 * a.size < a.base - b.base < 3 * a.size
    ]
    return statistics.median_low(steps) if steps else 1.2


def _is_next(line: Line, group: _Open, leading: float, ahead: float) -> bool:
    """Whether a line stands right below a group, in letters of the same size.

    `leading` is that of the page, in font sizes; `ahead` the distance to the line after, in points.
    """
    last = group.lines[-1]
    size = max(line.size, last.size)
    step = last.base - line.base
    left = min(other.x0 for other in group.lines)
    if line.angle != last.angle or abs(line.size - last.size) > 0.15 * size:
        return False
    if step <= 0.3 * size or min(line.x1, group.right) <= max(line.x0, left):
        return False
    if group.is_table:
        return step <= max(1.6 * leading, 2.4) * size
    usual = max(leading, 1.0) * size
    if len(group.lines) > 1:
        usual = max(group.lines[-2].base - last.base, size)
    # A paragraph may be set wider than its page: then its lines are as far apart, and full.
    is_wide = step < 2.6 * size and abs(step - ahead) < 0.1 * size
    return step <= 1.25 * usual or (
        is_wide and not _is_broken(last, line, max(group.right, line.x1))
    )


def _begins(line: Line, group: _Open) -> bool:
    """Whether a line right below a paragraph begins another."""
    first, last = group.lines[0], group.lines[-1]
    size = max(line.size, last.size)
    is_broken = _is_broken(last, line, max(group.right, line.x1))
    is_sentence = bool(_END.search(last.text))
    ends = is_broken or is_sentence
    indent = line.x0 - last.x0
    return (
        (ends and (line.bold, line.mono) != (last.bold, last.mono))
        or (is_broken and is_sentence and not line.text[:1].islower())
        or bool(LIST_ITEM.match(line.text) and (ends or LIST_ITEM.match(first.text)))
        or (ends and 0.8 * size < indent < 6 * size and (len(group.lines) > 1 or is_broken))
        # The next entry of a list whose lines hang.
        or (indent < -0.8 * size and len(group.lines) > 1 and abs(line.x0 - first.x0) < 0.5 * size)
    )
