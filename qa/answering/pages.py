"""Pages of PDFs as pictures, with what was quoted of them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from qa.answering.documents import file_of, row_of
from qa.contents import PageImage, Rectangle
from qa.errors import CitationError, QuestionError, UnreadableDocumentError
from qa.reading.extracted import UnreadableError
from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.corpus import Corpus
    from qa.reading.sandbox.client import Converter
    from qa.store.protocol import Snapshot

__all__ = ["drawn"]

NARROWEST, WIDEST = 50, 4000
_MOST_SPANS = 1000


def drawn(
    snapshot: Snapshot,
    corpus: Corpus,
    converter: Converter,
    document: str,
    *,
    page: int,
    spans: Sequence[tuple[int, int]],
    width: int,
) -> PageImage:
    """Draw a page of a document; see `qa.Assistant.page_image`."""
    row = row_of(snapshot, document)
    if row.format != "pdf" or row.path != row.file:
        raise CitationError(
            f"{row.path} is not a PDF file, which alone has pages to draw",
            hint="Take its text from `document()`.",
        )
    count = row.metadata.get("pages", "")
    last = int(count) if count.isdecimal() else 1
    if not _is_whole(page) or not 1 <= page <= last:
        raise CitationError(f"{row.path} has no page {page!r:.80}", hint=f"It has {last:,}.")
    if not _is_whole(width) or not NARROWEST <= width <= WIDEST:
        raise QuestionError(
            f"width is {width!r:.80}", hint=f"Give pixels, from {NARROWEST} to {WIDEST:,}."
        )
    text = snapshot.extract(row.id)
    if len(spans) > _MOST_SPANS or not all(_is_span(span, len(text)) for span in spans):
        raise QuestionError(
            f"spans is {spans!r:.80}",
            hint="Give (start, end) pairs, in characters of the document's text.",
        )
    first, end = _characters_of(snapshot, row.id, page, len(text))
    quotes = [
        (_letters(text[first : max(first, start)]), text[max(first, start) : min(end, stop)])
        for start, stop in spans
    ]
    raw = file_of(corpus, row)
    try:
        found = converter.picture(raw, page=page, width=width, quotes=quotes)
    except UnreadableError as error:
        raise UnreadableDocumentError(row.path, str(error)) from error
    return PageImage(
        data=found.png,
        media_type="image/png",
        width=found.width,
        height=found.height,
        rectangles=tuple(
            tuple(Rectangle(left, top, right - left, low - top) for left, top, right, low in boxes)
            for boxes in found.boxes
        ),
    )


def _characters_of(snapshot: Snapshot, document: int, page: int, length: int) -> tuple[int, int]:
    """Where in the text a page begins and ends; nowhere where nothing of it is indexed."""
    places = {
        place
        for passage in snapshot.passages_of_document(document)
        for place in passage.places
        if place.kind is PlaceKind.PAGE
    }
    starts = sorted((place.start, place.value) for place in places)
    for (start, value), (end, _) in pairwise([*starts, (length, "")]):
        if value == str(page):
            return start, end
    return 0, 0


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _is_whole(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


def _is_span(given: object, length: int) -> bool:
    match given:
        case (int(start), int(end)):
            return 0 <= start <= end <= length
    return False
