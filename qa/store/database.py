"""Connections to the catalog's file: whose it is, in which format, how it may be opened."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from qa.errors import ForeignIndexError, IndexMissingError, ReadOnlyIndexError
from qa.store.durable_files import make_folder
from qa.store.failures import REBUILD
from qa.store.hardening import check_files, check_schema, harden
from qa.store.schema import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CATALOG", "check_format", "connect_to_read", "connect_to_write", "has_tables"]

APPLICATION = 0x7161_6361  # "qaca", in the header of the file
FORMAT = 4
FORMER = 3  # `qa.store.migration` takes it over
CATALOG = "catalog.sqlite"


def connect_to_write(folder: Path) -> sqlite3.Connection:
    """Open for writing; made where there is none.

    Raises:
        ForeignIndexError: another program's database, another format version, or a folder that
            qa can't have made.
        CatalogDamagedError: its tables are not ours.
    """
    make_folder(folder)
    check_files(folder)
    db = sqlite3.connect(folder / CATALOG, isolation_level=None, check_same_thread=False)
    try:
        harden(db)
        db.execute("PRAGMA busy_timeout = 10000")
        if not has_tables(db):
            # A passage with its vectors takes about 6 KB; in small pages it lies in pieces.
            db.execute("PRAGMA page_size = 16384")
            db.execute("PRAGMA journal_mode = WAL")
            marks = f"PRAGMA application_id={APPLICATION};PRAGMA user_version={FORMAT};"
            db.executescript(f"BEGIN;{marks}{SCHEMA}COMMIT;")
        db.execute("PRAGMA synchronous = FULL")
        try:
            check_format(folder, db)
        except ForeignIndexError as error:
            if not error.outdated:
                raise
            from qa.store.migration import take_over

            take_over(folder, db)
        check_schema(folder, db)
    except BaseException:
        db.close()
        raise
    return db


def connect_to_read(folder: Path) -> tuple[sqlite3.Connection, bool]:
    """Open for reading; gives also whether the file is taken to stay as it is.

    Raises:
        IndexMissingError: there is no catalog.
        ForeignIndexError: another program's database, another format version, or a folder that
            qa can't have made.
        CatalogDamagedError: its tables are not ours.
        ReadOnlyIndexError: it has a log that can't be read without writing in the folder.
    """
    path = folder / CATALOG
    check_files(folder)
    if not path.is_file() or path.stat().st_size == 0:
        raise _missing(folder)
    uri = path.resolve().as_uri()
    try:
        return _reading(folder, f"{uri}?mode=ro"), False
    except sqlite3.OperationalError as error:
        # In a folder that can't be written SQLite can't share the file with a writer; where
        # no writer left a log behind, the file is whole by itself.
        log = path.with_name(f"{CATALOG}-wal")
        codes = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in codes:
            raise
        if log.exists() and log.stat().st_size:
            raise ReadOnlyIndexError(
                f"{log} holds changes that can't be read without the right to write in {folder}",
                hint="Have somebody with that right run `qa status` once, or get the right.",
            ) from error
        return _reading(folder, f"{uri}?mode=ro&immutable=1"), True


def _reading(folder: Path, uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        harden(db)
        db.execute("PRAGMA busy_timeout = 10000")
        if not has_tables(db):  # its first writer died
            raise _missing(folder)
        check_format(folder, db)
        check_schema(folder, db)
    except BaseException:
        db.close()
        raise
    return db


def _missing(folder: Path) -> IndexMissingError:
    return IndexMissingError(f"There is no index at {folder}", hint="Build it with `qa index`.")


def has_tables(db: sqlite3.Connection) -> bool:
    """Whether the database holds anything; one that does not is nobody's.

    Raises:
        sqlite3.DatabaseError: the tables' definitions, which this reads first, are damaged.
    """
    try:
        return bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except UnicodeDecodeError as error:  # Python's, of SQLite's message that quotes the damage
        raise sqlite3.DatabaseError("the definitions of its tables are not text") from error


def check_format(folder: Path, db: sqlite3.Connection) -> None:
    """Refuse a database of another program, or of another format version (ForeignIndexError)."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise ForeignIndexError(
            f"{folder / CATALOG} was made by another program",
            hint="Name another folder with --index.",
        )
    if version == FORMER:
        raise ForeignIndexError(
            f"The index {folder} is of an earlier version",
            hint="Run `qa index`: it takes the index over, and embeds nothing again.",
            ours=True,
            outdated=True,
        )
    if version != FORMAT:
        raise ForeignIndexError(
            f"The index {folder} has format {version}; this version of qa reads {FORMAT}",
            hint=REBUILD,
            ours=True,
        )
