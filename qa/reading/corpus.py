"""What there is to read: a folder or file on disk, or documents given as pairs."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from qa.errors import CorpusNotFoundError, SettingsError, UnreadableDocumentError
from qa.reading.reasons import MENDABLE, UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pathspec import GitIgnoreSpec

    from qa.reading.budget import Budget
    from qa.reading.conversion import Converter
    from qa.reading.extracted import Extracted
    from qa.reading.formats import Reading

__all__ = ["Corpus", "FolderCorpus", "PairCorpus", "Scan", "Stamp"]

# Not even looked at: pictures, sound, films, programs and archives are many and large.
MEDIA = frozenset(
    """
    .7z .a .aac .avi .bin .bmp .bz2 .class .deb .dll .dmg .dylib .exe .flac .gif .gz .heic .ico
    .img .iso .jar .jpeg .jpg .m4a .m4v .mkv .mov .mp3 .mp4 .mpeg .mpg .o .ogg .opus .otf .parquet
    .png .pyc .pyd .rar .rpm .so .sqlite .tar .tgz .tif .tiff .ttf .wav .webm .webp .whl .wma .wmv
    .woff .woff2 .xz .zip .zst
    """.split()
)
IGNORE_FILES = (".gitignore", ".qaignore")
_LONGEST_IGNORE_FILE = 64 * 1024  # bytes; every line is tried on every file
_MOST_STARS = 6
# A file written less than this before it was hashed may be written again without its times
# showing it (FAT keeps two seconds), so its times are not trusted yet.
RACY_NS = 2_000_000_000


class Stamp(NamedTuple):
    """What tells cheaply that a file is the one that was read: size, times, identity."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    def is_settled(self, seen_ns: int) -> bool:
        """Tell whether a change after `seen_ns` would show in the times."""
        return max(self.mtime_ns, self.ctime_ns) < seen_ns - RACY_NS


@dataclass(slots=True)
class Scan:
    """The documents found, and how many files were left out, by reason."""

    stamps: dict[str, Stamp] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)


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

    def can_mend(self, reason: str) -> bool:
        """Tell whether what could not be read for that reason can be by now."""

    def close(self) -> None:
        """Let go of what reading took; it may be read from again."""


class FolderCorpus:
    """The files below a folder, or one file.

    Hidden files, what `.gitignore` and `.qaignore` exclude, formats without a reader, files over
    `max_file_size` bytes and links that lead outside are left out and counted.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_file_size: int,
        ocr: bool = False,
        exclude: Path | None = None,
    ) -> None:
        """Take the folder or file; `exclude` is a folder that holds no documents (the index)."""
        self._path = path.absolute()
        self._ocr = ocr
        self._opened: Converter | None = None
        self._exclude = str(exclude.absolute()) if exclude else None
        self._max_file_size = max_file_size

    @property
    def _root(self) -> Path:
        return self._path if self._path.is_dir() else self._path.parent

    @property
    def location(self) -> str:
        """Name the corpus by its absolute path."""
        return str(self._path.resolve())

    @property
    def root(self) -> Path:
        """The absolute folder that ids are relative to."""
        return self._root.resolve()

    def scan(self) -> Scan:
        """Walk the folder in a fixed order; content is not read."""
        found = Scan()
        if self._path.is_dir():
            self._walk(self._root, "", [], {os.path.realpath(self._root)}, found)
        elif self._path.is_file():
            self._consider(self._path, self._path.name, found)
        else:
            raise CorpusNotFoundError(
                f"There is no corpus at {self._path}",
                hint="Make the folder and put documents in it, or name another with --corpus.",
            )
        return found

    def read_bytes(self, document: str) -> bytes:
        """Read one file below the root; an id that leads outside is refused."""
        path = self._root / document
        try:
            if not self._path.is_dir() and document != self._path.name:
                raise UnreadableDocumentError(document, "it lies outside the corpus")
            if not self._is_inside(document):
                raise UnreadableDocumentError(document, "it lies outside the corpus")
            return path.read_bytes()
        except (OSError, ValueError) as error:
            raise UnreadableDocumentError(document, _reason(error)) from error

    def read(self, file: str) -> Reading:
        """Read one file below the root, and the files inside it."""
        # Imported here: where nothing has changed, nothing is read.
        from qa.reading.formats import read_file

        return read_file(file, self.read_bytes(file), self._convert)

    def can_mend(self, reason: str) -> bool:
        """Tell whether what the converter lacked is there now."""
        return reason in MENDABLE and self._converter().can_mend(reason)

    def close(self) -> None:
        """Let go of the converter's process, if one was needed."""
        if self._opened is not None:
            self._opened.close()

    def _converter(self) -> Converter:
        # Made when it is needed: a corpus of text does not pay for importing it.
        if self._opened is None:
            from qa.reading.conversion import Converter

            self._opened = Converter(ocr=self._ocr)
        return self._opened

    def _convert(self, kind: str, raw: bytes, budget: Budget) -> Extracted:
        return self._converter().convert(kind, raw, budget)

    def _walk(
        self,
        folder: Path,
        prefix: str,
        rules: list[tuple[str, GitIgnoreSpec]],
        above: set[str],
        found: Scan,
    ) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            found.unreadable[prefix or "."] = _reason(error)
            return
        rules = [*rules, *_rules(folder, prefix, {entry.name for entry in entries})]
        for entry in entries:
            document = prefix + entry.name
            if entry.name.startswith("."):
                found.left_out["hidden"] += entry.name not in IGNORE_FILES
                continue
            try:
                document.encode("utf-8")
            except UnicodeEncodeError:
                found.left_out["name is not UTF-8"] += 1
                continue
            is_folder = entry.is_dir()
            if entry.path == self._exclude:
                continue
            if _is_ignored(document + "/" * is_folder, rules):
                found.left_out["ignored"] += 1
                continue
            if entry.is_symlink() and not self._is_inside(document):
                found.left_out["link to outside"] += 1
                continue
            if not is_folder:
                self._consider(entry, document, found)
            elif (real := os.path.realpath(entry.path)) not in above:  # else the link is a loop
                self._walk(Path(entry.path), document + "/", rules, above | {real}, found)

    def _consider(self, file: Path | os.DirEntry[str], document: str, found: Scan) -> None:
        try:
            status = file.stat()
        except OSError as error:
            found.unreadable[document] = _reason(error)
            return
        if not stat.S_ISREG(status.st_mode):
            found.left_out["not a file"] += 1
        elif status.st_size > self._max_file_size:
            found.left_out["too large"] += 1
        elif _suffix(document) in MEDIA:
            found.left_out[UNREAD] += 1
        else:
            inode = status.st_ino & (2**63 - 1)  # SQLite's numbers are signed
            found.stamps[document] = Stamp(
                status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode
            )

    def _is_inside(self, document: str) -> bool:
        """Tell whether the file, links followed, is there and below the root."""
        path = root = str(self._root)
        for part in document.split("/"):
            path = f"{path}{os.sep}{part}"
            if part in {"", ".", ".."} or os.sep in part or Path(path).is_symlink():
                break
        else:
            return True  # no link on the way: nothing to follow
        try:
            real = os.path.realpath(f"{root}{os.sep}{document}", strict=True)
        except OSError:
            return False
        root = os.path.realpath(root)
        return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


