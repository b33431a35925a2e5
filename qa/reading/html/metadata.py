"""Who wrote a page, when, and what about: `meta`, Open Graph, Dublin Core, JSON-LD, `time`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborHTMLParser

__all__ = ["metadata_of"]

# By our name, those of `meta` elements, the best first; "ld:" stands for JSON-LD.
_SOURCES = {
    "title": "og:title citation_title ld:headline dc.title dcterms.title twitter:title",
    "author": "author article:author ld:author citation_author dc.creator dcterms.creator "
    "parsely-author sailthru.author byl",
    "date": "article:published_time ld:datepublished citation_publication_date dc.date "
    "dcterms.created dcterms.date dc.date.issued pubdate publishdate parsely-pub-date date "
    "datepublished",
    "modified": "article:modified_time ld:datemodified dcterms.modified last-modified "
    "og:updated_time",
    "language": "content-language dc.language dcterms.language og:locale",
    "description": "description og:description dc.description",
    "keywords": "keywords news_keywords",
    "site": "og:site_name application-name",
    "url": "og:url",
}
_IS_URL = re.compile(r"https?://", re.IGNORECASE)
_MAX_DATA = 500_000  # characters of JSON-LD
_MAX_NODES = 200


def metadata_of(tree: LexborHTMLParser) -> dict[str, str]:
    """What the page says about itself, as it writes it; keys without a value are absent."""
    found: dict[str, str] = {}
    for meta in tree.css("meta[content]"):
        attributes = meta.attributes
        value = " ".join((attributes.get("content") or "").split())
        for naming in ("property", "name", "itemprop", "http-equiv"):
            name = (attributes.get(naming) or "").strip().lower()
            if name and value:
                joined = name in {"citation_author", "dc.creator"} and name in found
                found[name] = f"{found[name]}, {value}" if joined else found.get(name, value)
    for key, value in _linked_data(tree):
        found.setdefault(f"ld:{key}", value)
    metadata = {}
    for ours, names in _SOURCES.items():
        values = [found[name] for name in names.split() if name in found]
        if ours == "author":
            values = [value for value in values if not _IS_URL.match(value)]
        if values:
            metadata[ours] = values[0]
    for key, value in _from_elements(tree):
        if value and (key == "language" or key not in metadata):
            metadata[key] = value
    return metadata


def _from_elements(tree: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    title = tree.css_first("head > title, body > title")
    if title is not None:
        yield "title", " ".join(title.text().split())
    for selector in ("[itemprop=author] [itemprop=name]", "[itemprop=author]", "[rel~=author]"):
        author = tree.css_first(selector)
        if author is not None:
            name = " ".join(author.text().split())
            yield "author", name.removeprefix("By ").removeprefix("by ") if len(name) <= 100 else ""
            break
    for selector, attribute in (
        ("[itemprop=datePublished]", "content"),
        ("[itemprop=datePublished], time[pubdate], article time[datetime]", "datetime"),
        ("header time[datetime], main time[datetime]", "datetime"),
    ):
        time = tree.css_first(selector)
        if time is not None:
            yield "date", (time.attributes.get(attribute) or "").strip()
    root = tree.css_first("html")
    if root is not None:
        attributes = root.attributes
        yield "language", (attributes.get("lang") or attributes.get("xml:lang") or "").strip()


def _linked_data(tree: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    """Headline, author and dates of the first things that JSON-LD describes."""
    for script in tree.css('script[type="application/ld+json"]'):
        source = script.text()
        if len(source) > _MAX_DATA:
            continue
        try:
            pending = [json.loads(source)]
        except (ValueError, RecursionError):
            continue
        for _ in range(_MAX_NODES):
            if not pending:
                break
            node = pending.pop(0)
            if isinstance(node, list):
                pending += node
            elif isinstance(node, dict):
                pending.append(node.get("@graph"))
                for name in ("headline", "author", "datePublished", "dateModified"):
                    if value := _said(node.get(name)):
                        yield name.lower(), value


def _said(value: object) -> str:
    """A text, the name of a person or thing, or several, as one line."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_said, value[:20])))
    if isinstance(value, dict):
        value = value.get("name")
    return " ".join(value.split()) if isinstance(value, str) else ""
