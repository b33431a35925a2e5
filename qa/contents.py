"""Indexed documents as a person or a program sees them: what each is, its text, its headings."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the types are to resolve at run time
from dataclasses import dataclass
from typing import Literal, NamedTuple

from qa.types import Place  # noqa: TC001 - as above

__all__ = ["DocumentInfo", "DocumentText", "Heading", "PageImage", "Rectangle"]


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """An indexed document, in short.

    `file` is the file that holds it: itself, but for an attachment. `title` is what the document
    calls itself, "" where it doesn't; `passages` counts those that are indexed of it.
    """

    id: str
    file: str
    format: str
    title: str
    metadata: Mapping[str, str]
    passages: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document: `level` counts from 1, the outermost of this document.

    `start` is the character of the text at which it stands, `line` the line, from 1.
    """

    level: int
    title: str
    start: int
    line: int


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The text of an indexed document, whose characters and lines citations count.

    `places` are the pages, anchors and so on at which its passages stand, in order; `outline` has
    the headings above them. `sha256` is of its whole file, which is the one that was indexed.
    """

    id: str
    file: str
    format: str
    text: str
    sha256: str
    metadata: Mapping[str, str]
    places: tuple[Place, ...] = ()
    outline: tuple[Heading, ...] = ()


class Rectangle(NamedTuple):
    """A part of a page: its left upper corner and its size, as shares of the page's, 0 to 1."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as a picture of `width` by `height` pixels.

    `rectangles` has a tuple for each span that was asked for, in their order, with about one
    rectangle for each line of it; an empty one where the span was not found on the page.
    """

    data: bytes
    media_type: Literal["image/png"]
    width: int
    height: int
    rectangles: tuple[tuple[Rectangle, ...], ...]
