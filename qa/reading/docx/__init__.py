"""Word documents (DOCX, and its kin with macros or as templates), cited by paragraph.

All that a reader of the document sees is read, from the parts themselves: python-docx and mammoth
leave out what this format keeps in other places (text boxes, notes, comments, diagrams).
Insertions that are still to be accepted are read, deletions are not. Pages' heads and feet are
left out, unless there is no other text.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from qa.reading.captions import caption, inline, joined
from qa.reading.docx.numbering import Numbering
from qa.reading.docx.styles import Styles, properties
from qa.reading.extracted import Composer, Extracted, Member, UnreadableError
from qa.reading.markup import Element, attribute, parse_xml
from qa.reading.office.ooxml import Package
from qa.reading.reasons import NESTED, NO_TEXT
from qa.reading.tables import add_table, by_column
from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_docx"]

# Text of these is not the document's, or not any more, or not yet; in a field, what makes it.
_LEFT_OUT = frozenset(
    "del moveFrom delText instrText delInstrText pPr rPr tblPr trPr tcPr sectPr sdtPr ctrlPr "
    "fldData pPrChange rPrChange annotationRef footnoteRef endnoteRef docPartObj".split()
)
_NOTES = {
    "footnoteReference": "footnotes",
    "endnoteReference": "endnotes",
    "commentReference": "comments",
}
# What stands beside the text of the paragraph in which it is anchored.
_ASIDES = frozenset({*_NOTES, "txbxContent", "relIds", "chart", "p", "tbl"})
# Elements that stand for pictures (a drawing, what is in it, and the older form), and their
# attributes for those who don't see them.
_PICTURES = {
    "docPr": ("descr", "title"),
    "cNvPr": ("descr", "title"),
    "shape": ("alt", "title"),
    "rect": ("alt", "title"),
    "group": ("alt", "title"),
}
_SPACE = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def read_docx(raw: bytes) -> Extracted:
    """Read a Word document.

    Every paragraph of the body is counted from 1, empty ones and those of tables too. A row of a
    table has the number of its first paragraph with text. Notes, comments and text boxes follow
    the paragraph that refers to them, and have its number. What is said of a picture stands in
    its place, and a drop cap before the word that it begins.

    Raises:
        UnreadableError: not a Word document, encrypted, damaged, or without text.
    """
    package = Package(raw)
    main = package.main()
    try:
        root = parse_xml(package.data(main))
        body = next((element for element in root if element.tag == "body"), None)
        if body is None:
            raise UnreadableError("an Office document, but not one of Word")
        document = _Document(package, main, body)
        document.read(body)
        extracted = document.finish()
        if not extracted.text:
            document.read_heads_and_feet()
            extracted = document.finish()
    except RecursionError as error:
        raise UnreadableError(NESTED) from error
    if not extracted.text and not extracted.members:
        raise UnreadableError(NO_TEXT)
    return extracted


class _Document:
    """Walks through a document's body, and what its paragraphs refer to."""

    def __init__(self, package: Package, main: str, body: Element) -> None:
        self._composer = Composer()
        self._numbers = {element: at for at, element in enumerate(_paragraphs(body), 1)}
        self._package = package
        self._relations = package.relations(main)
        self._styles = Styles(self._tree("styles"))
        self._numbering = Numbering(self._tree("numbering"))
        self._notes = {kind: self._read_notes(kind) for kind in set(_NOTES.values())}
        self._asides: list[Element] = []  # what the paragraph refers to
        self._said = ""  # of the picture before

    def read(self, container: Element) -> None:
        """Read paragraphs and tables, in whatever they are wrapped."""
        for element in _content(container):
            if element.tag == "p":
                self._paragraph(element)
            else:
                self._table(element)

    def read_heads_and_feet(self) -> None:
        """Read what is repeated on every page."""
        for relation in self._relations.values():
            root = self._package.tree(relation.part)
            if relation.kind in {"header", "footer"} and root is not None:
                self.read(root)

    def finish(self) -> Extracted:
        """What was read, with documents embedded as they are, and not as OLE objects."""
        members = []
        for kind, part in self._relations.values():
            if kind in {"package", "aFChunk"} and self._package.has(part):
                with suppress(UnreadableError):  # a damaged one does not cost the document
                    members.append(Member(part.rpartition("/")[2], self._package.data(part)))
        return self._composer.finish(self._package.metadata(), members)

    def _paragraph(self, element: Element) -> None:
        if element in self._numbers:
            self._composer.place(PlaceKind.PARAGRAPH, self._numbers[element])
        text = self._numbered_text(element)
        if text.strip():
            level = self._styles.heading_level(element)
            if level is None:
                self._composer.add(text)
            else:
                self._composer.heading(text, level=level)
        self._add_asides()

    def _table(self, element: Element) -> None:
        rows = list(_rows(element))
        if all(len(row) == 1 for row in rows) or any(
            self._styles.heading_level(paragraph) is not None for paragraph in element.iter("p")
        ):  # a frame around text, or a page's layout
            for row in rows:
                for cell in row:
                    if cell is not None:
                        self.read(cell)
            return
        texts = [by_column(map(self._cell, row)) for row in rows]
        add_table(self._composer, texts, paragraphs=[self._number(row) for row in rows])
        self._add_asides()

    def _number(self, row: list[Element | None]) -> int:
        """The number of the first paragraph of a row that has text; 0 where there is none."""
        paragraphs = (p for cell in row if cell is not None for p in _paragraphs(cell))
        found = (self._numbers.get(p, 0) for p in paragraphs if "".join(p.itertext()).strip())
        return next(found, 0)

    def _cell(self, cell: Element | None) -> str:
        if cell is None:
            return ""
        texts = []
        for element in _content(cell):
            if element.tag == "p":
                texts.append(self._numbered_text(element))
            else:
                rows = (", ".join(filter(None, map(self._cell, row))) for row in _rows(element))
                texts.append("; ".join(filter(None, rows)))
        return " ".join(text for text in texts if text.strip())

    def _add_asides(self) -> None:
        """Add what the paragraph refers to; that may refer to more."""
        asides, self._asides = self._asides, []
        for aside in asides:
            author = attribute(aside, "author") if aside.tag == "comment" else ""
            for element in _content(aside):
                text = self._text(element) if element.tag == "p" else ""
                if element.tag == "tbl":
                    rows = [by_column(map(self._cell, row)) for row in _rows(element)]
                    add_table(self._composer, rows)
                elif text.strip():
                    self._composer.add(f"Comment by {author}: {text}" if author else text)
                    author = ""
                self._add_asides()

    def _numbered_text(self, paragraph: Element) -> str:
        name, level, style = self._styles.numbered(paragraph)
        label = self._numbering.label(name, level=level, style=style)  # also of an empty one
        text = self._text(paragraph)
        return f"{label} {text}" if label and text.strip() else text

    def _text(self, element: Element) -> str:
        return joined("".join(self._pieces(element)))

    def _pieces(self, element: Element) -> Iterator[str]:
        for child in element:
            tag = child.tag
            if tag == "t":
                yield child.text or ""
            elif tag in _SPACE:
                yield _SPACE[tag]
            elif tag in _LEFT_OUT or (tag == "r" and _is_hidden(child)):
                continue
            elif tag in _ASIDES:
                self._set_aside(child)
            elif tag == "textpath":
                yield attribute(child, "string")
            elif tag == "anchor" or "position:absolute" in child.get("style", ""):
                self._set_beside(self._drawn(child))
            elif tag in _PICTURES:
                yield from self._drawn(child)
            elif tag == "sym":
                yield _symbol(child)
            elif tag == "AlternateContent":
                yield from self._alternative(child)
            elif tag in _EQUATIONS:
                yield self._equation(child)
            else:
                yield from self._pieces(child)

    def _drawn(self, element: Element) -> Iterator[str]:
        """What is said of a picture, and what is in the element; the same is said once."""
        said = caption(*(attribute(element, name) for name in _PICTURES.get(element.tag, ())))
        if said and (element.tag != "cNvPr" or said != self._said):
            self._said = said
            yield inline(said)
        yield from self._pieces(element)

    def _set_beside(self, pieces: Iterator[str]) -> None:
        """Keep what is said of a picture that floats, before the texts in it."""
        at = len(self._asides)
        if text := joined("".join(pieces)).strip():
            self._asides.insert(at, _boxed(_paragraph_of(text)))

    def _set_aside(self, element: Element) -> None:
        """Keep what stands beside the text until the paragraph is complete."""
        if element.tag in _NOTES:
            note = self._notes[_NOTES[element.tag]].pop(attribute(element, "id"), None)
            if note is not None:
                self._asides.append(note)
        elif element.tag in {"relIds", "chart"}:
            self._diagram(element)
        else:
            self._asides.append(_boxed(element))

    def _alternative(self, element: Element) -> Iterator[str]:
        """Read the first form that has text: they all show the same."""
        for form in element:
            before = len(self._asides)
            text = "".join(self._pieces(form))
            yield text
            if text or len(self._asides) > before:
                return

    def _equation(self, element: Element) -> str:
        """Write a fraction, a power, an index or a root in a line."""
        sign, names = _EQUATIONS[element.tag]
        parts = []
        for name in names:
            part = next((child for child in element if child.tag == name), None)
            text = self._text(part) if part is not None else ""
            parts.append(f"({text})" if len(text) > 1 and not text.isalnum() else text)
        return sign.format(*parts)

    def _diagram(self, element: Element) -> None:
        """Take the words of a diagram or chart: they are in a part of their own."""
        relation = self._relations.get(attribute(element, "dm") or attribute(element, "id"))
        root = self._package.tree(relation.part) if relation else None
        if root is None:
            return
        aside = Element("diagram")
        for found in root.iter():
            if found.tag == "p":
                aside.append(found)
            elif found.tag == "strCache":
                values = (value.text or "" for value in found.iter("v"))
                aside.append(_paragraph_of(", ".join(values)))
        self._asides.append(aside)

    def _tree(self, kind: str) -> Element | None:
        part = next((r.part for r in self._relations.values() if r.kind == kind), "")
        return self._package.tree(part)

    def _read_notes(self, kind: str) -> dict[str, Element]:
        root = self._tree(kind)
        return {attribute(note, "id"): note for note in root} if root is not None else {}


