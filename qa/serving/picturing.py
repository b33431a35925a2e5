"""A page of a PDF as a picture, with what an answer quotes of it marked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from qa.contents import DocumentText, PageImage, Rectangle
    from qa.types import CitedPassage

__all__ = ["Page", "Picture", "Pictures", "address", "page_at", "picture", "spans_on"]

_WAITING = 8  # pictures that are kept for who is about to ask for them
_SECONDS = 10.0


class Page(NamedTuple):
    """A page by its number, the characters of the text on it, and where its neighbours begin."""

    number: int
    start: int
    end: int
    before: int | None
    after: int | None

    @property
    def characters(self) -> tuple[int, int]:
        """What of the text is on it."""
        return self.start, self.end


class PictureMark(NamedTuple):
    """A part of a page that is quoted; `is_place` at the first of the evidence looked for."""

    place: Rectangle
    kind: str
    is_place: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A page's picture by its address, its size in pixels, and what is quoted of it.

    `has_place` tells that one of the marks is the place; `is_marked`, that all evidence on the
    page was found on it.
    """

    page: Page
    address: str
    width: int
    height: int
    marks: tuple[PictureMark, ...]
    has_place: bool
    is_marked: bool


class Pictures:
    """Draws a page once for who is told where spans stand on it and then asks for its picture."""

    def __init__(
        self, draw: Callable[[str, int, list[tuple[int, int]]], Awaitable[PageImage]]
    ) -> None:
        """Take what draws a page of a document, by its id, with spans of its text."""
        self._draw = draw
        self._waiting: dict[tuple[str, int], tuple[float, PageImage]] = {}

    async def marked(self, document: str, page: int, spans: list[tuple[int, int]]) -> PageImage:
        """Draw a page and keep its picture a moment, to be asked for once."""
        drawn = await self._draw(document, page, spans)
        self._waiting.pop((document, page), None)
        self._waiting[document, page] = time.monotonic(), drawn
        while len(self._waiting) > _WAITING:
            del self._waiting[next(iter(self._waiting))]
        return drawn

    async def alone(self, document: str, page: int) -> PageImage:
        """Give the picture that was kept, or draw it."""
        since, drawn = self._waiting.pop((document, page), (0.0, None))
        if drawn is None or time.monotonic() - since > _SECONDS:
            return await self._draw(document, page, [])
        return drawn


def address(document: str, page: int) -> str:
    """Where a page's picture is asked for."""
    return f"/documents/{quote(document, safe='/')}/pages/{page}.png"


def page_at(document: DocumentText, at: int) -> Page | None:
    """The page that a character of a PDF stands on; None where pages are not known, or no PDF."""
    if document.format != "pdf" or document.file != document.id:
        return None
    pages = [one for one in document.places if one.kind == PlaceKind.PAGE]
    number = sum(one.start <= at for one in pages) - 1
    if not pages or not pages[max(number, 0)].value.isdecimal():
        return None
    number = max(number, 0)
    following = pages[number + 1].start if number + 1 < len(pages) else None
    return Page(
        number=int(pages[number].value),
        start=pages[number].start,
        end=len(document.text) if following is None else following,
        before=pages[number - 1].start if number else None,
        after=following,
    )


def spans_on(
    page: Page, document: DocumentText, passages: Iterable[CitedPassage]
) -> list[tuple[int, int, str]]:
    """What of an answer stands on a page: passages, then the evidence in them."""
    own = [one for one in passages if one.citation.document == document.id]
    spans = [(one.citation.start, one.citation.end, "passage") for one in own]
    for one in own:
        evidence = one.evidence.citation
        spans.append((evidence.start, evidence.end, "evidence"))
    return [one for one in spans if one[0] < page.end and page.start < one[1]]


def picture(
    page: Page,
    document: DocumentText,
    drawn: PageImage,
    spans: list[tuple[int, int, str]],
    at: int,
) -> Picture:
    """A page as it was drawn, with the spans that were asked for, and the character looked for."""
    found = list(zip(drawn.rectangles, spans, strict=True))
    looked_for = next(
        (n for n, (_, (start, end, kind)) in enumerate(found)
         if kind == "evidence" and start <= at < end),
        None,
    )  # fmt: skip
    marks = tuple(
        PictureMark(one, kind, n == looked_for and not nth)
        for n, (places, (_, _, kind)) in enumerate(found)
        for nth, one in enumerate(places)
    )
    return Picture(
        page=page,
        address=address(document.id, page.number),
        width=drawn.width,
        height=drawn.height,
        marks=marks,
        has_place=any(one.is_place for one in marks),
        is_marked=all(places for places, (_, _, kind) in found if kind == "evidence"),
    )
