"""What Word, Excel and PowerPoint files (OOXML) have in common: parts, relations, properties."""

from __future__ import annotations

import posixpath
import re
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from qa.reading.archive import open_archive, read_member
from qa.reading.captions import caption
from qa.reading.extracted import UnreadableError
from qa.reading.markup import Element, attribute, parse_xml
from qa.reading.reasons import DOCTYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Package", "Relation"]

# What core properties are called there, and here; of two, the first that has a value counts.
_PROPERTIES = {
    "title": ("title",),
    "author": ("creator", "lastModifiedBy"),
    "date": ("modified", "created"),
    "language": ("language",),
    "keywords": ("keywords",),
    "subject": ("subject",),
    "description": ("description",),
    "category": ("category",),
}

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_SHOW = re.compile(rb"presentationml\.(?:slideshow|template)")


class Relation(NamedTuple):
    """What a part says of another: the last word of the relation's type, and the part's name."""

    kind: str
    part: str


class Package:
    """An OOXML file. Parts are asked for by name; one that is missing or damaged is None.

    Relations to what is outside the file are left out: nothing is ever fetched.
    """

    def __init__(self, raw: bytes) -> None:
        self._archive: ZipFile = open_archive(raw)
        self._names = {name.lower(): name for name in self._archive.namelist()}

    def main(self) -> str:
        """Name the part that the document begins with.

        Raises:
            UnreadableError: there is none.
        """
        for relation in self.relations("").values():
            if relation.kind == "officeDocument" and self.has(relation.part):
                return relation.part
        for name in ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"):
            if self.has(name):
                return name
        raise UnreadableError("a ZIP archive without an Office document in it")

    def has(self, part: str) -> bool:
        """Whether there is such a part; their names don't differ by case alone."""
        return part.lower() in self._names

    def data(self, part: str) -> bytes:
        """Unpack a part."""
        return read_member(self._archive, self._names[part.lower()])

    def tree(self, part: str) -> Element | None:
        """Parse a part that the document can be read without."""
        if not self.has(part):
            return None
        try:
            return parse_xml(self.data(part))
        except UnreadableError:
            return None

    def relations(self, part: str) -> dict[str, Relation]:
        """The relations of a part (of the whole file: "") to parts, by their ids."""
        folder, name = posixpath.split(part)
        root = self.tree(posixpath.join(folder, "_rels", f"{name}.rels"))
        relations = {}
        for element in root if root is not None else ():
            if attribute(element, "TargetMode") != "External":
                target = unquote(attribute(element, "Target")).replace("\\", "/")
                kind = attribute(element, "Type").rpartition("/")[2]
                path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
                relations[attribute(element, "Id")] = Relation(kind, path)
        return relations

    def beside(self, part: str, *kinds: str) -> Iterator[str]:
        """What is written in the parts that a slide or sheet refers to in these ways.

        Comments, say, or drawings with what is said of them, and the diagrams and charts in these.
        """
        for kind, name in self.relations(part).values():
            if kind not in kinds or (root := self.tree(name)) is None:
                continue
            for element in root.iter():
                if element.tag in {"p", "text"}:
                    runs = "".join(run.text or "" for run in element.iter("t"))
                    yield runs or element.text or ""
                elif element.tag == "cNvPr":
                    yield caption(attribute(element, "descr"), attribute(element, "title"))
            if kind == "drawing":
                yield from self.beside(name, "chart", "diagramData")

    def listed(self, tag: str) -> Iterator[tuple[str, str]]:
        """Name and part of each slide or sheet, in the order in which they are shown."""
        main = self.main()
        relations, root = self.relations(main), self.tree(main)
        for element in root.iter(tag) if root is not None else ():
            # A slide's own number is called "id" as well, without a namespace.
            name = next((v for key, v in element.items() if key.endswith("}id")), "")
            if name in relations:
                yield attribute(element, "name"), relations[name].part

    def repacked(self) -> bytes:
        """The file as libraries can safely read it that unpack it themselves.

        Headers tell the truth (of a lying one, more would be unpacked than was checked), parts are
        in the transitional form, shows and templates are presentations. Members that are not XML
        and can't be unpacked (pictures) are empty.

        Raises:
            UnreadableError: a part is damaged, or declares a document type: no such part needs
                one, and without it there are no entities.
        """
        stream = BytesIO()
        with ZipFile(stream, "w", ZIP_STORED) as copy:
            for name in self._names.values():
                is_part = name.lower().endswith((".xml", ".rels"))
                try:
                    data = read_member(self._archive, name)
                except UnreadableError:
                    if is_part:
                        raise
                    data = b""
                if is_part:
                    if b"<!DOCTYPE" in data.replace(b"\0", b""):  # in UTF-16, too
                        raise UnreadableError(DOCTYPE)
                    data = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", data)
                if name == "[Content_Types].xml":
                    data = _SHOW.sub(b"presentationml.presentation", data)
                copy.writestr(ZipInfo(name), data)
        return stream.getvalue()

    def metadata(self) -> dict[str, str]:
        """The core properties under the names that metadata has here."""
        parts = [r.part for r in self.relations("").values() if r.kind == "core-properties"]
        root = self.tree(parts[0] if parts else "docProps/core.xml")
        if root is None:
            return {}
        values = {element.tag: "".join(element.itertext()).strip() for element in root}
        return {
            name: next((values[own] for own in names if values.get(own)), "")
            for name, names in _PROPERTIES.items()
        }
