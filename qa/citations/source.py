"""Sources: a document's file, opened again, from which its quotes are cited or not at all."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.errors import CitationError, UnreadableDocumentError
from qa.reading.detect.decoding import LineIndex, byte_offsets, decode_as
from qa.reading.places import places_at
from qa.types import Citation, PlaceKind, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.corpus import Corpus
    from qa.store.rows import DocumentRow
    from qa.types import Document, Place, Section

__all__ = [
    "Headings",
    "Source",
    "headings_at",
    "open_source",
    "path_by_lines",
    "source_of",
]


@dataclass(frozen=True, slots=True)
class Source:
    """A document as it was when its file was opened, ready to be cited.

    `raw` is the file that `text` was decoded from; empty where it was made in another way.
    """

    document: str
    file: str
    format: str
    raw: bytes
    text: str
    encoding: str
    sha256: str
    lines: LineIndex

    def cite(
        self, span: Span, heading_path: Sequence[str], places: Sequence[Place] = ()
    ) -> Citation:
        """Cite the characters of `span`; `places` are those that hold there, and others."""
        start_byte = end_byte = None
        if self.encoding:
            start_byte, end_byte = byte_offsets(self.raw, self.text, self.encoding, span)
        where = places_at(places, span.start)
        return Citation(
            document=self.document,
            quote=self.text[span.start : span.end],
            start_line=self.lines.line(span.start),
            end_line=self.lines.line(max(span.start, span.end - 1)),
            heading_path=tuple(heading_path),
            page=_number(where.get(PlaceKind.PAGE)),
            label=where.get(PlaceKind.LABEL, ""),
            anchor=where.get(PlaceKind.ANCHOR, ""),
            paragraph=_number(where.get(PlaceKind.PARAGRAPH)),
            chapter=_number(where.get(PlaceKind.CHAPTER)),
            row=_number(where.get(PlaceKind.ROW)),
            start=span.start,
            end=span.end,
            start_byte=start_byte,
            end_byte=end_byte,
            file=self.file,
            format=self.format,
            sha256=self.sha256,
            encoding=self.encoding,
        )


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isdecimal() else None


def open_source(corpus: Corpus, row: DocumentRow, extract: str | None) -> Source | None:
    """Read a document's file again; None where it is no longer the one that was indexed.

    Args:
        corpus: where the file is.
        row: the document as the catalog knows it.
        extract: its text as the catalog keeps it, where its format is a converted one: the same
            bytes give the same text, so this is not made again.
    """
    if row.path != row.file and not row.path.startswith(f"{row.file}/"):
        return None  # a catalog that no writer of ours wrote
    try:
        raw = corpus.read_bytes(row.file)
    except UnreadableDocumentError:
        return None
    if hashlib.sha256(raw).hexdigest() != row.sha256:
        return None
    if row.encoding:
        try:
            text = decode_as(raw, row.encoding)
        except (LookupError, ValueError):  # nor such an encoding
            return None
    elif extract is None or _is_text(row, raw):  # the text of a text file is the file
        return None
    else:
        text, raw = extract, b""
    return Source(
        row.path, row.file, row.format, raw, text, row.encoding, row.sha256, LineIndex(text)
    )


def _is_text(row: DocumentRow, raw: bytes) -> bool:
    from qa.reading.detect.sniffing import detect_format
    from qa.reading.formats import TEXT

    return row.path == row.file and (detect_format(raw, row.file).format or "plain") in TEXT


def source_of(document: Document, corpus: Corpus) -> Source:
    """Make a document that was just read ready to be cited.

    Raises:
        CitationError: its file changed meanwhile.
    """
    raw = b""
    if document.encoding:
        with suppress(UnreadableDocumentError):
            raw = corpus.read_bytes(document.file)
        if hashlib.sha256(raw).hexdigest() != document.sha256:
            raise CitationError(f"{document.file} changed while being read", hint="Try again.")
    return Source(
        document.id,
        document.file,
        document.format,
        raw,
        document.text,
        document.encoding,
        document.sha256,
        LineIndex(document.text),
    )


def headings_at(sections: Sequence[Section], position: int) -> tuple[str, ...]:
    """The heading path of the section that holds a character."""
    return next(
        (
            section.heading_path
            for section in sections
            if section.blocks[0].start <= position < section.blocks[-1].end
        ),
        (),
    )


class Headings:
    """The headings above quotes of text files, as the files have them.

    A quote is read from its file, so what stands above it must be as well: an index may come from
    a stranger. (The text of a converted format is the index's own, and its headings with it.)
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._read: dict[tuple[str, str], tuple[Section, ...]] = {}  # by document and SHA-256
        self._told: dict[tuple[str, str, int], tuple[str, ...]] = {}  # by lines, of a position

    def confirmed(self, source: Source, known: tuple[str, ...], position: int) -> tuple[str, ...]:
        """The heading path above a character of a document.

        Args:
            source: the document, as it is now.
            known: the heading path that the index has.
            position: in its text.
        """
        if not known or not source.encoding:
            return known
        if source.format == "markdown" and self._by_lines(source, position) == known:
            return known  # told from the lines: the reader takes 30 ms to import
        key = (source.document, source.sha256)
        if key not in self._read:
            if len(self._read) == _REMEMBERED:
                del self._read[next(iter(self._read))]
            self._read[key] = self._sections(source)
        return headings_at(self._read[key], position)

    def _by_lines(self, source: Source, position: int) -> tuple[str, ...]:
        key = (source.encoding, source.sha256, position)
        if key not in self._told:
            if len(self._told) >= _TOLD:
                self._told.clear()
            self._told[key] = path_by_lines(source.text, position)
        return self._told[key]

    def _sections(self, source: Source) -> tuple[Section, ...]:
        try:
            documents = self._corpus.read(source.file).documents
        except UnreadableDocumentError:
            return ()
        same = (
            one for one in documents if (one.id, one.sha256) == (source.document, source.sha256)
        )
        return next((one.sections for one in same), ())


_REMEMBERED = 16  # documents whose sections are kept for the next question
_TOLD = 4_096  # positions whose headings are
_CLOSING_MARKS = re.compile(r"(?:^| )#+$")
_HEADING_OR_FENCE = re.compile(
    r"^ {0,3}(?:(?P<marks>#{1,6})(?P<title>[ \t][^\r\n]*)?$|(?P<fence>```|~~~))", re.MULTILINE
)


def path_by_lines(text: str, position: int) -> tuple[str, ...]:
    """The heading path above a character of a Markdown text, as far as lines tell it.

    Those are headings with `#` marks, outside of fences: enough for most files, without a parser.
    """
    path: list[tuple[int, str]] = []
    fence = ""
    for line in _HEADING_OR_FENCE.finditer(text, 0, max(position, text.find("\n", position))):
        if line["fence"]:
            fence = "" if fence == line["fence"] else fence or line["fence"]
        elif not fence:
            level = len(line["marks"])
            path = [one for one in path if one[0] < level]
            title = " ".join((line["title"] or "").split())
            path.append((level, _CLOSING_MARKS.sub("", title)))
    return tuple(title for _, title in path if title)