# Sign and parts, in the order in which they are read.
_EQUATIONS = {
    "f": ("{}/{}", ("num", "den")),
    "sSup": ("{}^{}", ("e", "sup")),
    "sSub": ("{}_{}", ("e", "sub")),
    "sSubSup": ("{}_{}^{}", ("e", "sub", "sup")),
    "rad": ("{}√{}", ("deg", "e")),
}


def _boxed(element: Element) -> Element:
    box = Element("box")
    box.append(element)
    return box


def _paragraph_of(text: str) -> Element:
    paragraph, words = Element("p"), Element("t")
    words.text = text
    paragraph.append(words)
    return paragraph


def _unwrapped(container: Element) -> Iterator[Element]:
    """Paragraphs and tables in order; what wraps them (content controls, insertions) goes."""
    for element in container:
        if element.tag in {"p", "tbl"}:
            yield element
        elif element.tag == "AlternateContent":
            yield from _unwrapped(element[0] if len(element) else element)
        elif element.tag not in _LEFT_OUT:
            yield from _unwrapped(element)


def _content(container: Element) -> list[Element]:
    """The same; what is a drop cap goes into the paragraph that it begins."""
    elements = list(_unwrapped(container))
    for cap, element in pairwise(elements):
        if element.tag == "p" and _is_drop_cap(cap):
            letters = [child for child in cap if child.tag != "pPr"]
            at = 1 if len(element) and element[0].tag == "pPr" else 0
            element[at:at] = letters
            for child in letters:
                cap.remove(child)
    return elements


