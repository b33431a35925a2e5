"""E-books: the chapters of an EPUB in reading order, each read as a page."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from qa.reading.archive import open_archive, read_member
from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.html import blocks_of, compose, parse, text_of
from qa.reading.html.blocks import PageBlock
from qa.reading.reasons import LOCKED, NO_TEXT
from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import NoReturn
    from zipfile import ZipFile

__all__ = ["read_epub"]

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
# Only fonts are hidden in these ways, and only from being copied; the text is not.
_FONT_METHODS = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
_METADATA = {
    "title": "title",
    "creator": "author",
    "date": "date",
    "language": "language",
    "publisher": "publisher",
    "description": "description",
    "subject": "keywords",
    "identifier": "identifier",
}
_JOINED = {"author", "keywords"}  # of these, all are kept; of the others the first
_TAG = re.compile(r"<[^<>]{1,200}>")
_WORD = re.compile(r"\w+")
_LINKED = 0.8  # of each line's text: then a page is but a list of chapters
_HEADINGS_WITHIN = 3  # blocks: number, title and subtitle of a chapter may be headings of their own


@dataclass(slots=True)
class _Package:
    """What the package document says: metadata, the files in reading order, and the contents'."""

    metadata: dict[str, str]
    chapters: list[str]
    contents: str = ""
    # Pages that only list the chapters, and are not read for what they say.
    lists: set[str] = field(default_factory=set)


def read_epub(raw: bytes) -> Extracted:
    """Read a book, version 2 or 3: its chapters are counted as its spine names them.

    A heading path begins with the chapter's title from the table of contents, where the chapter's
    own heading doesn't say it. An anchor is the chapter's file, and the id in it where one is near.

    Raises:
        UnreadableError: it is encrypted or damaged, unpacks to too much, or has no text.
    """
    archive = open_archive(raw)
    name = _package_name(archive)
    package = _package(_xml(_member(archive, name)), folder=posixpath.dirname(name))
    if _encrypted(archive).intersection(package.chapters):
        raise UnreadableError(LOCKED)
    titles = _titles(archive, package.contents)
    composer = Composer()
    has_text = False
    root = posixpath.dirname(name)
    members = set(archive.namelist())
    for number, chapter in enumerate(package.chapters, start=1):
        if chapter in package.lists or chapter not in members:
            continue
        page = parse(text_of(read_member(archive, chapter)))
        blocks = blocks_of(page, whole=True)
        if not blocks or _is_contents(blocks):
            continue
        has_text = True
        blocks = _titled(blocks, titles.get(chapter, {}))
        # What stands in a chapter before its first heading is not of the chapter before.
        composer.heading("", level=1)
        composer.place(PlaceKind.CHAPTER, number)
        compose(blocks, composer, file=posixpath.relpath(chapter, root or "."))
    if not has_text:
        raise UnreadableError(NO_TEXT)
    return composer.finish(package.metadata)


def _member(archive: ZipFile, name: str) -> bytes:
    try:
        return read_member(archive, name)
    except KeyError as error:
        raise UnreadableError(f"a damaged e-book: it has no {name}") from error


