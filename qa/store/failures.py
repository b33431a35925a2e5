"""The one place where errors of SQLite and the operating system become errors for a person."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qa.errors import CatalogDamagedError, IndexLockedError, ReadOnlyIndexError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["REBUILD", "reporting_damage", "storage_failures"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
REBUILD = "Build it again with `qa index --rebuild`; the documents themselves are not touched."


@contextmanager
def storage_failures(folder: Path) -> Iterator[None]:
    """Turn what the disk and SQLite raise about the index in `folder` into our own errors."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _of_sqlite(folder, error) from error
    except OSError as error:
        if isinstance(error, StorageError) or _is_elsewhere(folder, error):
            raise
        raise _of_system(folder, error) from error


@contextmanager
def reporting_damage(place: object) -> Iterator[None]:
    """Report what no writer of ours can have written in the catalog of the index at a place.

    Raises:
        CatalogDamagedError: what is done inside met it.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise CatalogDamagedError(
            f"The catalog of the index {place} is damaged ({error})", hint=REBUILD
        ) from error


def _is_elsewhere(folder: Path, error: OSError) -> bool:
    """Whether the error names a file that is not the index's."""
    if not isinstance(error.filename, str):
        return False
    return not Path(error.filename).absolute().is_relative_to(folder.absolute())


def _of_system(folder: Path, error: OSError) -> Exception:
    if error.errno in _FULL:
        return _full(folder)
    if error.errno in _READ_ONLY:
        return _read_only(folder)
    return StorageError(
        f"I/O error on {folder}: {error}",
        hint="Check the disk; what was indexed is kept.",
    )


def _of_sqlite(folder: Path, error: sqlite3.DatabaseError) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _full(folder)
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}:
        return _read_only(folder)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return IndexLockedError(
            f"Another program holds the catalog of the index {folder}",
            hint="Try again when it is done.",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StorageError(
            f"I/O error on {folder}: {error}",
            hint="Check the disk and its free space; what was indexed is kept.",
        )
    return CatalogDamagedError(
        f"The catalog of the index {folder} is damaged ({error})", hint=REBUILD
    )


def _full(folder: Path) -> StorageError:
    return StorageError(
        f"No space left for the index {folder}",
        hint="Free some space, or put the index on another disk with --index; what was indexed "
        "is kept.",
    )


def _read_only(folder: Path) -> ReadOnlyIndexError:
    return ReadOnlyIndexError(
        f"The index {folder} can't be written",
        hint="Make it writable, or name another folder with --index.",
    )
