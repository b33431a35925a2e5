"""What there is to read: a folder or file on disk, or documents given as pairs."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qa.corpus.regular import read_regular
from qa.corpus.walking import Scan, Stamp, is_below, look_at_file, walk, why
from qa.errors import CorpusNotFoundError, SettingsError, UnreadableDocumentError
from qa.reading.reasons import OCR_READS, RETRYABLE
from qa.unfinished import dropped_if_stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qa.corpus.watching import Watch
    from qa.reading.extracted import Extracted
    from qa.reading.files import Reading
    from qa.reading.sandbox.budget import Budget
    from qa.reading.sandbox.client import Converter

__all__ = ["Corpus", "FolderCorpus", "PairCorpus", "Scan", "Stamp"]


class Corpus(Protocol):
    """Where documents come from."""

    @property
    def location(self) -> str:
        """Name the corpus: its absolute path, or "" for one that lives in memory only."""

    @property
    def root(self) -> Path | None:
        """The absolute folder that ids are relative to; None where there are no files."""

    def scan(self) -> Scan:
        """List the documents.

        Raises:
            CorpusNotFoundError: there is no corpus.
        """

    def read_bytes(self, document: str) -> bytes:
        """Read one document as it is now.

        Raises:
            UnreadableDocumentError: it is gone or can't be read.
        """

    def read(self, file: str) -> Reading:
        """Read one file and the documents in it.

        Raises:
            UnreadableDocumentError: it is gone or can't be read.
        """

    def read_from(self, file: str, raw: bytes) -> Reading:
        """Read the documents in one file whose bytes are here already."""

    def can_retry(self, reason: str) -> bool:
        """Whether what could not be read for that reason can be by now."""

    def abandon(self) -> None:
        """End what other threads are reading: nobody wants it any more."""

    def told(self, seconds: float) -> int | None:
        """Wait so long for a change at most; 0 where there is none, None where none is told of."""

    def apart(self) -> Corpus:
        """The same corpus, to be read while this one is, and closed by itself."""

    def close(self) -> None:
        """Let go of what reading took; it may be read from again."""


class FolderCorpus:
    """The files below a folder, or one file.

    Hidden files, what `.gitignore` and `.qaignore` exclude, formats without a reader, files over
    `max_file_size` bytes and links that lead outside or round in a circle are left out and counted.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_file_size: int,
        ocr: bool = False,
        exclude: Path | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        """Take the folder or file.

        Args:
            path: of it.
            max_file_size: in bytes; larger files are left out.
            ocr: whether pictures of pages are read.
            exclude: a folder that holds no documents (the index).
            notify: where it is given, the folder is watched, and this is told why it can't be.

        Raises:
            SettingsError, MissingExtraError: it is to be watched, and that can't be done here.
        """
        self._path = path.absolute()
        self._ocr = ocr
        self._converters: list[Converter] = []
        self._idle: list[Converter] = []
        self._is_abandoned = False
        self._exclude = str(exclude.absolute()) if exclude else None
        self._max_file_size = max_file_size
        self._watch: Watch | None = None
        if notify is not None:
            # Imported here: few watch.
            from qa.corpus.watching import Watch

            self._watch = Watch(notify)

    @property
    def _root(self) -> Path:
        is_folder = os.path.isdir(self._path)  # noqa: PTH112 - Path raises where it may not look
        return self._path if is_folder else self._path.parent

    @property
    def location(self) -> str:
        """Name the corpus by its absolute path."""
        return os.path.realpath(self._path)

    @property
    def root(self) -> Path:
        """The absolute folder that ids are relative to."""
        return Path(os.path.realpath(self._root))

    def scan(self) -> Scan:
        """Walk the folder in a fixed order; content is not read."""
        try:
            status = self._path.stat()
        except (OSError, ValueError) as error:
            problem = f": {why(error)}" if not isinstance(error, FileNotFoundError) else ""
            raise CorpusNotFoundError(
                f"There is no corpus at {self._path}{problem}",
                hint="Make the folder and put documents in it, or name another with --corpus.",
            ) from error
        if stat.S_ISDIR(status.st_mode):
            root = str(self._path)
            one = partial(walk, root, max_file_size=self._max_file_size, exclude=self._exclude)
            return one() if self._watch is None else self._watch.scan(root, one)
        if stat.S_ISREG(status.st_mode):
            return look_at_file(self._path.name, status, max_file_size=self._max_file_size)
        raise CorpusNotFoundError(
            f"The corpus at {self._path} is neither a folder nor a file",
            hint="Name a folder of documents with --corpus.",
        )

    def read_bytes(self, document: str) -> bytes:
        """Read one file below the root; an id that leads outside is refused."""
        root = self._root
        try:
            # Who names a link to a file as the corpus means what it leads to.
            alone = root != self._path
            if document != self._path.name if alone else not _is_inside(str(root), document):
                raise UnreadableDocumentError(document, "it lies outside the corpus")
            return read_regular(f"{root}{os.sep}{document}", self._max_file_size)
        except (OSError, ValueError) as error:
            limit = " (max_file_size)" if getattr(error, "errno", 0) == errno.EFBIG else ""
            raise UnreadableDocumentError(document, why(error) + limit) from error

    def read(self, file: str) -> Reading:
        """Read one file below the root, and the files inside it."""
        return self.read_from(file, self.read_bytes(file))

    def read_from(self, file: str, raw: bytes) -> Reading:
        """Read the documents in one file whose bytes are here already."""
        # Imported here: where nothing has changed, nothing is read.
        from qa.reading.files import read_file

        return read_file(file, raw, self._convert)

    def can_retry(self, reason: str) -> bool:
        """Whether what the converter lacked is there now."""
        if not (reason in RETRYABLE or OCR_READS in reason):
            return False
        with self._converter() as converter:
            return converter.can_retry(reason)

    def abandon(self) -> None:
        """End the converters' processes, in the middle of a file too, until this is closed."""
        self._is_abandoned = True
        for converter in self._converters:
            converter.abandon()

    def apart(self) -> FolderCorpus:
        """The same files, read by other means than these."""
        exclude = Path(self._exclude) if self._exclude else None
        return FolderCorpus(
            self._path, max_file_size=self._max_file_size, ocr=self._ocr, exclude=exclude
        )

    def told(self, seconds: float) -> int | None:
        """Wait so long for a change at most; 0 where there is none, None where none is told of."""
        return None if self._watch is None else self._watch.told(str(self._path), seconds)

    def stop_watching(self) -> None:
        """Let go of what watching took; `close` does not, as it is for after each refresh."""
        if self._watch is not None:
            self._watch.close()

    def close(self) -> None:
        """Let go of the converters' processes, if any were needed."""
        self._is_abandoned = False
        for converter in self._converters:
            converter.close()

    @contextmanager
    def _converter(self) -> Iterator[Converter]:
        """A converter that no other thread uses meanwhile."""
        try:
            converter = self._idle.pop()
        except IndexError:
            # Made when it is needed: a corpus of text does not pay for importing it.
            from qa.reading.sandbox.client import Converter

            converter = Converter(ocr=self._ocr)
            self._converters.append(converter)
        try:
            yield converter
        finally:
            self._idle.append(converter)

    def _convert(self, kind: str, raw: bytes, budget: Budget) -> Extracted:
        if self._is_abandoned:  # the next of many files inside one
            raise UnreadableDocumentError(kind, "reading was abandoned")
        with self._converter() as converter, dropped_if_stopped(converter.abandon):
            return converter.convert(kind, raw, budget)