class PairCorpus:
    """Documents given as `(id, text)` pairs, without files."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._raw: dict[str, bytes] = {}
        for document, text in pairs:
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
        """Give "": there is no place on disk."""
        return ""

    @property
    def root(self) -> None:
        """There is no folder."""
        return None

    def scan(self) -> Scan:
        """List the pairs; the text's digest stands for its times."""
        return Scan({document: _content_stamp(raw) for document, raw in self._raw.items()})

    def read_bytes(self, document: str) -> bytes:
        """Give the text as UTF-8."""
        try:
            return self._raw[document]
        except KeyError as error:
            raise UnreadableDocumentError(document, "no such document was given") from error

    def read(self, file: str) -> Reading:
        """Read one pair as Markdown where its id says so, else as plain text."""
        from qa.reading.formats import read_text

        return read_text(file, self.read_bytes(file))

    def can_mend(self, reason: str) -> bool:  # noqa: ARG002 - nothing is lacking
        """Tell that no text needs anything."""
        return False

    def close(self) -> None:
        """There is nothing to let go of."""


def _suffix(document: str) -> str:
    # Asked of every file at every look: a Path would take ten times as long.
    return os.path.splitext(document)[1].lower()  # noqa: PTH122


def _content_stamp(raw: bytes) -> Stamp:
    digest = int.from_bytes(hashlib.sha256(raw).digest()[:6], "big")
    return Stamp(len(raw), 0, 0, digest)


def _rules(folder: Path, prefix: str, names: set[str]) -> Iterator[tuple[str, GitIgnoreSpec]]:
    for name in IGNORE_FILES:
        if name in names:
            yield prefix, _compiled(folder / name)


def _compiled(path: Path) -> GitIgnoreSpec:
    """Read an ignore file; like git, pass over lines that are no pattern."""
    from pathspec import GitIgnoreSpec

    kept: list[str] = []
    regular = path.is_file() and not path.is_symlink()
    if regular and path.stat().st_size <= _LONGEST_IGNORE_FILE:
        for line in path.read_text("utf-8-sig", "replace").splitlines():
            # Many stars in a name take time that grows with their power.
            if line.count("*") > _MOST_STARS:
                continue
            try:
                GitIgnoreSpec.from_lines([line])
            except (ValueError, re.error):
                continue
            kept.append(line)
    return GitIgnoreSpec.from_lines(kept)


def _is_ignored(document: str, rules: list[tuple[str, GitIgnoreSpec]]) -> bool:
    """Apply every ignore file from the root down; the last that speaks of the path decides."""
    ignored = False
    for prefix, spec in rules:
        verdict = spec.check_file(document.removeprefix(prefix)).include
        if verdict is not None:
            ignored = verdict
    return ignored


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
