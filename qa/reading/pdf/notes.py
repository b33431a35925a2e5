"""What a PDF holds beside its pages' text: filled fields, notes, attached files, its outline."""

from __future__ import annotations

import ctypes
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2.raw as pdfium

from qa.reading.extracted import Member
from qa.reading.pdf.headings import Bookmark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pypdfium2 import PdfDocument, PdfPage

__all__ = [
    "MAX_ATTACHED_BYTES",
    "Annotations",
    "attached_files",
    "outline",
    "read_annotations",
    "read_wide",
]

MAX_ATTACHED_BYTES = 256 * 1024 * 1024

# A file with more than these is made to do harm.
_MAX_BOOKMARKS = 20_000
_MAX_ATTACHMENTS = 1_000
MAX_ANNOTATIONS = 10_000
_CHECKED = frozenset({pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON})
_FILLED = frozenset(
    {
        pdfium.FPDF_FORMFIELD_TEXTFIELD,
        pdfium.FPDF_FORMFIELD_COMBOBOX,
        pdfium.FPDF_FORMFIELD_LISTBOX,
    }
)
# A link's contents say where it leads, a pop-up repeats the note that it belongs to.
_SILENT = frozenset({pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP})


class Annotations(NamedTuple):
    """What a page holds beside its text: filled fields as "name: value", notes, files."""

    fields: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Member, ...] = ()
    too_large: int = 0  # files
    is_cut: bool = False  # there are more than anybody writes


def read_wide(function: Callable[..., int], *args: object) -> str:
    """Read a text that pdfium writes as UTF-16 into a buffer, whose size it gives in bytes."""
    size = function(*args, None, 0)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    function(*args, buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace")


def outline(document: PdfDocument) -> Mapping[int, list[Bookmark]]:
    """The bookmarks that lead to each page, by its index."""
    pages: dict[int, list[Bookmark]] = defaultdict(list)
    for count, bookmark in enumerate(document.get_toc()):
        if count >= _MAX_BOOKMARKS:
            break
        destination = bookmark.get_dest()
        page = destination.get_index() if destination else None
        if page is not None and (title := bookmark.get_title().strip()):
            pages[page].append(Bookmark(title, bookmark.level + 1))
    return pages


def read_annotations(document: PdfDocument, page: PdfPage, *, room: int) -> Annotations:
    """Read what is written on a page beside its text; `room` bounds the bytes of its files."""
    fields, notes, files = [], [], _Files(room)
    for annotation in _annotations(page):
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if kind == pdfium.FPDF_ANNOT_WIDGET:
            if document.formenv and (text := _field(document, annotation)):
                fields.append(text)
            continue
        if kind not in _SILENT and (text := _value(annotation, b"Contents")):
            notes.append(text)
        attachment = pdfium.FPDFAnnot_GetFileAttachment(annotation)
        if attachment:
            files.add(attachment)
    return Annotations(
        tuple(fields),
        tuple(notes),
        tuple(files.read),
        files.too_large,
        is_cut=pdfium.FPDFPage_GetAnnotCount(page) > MAX_ANNOTATIONS,
    )


def attached_files(document: PdfDocument) -> tuple[list[Member], int]:
    """The files attached to a document as a whole, and the number of those left out."""
    files = _Files(MAX_ATTACHED_BYTES)
    count = document.count_attachments()
    for index in range(min(count, _MAX_ATTACHMENTS)):
        if attachment := pdfium.FPDFDoc_GetAttachment(document, index):
            files.add(attachment)
    return files.read, files.too_large + max(0, count - _MAX_ATTACHMENTS)


class _Files:
    """Files that are read as long as there is room for them, in bytes."""

    def __init__(self, room: int) -> None:
        self.read: list[Member] = []
        self.too_large = 0
        self._room = room

    def add(self, attachment: object) -> None:
        size = ctypes.c_ulong()
        pdfium.FPDFAttachment_GetFile(attachment, None, 0, size)
        if size.value > self._room:
            self.too_large += 1
        elif size.value:
            buffer = ctypes.create_string_buffer(size.value)
            pdfium.FPDFAttachment_GetFile(attachment, buffer, size.value, size)
            name = read_wide(pdfium.FPDFAttachment_GetName, attachment)
            self.read.append(Member(name or "attachment", buffer.raw[: size.value]))
            self._room -= size.value


def _annotations(page: object) -> Iterator[object]:
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), MAX_ANNOTATIONS)):
        if annotation := pdfium.FPDFPage_GetAnnot(page, index):
            try:
                yield annotation
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)


def _value(annotation: object, key: bytes) -> str:
    return read_wide(pdfium.FPDFAnnot_GetStringValue, annotation, key).strip()


def _field(document: PdfDocument, annotation: object) -> str:
    form = document.formenv
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _CHECKED:
        if not pdfium.FPDFAnnot_IsChecked(form, annotation):
            return ""
        value = read_wide(pdfium.FPDFAnnot_GetFormFieldExportValue, form, annotation)
    elif kind in _FILLED:
        value = read_wide(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation).strip()
    else:
        return ""
    name = read_wide(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation) or read_wide(
        pdfium.FPDFAnnot_GetFormFieldName, form, annotation
    )
    return f"{name.strip()}: {value}" if value and name.strip() else value