def _xml(data: bytes) -> Element:
    """Parse XML that declares no entities; names come without their namespaces' prefixes."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(name: str, attributes: Mapping[str, str]) -> None:
        builder.start(_local(name), {_local(key): value for key, value in attributes.items()})

    def declare_entity(*_: object) -> NoReturn:
        raise UnreadableError("a damaged e-book: entities are declared in its XML")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: builder.end(_local(name))
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = declare_entity
    try:
        parser.Parse(data.lstrip(), True)  # noqa: FBT003 - that is all of it
        return builder.close()
    except (expat.ExpatError, LookupError, AssertionError) as error:
        raise UnreadableError("a damaged e-book: its XML can't be read") from error


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _target(folder: str, href: str) -> tuple[str, str]:
    """The member and the fragment that a link names, seen from a folder of the archive."""
    path, _, fragment = href.partition("#")
    return posixpath.normpath(posixpath.join(folder, unquote(path))), unquote(fragment)


def _text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _package_name(archive: ZipFile) -> str:
    names = archive.namelist()
    if _CONTAINER in names:
        for file in _xml(read_member(archive, _CONTAINER)).iter("rootfile"):
            if (name := unquote(file.get("full-path", ""))) in names:
                return name
    found = sorted(name for name in names if name.lower().endswith(".opf"))
    if not found:
        raise UnreadableError("a damaged e-book: nothing says what it consists of")
    return found[0]


def _package(root: Element, *, folder: str) -> _Package:
    files: dict[str, str] = {}
    pages: list[str] = []
    package = _Package(_metadata(root), [])
    for item in root.iter("item"):
        kind = item.get("media-type", "")
        name = _target(folder, item.get("href", ""))[0]
        files[item.get("id", "")] = name
        if "nav" in item.get("properties", "").split():
            package.contents = name
            package.lists.add(name)
        elif kind == "application/x-dtbncx+xml" and not package.contents:
            package.contents = name
        if kind in {"application/xhtml+xml", "text/html"}:
            pages.append(name)
    for reference in root.iter("reference"):
        if reference.get("type", "").lower() == "toc":
            name, fragment = _target(folder, reference.get("href", ""))
            if not fragment:
                package.lists.add(name)
    spine = [files.get(item.get("idref", ""), "") for item in root.iter("itemref")]
    package.chapters = list(dict.fromkeys(filter(None, spine))) or pages
    return package


def _metadata(root: Element) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    block = root.find("metadata")
    for element in block.iter() if block is not None else ():
        ours = _METADATA.get(element.tag)
        value = _TAG.sub(" ", _text(element))
        if not ours or not value:
            continue
        first = element.get("event") in {"publication", "original-publication"}
        found.setdefault(ours, []).insert(0 if first else len(found[ours]), value)
    return {
        key: ", ".join(dict.fromkeys(values)) if key in _JOINED else values[0]
        for key, values in found.items()
    }


def _encrypted(archive: ZipFile) -> set[str]:
    """The members whose content is encrypted."""
    if _ENCRYPTION not in archive.namelist():
        return set()
    locked = set()
    for data in _xml(read_member(archive, _ENCRYPTION)).iter("EncryptedData"):
        method = data.find("EncryptionMethod")
        if method is None or method.get("Algorithm") not in _FONT_METHODS:
            locked |= {
                _target("", reference.get("URI", ""))[0]
                for reference in data.iter("CipherReference")
            }
    return locked


def _titles(archive: ZipFile, contents: str) -> dict[str, dict[str, str]]:
    """For each file the titles that the table of contents has for it, by fragment."""
    titles: dict[str, dict[str, str]] = {}
    if contents not in archive.namelist():
        return titles
    data = read_member(archive, contents)
    is_ncx = b"<navMap" in data or b":navMap" in data
    for href, title in _ncx(_xml(data)) if is_ncx else _nav(text_of(data)):
        name, fragment = _target(posixpath.dirname(contents), href)
        if title:
            titles.setdefault(name, {}).setdefault(fragment, title)
    return titles


def _ncx(root: Element) -> Iterator[tuple[str, str]]:
    for point in root.iter("navPoint"):
        label, content = point.find("navLabel"), point.find("content")
        if label is not None and content is not None:
            yield content.get("src", ""), _text(label)


def _nav(html: str) -> Iterator[tuple[str, str]]:
    parts = parse(html).css("nav")
    chosen = [part for part in parts if "toc" in (part.attributes.get("epub:type") or "").split()]
    for part in (chosen or parts)[:1]:
        for link in part.css("a[href]"):
            yield link.attributes.get("href") or "", " ".join(link.text().split())


def _is_contents(blocks: list[PageBlock]) -> bool:
    lines = [block for block in blocks if not block.level]
    return len(lines) > 1 and all(line.linked >= _LINKED * len(line.text) for line in lines)


def _titled(blocks: list[PageBlock], titles: Mapping[str, str]) -> list[PageBlock]:
    """Add the titles that a chapter has in the contents, where its own headings don't say them."""
    added: dict[int, str] = {}
    # The first block below each anchor: of several, the dictionary keeps the last that it is given.
    firsts = {block.anchor: at for at, block in reversed([*enumerate(blocks)])}
    for order, (fragment, title) in enumerate(titles.items()):
        at = firsts.get(fragment, 0) if fragment else 0
        if (at or not order) and blocks and not _is_said(title, blocks[at:]):
            added.setdefault(at, title)
    if not added:
        return blocks
    result = []
    for at, block in enumerate(blocks):
        if title := added.get(at, ""):
            result.append(PageBlock(title, block.anchor, level=1))
            if not block.level and _words(block.text) == _words(title):
                continue  # it is the title, set as a paragraph
        if block.level:
            block.level += 1
        result.append(block)
    return result


def _is_said(title: str, blocks: list[PageBlock]) -> bool:
    said: set[str] = set()
    for block in blocks[:_HEADINGS_WITHIN]:
        if block.level:
            said.update(_words(block.text))
    return said.issuperset(_words(title))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
