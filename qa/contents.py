"""Indexed documents as a person or a program sees them: what each is, its text, its headings."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the types are to resolve at run time
from dataclasses import dataclass

from qa.types import Place  # noqa: TC001 - as above

__all__ = ["DocumentInfo", "DocumentText", "Heading"]


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
