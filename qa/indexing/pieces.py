"""Files split into what an index keeps of them: the same, wherever it is done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain, tee
from typing import TYPE_CHECKING, TypeAlias

from qa.encoding.encoder import PassageInput
from qa.errors import UnreadableDocumentError
from qa.indexing.passages import cut
from qa.reading.places import places_of
from qa.store.rows import NewPassage
from qa.types import Document, Span
from qa.words.detection import told, with_language
from qa.words.terms import passage_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.encoder import Encoder, Runtime
    from qa.reading.files import Reading
    from qa.types import Passage, Place

__all__ = ["FileBegins", "FileEnds", "Piece", "pieces_of"]


@dataclass(frozen=True, slots=True)
class FileBegins:
    """A file that was read; `sha256` is empty where not even its bytes could be."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FileEnds:
    """The end of a file: why documents in it can't be read, and what of others can't."""

    path: str
    problems: Mapping[str, str]
    warnings: Mapping[str, str] = field(default_factory=dict)


# A file begins, then come its documents, each with its passages, and it ends.
Piece: TypeAlias = "FileBegins | Document | NewPassage | FileEnds"


def pieces_of(
    path: str,
    reading: Reading | UnreadableDocumentError,
    encoder: Callable[[], Encoder[Runtime]],
) -> Iterator[Piece]:
    """Split what reading a file gave, as it is asked for.

    Args:
        path: of the file.
        reading: what reading it gave.
        encoder: loads the encoder; called only where there is a document to split.
    """
    if isinstance(reading, UnreadableDocumentError):
        yield FileBegins(path, "")
        yield FileEnds(path, {path: reading.reason})
        return
    yield FileBegins(path, reading.sha256)
    for read in reading.documents:
        document = _with_language(read)
        yield document
        yield from _passages(document, encoder())
    yield FileEnds(path, reading.problems, reading.warnings)


def _with_language(document: Document) -> Document:
    blocks = chain.from_iterable(section.blocks for section in document.sections)
    texts = (document.text[block.start : block.end] for block in blocks)
    metadata = with_language(document.metadata, document.format, texts)
    return document if metadata is document.metadata else replace(document, metadata=metadata)


def _passages(document: Document, encoder: Encoder[Runtime]) -> Iterator[NewPassage]:
    prompt, language = encoder.spec.passage_prompt, told(document.metadata)
    cuts, same = tee(cut(document, encoder.tokens, encoder.budget, prompt=prompt))
    places = places_of(document.places, ((one.passage.start, one.passage.end) for one in same))
    for one, held in zip(cuts, places, strict=True):
        text = document.text[one.passage.start : one.passage.end]
        yield _row(one.passage, text, held, one.tokens.ids, language)


def _row(
    passage: Passage,
    text: str,
    places: tuple[Place, ...],
    tokens: NDArray[np.uint32],
    language: str,
) -> NewPassage:
    """What is kept; `language` is the document's code, "" for English and what is not told."""
    inside = _inside(passage)
    return NewPassage(
        start=passage.start,
        end=passage.end,
        heading_path=passage.heading_path,
        places=places,
        context=passage.context,
        text=text,
        spans=passage.sentences,
        digest=PassageInput.of(passage.context, text, inside).digest(),
        terms=passage_terms(passage.context, text, inside, language),
        tokens=tokens,
    )


def _inside(passage: Passage) -> tuple[Span, ...]:
    """The passage's sentences as spans of its own text."""
    begin = passage.start
    return tuple(Span(start - begin, end - begin) for start, end in passage.sentences)
