"""Text to lines of a width in columns: prose is filled; code, tables and columns keep their lines.

Pure functions over strings; lines come out as slices of the text, so that styles can be laid over.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from qa.visible import JOINERS, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


__all__ = [
    "TAB",
    "Row",
    "around",
    "behind",
    "clip",
    "clip_start",
    "columns",
    "edge",
    "filled",
    "kept",
    "lay_out",
    "lines_of",
    "shapes",
    "wrap",
]

# Read as they stand, or with the line ends of their author: a break in them may mean nothing.
# In what is made from a file, a break parts rows, verses or lines of code.
_REFLOWED = frozenset({"plain", "markdown", "restructured", "asciidoc", "mail", "mailbox"})
_BREAK = re.compile(r"\r\n?|\n")
_WORD = re.compile(r"[^ \t\r\n]+")  # a no-break space is part of a word
_INDENTED = re.compile(r"(?: {4}| {0,3}\t)")
_ITEM = re.compile(r"\s*(?:[-*+•‣]|\d{1,3}[.)]|\(\w\))\s")
# A line that begins like this, or is a rule, is a line of its own.
_OWN = re.compile(r"\s*(?:(?:[-*+•‣]|\d{1,3}[.)]|#{1,6}|\.\.)\s|>|:\w[^:]*:\s|={1,6}\s)")
_RULE = re.compile(r"\s*([=\-~^\"'#*+_.:])\1{2,}\s*")
_TABLE = re.compile(r"\s*(?:\||\+[-=+]+\+)")
_FENCES = {
    "markdown": re.compile(r"\s*(`{3,}(?=[^`]*$)|~{3,})\s*(.*)"),
    "asciidoc": re.compile(r"(-{4,}|\.{4,}|`{3,})()\s*$"),
}
_BACKTICKS = re.compile(r"\s*(`{3,}(?=[^`]*$))\s*(.*)")
# Between columns; two spaces may also part sentences.
_GAP = re.compile(r"(?<=\S)(?:(?<![.!?:;])(?<![.!?:;][\"')\]])  +| {3,}|\t+ *)(?=\S)")
TAB = 8


class Row(NamedTuple):
    """A line: characters `[start, end)` of the text, below `indent` columns.

    Where it is `filled`, white space in it stands for one space; else it stays, and what is wider
    than the line is cut off.
    """

    start: int
    end: int
    indent: int = 0
    filled: bool = True


def columns(text: str) -> int:
    """Count the columns that a terminal needs for text that is fit to be shown."""
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(4096)
def _columns(character: str) -> int:
    from unicodedata import category, east_asian_width

    if character == "\ufe0f":  # asks for the wide form of an emoji, which some terminals draw
        return 1
    if category(character) in {"Mn", "Me"} or character in JOINERS:
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def clip(text: str, width: int) -> str:
    """Cut text that needs more than `width` columns, and end it with an ellipsis."""
    if columns(text) <= width:
        return text
    used, end = 1, 0
    while end < len(text) and (used := used + _columns(text[end])) <= width:
        end += 1
    while end and not _parts_before(text, end):
        end -= 1
    return text[:end].rstrip() + "…"


def clip_start(text: str, width: int) -> str:
    """Cut off the beginning of text that needs more than `width` columns."""
    return text if columns(text) <= width else "…" + text[_back(text, len(text), width - 1) :]


def around(text: str, start: int, end: int, width: int) -> tuple[int, int]:
    """The part of a text to show in `width` columns: `[start, end)` if it fits, with what is near.

    It has room for an ellipsis where something is left out, and begins and ends with a word unless
    that costs much of the room.
    """
    if columns(text) <= width:
        return 0, len(text)
    first = 0
    if columns(text[:end]) > width - 1:
        spare = width - 2 - columns(text[start:end])
        first = _back(text, start, max(spare // 3, 0))
        if 0 < first < start and text[first - 1] != " ":
            space = text.find(" ", first, start)
            first = start if space < 0 else space + 1
    if columns(text[first:]) <= width - 1:
        return first, len(text)
    last, used = first, 1 + (first > 0)
    while last < len(text) and (used := used + _columns(text[last])) <= width:
        last += 1
    while last > first and not _parts_before(text, last):
        last -= 1
    if text[last] != " ":
        space = text.rfind(" ", max(first, end, last - width // 3), last)
        last = space if space > first else last
    return first, len(text[:last].rstrip())


def _back(text: str, at: int, width: int) -> int:
    """How far back from a place the text may begin that takes `width` columns up to there."""
    first, used = at, 0
    while first and (used := used + _columns(text[first - 1])) <= width:
        first -= 1
    return min(edge(text, first), at)


def edge(text: str, at: int) -> int:
    """The first place from `at` on where text may be parted: not before a combining mark."""
    while 0 < at < len(text) and not _parts_before(text, at):
        at += 1
    return at


def _parts_before(text: str, at: int) -> bool:
    one = text[at]
    if one.isascii():
        return True
    return _columns(one) > 0 and one != "\ufe0f" and text[at - 1 : at] != "\u200d"


def wrap(text: str, width: int, *, hanging: int = 0) -> list[str]:
    """Fill lines with the words of a text; all but the first are indented by `hanging` columns."""
    shown = visible(text)
    rows = list(filled(shown, 0, len(shown), width - hanging, first=hanging))
    return [
        " " * (hanging if number else 0) + " ".join(_WORD.findall(shown[row.start : row.end]))
        for number, row in enumerate(rows)
    ]


def behind(used: int, text: str, width: int, *, hanging: int) -> list[str]:
    """Fill lines with the words of a text, of which the first follows `used` columns."""
    first, *rest = wrap(f"{'x' * used} {text}", width, hanging=hanging)
    return [first[used:], *rest]


def lay_out(
    text: str, kind: str, *, width: int, room: int, whole: Callable[[int, int], bool]
) -> Iterator[Row]:
    """The lines of a passage.

    Args:
        text: of the passage.
        kind: the format of its document.
        width: columns of prose.
        room: columns of code, tables and the like, which are cut off there.
        whole: tells of two characters whether what stands between must not be cut off.
    """
    lines = list(lines_of(text))
    texts = [text[start:end] for start, end in lines]
    found = shapes(texts, kind)
    at = 0
    while at < len(lines):
        (start, end), shape = lines[at], found[at]
        at += 1
        if shape == "fill":
            while at < len(lines) and found[at] == "join":
                end = lines[at][1]
                at += 1
            yield from filled(text, start, end, width)
        elif shape == "clip" and not whole(start, end):
            yield Row(start, end, filled=False)
        else:
            yield from kept(text, start, end, room if shape == "clip" else width)


def kept(text: str, start: int, end: int, width: int) -> Iterator[Row]:
    """A line as it is; filled only where it is too wide."""
    if _shown_width(text[start:end]) <= width:
        yield Row(start, end, filled=False)
    else:
        yield from filled(text, start, end, width)


def filled(text: str, start: int, end: int, width: int, *, first: int = 0) -> Iterator[Row]:
    """Fill lines with the words of `text[start:end]`, which keep its indentation.

    A word that is wider than a line is cut, unless it is an address: of use whole only.

    Args:
        text: holds them.
        start: the first character.
        end: the character after the last.
        width: columns.
        first: columns by which the first line may be longer.
    """
    body = text[start:end].lstrip(" \t\r\n")
    lead = text[start : end - len(body)].expandtabs(TAB)
    indent = min(len(lead), width // 2)
    units = list(_units(text, start, end, width - indent))
    if not units:
        yield Row(start, start)
        return
    begin = last = units[0][0]
    used = indent - first
    for one, after, size in units:
        space = int(one > last > begin)
        if last > begin and used + space + size > width:
            yield Row(begin, last, indent)
            begin, used, space = one, indent, 0
        used += space + size
        last = after
    yield Row(begin, last, indent)


def lines_of(text: str) -> Iterator[tuple[int, int]]:
    """The first character of each line, and the one after its last that is no space."""
    start = 0
    for match in _BREAK.finditer(text):
        yield start, start + len(text[start : match.start()].rstrip())
        start = match.end()
    yield start, start + len(text[start:].rstrip())


def _shown_width(line: str) -> int:
    return columns(visible(line.expandtabs(TAB).rstrip()))


def _units(text: str, start: int, end: int, width: int) -> Iterator[tuple[int, int, int]]:
    """What lines are filled with, and its columns: words, and parts of wide or long ones."""
    for match in _WORD.finditer(text, start, end):
        word = match[0]
        if word.isascii() and word.isprintable() and (len(word) <= width or "://" in word):
            yield *match.span(), len(word)
        elif (size := columns(shown := visible(word))) <= width and size == len(shown):
            yield *match.span(), size
        else:
            yield from _parts(text, *match.span(), width)


def _parts(text: str, start: int, end: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Cut a word before and after wide characters, but not before what closes; and at the width."""
    begin, used, wide, opens = start, 0, False, False
    at = start
    while at < end:
        after = min(max(edge(text, at + 1), at + 1), end)
        size = columns(visible(text[at:after]))
        is_wide = _columns(text[at]) == 2
        breaks = (wide or is_wide) and not opens and not _closes(text[at])
        if begin < at and (breaks or used + size > width):
            yield begin, at, used
            begin, used = at, 0
        used += size
        wide, opens = is_wide, _opens(text[at])
        at = after
    yield begin, end, used


