"""Whether an index is what was written, and whether its catalog can go on being used."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from qa.errors import CatalogDamagedError, ForeignIndexError
from qa.store.checks import meta_check
from qa.store.database import CATALOG, check_format, has_tables
from qa.store.hardening import check_files, check_schema, harden

if TYPE_CHECKING:
    from pathlib import Path

    from qa.store.catalog import Catalog

__all__ = ["check_integrity", "is_healthy"]

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_NUMBERS = (
    *("passages", "total_terms", "total_tokens", "changes", "segments", "next_id", "next_number"),
    *("files", "documents", "problems", "pending"),
)


def is_healthy(folder: Path) -> bool:
    """Check every page and index of the catalog, its tables, and the numbers in its notes.

    A catalog that is not there is healthy: it can be made.

    Raises:
        ForeignIndexError: it is another program's database, which is not ours to remove.
        sqlite3.DatabaseError: it can't be read for a reason other than damage.
    """
    if not (folder / CATALOG).exists():
        return True
    try:
        check_files(folder)
        with closing(sqlite3.connect(folder / CATALOG)) as db:
            harden(db)
            if not has_tables(db):
                return True
            check_format(folder, db)
            check_schema(folder, db)
            meta = dict(db.execute("SELECT key, value FROM meta"))
            lacks_notes = not meta and db.execute("SELECT 1 FROM file LIMIT 1").fetchone()
            checked = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        # One that can't decode a text has no code.
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGE:
            return False
        raise
    except (ForeignIndexError, CatalogDamagedError) as error:
        if isinstance(error, CatalogDamagedError) or error.ours:
            return False
        raise
    known = meta.pop("check", None)
    try:
        sound = not (meta or known) or known == meta_check(meta.items())
    except TypeError:
        return False
    numbers = all((meta.get(key) or "0").isdecimal() for key in _NUMBERS)
    return sound and not lacks_notes and checked == "ok" and numbers


def check_integrity(folder: Path) -> list[str]:
    """Read all of an index and compare it with what was written; this takes a while.

    Returns:
        What is wrong, a sentence each; nothing where all is well.

    Raises:
        IndexMissingError: there is no index.
        ForeignIndexError: it is another program's database, or of another format version.
        StorageError: the disk refuses.
    """
    from qa.store.catalog import Catalog
    from qa.store.failures import storage_failures

    wrong: list[str] = []
    try:
        with storage_failures(folder), Catalog.reading(folder) as catalog:
            wrong += catalog.check_structure()
            wrong += catalog.check_rows()
            wrong += _wrong_files(folder, catalog)
    except CatalogDamagedError as error:
        wrong.append(str(error))
    return wrong


def _wrong_files(folder: Path, catalog: Catalog) -> list[str]:
    from qa.store.accelerators import lexical_folder, segments_of
    from qa.store.vectors import is_whole

    if not catalog.number("passages"):
        return []
    wrong = []
    noted = catalog.meta("vectors")
    segments = segments_of(noted)
    if (noted and not segments) or not all(is_whole(folder, one) for one in segments):
        wrong.append("The files of vectors are not those that were written")
    if lexical_folder(folder, catalog.meta("lexical")) is None:
        wrong.append("The lexical index is not the one that was written")
    return wrong
