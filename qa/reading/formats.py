"""Which reader reads which file: one entry a format, one module a reader."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from qa.errors import UnreadableDocumentError
from qa.reading.decoding import UndecodableError, decode
from qa.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qa.types import Section

    Reader = Callable[[str], tuple[tuple[Section, ...], Mapping[str, str]]]

__all__ = ["is_supported", "read_document"]

MARKDOWN = frozenset({".md", ".markdown", ".mdown", ".mkd"})
# Text by content, but not made to be read as it stands: no reader for these yet.
UNSUPPORTED = frozenset(
    """
    .csv .eml .htm .html .ipynb .json .jsonl .mbox .rtf .svg .tsv .xhtml .xml
    """.split()
)


def is_supported(document: str) -> bool:
    """Tell by the name whether there is a reader; other text is read as plain text."""
    return _suffix(document) not in UNSUPPORTED


def read_document(document: str, raw: bytes, *, encoding: str | None = None) -> Document:
    """Read the bytes of one file; the encoding is found out where it isn't given.

    Raises:
        UnreadableDocumentError: the bytes are not text.
    """
    try:
        text, encoding = (raw.decode(encoding), encoding) if encoding else decode(raw)
    except UndecodableError as error:
        raise UnreadableDocumentError(document, str(error)) from error
    try:
        sections, metadata = _reader(document)(text)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # A parser that stumbles costs this document, not the others.
        reason = f"its format could not be read ({type(error).__name__})"
        raise UnreadableDocumentError(document, reason) from error
    return Document(
        id=document,
        text=text,
        sha256=hashlib.sha256(raw).hexdigest(),
        encoding=encoding,
        sections=sections,
        metadata=metadata,
    )


def _suffix(document: str) -> str:
    # Asked of every file at every look: a Path would take ten times as long.
    return os.path.splitext(document)[1].lower()  # noqa: PTH122


def _reader(document: str) -> Reader:
    # Imported here: a corpus of plain text does not pay for the Markdown parser.
    if _suffix(document) in MARKDOWN:
        from qa.reading.markdown import read_markdown

        return read_markdown
    from qa.reading.plain import read_plain

    return read_plain