def _closes(character: str) -> bool:
    from unicodedata import category

    return category(character) in {"Pe", "Pf", "Po", "Lm"}


def _opens(character: str) -> bool:
    from unicodedata import category

    return category(character) in {"Ps", "Pi"}


def shapes(lines: Sequence[str], kind: str) -> list[str]:
    """Say what becomes of each line.

    It begins a paragraph ("fill") or goes on in one ("join"); or it stays a line, filled where it
    is too wide ("keep") or cut off there ("clip").
    """
    if kind == "code":
        return ["clip"] * len(lines)
    fenced = _fenced(lines, _FENCES.get(kind, _BACKTICKS))
    found: list[str] = []
    listed = False
    for key, run in groupby(
        range(len(lines)), lambda at: "fence" if fenced[at] else bool(lines[at].strip())
    ):
        numbers = list(run)
        if key == "fence":
            found += ["clip"] * len(numbers)
            continue
        texts = [lines[at] for at in numbers]
        found += _paragraph(texts, kind, first=not numbers[0], listed=listed)
        listed = listed or any(map(_ITEM.match, texts))
    return found


def _paragraph(lines: Sequence[str], kind: str, *, first: bool, listed: bool) -> list[str]:
    """Do the same for lines without a blank one between them, or for blank ones."""
    if not lines[0].strip():
        return ["keep"] * len(lines)
    # The first line of a passage has lost its indentation.
    rest = lines[1:] if first and len(lines) > 1 else lines
    if all(map(_INDENTED.match, rest)) and not any(map(_ITEM.match, lines)):
        # Below a list item it may be prose.
        return ["keep" if listed or kind != "markdown" else "clip"] * len(lines)
    if all(map(_TABLE.match, lines)) or _aligned(lines):
        return ["clip"] * len(lines)
    if kind not in _REFLOWED:
        return ["keep"] * len(lines)
    found = []
    for number, line in enumerate(lines):
        own = not number or _OWN.match(line) or _RULE.fullmatch(line)
        own = own or _RULE.fullmatch(lines[number - 1]) or _TABLE.match(line)
        indented = kind != "markdown" and _INDENTED.match(line) is not None
        found.append("keep" if indented else "fill" if own else "join")
    return found


