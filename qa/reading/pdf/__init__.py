"""PDF through pdfium: pages, their labels, paragraphs in reading order, headings.

Everything the file draws as text is kept, but for page numbers and the repetitions of running
heads and feet.
"""

from __future__ import annotations

import logging
import time
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
from qa.reading.pdf.losses import damaged, legible, meaningless, page_numbers, pictures, stamped
from qa.reading.pdf.notes import (
    MAX_ATTACHED_BYTES,
    Annotations,
    attached_files,
    outline,
    read_annotations,
    read_wide,
)
from qa.reading.pdf.running import find_running
from qa.reading.pdf.tables import row_cells
from qa.reading.reasons import ENCRYPTED, ENCRYPTED_DIFFERENTLY, SCAN
from qa.reading.sandbox.budget import cpu_seconds
from qa.reading.tables import row_line
from qa.types import BlockKind, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qa.reading.pdf.headings import Bookmark
    from qa.reading.pdf.running import Running

__all__ = ["read_pdf"]

# It warns of what is dealt with here: forms that need scripts, outlines that run in circles.
logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)

# A file may claim a million pages that it does not have.
_MAX_MISSING_PAGES = 1_000
# Of the file's time, what its pages may take: the rest is for putting their text together.
_TIME_SHARE = 0.6
# Bytes that the lines of all pages may take, and about what a line and a cell of it do.
MAX_HELD = 1_000_000_000
_LINE_BYTES, _CELL_BYTES = 700, 250
# A page without text that has more shapes than these is a drawing, or has letters drawn as shapes.
_FEW_SHAPES = 50
# What is stamped on each page of a scan.
_FEW_LINES = 4
_SEEN = frozenset(
    {pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING, pdfium.FPDF_PAGEOBJ_FORM}
)
# Rows of a table that share a line of its names.
_ROWS = 12
# What programs write where nobody gave a title or a name.
_SAYS_NOTHING = frozenset(
    "anonymous (anonymous) unspecified (unspecified) untitled unknown".split()
)
# An outline that finds fewer headings than this on the pages says little about them.
_MIN_HEADINGS = 2
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
    is_drawn: bool = False  # whatever is drawn: text, pictures, lines
    is_picture: bool = False  # little or no text, but more than some lines and boxes
    is_unknown: bool = False  # words of it are missing: their letters have no meaning
    is_damaged: bool = False


_DAMAGED = _Page([], "", Annotations(), is_damaged=True)


def read_pdf(raw: bytes) -> Extracted:
    """Read a PDF.

    Places are its pages, counted from 1, and their labels where these differ from the number.
    Its metadata has, beside the usual, `pages` and, where some of them are scans,
    `pages without text`. Files attached to it are members. It warns of pages that are not read,
    or not in full.

    Raises:
        UnreadableError: it is encrypted or damaged, or there is no text in it.
    """
    deadline = time.process_time() + _TIME_SHARE * cpu_seconds(len(raw))
    try:
        document = pypdfium2.PdfDocument(raw)
    except pypdfium2.PdfiumError as error:
        raise UnreadableError(_reason(error)) from error
    try:
        document.init_forms()
        files, left_out = attached_files(document)
        room = MAX_ATTACHED_BYTES - sum(len(file.raw) for file in files)
        pages, why_ended = _pages(document, deadline, room)
        files += [file for page in pages for file in page.beside.files]
        if not files and not any(page.lines or any(page.beside) for page in pages):
            raise UnreadableError(_why_empty(document, pages))
        composer = Composer()
        running = find_running([page.lines for page in pages])
        _compose(composer, pages, outline(document), running)
        return composer.finish(
            _metadata(document, pages),
            dict.fromkeys(files),
            [
                *_warnings(pages, running, len(document), why_ended),
                *_beside(document, pages, left_out),
            ],
        )
    finally:
        document.close()


def _reason(error: pypdfium2.PdfiumError) -> str:
    if error.err_code == pdfium.FPDF_ERR_PASSWORD:
        return ENCRYPTED
    if error.err_code == pdfium.FPDF_ERR_SECURITY:
        return ENCRYPTED_DIFFERENTLY
    if error.err_code == pdfium.FPDF_ERR_SUCCESS:
        return "it has no pages"
    return "it is damaged, or not a PDF"


