"""Whether a catalog can go on being used, or must give way to a new one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from qa.errors import ForeignIndexError
from qa.store.checks import meta_check
from qa.store.database import CATALOG, check_format, has_tables
from qa.store.schema import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_healthy"]

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_NUMBERS = ("passages", "total_terms", "total_tokens", "changes", "next_id")


def is_healthy(folder: Path) -> bool:
    """Check every page of the catalog, its tables, and the numbers that must be numbers.

    A catalog that is not there is healthy: it can be made.

    Raises:
        ForeignIndexError: it is another program's database, which is not ours to remove.
        sqlite3.DatabaseError: it can't be read for a reason other than damage.
    """
    if not (folder / CATALOG).exists():
        return True
    try:
        with closing(sqlite3.connect(folder / CATALOG)) as db:
            if not has_tables(db):
                return True
            check_format(folder, db)
            rows = db.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")
            tables = {" ".join(row[0].split()) for row in rows}
            meta = dict(db.execute("SELECT key, value FROM meta"))
            checked = db.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _DAMAGE:
            return False
        raise
    except ForeignIndexError as error:
        if error.ours:
            return False
        raise
    known = meta.pop("check", None)
    if (meta or known) and known != meta_check(meta.items()):
        return False
    wanted = {" ".join(one.split()) for one in SCHEMA.split(";") if one.strip()}
    numbers = all((meta.get(key) or "0").isdecimal() for key in _NUMBERS)
    return tables == wanted and checked == "ok" and numbers
