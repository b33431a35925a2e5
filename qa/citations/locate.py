"""From the text of a citation to the place that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.citations.source import headings_at, source_of
from qa.counting import counted
from qa.errors import CitationError, UnreadableDocumentError
from qa.types import Citation, PlaceKind, Span

if TYPE_CHECKING:
    from qa.citations.source import Source
    from qa.corpus import Corpus
    from qa.types import Document

__all__ = ["Excerpt", "excerpt"]

_LINES = re.compile(r":\d+(?:-\d+)?")
_CHARACTERS = re.compile(r"char=(?P<start>\d+),(?P<end>\d+)")
_NUMBERED = frozenset({PlaceKind.PAGE, PlaceKind.PARAGRAPH, PlaceKind.CHAPTER, PlaceKind.ROW})


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A cited place in its surroundings: whole lines before and after it."""

    citation: Citation
    before: str
    after: str


def excerpt(corpus: Corpus, citation: str, *, context: int) -> Excerpt:
    """Find the place that a citation names, in the file as it is now.

    Args:
        corpus: where the document is.
        citation: as `qa ask` prints it (`path:first-last`, `path#page=3`, `path#anchor`), or
            `path#char=start,end`; a path alone means the whole document.
        context: lines shown before and after.

    Raises:
        CitationError: there is no such document, or it has no such place.
    """
    document, place = _named(corpus, citation)
    source = source_of(document, corpus)
    span = _span(source, document, citation, place)
    cited = source.cite(span, headings_at(document.sections, span.start), document.places)
    first = source.lines.start(max(1, cited.start_line - context))
    last = source.lines.start(cited.end_line + context + 1)
    return Excerpt(cited, source.text[first : span.start], source.text[span.end : last])


def _named(corpus: Corpus, citation: str) -> tuple[Document, str]:
    """Find the document that a citation begins with; the rest names the place in it.

    Names may hold what parts them from places, so the longest that there is counts.
    """
    files = [file for file in corpus.scan().stamps if _rest(citation, file, "/") is not None]
    for file in sorted(files, key=len, reverse=True):
        try:
            found = corpus.read(file)
        except UnreadableDocumentError as error:
            raise CitationError(str(error), hint="Is it still in the corpus?") from error
        for document in sorted(found.documents, key=lambda one: len(one.id), reverse=True):
            place = _rest(citation, document.id)
            if place is not None and (place[:1] != ":" or _LINES.fullmatch(place)):
                return document, place
        for name, reason in found.problems.items():
            if _rest(citation, name) is not None:
                raise CitationError(f"{name} can't be read: {reason}", hint="Open it by itself.")
    raise CitationError(
        f"{citation!r} names no document of the corpus",
        hint="Write it as `qa ask` prints it: path:line, path:first-last or path#page=3.",
    )


def _rest(citation: str, name: str, more: str = "") -> str | None:
    """What follows a name in a citation; None where it does not begin with it."""
    rest = citation[len(name) :] if citation.startswith(name) else "-"
    return rest if not rest or rest[0] in f":#{more}" else None


def _span(source: Source, document: Document, citation: str, place: str) -> Span:
    length = len(source.text)
    if not place:
        return Span(0, length)
    if place.startswith(":"):
        first, _, last = place[1:].partition("-")
        return _lines(source, citation, int(first[:18]), int((last or first)[:18]))
    if characters := _CHARACTERS.fullmatch(place[1:]):
        start, end = (int(digits[:18]) for digits in characters.groups())
        if not start <= end <= length:
            raise CitationError(
                f"{citation!r}: the document has {counted(length, 'character')}",
                hint="The file may have changed since; ask again.",
            )
        return Span(start, end)
    return _placed(document, citation, place[1:])


def _lines(source: Source, citation: str, first: int, last: int) -> Span:
    if not 1 <= first <= last <= len(source.lines.starts):
        raise CitationError(
            f"{citation!r}: the document has {counted(len(source.lines.starts), 'line')}",
            hint="The file may have changed since; ask again.",
        )
    start = source.lines.start(first)
    text = source.text[start : source.lines.start(last + 1)]
    return Span(start, start + len(text.rstrip("\r\n")))


def _placed(document: Document, citation: str, name: str) -> Span:
    """Find a place by its name: it ends where the next of its kind begins."""
    kind, _, value = name.partition("=")
    for number, one in enumerate(document.places):
        numbered = one.kind in _NUMBERED and (one.kind, one.value) == (kind, value)
        if numbered or (one.kind is PlaceKind.ANCHOR and one.value == name):
            after = (
                other.start for other in document.places[number + 1 :] if other.kind == one.kind
            )
            end = next(after, len(document.text))
            return Span(one.start, one.start + len(document.text[one.start : end].rstrip()))
    raise CitationError(
        f"{citation!r}: {document.id} has no such place",
        hint="The file may have changed since; ask again.",
    )