def _why_empty(document: pypdfium2.PdfDocument, pages: Sequence[_Page]) -> str:
    if document.get_formtype() == pdfium.FORMTYPE_XFA_FULL:
        return "it is an XFA form, a kind that can't be read"
    if not pages:
        return "it is damaged: no page of it can be read"
    if any(page.is_drawn for page in pages):
        return SCAN
    return "its pages are empty"


def _pages(document: pypdfium2.PdfDocument, deadline: float, room: int) -> tuple[list[_Page], str]:
    """Read the pages; say as well why the rest of them is not read, where that is so.

    Args:
        document: the file.
        deadline: of this process's time on the processor, in seconds.
        room: for files attached to pages, in bytes.
    """
    pages: list[_Page] = []
    missing, held, why_ended = 0, 0, ""
    for index in range(len(document)):
        if held > MAX_HELD:
            why_ended = "the rest takes too much memory"
        elif time.process_time() > deadline:
            why_ended = "the rest takes too much time"
        elif missing > _MAX_MISSING_PAGES:
            why_ended = f"more than {_MAX_MISSING_PAGES:,} pages are damaged or missing"
        if why_ended:
            break
        try:
            page = document[index]
        except pypdfium2.PdfiumError:
            missing += 1
            pages.append(_DAMAGED)
            continue
        try:
            found = _page(document, page, index, room=room)
        finally:
            page.close()
        room -= sum(len(file.raw) for file in found.beside.files)
        held += sum(
            _LINE_BYTES + _CELL_BYTES * len(line.cells) + len(line.text) for line in found.lines
        )
        pages.append(found)
    # Pages that can't be read count where others follow: numbers stay those of the viewer.
    while pages and pages[-1].is_damaged:
        pages.pop()
    return pages, why_ended


def _page(
    document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, index: int, *, room: int
) -> _Page:
    lines: list[Line] = []
    if text := pdfium.FPDFText_LoadPage(page):
        try:
            lines = page_lines(text)
        finally:
            pdfium.FPDFText_ClosePage(text)
    lines, is_unknown = legible(lines)
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
        is_picture=len(lines) <= _FEW_LINES and not is_unknown and _is_picture(page),
        is_unknown=is_unknown,
    )


def _is_picture(page: pypdfium2.PdfPage) -> bool:
    count = pdfium.FPDFPage_CountObjects(page)
    return count > _FEW_SHAPES or any(
        pdfium.FPDFPageObj_GetType(pdfium.FPDFPage_GetObject(page, at)) in _SEEN
        for at in range(count)
    )


def _warnings(
    pages: Sequence[_Page], running: Running, claimed: int, why_ended: str
) -> Iterator[str]:
    """What of the pages is not in the text; `claimed` is how many the file says it has."""
    numbered = list(enumerate(pages, 1))
    missing = [number for number, page in numbered if page.is_damaged]
    if why_ended:
        yield f"read up to page {len(pages):,} of {claimed:,}: {why_ended}"
    else:
        missing += range(len(pages) + 1, claimed + 1)
    yield from damaged(missing, claimed)
    yield from meaningless([number for number, page in numbered if page.is_unknown], claimed)
    seen = [(number, page) for number, page in numbered if page.is_picture]
    yield from pictures([number for number, page in seen if not page.lines], claimed)
    yield from stamped([number for number, _ in seen if number - 1 in running.alone], claimed)


def _beside(
    document: pypdfium2.PdfDocument, pages: Sequence[_Page], left_out: int
) -> Iterator[str]:
    """What of the rest is missing: files, notes, a form."""
    left_out += sum(page.beside.too_large for page in pages)
    if left_out:
        yield f"{left_out:,} attached file{'' if left_out == 1 else 's'} left out: too much in all"
    if cut := [number for number, page in enumerate(pages, 1) if page.beside.is_cut]:
        yield f"not all notes are read: there are too many ({page_numbers(cut)})"
    if document.get_formtype() == pdfium.FORMTYPE_XFA_FULL:
        yield "its form (XFA) is not read, only what its pages show without it"


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
    composer: Composer,
    pages: Sequence[_Page],
    bookmarks: Mapping[int, list[Bookmark]],
    running: Running,
) -> None:
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
    if named >= _MIN_HEADINGS:
        return groups
    return with_headings([replace(group, level=0) for group in groups])


def _labels(pages: Sequence[_Page], running: Running) -> list[str]:
    """Each page's label; "" where it is the page's number, or nothing is known."""
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
    cells = row_cells(lines)
    rows = [row_line(texts).replace(HYPHEN, "-") for texts in cells]
    counts = [sum(map(bool, texts)) for texts in cells]
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
