"""Formats of office programs other than Word's, read by libraries of the extra `office`.

markitdown turns slides, Outlook's messages and notebooks into Markdown. It is given bytes,
never a path or an address, and the one converter that is meant: nothing is guessed, fetched or
run. What it makes of slides and messages is their plain text between a few lines of its own, and
is read as such. Workbooks are read by the libraries that it uses for them, OpenDocument by a
module of ours, and rich text by striprtf.
"""

from __future__ import annotations

import re
import warnings
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

from qa.reading.captions import caption
from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.reasons import DAMAGED, NO_TEXT, before_2007
from qa.reading.tables import add_table, by_column

if TYPE_CHECKING:
    from collections.abc import Callable

    from markitdown import DocumentConverter

__all__ = ["OFFICE_SUFFIXES", "office_is_installed", "read_office"]

_LIBRARIES = ("markitdown", "pptx", "olefile", "openpyxl", "xlrd", "striprtf")
_SLIDE = re.compile(r"^<!-- Slide number: (\d+) -->$", re.MULTILINE)
_IMAGE = re.compile(r"!\[(.*)\]\([^()]*\)")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"[\s|:-]*")  # below the row of names
_ESCAPED = re.compile(r"\\([_*|])")


def office_is_installed() -> bool:
    """Tell whether the extra is there, without importing it."""
    return all(find_spec(library) for library in _LIBRARIES)


def read_office(raw: bytes, *, suffix: str) -> Extracted:
    """Read a file of one of OFFICE_SUFFIXES.

    Raises:
        UnreadableError: it is not what its suffix says, encrypted, damaged, or without text.
    """
    read = _READERS.get(suffix.lower())
    if read is None:
        raise UnreadableError(f"no reader for {suffix}")
    try:
        extracted = read(raw)
    except (UnreadableError, ImportError, MemoryError, RecursionError, PermissionError):
        raise  # the worker says what these mean
    except Exception as error:  # libraries have many kinds, and each of them means this
        raise UnreadableError(DAMAGED) from error
    if not extracted.sections and not extracted.members:
        raise UnreadableError(NO_TEXT)
    return extracted


def _read_slides(raw: bytes) -> Extracted:
    from markitdown.converters import PptxConverter

    from qa.reading.office.odf import slide_heading
    from qa.reading.office.ooxml import Package

    package = Package(raw)
    markdown = _converted(PptxConverter(), package.repacked(), suffix=".pptx")
    parts = [part for _, part in package.listed("sldId")]
    composer = Composer()
    _, *slides = _SLIDE.split(markdown.replace("\x0b", " ").replace("\xad", ""))
    for number, slide in zip(slides[::2], slides[1::2], strict=True):
        lines = [_caption(line) for line in slide.split("\n")]
        lines += package.beside(parts[int(number) - 1], "diagramData", "comments")
        title = next((line for line in lines if line.startswith("# ")), "")
        if not any(lines):
            continue
        composer.heading(slide_heading(int(number), title.removeprefix("# ")), level=1)
        if title:
            lines.remove(title)
        _add_lines(composer, lines)
    return composer.finish(package.metadata())


def _caption(line: str) -> str:
    """Give what is said of a picture, where more is said than the name that programs give it."""
    image = _IMAGE.fullmatch(line)
    return line if image is None else caption(image[1])


def _add_lines(composer: Composer, lines: list[str]) -> None:
    """Add paragraphs, a line each, and tables, of which the lines end in a border."""
    table: list[dict[int, str]] = []
    for line in [*lines, ""]:
        if line.endswith("|"):
            if _RULE.fullmatch(line) is None:
                cells = _CELL_BORDER.split(line.removeprefix("|"))[:-1]
                table.append(by_column(map(_unescaped, cells)))
            continue
        add_table(composer, table)
        table = []
        if line.startswith("### "):
            composer.heading(line.removeprefix("### ").removesuffix(":"), level=2)
        else:
            composer.add(line)


