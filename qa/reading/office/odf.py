"""OpenDocument texts, sheets and slides (ODT, ODS, ODP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.reading.archive import open_archive, read_member
from qa.reading.captions import caption, inline, joined
from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.markup import Element, attribute, number, parse_xml
from qa.reading.reasons import ENCRYPTED, NESTED, NO_TEXT
from qa.reading.tables import add_table
from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["read_odf", "slide_heading"]

# Deleted text, what scripts and forms are made of, and pictures of what stands elsewhere.
_LEFT_OUT = frozenset(
    "tracked-changes forms scripts event-listeners settings image object object-ole plugin "
    "sequence-decls variable-decls user-field-decls dde-connection-decls note-citation "
    "named-expressions database-ranges calculation-settings content-validations".split()
)
# Of a picture, they are said for those who don't see it; elsewhere, a title is a field.
_NAMES_OF_SHAPES = frozenset({"title", "desc"})
_SHAPES = frozenset(
    "frame g custom-shape rect line circle ellipse polygon polyline path connector caption "
    "measure regular-polygon".split()
)
_ASIDES = _SHAPES | {"note", "annotation"}
_PROPERTIES = {
    "title": ("title",),
    "author": ("creator", "initial-creator"),
    "date": ("date", "creation-date"),
    "language": ("language",),
    "keywords": ("keyword",),
    "subject": ("subject",),
    "description": ("description",),
}
_MAX_REPEATED = 256  # cells that are equal, side by side, are written once with a number


def read_odf(raw: bytes) -> Extracted:
    """Read an OpenDocument file.

    Paragraphs of a text are counted as in Word documents; notes, comments and text boxes follow
    the paragraph in which they are anchored. What is said of a picture stands in its place. Each
    sheet, and each slide, is a section.

    Raises:
        UnreadableError: not an OpenDocument file, encrypted, damaged, or without text.
    """
    content, styles, meta = _parts(raw)
    body = next(content.iter("body"), None)
    if body is None or not len(body):
        raise UnreadableError("XML, but not of an OpenDocument file")
    try:
        is_text = body[-1].tag == "text"  # elsewhere, no one counts paragraphs
        counted = _paragraphs(body[-1]) if is_text else ()
        document = _Document(_titles(content), counted)
        document.read(body[-1])
        extracted = document.composer.finish(_metadata(meta))
        if not extracted.text and styles is not None and is_text:
            for element in styles.iter():
                if element.tag in {"header", "footer"}:
                    document.read(element)
            extracted = document.composer.finish(_metadata(meta))
    except RecursionError as error:
        raise UnreadableError(NESTED) from error
    if not extracted.text:
        raise UnreadableError(NO_TEXT)
    return extracted


def slide_heading(number: int, title: str) -> str:
    """Head a slide so that people find it again: by its number, and its title if it has one."""
    title = " ".join(title.split())
    return f"Slide {number}: {title}" if title else f"Slide {number}"


def _parts(raw: bytes) -> tuple[Element, Element | None, Element | None]:
    """Content, styles (with what is on every page) and metadata."""
    archive = open_archive(raw)
    names = set(archive.namelist())
    if "META-INF/manifest.xml" in names and any(
        element.tag == "encryption-data"
        for element in parse_xml(read_member(archive, "META-INF/manifest.xml")).iter()
    ):
        raise UnreadableError(ENCRYPTED)
    if "content.xml" not in names:
        raise UnreadableError("a ZIP archive without an OpenDocument file in it")
    others: list[Element | None] = []
    for name in ("styles.xml", "meta.xml"):
        try:
            others.append(parse_xml(read_member(archive, name)))
        except (KeyError, UnreadableError):  # it can be read without
            others.append(None)
    return parse_xml(read_member(archive, "content.xml")), others[0], others[1]


def _metadata(meta: Element | None) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for element in meta.iter() if meta is not None else ():
        if element.text and element.text.strip():
            values.setdefault(element.tag, []).append(element.text.strip())
    return {
        name: next((", ".join(values[own]) for own in names if own in values), "")
        for name, names in _PROPERTIES.items()
    }


def _titles(content: Element) -> set[str]:
    """The names of the styles that make a document's title."""
    derived = {
        attribute(style, "name")
        for style in content.iter("style")
        if attribute(style, "parent-style-name") == "Title"
    }
    return derived | {"Title"}


