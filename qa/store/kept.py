"""Indexes of the same corpus by other models, kept inside the folder of the one that answers."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.errors import IndexUnusableError
from qa.store.catalog import Catalog
from qa.store.database import CATALOG
from qa.store.durable_files import sync, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KEPT", "KeptIndex", "folder_for", "keep", "kept_indexes"]

KEPT = "models"  # the folder of these, in that of the index
_DIGITS = 16  # of a fingerprint


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """An index that is kept: the model it was made with, its folder, its size."""

    model: str
    fingerprint: str
    folder: Path
    size_bytes: int


def folder_for(index: Path, fingerprint: str) -> Path:
    """Where the index by the model of a fingerprint is made or kept."""
    return index / KEPT / fingerprint[:_DIGITS]


def kept_indexes(index: Path) -> list[KeptIndex]:
    """The indexes by other models that can be gone back to, by their models' names."""
    found = []
    for folder in (index / KEPT).glob("*"):
        with suppress(IndexUnusableError, sqlite3.Error), Catalog.reading(folder) as catalog:
            known = catalog.identity()
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            if known.fingerprint:
                found.append(KeptIndex(known.model, known.fingerprint, folder, size))
    return sorted(found, key=lambda one: one.model)


def keep(index: Path, fingerprint: str) -> Path:
    """Keep the index as it was last committed, without accelerators: they are made again.

    To be called by who holds its lock.

    Args:
        index: the folder of the one that answers.
        fingerprint: of the model that it was made with.

    Raises:
        sqlite3.Error, OSError: the disk is full or refuses.
    """
    folder = folder_for(index, fingerprint)
    beside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)  # of a writer that did not finish
    beside.mkdir(parents=True)
    with closing(sqlite3.connect(index / CATALOG)) as connection:
        connection.execute("VACUUM INTO ?", (str(beside / CATALOG),))
    with Catalog.writing(beside) as catalog:
        # Its way to the corpus is another; both accelerators stayed where they were.
        catalog.set_meta(corpus="", vectors="", lexical="")
        catalog.commit()
        catalog.checkpoint()
    sync(beside / CATALOG)
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
    sync_folder(folder.parent)
    return folder
