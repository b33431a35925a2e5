"""The walk over a corpus: the files there are to read, and those left out, each with its reason."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from qa.reading.reasons import UNREAD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qa.corpus.ignoring import Pattern

__all__ = [
    "CHANGED",
    "SIZE",
    "Folder",
    "Listing",
    "Look",
    "Scan",
    "Stamp",
    "is_below",
    "is_settled",
    "listing_digest",
    "look_at_file",
    "walk",
    "why",
]

# Not even looked at: pictures, sound, films, programs and archives are many and large.
MEDIA = frozenset(
    """
    7z a aac avi bin bmp bz2 class deb dll dmg dylib exe flac gif gz heic ico
    img iso jar jpeg jpg m4a m4v mkv mov mp3 mp4 mpeg mpg o ogg opus otf parquet
    png pyc pyd rar rpm so sqlite tar tgz tif tiff ttf wav webm webp whl wma wmv
    woff woff2 xz zip zst
    """.split()
)
IGNORE_FILES = (".gitignore", ".qaignore")
# A file written less than this before it was hashed may be written again without its times
# showing it (FAT keeps two seconds), so its times are not trusted yet.
RACY_NS = 2_000_000_000
_MAX_NUMBER = 2**63 - 1  # SQLite's numbers are signed, and a file can be dated after 2262
_NOT_TEXT = "name is not UTF-8"
_LEADS_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


# What tells cheaply that a file is the one that was read: size, mtime_ns, ctime_ns, inode. A plain
# tuple, as there is one of each file at each look.
Stamp: TypeAlias = tuple[int, int, int, int]
SIZE, CHANGED = 0, 1  # where in it they stand

_stamp = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
_name = attrgetter("name")


def is_settled(stamp: Stamp, seen_ns: int) -> bool:
    """Whether a change of a file after `seen_ns` would show in the times of its stamp."""
    return max(stamp[1], stamp[2]) < seen_ns - RACY_NS


def listing_digest(stamps: Mapping[str, Stamp], seen_ns: int) -> str:
    """A digest of all files and their stamps, which tells in a moment that none has changed.

    "" where a change of one of them after `seen_ns` might not show in its times.
    """
    numbers = array("q", chain.from_iterable(stamps.values()))
    newest = max(max(numbers[1::4], default=0), max(numbers[2::4], default=0))
    if newest >= seen_ns - RACY_NS:
        return ""
    digest = hashlib.blake2b("\0".join(stamps).encode("utf-8", "surrogatepass"), digest_size=16)
    digest.update(numbers)
    return digest.hexdigest()


@dataclass(slots=True)
class Scan:
    """The documents found, and how many files were left out, by reason."""

    stamps: dict[str, Stamp] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    in_line_with: object = None  # known stamps, or the digest of them, that these are the same as


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to walk: its path as it was reached, and `real`, the one without links."""

    path: str
    prefix: str  # of the ids of what is in it
    real: str
    # Of each ignore file from the root down: where in an id the paths begin that it speaks of.
    rules: tuple[tuple[int, Sequence[Pattern]], ...] = ()
    is_linked: bool = False


@dataclass(slots=True)
class Listing:
    """What is in a folder itself: `parts` are runs of files, and the folders between, by name."""

    parts: list[dict[str, Stamp] | Folder] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    # Whether something in it has another name, by which it may change with nothing changed here.
    has_links: bool = False


Look: TypeAlias = "Callable[[Folder], Listing]"


def walk(
    root: str,
    *,
    max_file_size: int,
    exclude: str | None,
    looking: Callable[[Look], Look] = lambda look: look,
) -> Scan:
    """List the files below a folder, in a fixed order; what can't be looked at costs itself alone.

    A link is followed to what lies below the root; but a link to a folder is not where it leads to
    one above itself, nor inside a folder that a link led to. So no file is found more often than
    there are links, and once.

    Args:
        root: the folder.
        max_file_size: in bytes; larger files are left out.
        exclude: a folder that is passed over (the index).
        looking: what to look into each folder with, made of what does it here.
    """
    there = os.path.realpath(root)
    one = _Walk(there, os.path.realpath(exclude) if exclude else None, max_file_size)
    look = looking(one.look_into)
    found = Scan()
    waiting: list[dict[str, Stamp] | Folder] = [Folder(root, "", there)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Folder):
            listing = look(part)
            found.left_out.update(listing.left_out)
            found.unreadable |= listing.unreadable
            waiting += reversed(listing.parts)
        else:
            found.stamps |= part
    return found


def look_at_file(name: str, status: os.stat_result, *, max_file_size: int) -> Scan:
    """The scan of a single file."""
    one = _Walk("", None, max_file_size)
    files: dict[str, Stamp] = {}
    left_out: Counter[str] = Counter()
    reason = one.against(name, status) if _is_text(name) else _NOT_TEXT
    if reason:
        left_out[reason] += 1
    else:
        files[name] = _held(_stamp(status))
    return Scan(files, left_out)


