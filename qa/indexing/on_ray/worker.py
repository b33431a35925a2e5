"""What runs on the workers: each process opens the model and the readers once, and keeps them."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qa import __version__
from qa.encoding.encoder import EncodedPassage, PassageInput
from qa.encoding.export import folder_of
from qa.encoding.loader import load_encoder
from qa.encoding.model import locate
from qa.encoding.runtimes import passages_by
from qa.errors import QaError, UnreadableDocumentError
from qa.indexing.pieces import pieces_of
from qa.settings import Settings
from qa.types import Document, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from qa.corpus import Corpus
    from qa.encoding.encoder import Encoder, Runtime
    from qa.indexing.pieces import Piece

__all__ = ["Embedded", "Numbers", "Refusal", "Work", "embed", "numbers_of", "split", "unpacked"]

_NAME = 16  # hex digits of a digest


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker has to know; `key` is new for each refresh.

    `version` is that of this package, `model` the name and `fingerprint` that of the model's files,
    `cache` the folder for exports at the driver, and `corpus` reads bytes as the driver's does.
    """

    key: str
    version: str
    model: str
    fingerprint: str
    cache: str
    corpus: Corpus


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a worker can't do the work, and what a person can do."""

    message: str
    hint: str


class Numbers(NamedTuple):
    """What embeds passages in a process, and a digest of what it gives for one that is fixed."""

    host: str
    runtime: str
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The vectors of a batch, in few arrays: of `n` passages with `m` sentences in all.

    `vectors` are float32 `[n, d]`, `sentences` float32 `[m, d]`, `counts` int64 `[n]` says how many
    of the sentences are of each passage.
    """

    vectors: NDArray[np.float32]
    sentences: NDArray[np.float32]
    counts: NDArray[np.int64]
    numbers: Numbers


def split(work: Work, files: Sequence[tuple[str, bytes | str]]) -> list[Piece] | Refusal:
    """Read files and split them.

    Args:
        work: see `Work`.
        files: the path of each, and its bytes, or why these can't be read.
    """
    opened = _open(work)
    if isinstance(opened, Refusal):
        return opened
    return [_as_written(piece) for file in files for piece in opened.pieces(*file)]


def embed(work: Work, texts: Sequence[tuple[str, tuple[Span, ...]]]) -> Embedded | Refusal:
    """Embed passages: the text of each, with the spans of its sentences."""
    opened = _open(work)
    if isinstance(opened, Refusal):
        return opened
    inputs = [PassageInput(text, spans) for text, spans in texts]
    found = list(opened.encoder.encode_passages(inputs))
    return Embedded(
        np.stack([one.vector for one in found]),
        np.concatenate([one.sentences for one in found]),
        np.array([len(one.sentences) for one in found], np.int64),
        opened.numbers(),
    )


def unpacked(embedded: Embedded) -> Iterator[EncodedPassage]:
    """The vectors of each passage of a batch."""
    ends = np.cumsum(embedded.counts).tolist()
    for vector, begin, end in zip(embedded.vectors, [0, *ends], ends, strict=False):
        yield EncodedPassage(vector, embedded.sentences[begin:end])


def numbers_of(encoder: Encoder[Runtime], cache: Path) -> Numbers:
    """What embeds passages here."""
    [probe] = encoder.encode_passages([_PROBE])
    digest = hashlib.sha256(probe.vector.tobytes() + probe.sentences.tobytes()).hexdigest()
    by = passages_by(folder_of(cache, encoder.spec.fingerprint))
    return Numbers(socket.gethostname(), by, digest[:_NAME])


_TEXT = (
    "The lighthouse keeper wrote down the weather every evening, in ink, for thirty-one years. "
    "On 4 March 1911 the barometer fell to 948 hPa; nobody on the island had seen such a storm."
)
_PROBE = PassageInput(_TEXT, (Span(0, 89), Span(90, len(_TEXT))))


class _Opened:
    """The model and the readers, in a worker's process."""

    def __init__(self, work: Work, cache: Path) -> None:
        """Open them.

        Raises:
            ModelError: the model's files are not here, or can't be loaded.
        """
        self.key = work.key
        self._cache = cache
        self._corpus = work.corpus
        self._files = locate(work.model, cache=cache)
        self.fingerprint = self._files.fingerprint
        self._encoder: Encoder[Runtime] | None = None
        self._numbers: Numbers | None = None

    @property
    def encoder(self) -> Encoder[Runtime]:
        """Loaded once, and one thread embeds: Ray gives each worker a core."""
        if self._encoder is None:
            self._encoder = load_encoder(self._files, cache=self._cache, workers=1)
        return self._encoder

    def pieces(self, path: str, found: bytes | str) -> Iterator[Piece]:
        """Read and split a file."""
        if isinstance(found, str):
            return pieces_of(path, UnreadableDocumentError(path, found), lambda: self.encoder)
        reading = self._corpus.read_from(path, found)
        return pieces_of(path, reading, lambda: self.encoder)

    def numbers(self) -> Numbers:
        """See `Numbers`; computed once."""
        if self._numbers is None:
            self._numbers = numbers_of(self.encoder, self._cache)
        return self._numbers

    def close(self) -> None:
        """End the converters."""
        self._corpus.close()


_opened: list[_Opened] = []  # none, or one


def _open(work: Work) -> _Opened | Refusal:
    if _opened and _opened[0].key == work.key:
        return _opened[0]
    while _opened:
        _opened.pop().close()
    host = socket.gethostname()
    if __version__ != work.version:
        return Refusal(
            f"The Ray worker on {host} has retrieval-qa {__version__}, and here is {work.version}",
            "Install the same version on every node.",
        )
    os.environ.setdefault("RAYON_NUM_THREADS", "1")  # the tokenizer's threads
    try:
        opened = _Opened(work, _cache(work.cache))
        if opened.fingerprint == work.fingerprint:
            opened.encoder  # noqa: B018 - what is wrong with it is to be told here
    except QaError as error:
        return Refusal(f"The Ray worker on {host} can't load the model: {error}", error.hint)
    if opened.fingerprint != work.fingerprint:
        return Refusal(
            f"The Ray worker on {host} has other files of the model {work.model} than are here",
            "Copy the same files to every node.",
        )
    _opened.append(opened)
    return opened


def _cache(given: str) -> Path:
    """The driver's cache, where this machine has it too, else this machine's own."""
    folder = Path(given)
    return folder if folder.is_dir() else Settings(cache=os.environ.get("QA_CACHE")).cache_path()


def _as_written(piece: Piece) -> Piece:
    """A document without what the index does not keep of it: it goes over a network."""
    if not isinstance(piece, Document):
        return piece
    text = "" if piece.encoding else piece.text
    return replace(piece, text=text, sections=(), places=())
