"""Taking over a catalog of the format before this one, without embedding anything again.

In format 3 a passage's vectors stood in its own row. All of it is moved by one commit.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from qa.store.checks import check, meta_check, require
from qa.store.failures import reporting_damage
from qa.store.hardening import check_schema
from qa.store.schema import DOCUMENTS, EMBEDDINGS, PASSAGE_INDEXES, PASSAGES, WORDS

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

__all__ = ["BEFORE", "take_over"]

BEFORE = """
CREATE TABLE passage (
    id        INTEGER PRIMARY KEY,
    document  INTEGER NOT NULL REFERENCES document (id),
    start     INTEGER NOT NULL,
    vector    BLOB NOT NULL,
    vector_sum INTEGER NOT NULL,
    scored_sum INTEGER NOT NULL,
    sentences BLOB NOT NULL,
    length    INTEGER NOT NULL,
    terms     BLOB NOT NULL,
    counts    BLOB NOT NULL,
    tokens    BLOB NOT NULL,
    end       INTEGER NOT NULL,
    headings  TEXT NOT NULL,
    places    TEXT NOT NULL,
    context   TEXT NOT NULL,
    text      TEXT NOT NULL,
    spans     BLOB NOT NULL,
    digest    BLOB NOT NULL,
    cited_sum INTEGER NOT NULL
);
"""  # the table that changed
_DEAD = "CREATE TABLE dead (id INTEGER PRIMARY KEY);"
_SCHEMA = DOCUMENTS + BEFORE + PASSAGE_INDEXES + WORDS + _DEAD
_BATCH = 1000  # rows moved before their old places are free for others


def take_over(folder: Path, db: sqlite3.Connection) -> None:
    """Turn a catalog of format 3 into one of format 4; all of it or nothing.

    Args:
        folder: of the index.
        db: open for writing, in no transaction.

    Raises:
        CatalogDamagedError: its rows are not what was written.
    """
    check_schema(folder, db, _SCHEMA)
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in (
            "DROP INDEX passage_document; DROP INDEX passage_digest; DROP TABLE dead;"
            f" ALTER TABLE passage RENAME TO before; {PASSAGES} {PASSAGE_INDEXES} {EMBEDDINGS}"
        ).split(";"):
            db.execute(statement)
        with reporting_damage(folder):
            numbers = count(1)
            while _move(db, numbers):
                pass
            db.execute("DROP TABLE before")
            meta = dict(db.execute("SELECT key, value FROM meta WHERE key != 'check'"))
            # The files of vectors go by the numbers that there were not: they are written again.
            meta |= {"vectors": "", "pending": "0", "next_number": str(next(numbers))}
            meta["changes"] = str(int(meta.get("changes") or 0) + 1)
            meta["check"] = meta_check(meta.items())
        db.executemany("REPLACE INTO meta VALUES (?, ?)", meta.items())
        db.execute("PRAGMA user_version = 4")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _move(db: sqlite3.Connection, numbers: count[int]) -> bool:
    """Move some passages; gives whether there were any."""
    rows = db.execute(
        "SELECT id, document, start, vector, vector_sum, sentences, length, terms, counts, tokens,"
        " scored_sum, end, headings, places, context, text, spans, digest, cited_sum FROM before"
        " ORDER BY id LIMIT ?",
        (_BATCH,),
    ).fetchall()
    for one, document, start, vector, vector_sum, sentences, *scored in rows:
        *words, scored_sum = scored[:5]
        cited, digest, cited_sum = scored[5:-2], scored[-2], scored[-1]
        require(one, vector_sum, check(one, vector))
        require(one, scored_sum, check(one, document, start, sentences, *words))
        require(one, cited_sum, check(one, document, start, *cited))
        words_sum = check(one, document, start, *words)
        passage = (one, document, start, *words, words_sum, *cited, digest, cited_sum)
        db.execute(f"INSERT INTO passage VALUES ({', '.join('?' * len(passage))})", passage)
        embedding = (one, next(numbers), vector, vector_sum, sentences, check(one, sentences))
        db.execute(f"INSERT INTO embedding VALUES ({', '.join('?' * len(embedding))})", embedding)
    if rows:
        db.execute("DELETE FROM before WHERE id <= ?", (rows[-1][0],))
    return bool(rows)
