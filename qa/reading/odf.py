"""OpenDocument texts, sheets and slides (ODT, ODS, ODP, zipped or as one flat XML file)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.reading.archive import open_archive, read_member
from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.markup import Element, attribute, parse_xml
from qa.reading.tables import add_table
from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_odf", "slide_heading"]

# Deleted text, what scripts and forms are made of, and pictures of what stands elsewhere.
_LEFT_OUT = frozenset(
    "tracked-changes forms scripts event-listeners settings image object object-ole plugin "
    "sequence-decls variable-decls user-field-decls dde-connection-decls note-citation "
    "named-expressions database-ranges calculation-settings content-validations".split()
)
_NAMES_OF_SHAPES = frozenset({"title", "desc"})  # not shown; elsewhere, a title is a field
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
_MOST_REPEATED = 256  # cells that are equal, side by side, are written once with a number


def read_odf(raw: bytes) -> Extracted:
    """Read an OpenDocument file.

    Paragraphs of a text are counted as in Word documents; notes, comments and text boxes follow
    the paragraph in which they are anchored. Each sheet, and each slide, is a section.

    Raises:
        UnreadableError: not an OpenDocument file, encrypted, damaged, or without text.
    """
    content, styles, meta = _parts(raw)
    body = next(content.iter("body"), None)
    if body is None or not len(body):
        raise UnreadableError("no OpenDocument text in it")
    try:
        document = _Document(_titles(content), is_text=body[-1].tag == "text")
        document.read(body[-1])
        extracted = document.composer.finish(_metadata(meta))
        if not extracted.text and styles is not None and body[-1].tag == "text":
            for element in styles.iter():
                if element.tag in {"header", "footer"}:
                    document.read(element)
            extracted = document.composer.finish(_metadata(meta))
    except RecursionError as error:
        raise UnreadableError("its parts are nested too deeply") from error
    if not extracted.text:
        raise UnreadableError("no text in it")
    return extracted


def slide_heading(number: int, title: str) -> str:
    """Head a slide so that people find it again: by its number, and its title if it has one."""
    title = " ".join(title.split())
    return f"Slide {number}: {title}" if title else f"Slide {number}"


def _parts(raw: bytes) -> tuple[Element, Element | None, Element | None]:
    """Give content, styles (with what is on every page) and metadata."""
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        root = parse_xml(raw)
        return root, root, next(root.iter("meta"), None)
    archive = open_archive(raw)
    names = set(archive.namelist())
    if "META-INF/manifest.xml" in names and any(
        element.tag == "encryption-data"
        for element in parse_xml(read_member(archive, "META-INF/manifest.xml")).iter()
    ):
        raise UnreadableError("encrypted")
    if "content.xml" not in names:
        raise UnreadableError("an archive without an OpenDocument file in it")
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
        name: next((", ".join(values[one]) for one in names if one in values), "")
        for name, names in _PROPERTIES.items()
    }


def _titles(content: Element) -> set[str]:
    """Give the names of the styles that make a document's title."""
    derived = {
        attribute(style, "name")
        for style in content.iter("style")
        if attribute(style, "parent-style-name") == "Title"
    }
    return derived | {"Title"}


class _Document:
    """Walks through a document's body."""

    def __init__(self, titles: set[str], *, is_text: bool) -> None:
        self.composer = Composer()
        self._titles = titles
        self._paragraphs = 0
        self._slides = 0
        self._is_text = is_text  # and not sheets or slides, where no one counts paragraphs
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
                self.read(element)

    def _paragraph(self, element: Element) -> None:
        text = self._text(element)
        if text.strip():
            self._paragraphs += 1
            if self._is_text:
                self.composer.place(PlaceKind.PARAGRAPH, self._paragraphs)
            level = attribute(element, "outline-level")
            if element.tag == "h":
                self.composer.heading(text, level=1 + (int(level) if level.isdecimal() else 1))
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
        rows = [[self._cell(cell) for cell in row] for row in _rows(table)]
        if not self._is_text:
            if any(any(row) for row in rows):
                self.composer.heading(attribute(table, "name"), level=1)
            add_table(self.composer, rows)
        else:
            self._paragraphs = add_table(self.composer, rows, paragraph=self._paragraphs)
        self._add_asides()

    def _cell(self, cell: Element | None) -> str:
        if cell is None:
            return ""
        texts = []
        for element in cell:
            if element.tag in {"p", "h"}:
                texts.append(self._text(element))
            elif element.tag == "table":
                rows = (map(self._cell, row) for row in _rows(element))
                texts.append("; ".join(", ".join(filter(None, row)) for row in rows))
            elif element.tag in _ASIDES:
                self._asides.append(element)
            elif element.tag not in _LEFT_OUT:
                texts.append(self._cell(element))
        return " ".join(text for text in texts if text.strip())

    def _add_asides(self) -> None:
        """Add what the paragraph refers to; that may refer to more."""
        asides, self._asides = self._asides, []
        for aside in asides:
            author = "".join(e.text or "" for e in aside if e.tag == "creator")
            lead = f"Comment by {author}: " if author and aside.tag == "annotation" else ""
            for element in _blocks(aside):
                if element.tag == "table":
                    cells = [[self._cell(cell) for cell in row] for row in _rows(element)]
                    add_table(self.composer, cells)
                elif (text := self._text(element)).strip():
                    self.composer.add(lead + text)
                    lead = ""
                self._add_asides()

    def _text(self, element: Element) -> str:
        return "".join(self._pieces(element))

    def _pieces(self, element: Element) -> Iterator[str]:
        yield element.text or ""
        for child in element:
            if child.tag == "s":
                count = attribute(child, "c")
                yield " " * (min(int(count), _MOST_REPEATED) if count.isdecimal() else 1)
            elif child.tag == "tab":
                yield "\t"
            elif child.tag == "line-break":
                yield "\n"
            elif child.tag in _ASIDES:
                self._asides.append(child)
            elif child.tag not in _LEFT_OUT:
                yield from self._pieces(child)
            yield child.tail or ""


def _blocks(container: Element) -> Iterator[Element]:
    """Give the paragraphs and tables of a note or shape, in order."""
    for element in container:
        if element.tag in {"p", "h", "table"}:
            yield element
        elif element.tag not in _LEFT_OUT:
            yield from _blocks(element)


def _rows(table: Element) -> Iterator[list[Element | None]]:
    """Give the cells of each row; None for one that another covers."""
    for element in table:
        if element.tag == "table-row":
            cells: list[Element | None] = []
            for cell in element:
                count = attribute(cell, "number-columns-repeated")
                repeated = min(int(count), _MOST_REPEATED) if count.isdecimal() else 1
                if cell.tag in {"table-cell", "covered-table-cell"}:
                    cells += [cell if cell.tag == "table-cell" else None] * repeated
            yield cells
        elif element.tag in {"table-header-rows", "table-rows", "table-row-group"}:
            yield from _rows(element)
