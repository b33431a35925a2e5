"""Markdown to sections: headings, blocks and front matter, found by markdown-it."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import yaml
from markdown_it import MarkdownIt

from qa.reading.detect.decoding import LineIndex
from qa.reading.sections import SectionBuilder, block_between
from qa.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from markdown_it.token import Token

    from qa.types import Section

__all__ = ["read_markdown"]

_FRONT_MATTER = re.compile(
    r"(?P<fence>---|\+\+\+)[ \t]*(?:\r\n?|\n)(?P<body>.*?)"
    r"(?<=[\r\n])(?P=fence)[ \t]*(?:\r\n?|\n|\Z)",
    re.DOTALL,
)


_MAX_FRONT_MATTER = 65_536  # characters
# Characters parsed at once: the parser takes up to 600 times as much memory as the text.
_PORTION = 2**16
_MAX_PORTIONS = 4  # portions: an item, quote or table that is longer is cut
_ENDLESS = frozenset({"paragraph_open", "fence", "code_block", "html_block"})  # take no memory


def read_markdown(
    text: str, *, portion: int = _PORTION
) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of `text`, with spans that refer to it, and its front matter.

    A heading below which nothing stands is a block of its own: its words would be lost.

    Args:
        text: of the file.
        portion: characters parsed at once; what comes out is the same but for very long blocks.
    """
    metadata, body = _front_matter(text)
    lines = LineIndex(text[body:])
    sections = SectionBuilder()
    for first, last, kind, heading in _outline(_blocks(text[body:], lines, portion)):
        start, end = (body + lines.start(line + 1) for line in (first, last))
        block = block_between(text, start, end, kind)
        if heading is not None:
            level, title = heading
            sections.heading(title, block if title else None, level=level)
        elif block is not None:
            sections.add(block)
    return sections.finish(), metadata


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.disable(["inline"])  # block structure is all that is needed here
    parser.parse("text")  # it sorts its rules at its first text, and another thread would miss some
    return parser


class _Found(NamedTuple):
    """A block that stands by itself, in the lines `[first, last)`; of a heading, its text."""

    first: int
    last: int
    token: Token
    content: str


def _outline(
    blocks: Iterable[_Found],
) -> Iterator[tuple[int, int, BlockKind, tuple[int, str] | None]]:
    """Walk top-level blocks in order: `(first line, line after the last, kind, heading)`.

    Text that no block covers (link reference definitions) comes out as prose of its own, so
    that nothing of the text is lost.
    """
    at = 0
    for first, last, token, content in blocks:
        if first > at:
            yield at, first, BlockKind.PROSE, None
        heading = None
        if token.type == "heading_open":
            heading = (int(token.tag[1:]), " ".join(content.split()))
        lines = token.type in {"fence", "code_block", "table_open", "html_block"}
        yield first, last, BlockKind.LINES if lines else BlockKind.PROSE, heading
        at = last
    yield at, 10**12, BlockKind.PROSE, None


def _blocks(text: str, lines: LineIndex, portion: int) -> Iterator[_Found]:
    """Parse a portion at a time; its last block may go on, so the next portion begins with it."""
    first, size, count = 0, portion, len(lines.starts)
    while first < count:
        start = lines.start(first + 1)
        end = max(first + 1, lines.line(start + size) - 1) if start + size < len(text) else count
        found = _parsed(text[start : lines.start(end + 1)], first)
        if end == count:
            yield from found
            return
        if len(found) == 1 and (found[0].token.type in _ENDLESS or size < _MAX_PORTIONS * portion):
            size *= 2
            continue
        if len(found) > 1:
            end = found.pop().first
        yield from found
        first, size = end, portion


def _parsed(text: str, at: int) -> list[_Found]:
    """The blocks of a text whose first line is the line `at` of the file."""
    found: list[_Found] = []
    for token, content in _top_level(_parser().parse(text)):
        if token.map is not None and (not found or token.map[0] + at >= found[-1].last):
            found.append(_Found(token.map[0] + at, token.map[1] + at, token, content))
    return found


def _top_level(tokens: Sequence[Token]) -> Iterator[tuple[Token, str]]:
    """Each block that stands by itself: items of top-level lists, else top-level blocks."""
    for index, token in enumerate(tokens):
        if token.nesting < 0 or token.type in {"bullet_list_open", "ordered_list_open"}:
            continue
        if token.level == 0 or (token.level == 1 and token.type == "list_item_open"):
            follower = tokens[index + 1].content if index + 1 < len(tokens) else ""
            yield token, follower


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    """The metadata and where the body begins; what doesn't parse is body."""
    match = _FRONT_MATTER.match(text)
    if match is None or len(match["body"]) > _MAX_FRONT_MATTER:
        return {}, 0
    try:
        if match["fence"] == "---":
            # The base loader makes strings, lists and dicts only: nothing is interpreted.
            values = yaml.load(match["body"], Loader=yaml.BaseLoader)  # noqa: S506 - safer yet
        else:
            values = tomllib.loads(match["body"].replace("\r\n", "\n"))
        if not isinstance(values, dict):
            return {}, 0
        flat = {str(key).lower(): _flat(value) for key, value in values.items()}
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return {}, 0
    return {key: value for key, value in flat.items() if value}, match.end()


def _flat(value: object) -> str:
    """A scalar or a list of scalars as text; what is nested deeper is left out."""
    if isinstance(value, list):
        return ", ".join(_flat(item) for item in value if not isinstance(item, list | dict))
    return "" if isinstance(value, dict) else str(value)
