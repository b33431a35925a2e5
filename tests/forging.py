"""A forged index: changed by SQL, with every check made to fit, as an attacker would."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from qa.store.checks import check, meta_check

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["forge"]

_SUMS = """
UPDATE file SET cited_sum = qa_check(path, sha256);
UPDATE document SET cited_sum = qa_check(file, path, format, encoding, metadata);
UPDATE extract SET text_sum = qa_check(document, text);
UPDATE embedding SET vector_sum = qa_check(passage, vector),
    sentences_sum = qa_check(passage, sentences);
UPDATE passage SET scored_sum = qa_check(id, document, start, length, terms, counts, tokens),
    cited_sum = qa_check(id, document, start, end, headings, places, context, text, spans);
"""


def forge(index: Path, change: str) -> None:
    """Change the catalog of a closed index by SQL statements."""
    with closing(sqlite3.connect(index / "catalog.sqlite")) as db:
        db.create_function("qa_check", -1, check)
        db.executescript(change)
        with suppress(sqlite3.OperationalError):  # these are not our tables any more
            db.executescript(_SUMS)
        notes = db.execute("SELECT key, value FROM meta WHERE key != 'check'").fetchall()
        with suppress(TypeError):  # notes that are no text have no check
            db.execute("REPLACE INTO meta VALUES ('check', ?)", (meta_check(notes),))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
