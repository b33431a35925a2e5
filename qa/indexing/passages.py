"""Sections to passages: on paragraph, then sentence, then word borders, within a token budget."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import compress, groupby, pairwise
from typing import TYPE_CHECKING, TypeVar

from qa.encoding.encoder import in_context
from qa.indexing.sentences import sentences_of, trimmed
from qa.types import Block, Passage, PlaceKind, Span
from qa.words.detection import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.tokens import Tokens
    from qa.encoding.word_tokens import Tokenised
    from qa.types import Document

__all__ = ["Cut", "cut"]

T = TypeVar("T")

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
# Characters that are tokenised at once: bounds memory, which tokens take much of, and makes few
# calls. A block that is longer is cut into such parts before it is looked at closely.
_PORTION = 2**16


@dataclass(frozen=True, slots=True)
class Cut:
    """A passage, and the tokens of what is embedded of it: prompt, context and text."""

    passage: Passage
    tokens: Tokenised


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Blocks that passages may join: those of one section and page, and what stands above."""

    heading_path: tuple[str, ...]
    context: str
    room: int  # tokens that the context leaves


@dataclass(frozen=True, slots=True)
class _Part:
    """A block, or part of one: its sentences, and where its tokens begin, int64 `[t]`."""

    group: _Group
    start: int
    sentences: list[Span]
    begins: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of sentences that is not cut any further, and its tokens."""

    sentences: tuple[Span, ...]
    tokens: int


def cut(document: Document, tokens: Tokens, budget: int, *, prompt: str = "") -> Iterator[Cut]:
    """Cut a document into passages, in order and one after the other, whatever its length.

    Args:
        document: as a reader gives it.
        tokens: counts in the encoder's tokens.
        budget: tokens that context and passage may have together; those of the prompt and special
            ones are not counted.
        prompt: what the encoder puts before a passage.

    Yields:
        Passages that hold every character of the document's blocks that isn't white space,
        exactly once; none has more than `budget` tokens with its context.
    """
    text = document.text
    language = told(document.metadata)
    parts = _parts(text, _groups(document, tokens, budget), tokens, language)
    passages = (
        Passage(sentences[0].start, sentences[-1].end, group.heading_path, group.context, sentences)
        for group, same in groupby(parts, key=lambda part: part.group)
        for sentences in _packed(_pieces(text, same, group.room), group.room)
    )
    most = budget + (tokens.count([prompt])[0] if prompt else 0)
    for portion in _portions(passages, lambda one: one.end - one.start):
        yield from _checked(text, portion, tokens=tokens, most=most, prompt=prompt)


def _portions(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Items that are tokenised together: those of `_PORTION` characters."""
    portion: list[T] = []
    characters = 0
    for item in items:
        portion.append(item)
        characters += size(item)
        if characters >= _PORTION:
            yield portion
            portion, characters = [], 0
    if portion:
        yield portion


def _parts(
    text: str, groups: Iterable[tuple[_Group, Iterable[Block]]], tokens: Tokens, language: str
) -> Iterator[_Part]:
    parts = (
        (group, span, sentences)
        for group, blocks in groups
        for block in blocks
        for span, sentences in _with_sentences(text, block, language)
    )
    for portion in _portions(parts, lambda part: part[1].end - part[1].start):
        found = tokens.tokenise([text[start:end] for _, (start, end), _ in portion])
        for (group, span, sentences), one in zip(portion, found, strict=True):
            yield _Part(group, span.start, sentences, one.begins)


def _groups(
    document: Document, tokens: Tokens, budget: int
) -> Iterator[tuple[_Group, Iterable[Block]]]:
    """Part sections where their blocks begin on another page: a passage is cited to its first.

    A block that runs on to the next page stays whole.
    """
    pages = [place.start for place in document.places if place.kind is PlaceKind.PAGE]
    limit = int(budget * CONTEXT_SHARE)
    for portion in _portions(document.sections, lambda one: 1 + sum(map(len, one.heading_path))):
        paths = [tuple(name[:_MAX_HEADING] for name in one.heading_path) for one in portion]
        contexts = _contexts(paths, tokens, limit)
        for section, path, (context, size) in zip(portion, paths, contexts, strict=True):
            by_page = groupby(section.blocks, key=lambda block: bisect_right(pages, block.start))
            for _, blocks in by_page:
                yield _Group(path, context, budget - size), blocks


