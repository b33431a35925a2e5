"""What the catalog's tables hold, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qa.corpus import Stamp
    from qa.encoding.encoder import PassageInput
    from qa.types import Place
    from qa.words.terms import PassageTerms

__all__ = [
    "DocumentRow",
    "FilesKnown",
    "NewPassage",
    "PackedEmbedding",
    "PassageRow",
    "ProblemRow",
    "StoredFile",
    "StoredPassage",
]


class DocumentRow(NamedTuple):
    """A document as the catalog knows it, and the file that holds it."""

    id: int
    path: str
    format: str
    encoding: str
    file: str
    sha256: str
    metadata: Mapping[str, str]


class StoredFile(NamedTuple):
    """A file as it was when it was read at `seen_ns`; `sha256` is "" where its bytes can't be."""

    path: str
    sha256: str
    stamp: Stamp
    seen_ns: int


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
    """What the catalog knows of the corpus's files.

    Attributes:
        stamps: of each file by its path, as it was when it was read; None where a change since
            might not show in it.
        sha256s: in the same order; "" of a file whose bytes could not be read.
        problems: what of the files can't be read.
    """

    stamps: Mapping[str, Stamp | None]
    sha256s: Sequence[str]
    problems: Sequence[ProblemRow]


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

    def to_embed(self) -> PassageInput:
        """What is embedded of it."""
        from qa.encoding.encoder import PassageInput

        spans = (Span(start - self.start, end - self.start) for start, end in self.spans)
        return PassageInput.of(self.context, self.text, spans)


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage with the words that it is found by, before the writer numbers it.

    `tokens` are those that will be embedded, uint32 `[t]`, special tokens left out; `digest` names
    what decides the passage's vectors. The rest is as in `PassageRow`.
    """

    start: int
    end: int
    heading_path: tuple[str, ...]
    places: tuple[Place, ...]
    context: str
    text: str
    spans: tuple[Span, ...]
    digest: bytes
    terms: PassageTerms
    tokens: NDArray[np.uint32]


class PackedEmbedding(NamedTuple):
    """What encoding gave for a passage, as `qa.store.packing.pack_encoded` packs it."""

    vector: bytes
    sentences: bytes


class StoredPassage(NamedTuple):
    """All that is stored of a passage; no embedding where it waits for one."""

    passage: NewPassage
    embedding: PackedEmbedding | None