def _read_message(raw: bytes) -> Extracted:
    from markitdown.converters import OutlookMsgConverter

    from qa.reading.office.outlook import attachments, sender, sent

    markdown = _converted(OutlookMsgConverter(), raw, suffix=".msg")
    head, _, body = markdown.replace("\r\n", "\n").partition("## Content\n\n")
    fields = dict(re.findall(r"^\*\*(From|To|Subject):\*\* (.*)$", head, re.MULTILINE))
    composer = Composer()
    composer.heading(fields.get("Subject", ""), level=1)
    for paragraph in re.split(r"\n[ \t]*\n", body):
        composer.add(paragraph)
    metadata = {
        "title": fields.get("Subject", ""),
        "author": sender(raw) or fields.get("From", ""),
        "to": fields.get("To", ""),
        "date": sent(raw),
    }
    return composer.finish(metadata, attachments(raw))


def _read_notebook(raw: bytes) -> Extracted:
    from markitdown.converters import IpynbConverter

    return _read_markdown(_converted(IpynbConverter(), raw, suffix=".ipynb"))


def _read_rich_text(raw: bytes) -> Extracted:
    from qa.reading.office.richtext import metadata_of, text_of

    if not raw.lstrip().startswith(b"{\\rtf"):
        raise UnreadableError("not rich text, whatever its name says")
    composer = Composer()
    _add_lines(composer, text_of(raw).replace("\xad", "").split("\n"))
    return composer.finish(metadata_of(raw))


def _read_opendocument(raw: bytes) -> Extracted:
    from qa.reading.office.odf import read_odf

    return read_odf(raw)


def _read_workbook(raw: bytes) -> Extracted:
    from qa.reading.office.spreadsheets import read_xlsx

    return read_xlsx(raw)


def _read_old_workbook(raw: bytes) -> Extracted:
    from qa.reading.office.spreadsheets import read_xls

    return read_xls(raw) if not raw.startswith(b"PK") else _read_workbook(raw)


def _read_old_document(raw: bytes) -> Extracted:
    from qa.reading.docx import read_docx

    if raw.startswith(b"PK"):
        return read_docx(raw)
    if raw.lstrip().startswith(b"{\\rtf"):
        return _read_rich_text(raw)
    raise UnreadableError(before_2007("Word", ".docx"))


def _read_old_slides(raw: bytes) -> Extracted:
    if raw.startswith(b"PK"):
        return _read_slides(raw)
    raise UnreadableError(before_2007("PowerPoint", ".pptx"))


def _converted(converter: DocumentConverter, raw: bytes, *, suffix: str) -> str:
    from markitdown import StreamInfo

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of text that looks like an address: it is just text
        return str(converter.convert(BytesIO(raw), StreamInfo(extension=suffix)).markdown)


def _read_markdown(markdown: str) -> Extracted:
    from qa.reading.text.markdown import read_markdown

    text = markdown.encode("utf-8", "ignore").decode().replace("\0", "")
    sections, metadata = read_markdown(text)
    return Extracted(text, sections, metadata=metadata)


def _unescaped(markdown: str) -> str:
    return _ESCAPED.sub(r"\1", markdown)


_READERS: dict[str, Callable[[bytes], Extracted]] = {
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".potx"), _read_slides),
    **dict.fromkeys((".ppt", ".pps", ".pot"), _read_old_slides),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx"), _read_workbook),
    **dict.fromkeys((".xls", ".xlt"), _read_old_workbook),
    **dict.fromkeys((".doc", ".dot"), _read_old_document),
    **dict.fromkeys((".odt", ".ott", ".ods", ".ots", ".odp", ".otp"), _read_opendocument),
    **dict.fromkeys((".fodt", ".fods", ".fodp"), _read_opendocument),
    ".rtf": _read_rich_text,
    ".msg": _read_message,
    ".ipynb": _read_notebook,
}
OFFICE_SUFFIXES = frozenset(_READERS)
