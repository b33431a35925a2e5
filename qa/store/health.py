"""Whether a catalog can go on being used, or must give way to a new one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from qa.errors import CatalogDamagedError, ForeignIndexError
from qa.store.database import CATALOG, check_format
from qa.store.hardening import check_files, check_schema, harden

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_healthy"]

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_NUMBERS = ("passages", "total_terms", "total_tokens", "changes", "next_id", "pending")


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
        check_files(folder)
        with closing(sqlite3.connect(folder / CATALOG)) as db:
            harden(db)
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return True
            check_format(folder, db)
            check_schema(folder, db)
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
    except CatalogDamagedError:
        return False
    numbers = all((meta.get(key) or "0").isdecimal() for key in _NUMBERS)
    return checked == "ok" and numbers
