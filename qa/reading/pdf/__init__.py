"""PDF through pdfium: pages, their labels, paragraphs in reading order, headings.

Everything the file draws as text is kept, but for page numbers and the repetitions of running
heads and feet.
"""

from __future__ import annotations

import logging
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pypdfium2
import pypdfium2.raw as pdfium

from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.pdf.headings import outline_levels, with_headings
from qa.reading.pdf.layout import (
    Group,
    count_words,
    group_lines,
    is_continued,
    join_lines,
    reading_order,
)
from qa.reading.pdf.lines import HYPHEN, Line, page_lines
from qa.reading.pdf.notes import (
    MOST_ATTACHED_BYTES,
    Annotations,
    attached_files,
    outline,
    read_annotations,
    read_wide,
)
from qa.reading.pdf.running import find_running
from qa.reading.reasons import SCAN
from qa.types import BlockKind, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qa.reading.pdf.headings import Bookmark
    from qa.reading.pdf.running import Running

__all__ = ["read_pdf"]

# It warns of what is dealt with here: forms that need scripts, outlines that run in circles.
logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)

# A file may claim a million pages that it does not have.
_MOST_MISSING_PAGES = 1_000
# Rows of a table that share a line of its names.
_ROWS = 12
# What programs write where nobody gave a title or a name.
_SAYS_NOTHING = frozenset(
    "anonymous (anonymous) unspecified (unspecified) untitled unknown".split()
)
# An outline that finds fewer headings than this on the pages says little about them.
_FEWEST_HEADINGS = 2
_METADATA = {
    "title": b"Title",
    "author": b"Author",
    "date": b"CreationDate",
    "subject": b"Subject",
    "keywords": b"Keywords",
}


@dataclass(frozen=True, slots=True)
class _Page:
    lines: list[Line]
    label: str
    beside: Annotations
    is_drawn: bool  # whatever is drawn: text, pictures, lines


def read_pdf(raw: bytes) -> Extracted:
    """Read a PDF.

    Places are its pages, counted from 1, and their labels where these differ from the number.
    Its metadata has, beside the usual, `pages` and, where some of them are scans,
    `pages without text`. Files attached to it are members.

    Raises:
        UnreadableError: it is encrypted or damaged, or there is no text in it.
    """
    try:
        document = pypdfium2.PdfDocument(raw)
    except pypdfium2.PdfiumError as error:
        raise UnreadableError(_reason(error)) from error
    try:
        document.init_forms()
        pages = list(_pages(document))
        files = attached_files(document) + [file for page in pages for file in page.beside.files]
        if not files and not any(page.lines or any(page.beside) for page in pages):
            raise UnreadableError(_why_empty(pages))
        composer = Composer()
        _compose(composer, pages, outline(document))
        return composer.finish(_metadata(document, pages), dict.fromkeys(files))
    finally:
        document.close()


def _reason(error: pypdfium2.PdfiumError) -> str:
    if error.err_code == pdfium.FPDF_ERR_PASSWORD:
        return "it is encrypted: a password is needed"
    if error.err_code == pdfium.FPDF_ERR_SECURITY:
        return "it is encrypted in a way that is not known"
    if error.err_code == pdfium.FPDF_ERR_SUCCESS:
        return "it has no pages"
    return "it is damaged, or not a PDF"


def _why_empty(pages: Sequence[_Page]) -> str:
    if not pages:
        return "it is damaged: no page of it can be read"
    if any(page.is_drawn for page in pages):
        return SCAN
    return "its pages are empty"


