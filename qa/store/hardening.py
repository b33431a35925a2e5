"""What keeps an index from a stranger from doing more than being wrong.

Such a folder may hold anything: links that lead out of it, pipes, a journal that makes SQLite
delete a file, a database with views and triggers of its own. It is looked at before it is opened.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from functools import cache
from typing import TYPE_CHECKING

from qa.errors import CatalogDamagedError, ForeignIndexError
from qa.store.failures import REBUILD
from qa.store.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["check_files", "check_schema", "harden"]

_OURS = re.compile(r"catalog\.sqlite(?:-\w+)?|writer\.lock|(?:new-)?vectors-.*|lexical-.*")
# A rollback journal that ends with this names another file, which SQLite deletes once it has
# rolled back (https://www.sqlite.org/fileformat2.html#the_rollback_journal, "super-journal").
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")
_LARGEST_VALUE = 64 * 1024 * 1024  # bytes of a text or blob; a passage has some thousands


def check_files(folder: Path) -> None:
    """Refuse a folder in which a name of ours is a link, a pipe or a device.

    Raises:
        ForeignIndexError: one is.
    """
    for entry in _entries(folder):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise _stranger(folder, f"{entry.name} is a link or not a regular file")
        if entry.name.endswith("-journal") and _names_another_file(entry.path):
            raise _stranger(folder, f"{entry.name} would delete another file")


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _OURS.fullmatch(entry.name):
                    yield entry
                    if entry.name.startswith("lexical-") and entry.is_dir(follow_symlinks=False):
                        with os.scandir(entry.path) as parts:
                            yield from parts
    except (FileNotFoundError, NotADirectoryError):
        return  # reported by whoever opens it; a file of another process may go meanwhile


def _names_another_file(journal: str) -> bool:
    try:
        with open(journal, "rb") as stream:  # noqa: PTH123 - a Path would cost more than the look
            stream.seek(-len(_NAMES_ANOTHER), os.SEEK_END)
            return stream.read() == _NAMES_ANOTHER
    except OSError:  # gone, or too short
        return False


def _stranger(folder: Path, reason: str) -> ForeignIndexError:
    return ForeignIndexError(
        f"The index {folder} was not made by qa: {reason}",
        hint="Don't trust it; delete it, or name another folder with --index.",
    )


def harden(db: sqlite3.Connection) -> None:
    """Have SQLite distrust the file: no functions from its schema, sizes checked, none huge."""
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
    db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    if sys.version_info >= (3, 12):
        for switch, on in (
            (sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True),
            (sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False),
            (sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False),
        ):
            db.setconfig(switch, on)


def check_schema(folder: Path, db: sqlite3.Connection, schema: str = SCHEMA) -> None:
    """Refuse a database with other tables than those of a schema, or with views or triggers.

    Raises:
        CatalogDamagedError: it has some.
    """
    rows = db.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")
    if {" ".join(str(row[0]).split()) for row in rows} != _statements(schema):
        raise CatalogDamagedError(
            f"The catalog of the index {folder} has unexpected tables", hint=REBUILD
        )


@cache
def _statements(schema: str) -> set[str]:
    return {" ".join(one.split()) for one in schema.split(";") if one.strip()}
