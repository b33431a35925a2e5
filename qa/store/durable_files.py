"""Durable files: sealed by what the catalog keeps of them, to know them again, and synced.

Also what makes files last: a name in a folder survives a loss of power only once the folder itself
is synced.
"""

from __future__ import annotations

import errno
import os
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Seal", "Segment", "make_folder", "seal", "sync", "sync_folder"]

_CHECKED = 32 * 1024 * 1024  # of files that are larger together, only both ends are read
_END = 64 * 1024
# A folder that may not be read, or a file system that does not sync folders.
_NOT_SYNCED = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP}


@dataclass(frozen=True, slots=True)
class Seal:
    """The size of some files together, in bytes, and the CRC-32 of what is in them."""

    size: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Segment(Seal):
    """Files of vectors: what they are called, their seal, and what they hold.

    `rows` embeddings, of those that are numbered over the last of the segment before up to `last`.
    """

    stem: str
    rows: int
    last: int

    def __post_init__(self) -> None:
        for number in (self.rows, self.last, self.size, self.checksum):
            if not (isinstance(number, int) and 0 <= number < 2**63):
                raise ValueError(f"{number!r} is not a count")


def seal(files: Sequence[Path]) -> Seal:
    """Read files, or both ends of each where they are large, and say what they are known by.

    Raises:
        OSError: one can't be read.
    """
    total = sum(path.stat().st_size for path in files)
    checksum = 0
    for path in files:
        with path.open("rb") as stream:
            if total <= _CHECKED:
                checksum = zlib.crc32(stream.read(), checksum)
            else:
                checksum = zlib.crc32(stream.read(_END), checksum)
                stream.seek(max(_END, path.stat().st_size - _END))
                checksum = zlib.crc32(stream.read(), checksum)
    return Seal(total, checksum)


def sync(file: Path) -> None:
    """Have the disk keep what is in a file."""
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Have the disk keep which names are in a folder; Windows does so by itself."""
    if sys.platform == "win32":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise


def make_folder(folder: Path) -> None:
    """Make a folder that lasts, and those above it, where they are not there."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
