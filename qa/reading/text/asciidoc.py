"""AsciiDoc to sections: titles, the document's header, delimited blocks, tables, lists."""

from __future__ import annotations

import re
from bisect import bisect_right

from qa.reading.text.outline import Lines, Outline
from qa.types import BlockKind, Section

__all__ = ["read_asciidoc"]

_TITLE = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_ATTRIBUTE = re.compile(r":(!?[\w][\w-]*!?):(?:[ \t]+(.*))?")
_AUTHOR = re.compile(r"[^\W\d_][\w.'-]*(?:[ \t]+[\w.'-]+){0,3}(?:[ \t]+<[^>\s]+>)?(?:;.*)?")
_REVISION = re.compile(r"v?\d[\w.]*(?:,[ \t]*[^:]+)?(?::.*)?|\d{4}-\d\d-\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d|\w+ \d{1,2}, \d{4}|\d{1,2} \w+ \d{4}")
_ITEM = re.compile(r"\s*(?:\*{1,5}|-|\.{1,5}|\d{1,4}\.|[a-zA-Z]\.|<\d+>|<\.>)[ \t]+\S")
_TERM = re.compile(r"\s*\S[^\n]*?(?::{2,4}|;;)(?:[ \t]|$)")
# Blocks whose lines mean something; the others (example, sidebar, quote) hold prose.
_VERBATIM = re.compile(r"-{4,}|\.{4,}|\+{4,}|/{4,}|```[\w+-]*|[|,:!]===+")
_ANCHOR = re.compile(r"//(?!/).*|\[(?:\[[^\]]+\]|[#.%\w][^\]]*)\]")
_LEAD = re.compile(r"\[[^\]\n]*\]|\.[^\s.][^\n]*")  # attributes or a title of the block below
_SETEXT = {"=": 1, "-": 2, "~": 3, "^": 4, "+": 5}
_SETEXT_LINE = re.compile(r"([=~^+-])\1+")
_SETEXT_SLACK = 2  # characters by which an underline may be longer or shorter than its title


def read_asciidoc(text: str) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of `text`, with spans that refer to it, and the attributes at its top.

    Author and revision lines below the document's title are metadata as well; none of the
    header but the title stands in a block. Anchors and comments right above a title belong to it. A
    delimiter that is not closed is text like any other.
    """
    lines = Lines(text)
    outline = Outline(text, lines)
    metadata: dict[str, str] = {}
    closings = _closings(lines)
    at = _header(lines, outline, metadata)
    while (at := lines.filled(at)) < len(lines):
        below = near = at  # `near`: where the lines that touch the one at `below` begin
        while _ANCHOR.fullmatch(lines[below]):
            after = lines.filled(below + 1)
            near = near if after == below + 1 else after
            below = after
        heading = _heading(lines, below)
        if heading is not None:
            title, level, last = heading
            outline.heading(title, level=level, first=at, last=last)
            at = last
        else:
            outline.add(at, near)
            at = _body(lines, near, outline, closings) if near < len(lines) else near
    return outline.finish(), metadata


def _heading(lines: Lines, at: int) -> tuple[str, int, int] | None:
    """`(title, level, line after)` of a heading that begins at `at`."""
    if match := _TITLE.fullmatch(lines[at]):
        closed = match[2].removesuffix(match[1])  # "== Title ==" is the older form
        title = closed.rstrip() if closed[-1:].isspace() else match[2]
        return title, len(match[1]), at + 1
    title, under = lines[at], lines[at + 1]
    if not _SETEXT_LINE.fullmatch(under) or not any(map(str.isalnum, title)):
        return None
    if title[0].isspace() or abs(len(title) - len(under)) > _SETEXT_SLACK or _LEAD.match(title):
        return None
    return title, _SETEXT[under[0]], at + 2


def _header(lines: Lines, outline: Outline, metadata: dict[str, str]) -> int:
    """Take in the document's title and attributes; give the line after them."""
    at = _attributes(lines, lines.filled(0), metadata)
    heading = _heading(lines, at)
    if heading is None or heading[1] != 1:
        return at
    title, level, last = heading
    outline.heading(title, level=level, first=at, last=last)
    if _AUTHOR.fullmatch(lines[last]) and (lines[last + 1] == "" or _more(lines[last + 1])):
        metadata["author"] = lines[last].partition(";")[0]
        last += 1
        if _REVISION.fullmatch(lines[last]):
            metadata["revision"] = lines[last]
            if day := _DAY.search(lines[last]):
                metadata["date"] = day[0]
            last += 1
    last = _attributes(lines, last, metadata)
    for name, source in (("date", "revdate"), ("language", "lang")):
        if source in metadata:
            metadata.setdefault(name, metadata[source])
    return last


def _more(line: str) -> bool:
    """Whether a line belongs to a header, so that the one above it is an author's."""
    return bool(_REVISION.fullmatch(line) or _ATTRIBUTE.fullmatch(line))


def _attributes(lines: Lines, at: int, metadata: dict[str, str]) -> int:
    """Take in attribute entries, with blank lines between them; give the line after them."""
    while True:
        if match := _ATTRIBUTE.fullmatch(lines[at]):
            value, last = match[2] or "", at + 1
            while value.endswith(" \\") and lines[last]:
                value = f"{value[:-2]} {lines[last].strip()}"
                last += 1
            if value:
                metadata[match[1].lower()] = value
            at = last
        elif not lines[at] and at < len(lines) and _ATTRIBUTE.fullmatch(lines[lines.filled(at)]):
            at = lines.filled(at)
        else:
            return at


def _closings(lines: Lines) -> dict[str, list[int]]:
    """The lines on which each delimiter stands."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines.texts):
        if _VERBATIM.fullmatch(line):
            found.setdefault(_closing(line), []).append(number)
    return found


def _closing(delimiter: str) -> str:
    return "```" if delimiter.startswith("```") else delimiter


def _body(lines: Lines, at: int, outline: Outline, closings: dict[str, list[int]]) -> int:
    """Add what begins at line `at` and is not a heading; the line after it is returned."""
    below = at
    while _LEAD.fullmatch(lines[below]):
        below += 1
    if last := _delimited(lines, below, closings):
        outline.add(at, last, BlockKind.LINES)
        return last
    if lines[below][:1].isspace() and not _ITEM.match(lines[below]):
        last = max(lines.blank(below), at + 1)  # a literal paragraph
        outline.add(at, last, BlockKind.LINES)
        return last
    last = max(below, at + 1)
    while lines[last] and not _delimited(lines, last, closings):
        if _LEAD.fullmatch(lines[last]) and not _ITEM.match(lines[last]):
            break
        last += 1
    items = [
        line for line in range(at, last) if _ITEM.match(lines[line]) or _TERM.match(lines[line])
    ]
    outline.add_parts(at, last, items)
    return last


def _delimited(lines: Lines, at: int, closings: dict[str, list[int]]) -> int:
    """The line after the verbatim block that opens at `at`; 0 where none does."""
    if not _VERBATIM.fullmatch(lines[at]):
        return 0
    places = closings[_closing(lines[at])]
    following = bisect_right(places, at)
    return places[following] + 1 if following < len(places) else 0
