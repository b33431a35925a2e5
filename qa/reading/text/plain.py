"""Plain text to sections: blank lines part paragraphs, a short line by itself is a heading."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from qa.reading.sections import block_between
from qa.types import Block, BlockKind, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_plain"]

# What stands between blank lines; `\s` would let other line separators part paragraphs too. It
# never goes back (`++`), for which every character would be remembered.
_PARAGRAPH = re.compile(r"[^\s](?:[^\r\n]++|(?:\r\n?|\n)(?![^\S\r\n]*+(?:\r|\n|\Z)))*+")
_ITEM = re.compile(
    r"^[^\S\r\n]*(?:[-*+•‣–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[^\S\r\n]+\S", re.MULTILINE
)
_MAX_HEADING = 100  # characters
_NO_HEADING_END = (".", ",", ";", ":", "…", "。", "!")


def read_plain(text: str) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of `text`, with spans that refer to it, and no metadata.

    The first heading, where the text begins with it, is the title and stands above the others;
    a heading right below another one stands under it. Three or more headings in a row are not
    headings but a list of short lines, and so is what no body follows: no text is lost.
    """
    sections: list[Section] = []
    title: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    blocks: list[Block] = []
    run: list[Span] = []
    seen_body = False
    for span in _paragraphs(text):
        if _is_heading(text[span.start : span.end]):
            run.append(span)
            continue
        names = tuple(text[s.start : s.end].strip() for s in run)
        if names and len(names) <= (2 if seen_body else 3):
            if blocks:
                sections.append(Section(path, tuple(blocks)))
                blocks = []
            if not seen_body:
                title = names[:1]
                path = names
            else:
                path = title + names
        else:
            blocks += [Block(*s) for s in run]
        run = []
        seen_body = True
        blocks += _blocks(text, span)
    blocks += [Block(*s) for s in run]
    if blocks:
        sections.append(Section(path, tuple(blocks)))
    return tuple(sections), {}


def _paragraphs(text: str) -> Iterator[Span]:
    for match in _PARAGRAPH.finditer(text):
        end = match.start() + len(match.group().rstrip())
        yield Span(match.start(), end)


def _is_heading(paragraph: str) -> bool:
    return (
        len(paragraph) <= _MAX_HEADING
        and "\n" not in paragraph
        and "\r" not in paragraph
        and any(character.isalpha() for character in paragraph)
        and not paragraph.endswith(_NO_HEADING_END)
        and not re.match(r"[-*+•‣>]\s", paragraph)
    )


def _blocks(text: str, span: Span) -> Iterator[Block]:
    """Cut a paragraph into its list items, where it has any."""
    starts = [m.start() for m in _ITEM.finditer(text, span.start, span.end)]
    if len(starts) < 2:
        yield Block(*span, BlockKind.PROSE)
        return
    borders = sorted({span.start, *starts, span.end})
    for start, end in pairwise(borders):
        if (block := block_between(text, start, end)) is not None:
            yield block