def _aligned(lines: Sequence[str]) -> bool:
    """Tell columns, by a place at which one begins in half of the lines."""
    if len(lines) < 2 or not any("  " in line or "\t" in line for line in lines):
        return False
    starts: list[set[int]] = []
    gaps: set[int] = set()
    for line in lines:
        shown = line.expandtabs(TAB)
        item = match.end() if (match := _ITEM.match(shown)) else 0
        ends = {match.end() for match in _GAP.finditer(shown) if match.start() >= item}
        gaps |= ends
        starts.append(ends | {len(shown) - len(shown.lstrip())})
    most = max((sum(gap in one for one in starts) for gap in gaps), default=0)
    return 2 * most >= max(4, len(lines))


def _fenced(lines: Sequence[str], fence: re.Pattern[str]) -> list[bool]:
    """Mark the lines of fenced blocks, with their fences."""
    found = {at: match for at, line in enumerate(lines) if (match := fence.match(line))}
    if not found:
        return [False] * len(lines)
    marks, inside, mixed = _walk(lines, found, opened="")
    first = min(found)
    follows = first + 1 < len(lines) and lines[first + 1].strip() != ""
    if first and not found[first][2] and (mixed or (inside and not follows)):
        # The fence that opened it stands before the passage.
        marks, _, _ = _walk(lines, found, opened=found[first][1])
    return marks


def _walk(
    lines: Sequence[str], found: dict[int, re.Match[str]], *, opened: str
) -> tuple[list[bool], bool, bool]:
    """The marks, whether a block is open at the end, and whether one seems to open in one."""
    marks, mixed = [], False
    for at in range(len(lines)):
        match = found.get(at)
        if match is None:
            marks.append(bool(opened))
            continue
        marks.append(True)
        if not opened:
            opened = match[1]
        elif match[1].startswith(opened) and not match[2]:
            opened = ""
        else:
            mixed = mixed or bool(match[2])
    return marks, bool(opened), mixed
