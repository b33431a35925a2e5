"""A file to its documents: what it is, who reads it, and the files inside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from qa.errors import UnreadableDocumentError
from qa.reading import reasons
from qa.reading.detect.decoding import UndecodableError, decode
from qa.reading.detect.sniffing import ENCRYPTED, UNSUPPORTED, detect_format
from qa.reading.extracted import UnreadableError
from qa.reading.formats import TEXT
from qa.reading.sandbox.budget import Budget
from qa.types import Document, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qa.reading.extracted import Extracted, Member
    from qa.types import Block

    TextReader = Callable[..., tuple[tuple[Section, ...], Mapping[str, str]]]
    # Gives what a file of that format says, in the time that is left; see `sandbox.client`.
    Convert = Callable[[str, bytes, Budget], Extracted]

__all__ = ["Limits", "Reading", "read_file", "read_text"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is read: of what is more, the first part, with a warning."""

    text: int = 240_000_000  # characters of a document: less than SQLite takes of a text it keeps
    members: int = 100_000  # files inside a file, with those inside them
    depth: int = 4  # files within files within files


LIMITS = Limits()


@dataclass(slots=True)
class Reading:
    """What reading a file gave: its documents, and why others in it can't be read, by id.

    `warnings` say, by id as well, what of a document is missing from its text.
    """

    sha256: str
    documents: list[Document] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)

    def add(self, document: Document, limits: Limits) -> None:
        """Take in a document, as far as it is to be read."""
        kept, warning = _shortened(document, limits.text)
        self.documents.append(kept)
        if warning:
            self.warn(document.id, warning)

    def warn(self, document: str, *warnings: str) -> None:
        """Take in what is missing from a document."""
        before = (self.warnings[document],) if document in self.warnings else ()
        self.warnings[document] = "; ".join((*before, *warnings))


def read_file(
    file: str,
    raw: bytes,
    convert: Convert,
    *,
    budget: Budget | None = None,
    limits: Limits = LIMITS,
) -> Reading:
    """Read a file and the files inside it; what can't be read is told, and costs no other.

    Args:
        file: its id.
        raw: all of it.
        convert: reads what is not text.
        budget: the time for the file and those inside it; by default one that goes by its size.
        limits: how much of it is read.
    """
    reading = Reading(hashlib.sha256(raw).hexdigest())
    _Reader(file, convert, budget or Budget.of(len(raw)), limits, reading).read(file, raw, depth=0)
    return reading


def read_text(document: str, raw: bytes, *, limits: Limits = LIMITS) -> Reading:
    """Read UTF-8 that was given as a text: it is never converted, whatever its id looks like."""
    reading = Reading(hashlib.sha256(raw).hexdigest())
    kind = detect_format(b"", document).format
    kind = kind if kind in TEXT else "plain"
    found = _text_document(document, document, raw, kind, reading.sha256, encoding="utf-8")
    reading.add(found, limits)
    return reading


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one file and those inside it, and notes what it found."""

    file: str
    convert: Convert
    budget: Budget
    limits: Limits
    reading: Reading

    def read(self, document: str, raw: bytes, *, depth: int) -> None:
        """Read the file, or one inside it."""
        reading = self.reading
        try:
            found, extracted = self._document(document, raw)
        except UnreadableDocumentError as error:
            reading.problems[document] = error.reason
            return
        except UnreadableError as error:
            reading.problems[document] = str(error)
            return
        if extracted and extracted.warnings:
            reading.warn(document, *extracted.warnings)
        members = extracted.members if extracted else ()
        if found.sections or not members:  # a mailbox says nothing itself
            reading.add(found, self.limits)
        for number, (name, member) in enumerate(_named(document, members)):
            if len(reading.documents) + len(reading.problems) >= self.limits.members:
                told = f"of {len(members):,} files in it the first {number:,} are indexed"
                reading.warn(document, told)
                return
            if depth == self.limits.depth:
                reading.problems[name] = "too many nested files"
            else:
                self.read(name, member.raw, depth=depth + 1)

    def _document(self, document: str, raw: bytes) -> tuple[Document, Extracted | None]:
        """Read what stands in it itself."""
        kind, what = detect_format(raw, document)
        kind = kind or "plain"
        sha256 = self.reading.sha256
        if kind in TEXT:
            return _text_document(self.file, document, raw, kind, sha256), None
        if kind == UNSUPPORTED:
            raise UnreadableError(f"{reasons.UNREAD} ({what})" if what else reasons.UNREAD)
        if kind == ENCRYPTED:
            raise UnreadableError(reasons.ENCRYPTED)
        if kind in reasons.BEFORE_2007:
            raise UnreadableError(reasons.BEFORE_2007[kind])
        extracted = self.convert(kind, raw, self.budget)
        return _converted_document(self.file, document, kind, sha256, extracted), extracted


def _named(document: str, members: tuple[Member, ...]) -> Iterator[tuple[str, Member]]:
    """Each member with an id of its own, below that of the document that holds it."""
    taken: set[str] = set()
    counts: dict[str, int] = {}  # of very many that have one name, each is looked at once
    for number, member in enumerate(members, 1):
        own = member.name.replace("/", "_").encode("utf-8", "replace").decode().strip()
        name = own = f"{number}-{own}" if own in {"", ".", ".."} else own
        while name in taken:
            count = counts[own] = counts.get(own, 1) + 1
            stem, dot, suffix = own.rpartition(".")
            name = f"{stem} ({count}).{suffix}" if dot else f"{own} ({count})"
        taken.add(name)
        yield f"{document}/{name}", member


def _text_document(
    file: str, document: str, raw: bytes, kind: str, sha256: str, *, encoding: str = ""
) -> Document:
    try:
        text, encoding = (raw.decode(encoding), encoding) if encoding else decode(raw)
    except UndecodableError as error:
        raise UnreadableDocumentError(document, str(error)) from error
    reader: TextReader = TEXT[kind].reader()
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
    return Document(
        id=document,
        file=file,
        format=kind,
        text=extracted.text,
        sha256=sha256,
        encoding="",
        sections=extracted.sections,
        places=extracted.places,
        metadata=extracted.metadata,
    )


def _shortened(document: Document, most: int) -> tuple[Document, str]:
    """Leave out what stands past so many characters, and say so."""
    text = document.text
    if len(text) <= most:
        return document, ""
    sections = tuple(
        Section(section.heading_path, blocks)
        for section in document.sections
        if (blocks := tuple(_until(section.blocks, most)))
    )
    line = text.count("\n", 0, most) + 1
    warning = f"of {len(text):,} characters the first {most:,} are indexed, up to line {line:,}"
    # The text of a text file is the file, so it stays whole; another's is what is kept of it.
    kept = text if document.encoding else text[:most]
    places = tuple(place for place in document.places if place.start < most)
    return replace(document, text=kept, sections=sections, places=places), warning


def _until(blocks: Iterable[Block], most: int) -> Iterator[Block]:
    for block in blocks:
        if block.start < most:
            yield replace(block, end=min(block.end, most))
