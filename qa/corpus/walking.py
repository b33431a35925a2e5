"""The walk over a corpus: the files there are to read, and those left out, each with its reason."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from qa.reading.reasons import UNREAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.corpus.ignoring import Pattern

__all__ = ["Scan", "Stamp", "is_below", "look_at_file", "walk", "why"]

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
# A file written less than this before it was hashed may be written again without its times
# showing it (FAT keeps two seconds), so its times are not trusted yet.
RACY_NS = 2_000_000_000
_MAX_NUMBER = 2**63 - 1  # SQLite's numbers are signed, and a file can be dated after 2262
_NOT_TEXT = "name is not UTF-8"
_LEADS_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Stamp(NamedTuple):
    """What tells cheaply that a file is the one that was read: size, times, identity."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    def is_settled(self, seen_ns: int) -> bool:
        """Whether a change after `seen_ns` would show in the times."""
        return max(self.mtime_ns, self.ctime_ns) < seen_ns - RACY_NS


@dataclass(slots=True)
class Scan:
    """The documents found, and how many files were left out, by reason."""

    stamps: dict[str, Stamp] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)


def walk(root: str, *, max_file_size: int, exclude: str | None) -> Scan:
    """List the files below a folder, in a fixed order; what can't be looked at costs itself alone.

    `exclude` is a folder that is passed over (the index). A link is followed to what lies below
    the root; but a link to a folder is not where it leads to one above itself, nor inside a
    folder that a link led to. So no file is found more often than there are links, and once.
    """
    there = os.path.realpath(root)
    one = _Walk(there, os.path.realpath(exclude) if exclude else None, max_file_size)
    waiting = one.enter(_Folder(root, "", there))
    while waiting:
        folder, entry = waiting.pop()
        try:
            below = one.look_at(folder, entry)
        except FileNotFoundError:
            continue  # removed a moment ago
        except OSError as error:
            one.found.unreadable[folder.prefix + entry.name] = why(error)
            continue
        if below is not None:
            waiting += one.enter(below)
    return one.found


def look_at_file(name: str, status: os.stat_result, *, max_file_size: int) -> Scan:
    """The scan of a single file."""
    one = _Walk("", None, max_file_size)
    if _is_text(name):
        one.take(name, status)
    else:
        one.found.left_out[_NOT_TEXT] += 1
    return one.found


def is_below(path: str, folder: str) -> bool:
    """Whether a path without links is that of a folder or of something in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def why(error: Exception) -> str:
    """What went wrong with a file, in a few words."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to walk: its path as it was reached, and `real`, the one without links."""

    path: str
    prefix: str  # of the ids of what is in it
    real: str
    # Of each ignore file from the root down: where in an id the paths begin that it speaks of.
    rules: tuple[tuple[int, Sequence[Pattern]], ...] = ()
    is_linked: bool = False


@dataclass(slots=True)
class _Walk:
    root: str
    exclude: str | None
    max_file_size: int
    found: Scan = field(default_factory=Scan)

    def enter(self, folder: _Folder) -> list[tuple[_Folder, os.DirEntry[str]]]:
        """List a folder, last name first."""
        try:
            with os.scandir(folder.path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            if folder.prefix and isinstance(error, FileNotFoundError):
                return []  # removed a moment ago
            self.found.unreadable[folder.prefix or "."] = why(error)
            return []
        for name in IGNORE_FILES:
            if any(entry.name == name for entry in entries):
                # Imported here: many a corpus has none.
                from qa.corpus.ignoring import read_patterns

                try:
                    patterns = read_patterns(f"{folder.path}{os.sep}{name}")
                except OSError as error:
                    # What it may keep out must not be indexed, and no other folder pay for it.
                    self.found.unreadable[folder.prefix + name] = (
                        f"{why(error)}; its folder is left out, as nothing tells what it excludes: "
                        "repair or remove it"
                    )
                    return []
                folder = replace(folder, rules=(*folder.rules, (len(folder.prefix), patterns)))
        return [(folder, entry) for entry in entries]

    def look_at(self, folder: _Folder, entry: os.DirEntry[str]) -> _Folder | None:
        """Take in a file, or give the folder to enter.

        Raises:
            OSError: it can't be looked at.
        """
        name = entry.name
        if name.startswith(".") or not _is_text(name):
            reason = "hidden" if name.startswith(".") else _NOT_TEXT
            self.found.left_out[reason] += name not in IGNORE_FILES
            return None
        document = folder.prefix + name
        is_link = _is_link(entry)
        real, broken = _resolved(entry.path) if is_link else (f"{folder.real}{os.sep}{name}", None)
        is_folder = broken is None and entry.is_dir()
        if is_folder and real == self.exclude:
            return None
        if folder.rules and _is_ignored(document, folder.rules, is_folder=is_folder):
            self.found.left_out["ignored"] += 1
            return None
        if is_link and (reason := self._against(folder, real, broken, is_folder=is_folder)):
            self.found.left_out[reason] += 1
            return None
        if is_folder:
            is_linked = folder.is_linked or is_link
            return _Folder(entry.path, f"{document}/", real, folder.rules, is_linked)
        self.take(document, entry.stat())
        return None

    def _against(
        self, folder: _Folder, real: str, broken: OSError | None, *, is_folder: bool
    ) -> str:
        """Why a link is not followed; "" where it is.

        Raises:
            OSError: it can't be.
        """
        if broken is not None:
            if broken.errno in _LEADS_NOWHERE:
                return "broken link"
            raise broken
        if not is_below(real, self.root):
            return "link to outside"
        if is_folder and is_below(folder.real, real):
            return "link to a folder above it"
        if is_folder and folder.is_linked:
            return "link to a folder, in a linked folder"
        return ""

    def take(self, document: str, status: os.stat_result) -> None:
        """Take in a file, or count why it is left out."""
        if not stat.S_ISREG(status.st_mode):
            self.found.left_out["not a file"] += 1
        elif status.st_size > self.max_file_size:
            self.found.left_out["too large"] += 1
        elif os.path.splitext(document)[1].lower() in MEDIA:  # noqa: PTH122 - a Path is slow
            self.found.left_out[UNREAD] += 1
        else:
            self.found.stamps[document] = Stamp(
                status.st_size,
                min(status.st_mtime_ns, _MAX_NUMBER),
                min(status.st_ctime_ns, _MAX_NUMBER),
                status.st_ino & _MAX_NUMBER,
            )


def _is_link(entry: os.DirEntry[str]) -> bool:
    if sys.platform == "win32":
        tag = entry.stat(follow_symlinks=False).st_reparse_tag
        return tag in {stat.IO_REPARSE_TAG_SYMLINK, stat.IO_REPARSE_TAG_MOUNT_POINT}
    return entry.is_symlink()


def _resolved(link: str) -> tuple[str, OSError | None]:
    try:
        return os.path.realpath(link, strict=True), None
    except OSError as error:
        return "", error


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_ignored(
    document: str, rules: tuple[tuple[int, Sequence[Pattern]], ...], *, is_folder: bool
) -> bool:
    """Ask the ignore files from the nearest up; the first that speaks of the path decides."""
    from qa.corpus.ignoring import verdict

    for start, patterns in reversed(rules):
        told = verdict(patterns, document[start:], is_folder=is_folder)
        if told is not None:
            return told
    return False
