"""What the catalog's tables hold, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qa.reading.corpus import Stamp
    from qa.types import Span

__all__ = ["DocumentRow", "PassageRow", "ProblemRow"]


@dataclass(frozen=True, slots=True)
class DocumentRow:
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
    """A passage as the catalog keeps it.

    `vector` is float32 `[d]` and `sentence_vectors` float32 `[m, d]`, both unit length up to
    what their storage loses (float16; int8 with a scale of its own per sentence). `spans` are
    the sentences, relative to the document's text. `terms` is the length in lexical terms.
    """

    id: int
    document: int
    start: int
    end: int
    heading_path: tuple[str, ...]
    context: str
    text: str
    terms: int
    digest: bytes
    vector: NDArray[np.float32]
    spans: tuple[Span, ...]
    sentence_vectors: NDArray[np.float32]
