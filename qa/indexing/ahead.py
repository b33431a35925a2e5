"""Files read ahead of who takes them up: while one is cut and written, others are converted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.ahead import in_order
from qa.errors import UnreadableDocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from qa.corpus import Corpus
    from qa.reading.files import Reading

__all__ = ["readings"]

# Bytes of files that are read, or being read, and not taken up yet.
AHEAD = 16 * 1024 * 1024
# Files that are read at a time: four converters give as much as one thread cuts and writes.
MOST_WORKERS = 4


def readings(
    corpus: Corpus, files: Iterable[str], *, size: Callable[[str], int], workers: int
) -> Generator[tuple[str, Reading | UnreadableDocumentError]]:
    """Each file with what reading it gave, in order; close this where it is not taken to its end.

    Args:
        corpus: where they are read from, by several threads at once.
        files: their ids.
        size: of a file, in bytes.
        workers: how many may be read at a time; where it is one, no thread runs.
    """

    def read(file: str) -> tuple[str, Reading | UnreadableDocumentError]:
        try:
            return file, corpus.read(file)
        except UnreadableDocumentError as error:
            return file, error

    if workers == 1:
        yield from map(read, files)
        return
    workers = min(workers, MOST_WORKERS)
    yield from in_order(read, files, workers=workers, most=AHEAD, size=size, abandon=corpus.abandon)