def _is_drop_cap(element: Element) -> bool:
    frames = [found for found in properties(element, "pPr") if found.tag == "framePr"]
    return any(attribute(frame, "dropCap") in {"drop", "margin"} for frame in frames)


def _paragraphs(container: Element) -> Iterator[Element]:
    """All paragraphs in order, those of tables too, but none of text boxes."""
    for element in container:
        if element.tag == "p":
            yield element
        elif element.tag != "Fallback":
            yield from _paragraphs(element)


def _rows(table: Element) -> Iterator[list[Element | None]]:
    """The cells of each row; None for one that goes on with the cell above."""
    for row in _found(table, "tr"):
        if not any(change.tag == "del" for p in row if p.tag == "trPr" for change in p):
            yield [None if _goes_on(cell) else cell for cell in _found(row, "tc")]


def _found(container: Element, tag: str) -> Iterator[Element]:
    for element in container:
        if element.tag == tag:
            yield element
        elif element.tag in {"sdt", "sdtContent", "customXml", "ins", "moveTo"}:
            yield from _found(element, tag)


def _goes_on(cell: Element) -> bool:
    merges = [found for found in properties(cell, "tcPr") if found.tag in {"vMerge", "hMerge"}]
    return any(attribute(merge, "val") != "restart" for merge in merges)


def _is_hidden(run: Element) -> bool:
    hidden = [found for found in properties(run, "rPr") if found.tag == "vanish"]
    return any(attribute(mark, "val") not in {"0", "false", "off"} for mark in hidden)


def _symbol(element: Element) -> str:
    """A character of a symbol font, where it is not of that font alone."""
    code = attribute(element, "char")
    try:
        character = chr(int(code, 16))
    except (ValueError, OverflowError):
        return ""
    return character if not "\ue000" <= character <= "\uf8ff" else ""
