"""Who does the work of a refresh that needs no index: reads files, splits them and embeds passages.

What comes back is in order and the same whoever does it, so the one writer need not know.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from qa.indexing.ahead import readings
from qa.indexing.pieces import pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    from qa.corpus import Corpus
    from qa.encoding.encoder import EncodedPassage, Encoder, PassageInput, Runtime
    from qa.encoding.model import ModelFiles
    from qa.indexing.pieces import Piece

__all__ = ["Executor", "Executors", "LocalExecutor"]


class Executor(Protocol):
    """Does the work; close what it gives where that is not taken to its end."""

    def pieces(self, files: Iterable[str], *, size: Callable[[str], int]) -> Generator[Piece]:
        """Read and split files.

        Args:
            files: their ids in the corpus; they come back in this order.
            size: of a file, in bytes.
        """

    def encode_passages(self, inputs: Iterable[PassageInput]) -> Generator[EncodedPassage]:
        """The vectors of each input, in order; inputs are taken some way ahead."""


class Executors(Protocol):
    """Makes the executor of a refresh, once that knows what it needs."""

    def __call__(
        self, corpus: Corpus, files: ModelFiles, encoder: Callable[[], Encoder[Runtime]]
    ) -> AbstractContextManager[Executor]:
        """Open an executor.

        Args:
            corpus: where documents are read from.
            files: those of the model.
            encoder: loads it in this process.
        """


class LocalExecutor:
    """Works in this process."""

    def __init__(
        self, corpus: Corpus, encoder: Callable[[], Encoder[Runtime]], *, jobs: int
    ) -> None:
        """Set what to work with.

        Args:
            corpus: where documents are read from.
            encoder: loads it; called only if something must be split or embedded.
            jobs: how many files may be read at a time.
        """
        self._corpus = corpus
        self._encoder = encoder
        self._jobs = jobs

    def pieces(self, files: Iterable[str], *, size: Callable[[str], int]) -> Generator[Piece]:
        """Read and split files; memory is bounded by the largest one's text, not its passages."""
        with closing(readings(self._corpus, files, size=size, workers=self._jobs)) as read:
            for path, reading in read:
                yield from pieces_of(path, reading, self._encoder)

    def encode_passages(self, inputs: Iterable[PassageInput]) -> Generator[EncodedPassage]:
        """The vectors of each input, in order."""
        yield from self._encoder().encode_passages(inputs)