def _contexts(
    paths: Sequence[tuple[str, ...]], tokens: Tokens, limit: int
) -> Iterator[tuple[str, int]]:
    """As much of each heading path as fits, innermost first, and the tokens that it takes."""
    whole = [_SEPARATOR.join(path) for path in paths]
    counts = tokens.count([*whole, *(f"{context}\n" for context in whole)])
    sizes = zip(counts[: len(whole)], counts[len(whole) :], strict=True)
    for path, context, (size, taken) in zip(paths, whole, sizes, strict=True):
        if not context:
            yield "", 0
        elif size <= limit:
            yield context, taken
        else:
            yield _inner_context(path, tokens, limit)


def _inner_context(path: tuple[str, ...], tokens: Tokens, limit: int) -> tuple[str, int]:
    for outer in range(1, len(path)):
        context = _SEPARATOR.join(path[outer:])
        size, taken = tokens.count([context, f"{context}\n"])
        if context and size <= limit:
            return context, taken
    return "", 0


def _pieces(text: str, parts: Iterable[_Part], room: int) -> Iterator[_Piece]:
    """Cut what does not fit: a block into balanced runs of sentences, a sentence into words."""
    for part in parts:
        if len(part.begins) <= room:
            yield _Piece(tuple(part.sentences), len(part.begins))
            continue
        at = (part.begins + part.start).tolist()
        spans = [span for sentence in part.sentences for span in _within(text, sentence, at, room)]
        sizes = [_count(at, span) for span in spans]
        target = sum(sizes) / -(-sum(sizes) // room)
        run: list[Span] = []
        size = 0
        for span, more in zip(spans, sizes, strict=True):
            if run and (size + more > room or size + more / 2 > target):
                yield _Piece(tuple(run), size)
                run, size = [], 0
            run.append(span)
            size += more
        if run:
            yield _Piece(tuple(run), size)


def _with_sentences(text: str, block: Block, language: str) -> Iterator[tuple[Span, list[Span]]]:
    """A block with its sentences; one of very many characters in parts, cut between them."""
    start = block.start
    while start < block.end:
        end = min(start + _PORTION, block.end)
        sentences = sentences_of(text, Block(start, end, block.kind), language)
        if end < block.end:  # the last sentence may go on
            if len(sentences) > 1:
                end = sentences.pop().start
            elif (space := text.rfind(" ", start + 1, end)) > 0:
                end = space
                sentences = sentences_of(text, Block(start, end, block.kind), language)
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
    text: str, passages: Sequence[Passage], *, tokens: Tokens, most: int, prompt: str
) -> Iterator[Cut]:
    """Halve what does not fit: tokens of the whole need not add up to those of the parts."""
    fits = [one.end - one.start <= MAX_CHARACTERS for one in passages]
    found = iter(
        tokens.tokenise(
            [
                prompt + in_context(one.context, text[one.start : one.end])
                for one in compress(passages, fits)
            ]
        )
    )
    for one, short in zip(passages, fits, strict=True):
        if short and len(counted := next(found)) <= most:
            yield Cut(one, counted)
        else:
            halves = list(_halves(text, one))
            yield from _checked(text, halves, tokens=tokens, most=most, prompt=prompt)


def _halves(text: str, passage: Passage) -> Iterator[Passage]:
    start, end, sentences = passage.start, passage.end, passage.sentences
    middle = len(sentences) // 2
    halves = [sentences[:middle], sentences[middle:]]
    if len(sentences) == 1:
        pieces = pairwise((start, (start + end) // 2, end))
        trims = (trimmed(text, Span(*piece)) for piece in pieces)
        halves = [(piece,) for piece in trims if piece is not None]
    for half in halves:
        yield replace(passage, start=half[0].start, end=half[-1].end, sentences=half)
