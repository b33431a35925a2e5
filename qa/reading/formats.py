"""Which reader reads which file: one entry a format, one module a reader."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from qa.errors import UnreadableDocumentError
from qa.reading.decoding import UndecodableError, decode
from qa.reading.extracted import UnreadableError
from qa.reading.reasons import UNREAD
from qa.reading.sniffing import ENCRYPTED, UNSUPPORTED, described, sniff
from qa.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qa.reading.extracted import Extracted, Member
    from qa.types import Section

    TextReader = Callable[..., tuple[tuple[Section, ...], Mapping[str, str]]]
    # Gives what a file of that format says; see `qa.reading.conversion`.
    Convert = Callable[[str, bytes], Extracted]

__all__ = ["CONVERTED", "TEXT", "Reading", "read_file", "read_text"]

# Read as they stand: offsets are those of the file. Module and function of each reader; a corpus
# of plain text does not pay for importing another.
TEXT = {
    "plain": ("qa.reading.plain", "read_plain"),
    "markdown": ("qa.reading.markdown", "read_markdown"),
    "restructured": ("qa.reading.restructured", "read_restructured"),
    "asciidoc": ("qa.reading.asciidoc", "read_asciidoc"),
    "code": ("qa.reading.code", "read_code"),
}
# Text is made from them, in a process of its own: offsets are those of that text. What is not
# named here is told by its suffix, and read by the extra `office`.
CONVERTED = {
    "html": ("qa.reading.html", "read_html"),
    "pdf": ("qa.reading.pdf", "read_pdf"),
    "docx": ("qa.reading.docx", "read_docx"),
    "epub": ("qa.reading.epub", "read_epub"),
    "mail": ("qa.reading.mail", "read_mail"),
    "mailbox": ("qa.reading.mail", "read_mailbox"),
    "table": ("qa.reading.tabular", "read_table"),
    "feed": ("qa.reading.feed", "read_feed"),
    "records": ("qa.reading.tabular", "read_records"),
    **dict.fromkeys((".odt", ".ods", ".odp"), ("qa.reading.odf", "read_odf")),
}
OFFICE = ("qa.reading.office", "read_office")
MOST_TEXT = 10_000_000  # characters of one document: days of reading, an hour of embedding
_DEEPEST = 4  # files within files within files
_MOST_MEMBERS = 20_000


@dataclass(slots=True)
class Reading:
    """What reading a file gave: its documents, and why others in it can't be read, by id.

    `warnings` say, by id as well, what of a document is missing from its text.
    """

    sha256: str
    documents: list[Document] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)


def read_file(file: str, raw: bytes, convert: Convert) -> Reading:
    """Read a file and the files inside it; what can't be read is told, and costs no other."""
    reading = Reading(hashlib.sha256(raw).hexdigest())
    _read(file, file, raw, convert, reading, depth=0)
    return reading


def read_text(document: str, raw: bytes) -> Reading:
    """Read UTF-8 that was given as a text: it is never converted, whatever its id looks like."""
    reading = Reading(hashlib.sha256(raw).hexdigest())
    kind = sniff(b"", document)
    kind = kind if kind in TEXT else "plain"
    reading.documents.append(
        _text_document(document, document, raw, kind, reading.sha256, encoding="utf-8")
    )
    return reading


def _read(
    file: str, document: str, raw: bytes, convert: Convert, reading: Reading, *, depth: int
) -> None:
    try:
        kind = sniff(raw, document) or "plain"
        if kind in TEXT:
            found = _text_document(file, document, raw, kind, reading.sha256)
            members: tuple[Member, ...] = ()
        elif kind == UNSUPPORTED:
            what = described(raw, document)
            raise UnreadableError(f"{UNREAD} ({what})" if what else UNREAD)
        elif kind == ENCRYPTED:
            raise UnreadableError("it is encrypted: a password is needed")
        else:
            extracted = convert(kind, raw)
            members = extracted.members
            found = _converted_document(file, document, kind, reading.sha256, extracted)
            if extracted.warnings:
                reading.warnings[document] = "; ".join(extracted.warnings)
        if found.sections or not members:  # a mailbox says nothing itself
            reading.documents.append(found)
    except UnreadableDocumentError as error:
        reading.problems[document] = error.reason
        return
    except UnreadableError as error:
        reading.problems[document] = str(error)
        return
    for name, member in _named(document, members):
        if depth == _DEEPEST or len(reading.documents) + len(reading.problems) > _MOST_MEMBERS:
            reading.problems[name] = "too many files inside files"
            return
        _read(file, name, member.raw, convert, reading, depth=depth + 1)


def _named(document: str, members: tuple[Member, ...]) -> Iterator[tuple[str, Member]]:
    """Give each member an id of its own: below that of the document that holds it."""
    taken = set()
    for number, member in enumerate(members, 1):
        name = member.name.replace("/", "_").encode("utf-8", "replace").decode().strip()
        if name in {"", ".", ".."} or name in taken:
            name = f"{number}-{name}"
        taken.add(name)
        yield f"{document}/{name}", member


def _text_document(
    file: str, document: str, raw: bytes, kind: str, sha256: str, *, encoding: str = ""
) -> Document:
    try:
        text, encoding = (raw.decode(encoding), encoding) if encoding else decode(raw)
    except UndecodableError as error:
        raise UnreadableDocumentError(document, str(error)) from error
    _check_length(document, text)
    module, name = TEXT[kind]
    reader: TextReader = getattr(import_module(module), name)
    try:
        of_code = {"suffix": PurePosixPath(document).suffix} if kind == "code" else {}
        sections, metadata = reader(text, **of_code)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # A parser that stumbles costs this document, not the others.
        reason = f"its format could not be read ({type(error).__name__})"
        raise UnreadableDocumentError(document, reason) from error
    return Document(
        id=document,
        file=file,
        format=kind,
        text=text,
        sha256=sha256,
        encoding=encoding if document == file else "",  # a member's bytes are not the file's
        sections=sections,
        metadata=metadata,
    )


def _converted_document(
    file: str, document: str, kind: str, sha256: str, extracted: Extracted
) -> Document:
    _check_length(document, extracted.text)
    return Document(
        id=document,
        file=file,
        format=kind.lstrip("."),
        text=extracted.text,
        sha256=sha256,
        encoding="",
        sections=extracted.sections,
        places=extracted.places,
        metadata=extracted.metadata,
    )


def _check_length(document: str, text: str) -> None:
    if len(text) > MOST_TEXT:
        raise UnreadableDocumentError(
            document, f"too much text: {len(text):,} characters, of at most {MOST_TEXT:,}"
        )
