"""Sections to passages: on paragraph, then sentence, then word borders, within a token budget."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from qa.encoding.encoder import in_context
from qa.indexing.sentences import sentences_of, trimmed
from qa.types import Block, Passage, PlaceKind, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qa.encoding.tokens import Tokens
    from qa.types import Document

__all__ = ["split"]

# Neighbours are joined until a passage has this many tokens: a lone short line says too little
# to be found by, and is too little to be read.
SHORT = 48
# Characters: a word without end is one token to some tokenizers, but not to a reader.
MAX_CHARACTERS = 8000
# The heading path may take this share of the budget; past it, outer headings are left out first.
CONTEXT_SHARE = 0.25
_SEPARATOR = " > "
# Characters of a heading that each of its passages keeps: one without end, above many passages,
# would take the square of its length on disk.
_MAX_HEADING = 1000
# Characters that are tokenised at once: bounds memory, which tokens take much of. A block that is
# longer is cut into such parts before it is looked at closely.
_PORTION = 2**16


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of sentences that is not cut any further, and its tokens."""

    sentences: tuple[Span, ...]
    tokens: int


def split(document: Document, tokens: Tokens, budget: int) -> Iterator[Passage]:
    """Cut a document into passages, in order and one after the other, whatever its length.

    Args:
        document: as a reader gives it.
        tokens: counts in the encoder's tokens.
        budget: tokens that context and passage may have together, specials not counted.

    Yields:
        Passages that hold every character of the document's blocks that isn't white space,
        exactly once; none has more than `budget` tokens with its context.
    """
    pages = [place.start for place in document.places if place.kind is PlaceKind.PAGE]
    for section in map(_with_short_headings, document.sections):
        context = _context(section.heading_path, tokens, int(budget * CONTEXT_SHARE))
        room = budget - (tokens.count([f"{context}\n"])[0] if context else 0)
        for page in _by_page(section, pages):
            for sentences in _packed(_pieces(document.text, page, tokens, room), room):
                yield from _checked(
                    document.text, page, context, sentences, tokens=tokens, budget=budget
                )


def _by_page(section: Section, pages: Sequence[int]) -> Iterator[Section]:
    """Part a section where its blocks begin on another page: a passage is cited to its first.

    A block that runs on to the next page stays whole.
    """
    for _, blocks in groupby(section.blocks, key=lambda block: bisect_right(pages, block.start)):
        yield Section(section.heading_path, tuple(blocks))


def _with_short_headings(section: Section) -> Section:
    path = section.heading_path
    if all(len(name) <= _MAX_HEADING for name in path):
        return section
    return replace(section, heading_path=tuple(name[:_MAX_HEADING] for name in path))


def _context(path: tuple[str, ...], tokens: Tokens, limit: int) -> str:
    for outer in range(len(path)):
        context = _SEPARATOR.join(path[outer:])
        if tokens.count([context])[0] <= limit:
            return context
    return ""


def _pieces(text: str, section: Section, tokens: Tokens, room: int) -> Iterator[_Piece]:
    """Cut what does not fit: a block into balanced runs of sentences, a sentence into words."""
    for start, sentences, begins in _tokenised(text, section, tokens):
        if len(begins) <= room:
            yield _Piece(tuple(sentences), len(begins))
            continue
        at = [start + begin for begin in begins]
        parts = [part for sentence in sentences for part in _within(text, sentence, at, room)]
        sizes = [_count(at, part) for part in parts]
        target = sum(sizes) / -(-sum(sizes) // room)
        run: list[Span] = []
        size = 0
        for part, more in zip(parts, sizes, strict=True):
            if run and (size + more > room or size + more / 2 > target):
                yield _Piece(tuple(run), size)
                run, size = [], 0
            run.append(part)
            size += more
        if run:
            yield _Piece(tuple(run), size)


def _tokenised(
    text: str, section: Section, tokens: Tokens
) -> Iterator[tuple[int, list[Span], list[int]]]:
    """Each block, or part of one: its start, its sentences, and where its tokens start."""
    for portion in _portions(part for block in section.blocks for part in _parts(text, block)):
        starts = tokens.starts([text[span.start : span.end] for span, _ in portion])
        for (span, sentences), begins in zip(portion, starts, strict=True):
            yield span.start, sentences, begins


def _portions(
    parts: Iterable[tuple[Span, list[Span]]],
) -> Iterator[list[tuple[Span, list[Span]]]]:
    portion = []
    size = 0
    for span, sentences in parts:
        portion.append((span, sentences))
        size += span.end - span.start
        if size >= _PORTION:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _parts(text: str, block: Block) -> Iterator[tuple[Span, list[Span]]]:
    """A block with its sentences; one of very many characters in parts, cut between them."""
    start = block.start
    while start < block.end:
        end = min(start + _PORTION, block.end)
        sentences = sentences_of(text, Block(start, end, block.kind))
        if end < block.end:  # the last sentence may go on
            if len(sentences) > 1:
                end = sentences.pop().start
            elif (space := text.rfind(" ", start + 1, end)) > 0:
                end = space
                sentences = sentences_of(text, Block(start, end, block.kind))
        if sentences:
            yield Span(start, end), sentences
        start = end


def _count(at: Sequence[int], span: Span) -> int:
    return bisect_left(at, span.end) - bisect_left(at, span.start)


def _within(text: str, sentence: Span, at: Sequence[int], room: int) -> Iterator[Span]:
    """Cut a sentence of too many tokens at the last white space that leaves it within `room`."""
    start = sentence.start
    while (first := bisect_left(at, start)) + room < bisect_left(at, sentence.end):
        limit = at[first + room]
        cut = max((i for i in range(start + 1, limit) if text[i].isspace()), default=limit)
        piece = trimmed(text, Span(start, cut))
        if piece is not None:
            yield piece
        start = cut
    rest = trimmed(text, Span(start, sentence.end))
    if rest is not None:
        yield rest


def _packed(pieces: Iterator[_Piece], room: int) -> Iterator[tuple[Span, ...]]:
    """Join neighbours while one of them is short and both fit together."""
    open_: list[_Piece] = []
    size = 0
    for piece in pieces:
        if not piece.sentences:
            continue
        joins = size < SHORT or piece.tokens < SHORT // 2
        if open_ and not (joins and size + piece.tokens <= room):
            yield tuple(s for p in open_ for s in p.sentences)
            open_, size = [], 0
        open_.append(piece)
        size += piece.tokens
    if open_:
        yield tuple(s for p in open_ for s in p.sentences)


def _checked(
    text: str,
    section: Section,
    context: str,
    sentences: tuple[Span, ...],
    *,
    tokens: Tokens,
    budget: int,
) -> Iterator[Passage]:
    """Make the passage, or halve it: tokens of the whole need not add up to those of the parts."""
    start, end = sentences[0].start, sentences[-1].end
    passage = Passage(start, end, section.heading_path, context, sentences)
    short = end - start <= MAX_CHARACTERS
    if short and tokens.count([in_context(context, text[start:end])])[0] <= budget:
        yield passage
    elif len(sentences) > 1:
        middle = len(sentences) // 2
        for half in (sentences[:middle], sentences[middle:]):
            yield from _checked(text, section, context, half, tokens=tokens, budget=budget)
    else:
        middle = (start + end) // 2
        for before, after in pairwise((start, middle, end)):
            piece = trimmed(text, Span(before, after))
            if piece is not None:
                yield from _checked(text, section, context, (piece,), tokens=tokens, budget=budget)