class _Document:
    """Walks through a document's body."""

    def __init__(self, titles: set[str], counted: Iterable[Element]) -> None:
        self.composer = Composer()
        self._titles = titles
        self._numbers = {element: at for at, element in enumerate(counted, 1)}
        self._slides = 0
        self._asides: list[Element] = []

    def read(self, container: Element) -> None:
        """Read what stands in it, in order."""
        for element in container:
            tag = element.tag
            if tag in {"p", "h"}:
                self._paragraph(element)
            elif tag == "table":
                self._table(element)
            elif tag == "page":
                self._slide(element)
            elif tag == "annotation":
                self._asides.append(element)
                self._add_asides()
            elif tag in _LEFT_OUT or (tag in _NAMES_OF_SHAPES and container.tag in _SHAPES):
                continue
            else:
                self.composer.add(_said_of(element))
                self.read(element)

    def _paragraph(self, element: Element) -> None:
        if element in self._numbers:
            self.composer.place(PlaceKind.PARAGRAPH, self._numbers[element])
        text = self._text(element)
        if text.strip():
            if element.tag == "h":
                self.composer.heading(
                    text, level=1 + (number(attribute(element, "outline-level")) or 1)
                )
            elif attribute(element, "style-name") in self._titles:
                self.composer.heading(text, level=1)
            else:
                self.composer.add(text)
        self._add_asides()

    def _slide(self, page: Element) -> None:
        self._slides += 1
        if not "".join(page.itertext()).strip():
            return
        title = next((e for e in page if attribute(e, "class") == "title"), None)
        name = " ".join(self._text(p) for p in title.iter("p")) if title is not None else ""
        self.composer.heading(slide_heading(self._slides, name), level=1)
        for element in page:
            if element is not title:
                box = Element("box")
                box.append(element)
                self.read(box)
        self._add_asides()

    def _table(self, table: Element) -> None:
        rows = list(_rows(table))
        texts = [{column: self._cell(cell) for column, cell in row.items()} for row in rows]
        if self._numbers:
            add_table(self.composer, texts, paragraphs=[self._number(row) for row in rows])
        else:
            if any(any(row.values()) for row in texts):
                self.composer.heading(attribute(table, "name"), level=1)
            add_table(self.composer, texts)
        self._add_asides()

    def _number(self, row: Mapping[int, Element]) -> int:
        """The number of the first paragraph of a row that has text; 0 where there is none."""
        paragraphs = (p for cell in row.values() for p in _paragraphs(cell))
        found = (self._numbers.get(p, 0) for p in paragraphs if "".join(p.itertext()).strip())
        return next(found, 0)

    def _cell(self, cell: Element) -> str:
        texts = []
        for element in cell:
            if element.tag in {"p", "h"}:
                texts.append(self._text(element))
            elif element.tag == "table":
                rows = (map(self._cell, row.values()) for row in _rows(element))
                lines = (", ".join(filter(None, row)) for row in rows)
                texts.append("; ".join(filter(None, lines)))
            elif element.tag in _ASIDES:
                self._asides.append(element)
                texts.append(_said_within(element))
            elif element.tag not in _LEFT_OUT:
                texts.append(self._cell(element))
        return " ".join(text for text in texts if text.strip())

    def _add_asides(self) -> None:
        """Add what the paragraph refers to; that may refer to more."""
        asides, self._asides = self._asides, []
        for aside in asides:
            author = "".join(e.text or "" for e in aside if e.tag == "creator")
            if not _is_within(aside):
                self.composer.add(" ".join(_captions(aside)))
            lead = f"Comment by {author}: " if author and aside.tag == "annotation" else ""
            for element in _blocks(aside):
                if element.tag == "table":
                    rows = _rows(element)
                    texts = [{at: self._cell(cell) for at, cell in row.items()} for row in rows]
                    add_table(self.composer, texts)
                elif (text := self._text(element)).strip():
                    self.composer.add(lead + text)
                    lead = ""
                self._add_asides()

    def _text(self, element: Element) -> str:
        return joined("".join(self._pieces(element)))

    def _pieces(self, element: Element) -> Iterator[str]:
        yield element.text or ""
        for child in element:
            if child.tag == "s":
                count = number(attribute(child, "c"))
                yield " " * (1 if count is None else min(count, _MAX_REPEATED))
            elif child.tag == "tab":
                yield "\t"
            elif child.tag == "line-break":
                yield "\n"
            elif child.tag in _ASIDES:
                self._asides.append(child)
                yield inline(_said_within(child))
            elif child.tag not in _LEFT_OUT:
                yield from self._pieces(child)
            yield child.tail or ""


def _blocks(container: Element) -> Iterator[Element]:
    """The paragraphs and tables of a note or shape, in order."""
    for element in container:
        if element.tag in {"p", "h", "table"}:
            yield element
        elif element.tag not in _LEFT_OUT:
            yield from _blocks(element)


def _paragraphs(container: Element) -> Iterator[Element]:
    """All paragraphs in order, empty ones and those of tables too, but none of shapes."""
    for element in container:
        if element.tag in {"p", "h"}:
            yield element
        elif element.tag not in _LEFT_OUT and element.tag not in _ASIDES:
            yield from _paragraphs(element)


def _said_within(shape: Element) -> str:
    """What is said of a picture that stands in a line, and does not float."""
    return " ".join(_captions(shape)) if _is_within(shape) else ""


def _is_within(shape: Element) -> bool:
    return attribute(shape, "anchor-type") == "as-char"


def _captions(shape: Element) -> Iterator[str]:
    """What is said of a picture, or of those in a group."""
    if said := _said_of(shape):
        yield said
    for child in shape:
        if child.tag in _SHAPES:
            yield from _captions(child)


def _said_of(shape: Element) -> str:
    """What is said of a picture; "" of other shapes, which have texts of their own."""
    if shape.tag not in _SHAPES or not any(child.tag == "image" for child in shape):
        return ""
    said = {child.tag: "".join(child.itertext()) for child in shape}
    return caption(said.get("desc", ""), said.get("title", ""))


def _rows(table: Element) -> Iterator[dict[int, Element]]:
    """The cells of each row by their columns; empty ones, and covered ones, are left out."""
    for element in table:
        if element.tag == "table-row":
            cells: dict[int, Element] = {}
            column = 0
            for cell in element:
                if cell.tag not in {"table-cell", "covered-table-cell"}:
                    continue
                repeated = number(attribute(cell, "number-columns-repeated")) or 1
                if cell.tag == "table-cell" and len(cell):
                    written = min(repeated, _MAX_REPEATED)
                    cells |= dict.fromkeys(range(column, column + written), cell)
                column += repeated
            yield cells
        elif element.tag in {"table-header-rows", "table-rows", "table-row-group"}:
            yield from _rows(element)
