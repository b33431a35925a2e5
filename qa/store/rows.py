"""What the catalog's tables hold, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qa.corpus import Stamp
    from qa.encoding.encoder import EncodedPassage
    from qa.types import Place, Span
    from qa.words.terms import PassageTerms

__all__ = [
    "Described",
    "DocumentRow",
    "FilesKnown",
    "NewPassage",
    "PassageRow",
    "ProblemRow",
]


class Described(NamedTuple):
    """What a document is filtered by.

    `day` is that of its own date, else of its file's last change, YYYY-MM-DD or "".
    """

    id: int
    path: str
    day: str
    metadata: Mapping[str, str]


class DocumentRow(NamedTuple):
    """A document as the catalog knows it, and the file that holds it."""

    id: int
    path: str
    format: str
    encoding: str
    file: str
    sha256: str
    metadata: Mapping[str, str]


class ProblemRow(NamedTuple):
    """A document that could not be read, the file that holds it, and why.

    Where the document is indexed all the same, `reason` says what of it could not be read.
    """

    path: str
    file: str
    reason: str
    indexed: bool


@dataclass(frozen=True, slots=True, eq=False)
class FilesKnown:
    """What the catalog knows of the corpus's files, in the order in which it came to know them.

    Attributes:
        stamps: of each file by its path, as it was when it was read; None where a change since
            might not show in it.
        problems: what of the files can't be read.
        sha256s: of those of some files that are known, while the catalog is open; "" of one whose
            bytes could not be read.
    """

    stamps: Mapping[str, Stamp | None]
    problems: Sequence[ProblemRow]
    sha256s: Callable[[Iterable[str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A passage as it is read; `spans` are its sentences, relative to the document's text.

    `places` are those that begin in it, and before them the last of each kind that began above.
    """

    id: int
    document: int
    start: int
    end: int
    heading_path: tuple[str, ...]
    places: tuple[Place, ...]
    context: str
    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage with all that it is found by, before the writer numbers it.

    `digest` names what decides its vectors; the rest is as in `PassageRow`.
    """

    start: int
    end: int
    heading_path: tuple[str, ...]
    places: tuple[Place, ...]
    context: str
    text: str
    spans: tuple[Span, ...]
    digest: bytes
    encoded: EncodedPassage
    terms: PassageTerms
