"""What the catalog's tables hold, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from qa.encoding.encoder import EncodedPassage
    from qa.reading.corpus import Stamp
    from qa.retrieval.terms import PassageTerms
    from qa.types import Span

__all__ = ["DocumentRow", "NewPassage", "PassageRow", "ProblemRow"]


class DocumentRow(NamedTuple):
    """A document as the catalog knows it."""

    id: int
    path: str
    sha256: str
    encoding: str
    stamp: Stamp
    seen_ns: int


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A file that could not be read; `sha256` is empty where not even its bytes could."""

    reason: str
    sha256: str
    stamp: Stamp
    seen_ns: int


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A passage as it is read; `spans` are its sentences, relative to the document's text."""

    id: int
    document: int
    start: int
    end: int
    heading_path: tuple[str, ...]
    context: str
    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage with all that it is found by; `digest` names what decides its vectors."""

    row: PassageRow
    digest: bytes
    encoded: EncodedPassage
    terms: PassageTerms
