"""Plain text to sections: blank lines part paragraphs, a short line by itself is a heading."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from qa.reading.sections import SectionBuilder, block_between
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
# Blank lines stand between all lines where nearly all paragraphs have one line, and many of them
# go on in the next.
_FEWEST, _SPACED, _BROKEN = 8, 0.9, 0.2
_LONGEST = 5000  # characters of what is put together
_SENTENCE_ENDS = ".?!…:;。！？"
_NO_HEADING_END = (".", ",", ";", ":", "…", "。", "!")


def read_plain(text: str) -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of `text`, with spans that refer to it, and no metadata.

    The first heading, where the text begins with it, is the title and stands above the others;
    a heading right below another one stands under it. Three or more headings in a row are not
    headings but a list of short lines, and so is what no body follows: no text is lost. Where blank
    lines stand between all lines, the pieces of a sentence are put together first.
    """
    sections = SectionBuilder()
    run: list[Span] = []
    top = 1  # level of the headings below the title
    seen_body = False
    for span in _whole(text, list(_paragraphs(text))):
        if _is_heading(text[span.start : span.end]):
            run.append(span)
            continue
        if len(run) <= (2 if seen_body else 3):
            for level, heading in enumerate(run, top):
                sections.heading(text[heading.start : heading.end].strip(), None, level=level)
            top = 2 if run and not seen_body else top
            run = []
        for block in (*(Block(*heading) for heading in run), *_blocks(text, span)):
            sections.add(block)
        run = []
        seen_body = True
    for heading in run:
        sections.add(Block(*heading))
    return sections.finish(), {}


def _paragraphs(text: str) -> Iterator[Span]:
    for match in _PARAGRAPH.finditer(text):
        end = match.start() + len(match.group().rstrip())
        yield Span(match.start(), end)


def _whole(text: str, paragraphs: list[Span]) -> Iterator[Span]:
    """The paragraphs; where blank lines part all lines, those that go on are put together."""
    goes_on = [_goes_on(text, one, other) for one, other in pairwise(paragraphs)]
    single = sum("\n" not in text[start:end] for start, end in paragraphs)
    is_spaced = single >= _SPACED * len(paragraphs) and sum(goes_on) >= _BROKEN * len(paragraphs)
    if len(paragraphs) < _FEWEST or not is_spaced:
        yield from paragraphs
        return
    start = -1
    for one, is_continued in zip(paragraphs, [*goes_on, False], strict=True):
        start = one.start if start < 0 else start
        if not is_continued or one.end - start >= _LONGEST:  # a sentence has an end somewhere
            yield Span(start, one.end)
            start = -1


def _goes_on(text: str, one: Span, other: Span) -> bool:
    return text[one.end - 1] not in _SENTENCE_ENDS and text[other.start].islower()


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
