"""Text to sentences, with exact offsets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qa.types import BlockKind, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.types import Block

__all__ = ["sentences_of", "trimmed"]

# sentencex 1.0 slices at byte offsets that it gets wrong next to white space of several bytes
# (U+0085, U+00A0, U+2028 …) and panics; one plain space per character keeps all offsets.
_WHITE_SPACE = re.compile(r"[^\S\n ]")
_MAX_MARK = 12  # characters
_WINDOW = 2000  # characters; few paragraphs are as long
_LINE = re.compile(r"[^\r\n]+")


def sentences_of(text: str, block: Block, language: str = "") -> list[Span]:
    """The sentences of a block, or its lines where it is code or a table.

    They end as those of a language do, named by its code (ISO 639-1), or those of English.

    The spans refer to `text`, begin and end with a character that is not white space, and
    together cover every such character of the block.
    """
    found = _lines(text, block) if block.kind is BlockKind.LINES else _prose(text, block, language)
    return [span for piece in found if (span := trimmed(text, piece)) is not None]


def _lines(text: str, block: Block) -> Iterator[Span]:
    for match in _LINE.finditer(text, block.start, block.end):
        yield Span(*match.span())


def _prose(text: str, block: Block, language: str) -> Iterator[Span]:
    body = _WHITE_SPACE.sub(" ", text[block.start : block.end])
    start = 0
    for end in _ends(body, language or "en"):
        # A short piece without a letter ("2.", "(3)") is the mark of the item that follows it.
        is_mark = end - start <= _MAX_MARK and not any(map(str.isalpha, body[start:end]))
        if end == len(body) or not is_mark:
            yield Span(block.start + start, block.start + end)
            start = end


def _ends(body: str, language: str) -> Iterator[int]:
    """Find where sentences end, in windows that begin with one.

    sentencex takes the square of the length where quotes or backticks are not closed.
    """
    from sentencex import get_sentence_boundaries

    start = 0
    while start < len(body):
        window = body[start : start + _WINDOW]
        ends = [start + one["end_index"] for one in get_sentence_boundaries(language, window)]
        if start + len(window) < len(body):
            last = ends.pop()  # it may go on behind the window
            if not ends:  # it does, without end: it is cut between words, where there are some
                word = window.rfind(" ") + 1
                ends.append(start + word if word else last)
        yield from ends
        start = ends[-1] if ends else start + len(window)


def trimmed(text: str, span: Span) -> Span | None:
    """The span without the white space at its ends; None where nothing is left."""
    if span.start < span.end and not (text[span.start].isspace() or text[span.end - 1].isspace()):
        return span
    piece = text[span.start : span.end]
    start = span.start + len(piece) - len(piece.lstrip())
    end = span.start + len(piece.rstrip())
    return Span(start, end) if end > start else None