def _pages(document: pypdfium2.PdfDocument) -> Iterator[_Page]:
    missing, room = 0, MOST_ATTACHED_BYTES
    pending: list[_Page] = []
    for index in range(len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError:
            missing += 1
            if missing > _MOST_MISSING_PAGES:
                return
            pending.append(_Page([], "", Annotations((), (), ()), is_drawn=False))
            continue
        # Pages that can't be read count, where others follow: numbers stay those of the viewer.
        yield from pending
        pending = []
        try:
            found = _page(document, page, index, room=room)
        finally:
            page.close()
        room -= sum(len(file.raw) for file in found.beside.files)
        yield found


def _page(
    document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, index: int, *, room: int
) -> _Page:
    lines: list[Line] = []
    if text := pdfium.FPDFText_LoadPage(page):
        try:
            lines = page_lines(text)
        finally:
            pdfium.FPDFText_ClosePage(text)
    if _is_unmapped(lines):
        lines = []
    beside = read_annotations(document, page, room=room)
    if beside.notes:
        words = " ".join(line.text for line in lines)
        new = (note for note in beside.notes if " ".join(note.split()) not in words)
        beside = beside._replace(notes=tuple(dict.fromkeys(new)))
    return _Page(
        lines,
        read_wide(pdfium.FPDF_GetPageLabel, document, index),
        beside,
        is_drawn=pdfium.FPDFPage_CountObjects(page) > 0,
    )


def _is_unmapped(lines: Sequence[Line]) -> bool:
    """Tell whether most letters are ones that the file does not say the meaning of."""
    text = "".join(line.text for line in lines).replace(" ", "")
    unknown = sum(unicodedata.category(letter) in {"Cc", "Cn", "Co"} for letter in text)
    return (unknown + text.count("\ufffd")) * 2 > len(text)


def _metadata(document: pypdfium2.PdfDocument, pages: Sequence[_Page]) -> dict[str, str]:
    metadata = {
        key: read_wide(pdfium.FPDF_GetMetaText, document, name) for key, name in _METADATA.items()
    }
    metadata = {k: v for k, v in metadata.items() if v.strip().lower() not in _SAYS_NOTHING}
    metadata["language"] = read_wide(pdfium.FPDFCatalog_GetLanguage, document)
    metadata["pages"] = str(len(pages))
    scans = [number for number, page in enumerate(pages, 1) if page.is_drawn and not page.lines]
    metadata["pages without text"] = ", ".join(map(str, scans))
    return metadata


def _compose(
    composer: Composer, pages: Sequence[_Page], bookmarks: Mapping[int, list[Bookmark]]
) -> None:
    running = find_running([page.lines for page in pages])
    words = count_words(line for page in pages for line in page.lines)
    groups = _groups(pages, running, bookmarks)
    labels = _labels(pages, running)
    by_page: dict[int, list[list[Group]]] = {}
    for paragraph in _paragraphs(groups):
        by_page.setdefault(paragraph[0].page, []).append(paragraph)
    for number, page in enumerate(pages, 1):
        for paragraph in by_page.get(number, []):
            _add(composer, paragraph, labels, words)
        _enter(composer, number, labels)
        composer.add("\n".join(page.beside.fields), kind=BlockKind.LINES)
        for note in page.beside.notes:
            composer.add(note)


def _groups(
    pages: Sequence[_Page], running: Running, bookmarks: Mapping[int, list[Bookmark]]
) -> list[Group]:
    groups: list[Group] = []
    named = 0
    for index, page in enumerate(pages):
        once = [line for at, line in enumerate(page.lines) if (index, at) in running.once]
        lines = [line for at, line in enumerate(page.lines) if (index, at) not in running.dropped]
        levels = outline_levels(lines, bookmarks.get(index, ()))
        named += len(levels)
        asides = [Group((line,), index + 1, is_aside=True) for line in once]
        groups += reading_order(asides + group_lines(lines, index + 1, levels))
    if named >= _FEWEST_HEADINGS:
        return groups
    return with_headings([replace(group, level=0) for group in groups])


def _labels(pages: Sequence[_Page], running: Running) -> list[str]:
    """Give each page's label; "" where it is the page's number, or nothing is known."""
    own = [page.label for page in pages]
    if not any(own):
        own = [running.printed.get(index, "") for index in range(len(pages))]
    return ["" if label == str(number) else label for number, label in enumerate(own, 1)]


def _paragraphs(groups: Sequence[Group]) -> list[list[Group]]:
    """Put together what goes on in the next column or page, across notes at the page's foot."""
    paragraphs: list[list[Group]] = []
    open_at: int | None = None  # the last paragraph of the text
    for group in groups:
        if open_at is not None and is_continued(paragraphs[open_at][-1], group):
            paragraphs[open_at].append(group)
            continue
        paragraphs.append([group])
        before = None if open_at is None else paragraphs[open_at][-1]
        is_note = (
            before is not None
            and before.page == group.page
            and not group.level
            and not group.is_table
            and group.size < 0.95 * before.size
        )
        if not group.is_aside and not is_note:
            open_at = len(paragraphs) - 1
    return paragraphs


def _enter(composer: Composer, number: int, labels: Sequence[str]) -> None:
    composer.place(PlaceKind.PAGE, number)
    composer.place(PlaceKind.LABEL, labels[number - 1])


def _add(
    composer: Composer, groups: Sequence[Group], labels: Sequence[str], words: Mapping[str, int]
) -> None:
    first = groups[0]
    _enter(composer, first.page, labels)
    if first.is_table:
        for rows in _row_groups(first.lines):
            composer.add("\n".join(rows), kind=BlockKind.LINES)
        return
    if first.is_list and len(groups) == 1:
        lines = "\n".join(line.text.replace(HYPHEN, "-") for line in first.lines)
        composer.add(lines, kind=BlockKind.LINES)
        return
    text, starts = join_lines([line for group in groups for line in group.lines], words)
    if first.level:
        composer.heading(text, level=first.level)
        return
    inside: list[tuple[int, PlaceKind, str | int]] = []
    at = 0
    for before, group in zip([first, *groups], groups, strict=False):
        if group.page != before.page:
            inside.append((starts[at], PlaceKind.PAGE, group.page))
            inside.append((starts[at], PlaceKind.LABEL, labels[group.page - 1]))
        at += len(group.lines)
    composer.add(text, inside=inside)


def _row_groups(lines: Sequence[Line]) -> Iterator[list[str]]:
    """Cut a long table, each part below the row of names, where its first row is one."""
    rows = [" | ".join(c.text.replace(HYPHEN, "-") for c in line.cells) for line in lines]
    counts = [len(line.cells) for line in lines]
    has_names = (
        len(rows) > _ROWS
        and counts[0] == max(counts)
        and not any(map(str.isdecimal, rows[0]))
        and sum(any(map(str.isdecimal, row)) for row in rows) * 2 > len(rows)
    )
    if not has_names:
        yield rows
        return
    for at in range(1, len(rows), _ROWS):
        yield [rows[0], *rows[at : at + _ROWS]]