class PairCorpus:
    """Documents given as `(id, text)` pairs, or as a mapping of ids to texts, without files."""

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        if not isinstance(pairs, Iterable):
            raise SettingsError(f"documents is of type {type(pairs).__name__}", hint=_PAIRS)
        self._raw: dict[str, bytes] = {}
        self._scan: Scan | None = None
        for pair in pairs.items() if isinstance(pairs, Mapping) else pairs:
            document, text = _pair(pair)
            if not document or document in self._raw:
                raise SettingsError(
                    f"document id {document!r} is {'given twice' if document else 'empty'}",
                    hint="Give every document an id of its own.",
                )
            try:
                self._raw[document] = text.encode("utf-8")
            except UnicodeEncodeError as error:
                raise SettingsError(
                    f"the text of document {document!r} has half a surrogate pair at character "
                    f"{error.start}",
                    hint="Give text that can be encoded as UTF-8.",
                ) from error

    @property
    def location(self) -> str:
        """Always empty: there is no place on disk."""
        return ""

    @property
    def root(self) -> None:
        """There is no folder."""
        return None

    def scan(self) -> Scan:
        """List the pairs; the text's digest stands for its times."""
        if self._scan is None:  # they never change
            stamps = {document: _content_stamp(raw) for document, raw in self._raw.items()}
            self._scan = Scan(stamps)
        return self._scan

    def read_bytes(self, document: str) -> bytes:
        """The text as UTF-8."""
        try:
            return self._raw[document]
        except KeyError as error:
            raise UnreadableDocumentError(document, "no such document was given") from error

    def read(self, file: str) -> Reading:
        """Read one pair as Markdown where its id says so, else as plain text."""
        return self.read_from(file, self.read_bytes(file))

    def read_from(self, file: str, raw: bytes) -> Reading:
        """Read a text that is here already."""
        from qa.reading.files import read_text

        return read_text(file, raw)

    def can_retry(self, reason: str) -> bool:  # noqa: ARG002 - nothing is lacking
        """Never: no text lacks anything."""
        return False

    def abandon(self) -> None:
        """There is nothing to end: texts are read at once."""

    def told(self, seconds: float) -> int | None:
        """Wait: texts that were given don't change."""
        time.sleep(seconds)
        return 0

    def apart(self) -> PairCorpus:
        """These pairs: reading takes nothing that two could want."""
        return self

    def close(self) -> None:
        """There is nothing to let go of."""


def _is_inside(root: str, document: str) -> bool:
    """Whether the file, links followed, is there and below the root."""
    path = root
    for part in document.split("/"):
        path = f"{path}{os.sep}{part}"
        is_odd = part in {"", ".", ".."} or os.sep in part
        if is_odd or os.path.islink(path):  # noqa: PTH114 - a Path is slow, and its path can be long
            break
    else:
        return True  # no link on the way: nothing to follow
    try:
        real = os.path.realpath(f"{root}{os.sep}{document}", strict=True)
    except OSError:
        return False
    return is_below(real, os.path.realpath(root))


_PAIRS = "Give (id, text) pairs, both of them text (str), or a mapping of ids to texts."


def _pair(given: object) -> tuple[str, str]:
    match given:
        case (str(document), str(text)):
            return document, text
        case (str(document), other):
            kind = f"the text of document {document!r} is of type {type(other).__name__}"
        case _:
            kind = f"documents has an item of type {type(given).__name__}"
    raise SettingsError(kind, hint=_PAIRS)


def _content_stamp(raw: bytes) -> Stamp:
    digest = int.from_bytes(hashlib.sha256(raw).digest()[:6], "big")
    return len(raw), 0, 0, digest
