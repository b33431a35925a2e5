"""News feeds (RSS 0.9 to 2.0, Atom): each entry a section, its text read as the page it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.html import blocks_of, compose, parse
from qa.reading.markup import Element, parse_xml
from qa.reading.reasons import NO_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_feed"]

_DECLARATION = re.compile(rb"\s*<\?xml[^>]{0,200}encoding=[\"']([\w.:-]+)[\"'][^>]{0,200}\?>")
# RSS 0.91 names its document type; one that declares nothing of its own may go.
_DOCTYPE = re.compile(rb"<!DOCTYPE[^<>\[]*>")
_TEXTS = ("encoded", "content", "description", "summary")  # the fullest first
_DATES = ("pubDate", "published", "date", "updated", "lastBuildDate")


def read_feed(raw: bytes) -> Extracted:
    """Read a feed: its title above those of its entries, with who wrote them and when.

    Raises:
        UnreadableError: it is not a feed, is damaged, or has no text.
    """
    root = parse_xml(_DOCTYPE.sub(b"", _as_utf8(raw), count=1))
    if root.tag not in {"rss", "feed", "RDF"}:
        raise UnreadableError("XML, but not a feed")
    head = root.find("channel")
    head = root if head is None else head
    composer = Composer()
    composer.heading(_text(head, "title"), level=1)
    composer.add(_text(head, "description") or _text(head, "subtitle"))
    for entry in _entries(root):
        composer.heading(_text(entry, "title"), level=2)
        about = [_person(entry), next(filter(None, (_text(entry, name) for name in _DATES)), "")]
        composer.add(", ".join(filter(None, about)))
        body = next(filter(None, (_text(entry, name) for name in _TEXTS)), "")
        compose(blocks_of(parse(body), whole=True), composer)
    metadata = {
        "title": _text(head, "title"),
        "author": _person(head),
        "date": next(filter(None, (_text(head, name) for name in _DATES)), ""),
        "language": _text(head, "language"),
    }
    found = composer.finish(metadata)
    if not found.sections:
        raise UnreadableError(NO_TEXT)
    return found


def _entries(root: Element) -> Iterator[Element]:
    return (element for element in root.iter() if element.tag in {"item", "entry"})


def _text(element: Element, name: str) -> str:
    """What stands in a child; markup that is not escaped is left out, its text is not."""
    found = element.find(name)
    return "" if found is None else "".join(found.itertext()).strip()


def _person(element: Element) -> str:
    author = element.find("author")
    name = "" if author is None else _text(author, "name") or "".join(author.itertext()).strip()
    return name or _text(element, "creator")


def _as_utf8(raw: bytes) -> bytes:
    """Write XML in UTF-8: its parser knows no encoding in which a character has several bytes."""
    declaration = _DECLARATION.match(raw)
    if declaration is None:
        return raw
    try:
        text = raw[declaration.end() :].decode(declaration[1].decode())
    except (LookupError, UnicodeDecodeError):
        return raw
    return text.encode("utf-8", "replace")
