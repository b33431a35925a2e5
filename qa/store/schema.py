"""The tables of the catalog. A change here is a new FORMAT in `qa.store.database`."""

from __future__ import annotations

__all__ = ["DOCUMENTS", "EMBEDDINGS", "PASSAGES", "PASSAGE_INDEXES", "SCHEMA", "WORDS"]

# In `passage`, what candidates are scored by stands first: the rest is then not even read. What
# encoding gave is in `embedding`, numbered in the order in which it came; a passage without one is
# in `pending`. `dead` are embeddings that are gone, and that the files of vectors still hold.
# Each `..._sum` is a check of other columns (see `qa.store.checks`); so is a part of each number
# of passages in `term` and `token`, and the entry `check` in `meta`.
DOCUMENTS = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE file (
    id       INTEGER PRIMARY KEY,
    path     TEXT NOT NULL UNIQUE,
    sha256   TEXT NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    seen_ns  INTEGER NOT NULL,
    cited_sum INTEGER NOT NULL
);
CREATE TABLE document (
    id       INTEGER PRIMARY KEY,
    file     INTEGER NOT NULL REFERENCES file (id),
    path     TEXT NOT NULL UNIQUE,
    format   TEXT NOT NULL,
    encoding TEXT NOT NULL,
    day      TEXT NOT NULL,
    metadata TEXT NOT NULL,
    cited_sum INTEGER NOT NULL
);
CREATE INDEX document_file ON document (file);
CREATE TABLE extract (
    document INTEGER PRIMARY KEY REFERENCES document (id),
    text     TEXT NOT NULL,
    text_sum INTEGER NOT NULL
);
CREATE TABLE problem (
    path   TEXT PRIMARY KEY,
    file   INTEGER NOT NULL REFERENCES file (id),
    reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX problem_file ON problem (file);
"""
PASSAGES = """
CREATE TABLE passage (
    id        INTEGER PRIMARY KEY,
    document  INTEGER NOT NULL REFERENCES document (id),
    start     INTEGER NOT NULL,
    length    INTEGER NOT NULL,
    terms     BLOB NOT NULL,
    counts    BLOB NOT NULL,
    tokens    BLOB NOT NULL,
    scored_sum INTEGER NOT NULL,
    end       INTEGER NOT NULL,
    headings  TEXT NOT NULL,
    places    TEXT NOT NULL,
    context   TEXT NOT NULL,
    text      TEXT NOT NULL,
    spans     BLOB NOT NULL,
    digest    BLOB NOT NULL,
    cited_sum INTEGER NOT NULL
);
"""
PASSAGE_INDEXES = """
CREATE INDEX passage_document ON passage (document);
CREATE INDEX passage_digest ON passage (digest);
"""
EMBEDDINGS = """
CREATE TABLE embedding (
    passage  INTEGER PRIMARY KEY REFERENCES passage (id),
    number   INTEGER NOT NULL UNIQUE,
    vector   BLOB NOT NULL,
    vector_sum INTEGER NOT NULL,
    sentences BLOB NOT NULL,
    sentences_sum INTEGER NOT NULL
);
CREATE TABLE pending (passage INTEGER PRIMARY KEY REFERENCES passage (id));
CREATE TABLE dead (number INTEGER PRIMARY KEY, passage INTEGER NOT NULL);
"""
WORDS = """
CREATE TABLE term (id INTEGER PRIMARY KEY, passages INTEGER NOT NULL);
CREATE TABLE token (id INTEGER PRIMARY KEY, passages INTEGER NOT NULL);
"""
SCHEMA = DOCUMENTS + PASSAGES + PASSAGE_INDEXES + EMBEDDINGS + WORDS