def is_below(path: str, folder: str) -> bool:
    """Whether a path without links is that of a folder or of something in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def why(error: Exception) -> str:
    """What went wrong with a file, in a few words."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


@dataclass(frozen=True, slots=True)
class _Walk:
    root: str
    exclude: str | None
    max_file_size: int

    def look_into(self, folder: Folder) -> Listing:
        """List what is in a folder, by name."""
        listing = Listing()
        try:
            with os.scandir(folder.path) as found:
                entries = sorted(found, key=_name)
        except OSError as error:
            if not folder.prefix or not isinstance(error, FileNotFoundError):  # removed just now
                listing.unreadable[folder.prefix or "."] = why(error)
            return listing
        try:
            folder = _with_rules(folder, entries, listing)
        except OSError:
            return listing
        prefix, rules = folder.prefix, folder.rules
        files: dict[str, Stamp] = {}
        listing.parts.append(files)
        for entry in entries:
            name = entry.name
            try:
                # Most are plain files with plain names; what they are, the listing has said.
                if (
                    entry.is_symlink()
                    or not entry.is_file()
                    or rules
                    or name[0] == "."
                    or not name.isascii()
                ):
                    below = self._look_at(folder, entry, listing)
                    if isinstance(below, Folder):
                        files = {}
                        listing.parts += (below, files)
                    if below is not True:
                        continue
                status = entry.stat()
            except FileNotFoundError:
                continue  # removed a moment ago
            except OSError as error:
                listing.unreadable[prefix + name] = why(error)
                continue
            if status.st_nlink > 1:
                listing.has_links = True
            if reason := self.against(name, status):
                listing.left_out[reason] += 1
                continue
            stamp = _stamp(status)
            files[prefix + name] = stamp if max(stamp) <= _MAX_NUMBER else _held(stamp)
        return listing

    def against(self, name: str, status: os.stat_result) -> str:
        """Why a file is left out; "" where it is not."""
        if not stat.S_ISREG(status.st_mode):
            return "not a file"
        if status.st_size > self.max_file_size:
            return "too large"
        stem, _, suffix = name.rpartition(".")
        return UNREAD if suffix.lower() in MEDIA and stem else ""

    def _look_at(self, folder: Folder, entry: os.DirEntry[str], listing: Listing) -> Folder | bool:
        """The folder to enter, or whether it is a file to take in.

        Raises:
            OSError: it can't be looked at.
        """
        name = entry.name
        if name.startswith(".") or not _is_text(name):
            reason = "hidden" if name.startswith(".") else _NOT_TEXT
            listing.left_out[reason] += name not in IGNORE_FILES
            return False
        document = folder.prefix + name
        is_link = _is_link(entry)
        listing.has_links |= is_link
        real, broken = _resolved(entry.path) if is_link else (f"{folder.real}{os.sep}{name}", None)
        is_folder = broken is None and entry.is_dir()
        if is_folder and real == self.exclude:
            return False
        if folder.rules and _is_ignored(document, folder.rules, is_folder=is_folder):
            listing.left_out["ignored"] += 1
            return False
        if is_link and (reason := self._against_link(folder, real, broken, is_folder=is_folder)):
            listing.left_out[reason] += 1
            return False
        if is_folder:
            is_linked = folder.is_linked or is_link
            return Folder(entry.path, f"{document}/", real, folder.rules, is_linked)
        return True

    def _against_link(
        self, folder: Folder, real: str, broken: OSError | None, *, is_folder: bool
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


def _with_rules(folder: Folder, entries: list[os.DirEntry[str]], listing: Listing) -> Folder:
    """A folder with the rules of the ignore files in it.

    Raises:
        OSError: one can't be read, which `listing` then says.
    """
    for name in IGNORE_FILES:
        at = bisect_left(entries, name, key=_name)
        if at == len(entries) or entries[at].name != name:
            continue
        # Imported here: many a corpus has none.
        from qa.corpus.ignoring import read_patterns

        try:
            listing.has_links |= _is_link(entries[at])
            patterns = read_patterns(f"{folder.path}{os.sep}{name}")
        except OSError as error:
            # What it may keep out must not be indexed, and no other folder pay for it.
            listing.unreadable[folder.prefix + name] = (
                f"{why(error)}; its folder is left out, as nothing tells what it excludes: "
                "repair or remove it"
            )
            raise
        folder = replace(folder, rules=(*folder.rules, (len(folder.prefix), patterns)))
    return folder


def _held(stamp: Stamp) -> Stamp:
    """A stamp as the catalog can hold it."""
    size, changed, touched, inode = stamp
    return size, min(changed, _MAX_NUMBER), min(touched, _MAX_NUMBER), inode & _MAX_NUMBER


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
