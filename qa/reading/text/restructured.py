"""reStructuredText to sections: headings by adornment, directives, literal blocks, tables."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from qa.reading.text.outline import Lines, Outline
from qa.types import BlockKind, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_restructured"]

_ADORNMENT = re.compile(r"([!-/:-@[-`{-~])\1+")
_FIELD = re.compile(r":(?!:)((?:[^:\\]++|\\.|:(?!\s|$))++):(?:\s+(.*)|$)")
_ITEM = re.compile(r"\s*(?:[-*+•‣⁃]|\(?(?:\d+|#|[a-zA-Z]|[ivxlcdm]+)[.)])\s+\S")
_SIMPLE_TABLE = re.compile(r"\s*=+(?:\s+=+)+")
_GRID_TABLE = re.compile(r"\s*\+[-=+]+\+")
_LINE_BLOCK = re.compile(r"\s*\|(?:\s|$)")
_TARGET = re.compile(r"\.\. _[^\n]*:$")
_DIRECTIVE = re.compile(r"\s*\.\.\s+(?:\|[^|]+\|\s+)?([\w:.+-]+?)::(?:\s|$)")
# Directives whose content is not prose: a line of it means something.
_VERBATIM = frozenset(
    """
    code code-block sourcecode literalinclude parsed-literal highlight prompt doctest testcode
    testoutput testsetup testcleanup productionlist math raw ipython graphviz digraph plantuml
    mermaid table csv-table list-table toctree index autosummary
    """.split()
)
_MAX_TABLE = 1000  # lines of a simple table, in which blank ones may stand
_SHORTEST_UNDERLINE = 4  # a shorter one must be as long as its title


def read_restructured(text: str) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of `text`, with spans that refer to it, and the field list at its top.

    The field list stands first or right below the title; it is metadata and no block.
    The levels of headings are told by the order in which their adornments are first used,
    as in docutils. Targets right above a heading belong to it.
    """
    lines = Lines(text)
    outline = Outline(text, lines)
    metadata: dict[str, str] = {}
    styles: list[tuple[str, bool]] = []
    at = lines.filled(0)
    borders = [
        at
        for at, line in enumerate(lines.texts)
        if _SIMPLE_TABLE.fullmatch(line) and not lines[at + 1]
    ]
    fresh = True  # nothing but a title and targets so far: a field list here is the document's
    while at < len(lines):
        heading = _heading(lines, after := _after_targets(lines, at))
        if heading is not None:
            title, style, last = heading
            if style not in styles:
                styles.append(style)
            fresh = fresh and len(styles) == 1
            outline.heading(title, level=styles.index(style) + 1, first=at, last=last)
        else:
            outline.add(at, after)
            last = _fields(lines, after, metadata) if fresh else after
            if last == after < len(lines):
                last = _body(lines, after, outline, borders)
            fresh = False
        at = lines.filled(last)
    return outline.finish(), metadata


def _after_targets(lines: Lines, at: int) -> int:
    """The line that the targets at `at` lead to."""
    while at < len(lines) and _TARGET.match(lines[at]):
        at = lines.filled(at + 1)
    return at


def _heading(lines: Lines, at: int) -> tuple[str, tuple[str, bool], int] | None:
    """`(title, (adornment, has overline), line after)` of a heading that begins at `at`."""
    first, second, third = lines[at], lines[at + 1], lines[at + 2]
    if _ADORNMENT.fullmatch(first):
        long = len(first) >= min(_SHORTEST_UNDERLINE, len(second.strip()))
        if second and first == third and long and not _ADORNMENT.fullmatch(second):
            return second.strip(), (first[0], True), at + 3
        return None
    if not first or first[0].isspace() or not _ADORNMENT.fullmatch(second):
        return None
    if len(second) < min(_SHORTEST_UNDERLINE, len(first)) or first.startswith(".. "):
        return None
    return first, (second[0], False), at + 2


def _fields(lines: Lines, at: int, metadata: dict[str, str]) -> int:
    """Take in a field list, up to a field without a value; give the line after it."""
    values: defaultdict[str, list[str]] = defaultdict(list)
    while match := _FIELD.match(lines[at]):
        last = max(at + 1, lines.indented(at + 1, over=0))
        rest = " ".join(lines[line].strip() for line in range(at + 1, last))
        value = " ".join(f"{match[2] or ''} {rest}".split())
        if not value:
            break
        values[" ".join(match[1].split()).lower()].append(value)
        at = last
    metadata |= {name: ", ".join(several) for name, several in values.items()}
    return at


def _body(lines: Lines, at: int, outline: Outline, borders: Sequence[int]) -> int:
    """Add what begins at line `at` and is not a heading; the line after it is returned."""
    first = lines[at]
    if _GRID_TABLE.match(first) or _LINE_BLOCK.match(first) or first.lstrip().startswith(">>> "):
        last = lines.blank(at)
        outline.add(at, last, BlockKind.LINES)
        return last
    if _SIMPLE_TABLE.fullmatch(first):
        last = _simple_table(lines, at, borders)
        outline.add(at, last, BlockKind.LINES)
        return last
    if directive := _DIRECTIVE.match(first):
        return _directive(lines, at, directive[1], outline)
    last = _paragraph(lines, at)
    items = [line for line in range(at, last) if _ITEM.match(lines[line])]
    outline.add_parts(at, last, items)
    if lines[last - 1].endswith("::"):
        # Of an item's first line, the text behind the mark is what a literal block is indented by.
        item = _ITEM.match(lines[last - 1])
        over = item.end() - 1 if item else lines.indent(last - 1)
        after = lines.indented(last, over=over)
        outline.add(last, after, BlockKind.LINES)
        last = max(last, after)
    return last


def _paragraph(lines: Lines, at: int) -> int:
    """The line after the paragraph: at a blank line, or where another kind begins."""
    last = at + 1
    while lines[last]:
        if lines[last].lstrip().startswith(".. "):
            break
        last += 1
    return last


def _simple_table(lines: Lines, at: int, borders: Sequence[int]) -> int:
    """The line after a simple table: its last border has a blank line below."""
    following = bisect_left(borders, at + 2)
    if following < len(borders) and borders[following] < at + _MAX_TABLE:
        return borders[following] + 1
    return lines.blank(at)


def _directive(lines: Lines, at: int, name: str, outline: Outline) -> int:
    """Add a directive; the first paragraph of prose in it stands with it."""
    over = lines.indent(at)
    if name.rpartition(":")[2] in _VERBATIM:
        last = max(at + 1, lines.indented(at + 1, over=over))
        outline.add(at, last, BlockKind.LINES)
        return last
    last = at + 1
    while lines[last] and lines.indent(last) > over:
        last += 1
    content = lines.filled(last)
    if content < len(lines) and lines.indent(content) > over and not _special(lines, content):
        end = _paragraph(lines, content)
        if not lines[end - 1].endswith("::"):
            last = end
    outline.add(at, last)
    return last


def _special(lines: Lines, at: int) -> bool:
    """Whether a line begins something else than a paragraph."""
    line = lines[at]
    forms = (_ITEM, _GRID_TABLE, _SIMPLE_TABLE, _LINE_BLOCK, _DIRECTIVE)
    return any(form.match(line) for form in forms) or line.lstrip().startswith((">>> ", ".. "))
