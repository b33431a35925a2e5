"""A page of a PDF as a picture, with what an answer quotes of it marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qa.contents import DocumentText, PageImage, Rectangle
    from qa.types import CitedPassage

__all__ = ["Page", "Picture", "page_at", "picture", "spans_on"]


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


@dataclass(frozen=True, slots=True)
class Picture:
    """A page's picture by its address, its size in pixels, and parts of it by their kind.

    `is_marked` tells that all evidence on the page was found on it.
    """

    page: Page
    address: str
    width: int
    height: int
    marks: tuple[tuple[Rectangle, str], ...]
    is_marked: bool


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
    page: Page, document: DocumentText, drawn: PageImage, spans: list[tuple[int, int, str]]
) -> Picture:
    """A page as it was drawn, with the spans that were asked for."""
    found = list(zip(drawn.rectangles, spans, strict=True))
    return Picture(
        page=page,
        address=f"/documents/{quote(document.id, safe='/')}/pages/{page.number}.png",
        width=drawn.width,
        height=drawn.height,
        marks=tuple((one, kind) for places, (_, _, kind) in found for one in places),
        is_marked=all(places for places, (_, _, kind) in found if kind == "evidence"),
    )
