"""Word documents (DOCX, and its kin with macros or as templates), cited by paragraph.

All that a reader of the document sees is read, from the parts themselves: python-docx and mammoth
leave out what this format keeps in other places (text boxes, notes, comments, diagrams).
Insertions that are still to be accepted are read, deletions are not. Pages' heads and feet are
left out, unless there is no other text.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qa.reading.docx.numbering import Numbering
from qa.reading.docx.styles import Styles, properties
from qa.reading.extracted import Composer, Extracted, Member, UnreadableError
from qa.reading.markup import Element, attribute, parse_xml
from qa.reading.ooxml import Package
from qa.reading.tables import add_table
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
_SPACE = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def read_docx(raw: bytes) -> Extracted:
    """Read a Word document.

    Paragraphs with text are counted from 1, headings among them, each row of a table as one.
    Notes, comments and text boxes follow the paragraph that refers to them, and have its number.

    Raises:
        UnreadableError: not a Word document, encrypted, damaged, or without text.
    """
    package = Package(raw)
    main = package.main()
    try:
        root = parse_xml(package.data(main))
        body = next((element for element in root if element.tag == "body"), None)
        if body is None:
            raise UnreadableError("an office document, but not of Word")
        document = _Document(package, main)
        document.read(body)
        extracted = document.finish()
        if not extracted.text:
            document.read_heads_and_feet()
            extracted = document.finish()
    except RecursionError as error:
        raise UnreadableError("its parts are nested too deeply") from error
    if not extracted.text and not extracted.members:
        raise UnreadableError("no text in it")
    return extracted


class _Document:
    """Walks through a document's body, and what its paragraphs refer to."""

    def __init__(self, package: Package, main: str) -> None:
        self._composer = Composer()
        self._paragraphs = 0
        self._package = package
        self._relations = package.relations(main)
        self._styles = Styles(self._tree("styles"))
        self._numbering = Numbering(self._tree("numbering"))
        self._notes = {kind: self._read_notes(kind) for kind in set(_NOTES.values())}
        self._asides: list[Element] = []  # what the paragraph refers to

    def read(self, container: Element) -> None:
        """Read paragraphs and tables, in whatever they are wrapped."""
        for element in _unwrapped(container):
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
        """Give what was read, with documents embedded as they are, and not as OLE objects."""
        members = []
        for kind, part in self._relations.values():
            if kind in {"package", "aFChunk"} and self._package.has(part):
                with suppress(UnreadableError):  # a damaged one does not cost the document
                    members.append(Member(part.rpartition("/")[2], self._package.data(part)))
        return self._composer.finish(self._package.metadata(), members)

    def _paragraph(self, element: Element) -> None:
        text = self._numbered_text(element)
        if text.strip():
            self._paragraphs += 1
            self._composer.place(PlaceKind.PARAGRAPH, self._paragraphs)
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
        texts = [[self._cell(cell) for cell in row] for row in rows]
        self._paragraphs = add_table(self._composer, texts, paragraph=self._paragraphs)
        self._add_asides()

    def _cell(self, cell: Element | None) -> str:
        if cell is None:
            return ""
        texts = []
        for element in _unwrapped(cell):
            if element.tag == "p":
                texts.append(self._numbered_text(element))
            else:
                rows = (map(self._cell, row) for row in _rows(element))
                texts.append("; ".join(", ".join(filter(None, row)) for row in rows))
        return " ".join(text for text in texts if text.strip())

    def _add_asides(self) -> None:
        """Add what the paragraph refers to; that may refer to more."""
        asides, self._asides = self._asides, []
        for aside in asides:
            before = self._paragraphs
            author = attribute(aside, "author") if aside.tag == "comment" else ""
            for element in _unwrapped(aside):
                text = self._text(element) if element.tag == "p" else ""
                if element.tag == "tbl":
                    add_table(
                        self._composer, [[self._cell(cell) for cell in r] for r in _rows(element)]
                    )
                elif text.strip():
                    self._composer.add(f"Comment by {author}: {text}" if author else text)
                    author = ""
                self._add_asides()
            self._paragraphs = before

    def _numbered_text(self, paragraph: Element) -> str:
        name, level, style = self._styles.numbered(paragraph)
        label = self._numbering.label(name, level=level, style=style)  # also of an empty one
        text = self._text(paragraph)
        return f"{label} {text}" if label and text.strip() else text

    def _text(self, element: Element) -> str:
        return "".join(self._pieces(element))

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
            elif tag == "sym":
                yield _symbol(child)
            elif tag == "AlternateContent":
                yield from self._alternative(child)
            elif tag in _EQUATIONS:
                yield self._equation(child)
            else:
                yield from self._pieces(child)

    def _set_aside(self, element: Element) -> None:
        """Keep what stands beside the text until the paragraph is complete."""
        if element.tag in _NOTES:
            note = self._notes[_NOTES[element.tag]].pop(attribute(element, "id"), None)
            if note is not None:
                self._asides.append(note)
        elif element.tag in {"relIds", "chart"}:
            self._diagram(element)
        else:
            box = Element("box")
            box.append(element)
            self._asides.append(box)

    def _alternative(self, element: Element) -> Iterator[str]:
        """Read the first form that has text: they all show the same."""
        for form in element:
            before = len(self._asides)
            text = self._text(form)
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
                paragraph = Element("p")
                text = Element("t")
                text.text = ", ".join(value.text or "" for value in found.iter("v"))
                paragraph.append(text)
                aside.append(paragraph)
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


def _unwrapped(container: Element) -> Iterator[Element]:
    """Give paragraphs and tables in order; what wraps them (content controls, insertions) goes."""
    for element in container:
        if element.tag in {"p", "tbl"}:
            yield element
        elif element.tag == "AlternateContent":
            yield from _unwrapped(element[0] if len(element) else element)
        elif element.tag not in _LEFT_OUT:
            yield from _unwrapped(element)


def _rows(table: Element) -> Iterator[list[Element | None]]:
    """Give the cells of each row; None for one that goes on with the cell above."""
    for row in _found(table, "tr"):
        if not any(one.tag == "del" for p in row if p.tag == "trPr" for one in p):
            yield [None if _goes_on(cell) else cell for cell in _found(row, "tc")]


def _found(container: Element, tag: str) -> Iterator[Element]:
    for element in container:
        if element.tag == tag:
            yield element
        elif element.tag in {"sdt", "sdtContent", "customXml", "ins", "moveTo"}:
            yield from _found(element, tag)


def _goes_on(cell: Element) -> bool:
    merges = [one for one in properties(cell, "tcPr") if one.tag in {"vMerge", "hMerge"}]
    return any(attribute(one, "val") != "restart" for one in merges)


def _is_hidden(run: Element) -> bool:
    hidden = [one for one in properties(run, "rPr") if one.tag == "vanish"]
    return any(attribute(one, "val") not in {"0", "false", "off"} for one in hidden)


def _symbol(element: Element) -> str:
    """Give a character of a symbol font, where it is not of that font alone."""
    code = attribute(element, "char")
    try:
        character = chr(int(code, 16))
    except (ValueError, OverflowError):
        return ""
    return character if not "\ue000" <= character <= "\uf8ff" else ""
