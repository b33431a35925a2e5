"""The accelerators of an index: files that its catalog names, found, opened and swept up.

The files of vectors and the folder of the lexical index hold what the catalog holds, for a faster
search. What of them can't be used is done without, and made again by the next writer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from qa.store.durable_files import Seal, Sealed, seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qa.store.catalog import Catalog
    from qa.store.lexical import LexicalIndex
    from qa.store.vectors import VectorIndex

__all__ = [
    "ANNOUNCED",
    "DERIVED",
    "Accelerators",
    "lexical_folder",
    "lexical_texts",
    "notes_on",
    "sweep",
    "unnamed",
    "vectors_notes",
]

# What a writer may leave behind: nothing else in the folder is ever removed.
DERIVED = re.compile(r"(?:new-)?vectors-\d+\.(?:faiss|ids\.npy)|lexical-\d+")
# What a writer says of itself, and removes itself or for one that died: see `running.py`.
ANNOUNCED = ("refresh.json", "new-refresh.json")
_STEM = re.compile(r"(?:vectors|lexical)-\d+")
_S = TypeVar("_S", bound=Seal)


def notes_on(stem: str, sealed: Seal) -> str:
    """What the catalog keeps of files that were sealed."""
    return json.dumps({"stem": stem, **asdict(sealed)})


def vectors_notes(noted: str) -> tuple[str, Sealed] | None:
    """The stem and the seal of the vectors' files, from what the catalog keeps of them."""
    return _read_notes(noted, Sealed)


def _read_notes(noted: str, kind: type[_S]) -> tuple[str, _S] | None:
    try:
        notes = json.loads(noted or "{}")
        stem = notes.pop("stem", "")
        if _STEM.fullmatch(stem):
            return stem, kind(**notes)
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    return None  # as if there were none: they are made again


def lexical_folder(folder: Path, noted: str) -> Path | None:
    """The folder that the catalog names; None where it is not the one that was sealed."""
    from qa.store.lexical import LexicalDamagedError, files_of

    if (notes := _read_notes(noted, Seal)) is None:
        return None
    try:
        whole = seal(files_of(folder / notes[0])) == notes[1]
    except (LexicalDamagedError, OSError):
        return None
    return folder / notes[0] if whole else None


def lexical_texts(catalog: Catalog, *, first: int = 0) -> Iterator[tuple[int, str]]:
    """`(id, text)` of the passages from id `first` on, as the lexical index takes them."""
    return ((one, f"{context}\n{text}") for one, context, text in catalog.passages.texts(first))


class Accelerators:
    """The accelerators of one folder, opened when they are needed and as long as they last."""

    def __init__(self, folder: Path, notify: Callable[[str], None]) -> None:
        self.folder = folder
        self._notify = notify
        self._vectors: tuple[str, VectorIndex | None] = ("", None)
        self._lexical: tuple[str, LexicalIndex | None] = ("", None)
        self._lexical_in_memory: tuple[str, LexicalIndex | None] = ("", None)

    def vectors(self, catalog: Catalog) -> tuple[VectorIndex | None, int]:
        """The opened vectors and the last id in them; (None, 0) where they can't be used."""
        from qa.store.vectors import VectorIndex, VectorsDamagedError

        noted = catalog.meta("vectors")
        notes = vectors_notes(noted)
        key = f"{noted} {catalog.number('changes')}"
        if self._vectors[0] != key or self._vectors[1] is None:
            index = None
            if notes:
                with suppress(VectorsDamagedError):
                    index = VectorIndex(self.folder, *notes, catalog.passages.deleted_ids())
            self._vectors = (key, index)
        opened = self._vectors[1]
        return opened, notes[1].last_id if opened is not None and notes else 0

    def lexical(self, catalog: Catalog) -> LexicalIndex | None:
        """The opened lexical index; None where it can't be used."""
        noted = catalog.meta("lexical")
        if self._lexical[0] != noted or self._lexical[1] is None:
            self._lexical = (noted, self._open_lexical(noted))
        return self._lexical[1]

    def _open_lexical(self, noted: str) -> LexicalIndex | None:
        from qa.store.lexical import LexicalDamagedError, open_index

        try:
            found = lexical_folder(self.folder, noted)
            return open_index(found) if found else None
        except (LexicalDamagedError, OSError):
            return None

    def lexical_in_memory(self, catalog: Catalog) -> LexicalIndex:
        """A lexical index of the catalog's passages, made for this process alone."""
        from qa.store.lexical import LexicalIndex

        key, index = str(catalog.number("changes")), self._lexical_in_memory[1]
        if index is None or self._lexical_in_memory[0] != key:
            self._notify(
                f"The lexical index in {self.folder} can't be used; working from the catalog."
            )
            index = LexicalIndex(None)
            index.write(add=lexical_texts(catalog))
            self._lexical_in_memory = (key, index)
        return index


def sweep(folder: Path, catalog: Catalog) -> None:
    """Remove files that the catalog does not name; one in use elsewhere goes next time."""
    for path in unnamed(folder, catalog) * 2:  # tantivy may have put a lock there meanwhile
        if path.name not in ANNOUNCED:  # a writer may be the one that sweeps
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def unnamed(folder: Path, catalog: Catalog) -> list[Path]:
    """What writers made in the folder and the catalog does not name."""
    vectors, lexical = (
        notes[0] if (notes := _read_notes(catalog.meta(key), kind)) else ""
        for key, kind in (("vectors", Sealed), ("lexical", Seal))
    )
    named = {f"{vectors}.faiss", f"{vectors}.ids.npy", lexical}
    return [
        folder / name
        for name in os.listdir(folder)  # noqa: PTH208 - names are enough
        if name in ANNOUNCED or (name not in named and DERIVED.fullmatch(name))
    ]
