"""Citations: made from the file as it is now, or not at all; and found again from their text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.errors import CitationError, UnreadableDocumentError
from qa.reading.decoding import LineIndex, byte_offsets, decode_as
from qa.types import Citation, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.reading.corpus import Corpus

__all__ = ["Excerpt", "Source", "excerpt", "open_source"]

_CITATION = re.compile(
    r"(?P<document>.+?)(?::(?P<first>\d+)(?:-(?P<last>\d+))?|#char=(?P<start>\d+),(?P<end>\d+))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A document's file as it was when it was opened, ready to be cited."""

    document: str
    raw: bytes
    text: str
    encoding: str
    sha256: str
    lines: LineIndex

    def cite(self, span: Span, heading_path: Sequence[str]) -> Citation:
        """Cite the characters of `span`."""
        start_byte, end_byte = byte_offsets(self.raw, self.text, self.encoding, span)
        return Citation(
            document=self.document,
            quote=self.text[span.start : span.end],
            start_line=self.lines.line(span.start),
            end_line=self.lines.line(max(span.start, span.end - 1)),
            heading_path=tuple(heading_path),
            page=None,
            start=span.start,
            end=span.end,
            start_byte=start_byte,
            end_byte=end_byte,
            sha256=self.sha256,
            encoding=self.encoding,
        )


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A cited place in its surroundings: whole lines before and after it."""

    citation: Citation
    before: str
    after: str


def open_source(corpus: Corpus, document: str, *, sha256: str, encoding: str) -> Source | None:
    """Read a document again; None where it is no longer the one that was indexed."""
    try:
        raw = corpus.read_bytes(document)
    except UnreadableDocumentError:
        return None
    if hashlib.sha256(raw).hexdigest() != sha256:
        return None
    try:
        text = decode_as(raw, encoding)
    except (LookupError, ValueError):  # a catalog that no writer of ours wrote
        return None
    return Source(document, raw, text, encoding, sha256, LineIndex(text))


def excerpt(corpus: Corpus, citation: str, *, context: int) -> Excerpt:
    """Find the place that `path:line`, `path:first-last` or `path#char=start,end` names.

    Args:
        corpus: where the document is.
        citation: as `qa ask` prints it; a path alone means the whole document.
        context: lines shown before and after.

    Raises:
        CitationError: there is no such document, or it has no such lines or characters.
    """
    document, place = _parse(corpus, citation)
    try:
        read = corpus.read(document)
    except UnreadableDocumentError as error:
        raise CitationError(str(error), hint="Is it still in the corpus?") from error
    source = open_source(corpus, document, sha256=read.sha256, encoding=read.encoding)
    if source is None:
        raise CitationError(f"{document} is changing just now", hint="Try again.")
    span = _span(source, citation, place)
    heading_path = next(
        (
            section.heading_path
            for section in read.sections
            if section.blocks[0].start <= span.start < section.blocks[-1].end
        ),
        (),
    )
    cited = source.cite(span, heading_path)
    first = source.lines.start(max(1, cited.start_line - context))
    last = source.lines.start(cited.end_line + context + 1)
    return Excerpt(cited, read.text[first : span.start], read.text[span.end : last])


def _parse(corpus: Corpus, citation: str) -> tuple[str, dict[str, int]]:
    known = corpus.scan().stamps
    if citation in known:  # a name may look like a citation
        return citation, {}
    match = _CITATION.fullmatch(citation)
    if match is None or match["document"] not in known:
        raise CitationError(
            f"{citation!r} names no document of the corpus",
            hint="Write it as `qa ask` prints it: path:line or path:first-last.",
        )
    places = {key: value for key, value in match.groupdict().items() if key != "document"}
    return match["document"], {key: int(value[:18]) for key, value in places.items() if value}


def _span(source: Source, citation: str, place: dict[str, int]) -> Span:
    length = len(source.text)
    if "first" in place:
        first, last = place["first"], place.get("last", place["first"])
        if not 1 <= first <= last <= len(source.lines.starts):
            raise CitationError(
                f"{citation!r}: the document has {len(source.lines.starts)} lines",
                hint="The file may have changed since; ask again.",
            )
        end = source.lines.start(last + 1)
        line_ends = source.text[:end].rstrip("\r\n")
        return Span(source.lines.start(first), max(source.lines.start(first), len(line_ends)))
    if "start" in place:
        if not 0 <= place["start"] <= place["end"] <= length:
            raise CitationError(
                f"{citation!r}: the document has {length} characters",
                hint="The file may have changed since; ask again.",
            )
        return Span(place["start"], place["end"])
    return Span(0, length)
