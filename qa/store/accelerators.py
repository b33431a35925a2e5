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
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from qa.store.durable_files import Seal, Segment, seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from qa.store.catalog import Catalog
    from qa.store.lexical import LexicalIndex
    from qa.store.vectors import VectorSegment

__all__ = [
    "ANNOUNCED",
    "DERIVED",
    "Accelerators",
    "Dense",
    "lexical_folder",
    "lexical_note",
    "lexical_terms",
    "segments_note",
    "segments_of",
    "sweep",
    "unnamed",
]

# What a writer may leave behind: nothing else in the folder is ever removed.
DERIVED = re.compile(r"(?:new-)?vectors-\d+\.(?:faiss|ids\.npy)|lexical-\d+")
# What a writer says of itself, and removes itself or for one that died: see `running.py`.
ANNOUNCED = ("refresh.json", "new-refresh.json")
_FOLDER = re.compile(r"lexical-\d+")
_STEM = re.compile(r"vectors-\d+")


def lexical_note(folder: Path, sealed: Seal) -> str:
    """What the catalog keeps of a folder of the lexical index."""
    return json.dumps({"stem": folder.name, **asdict(sealed)})


def segments_note(segments: Iterable[Segment]) -> str:
    """What the catalog keeps of segments of vectors, oldest first."""
    return json.dumps([asdict(one) for one in segments])


def segments_of(noted: str) -> list[Segment]:
    """The segments, oldest first, from what the catalog keeps of them."""
    try:
        found = [Segment(**one) for one in json.loads(noted or "[]")]
        sound = all(_STEM.fullmatch(one.stem) for one in found)
        bounds = [one.last for one in found]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
    # What no writer of ours noted is as if there were none: they are made again.
    return found if sound and bounds == sorted(set(bounds)) else []


def _lexical_noted(noted: str) -> tuple[str, Seal] | None:
    try:
        notes = json.loads(noted or "{}")
        name = notes.pop("stem", "")
        if _FOLDER.fullmatch(name):
            return name, Seal(**notes)
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    return None


def lexical_folder(folder: Path, noted: str) -> Path | None:
    """The folder that the catalog names; None where it is not the one that was sealed."""
    from qa.store.lexical import LexicalDamagedError, files_of

    if (notes := _lexical_noted(noted)) is None:
        return None
    try:
        whole = seal(files_of(folder / notes[0])) == notes[1]
    except (LexicalDamagedError, OSError):
        return None
    return folder / notes[0] if whole else None


def lexical_terms(catalog: Catalog, *, first: int = 0) -> Iterator[tuple[int, list[str]]]:
    """`(id, terms)` of the passages from id `first` on, as the lexical index takes them."""
    from qa.words.detection import told
    from qa.words.terms import analyse

    for document, rows in groupby(catalog.passages.rows(first), attrgetter("document")):
        language = told(catalog.documents.by_id([document])[document].metadata)
        for row in rows:
            yield row.id, analyse(f"{row.context}\n{row.text}", language)


@dataclass(frozen=True, slots=True)
class Dense:
    """What there is to search vectors with: segments, and what is not in them.

    `gaps` are ranges `(after, up to)` of numbers that are scanned from the catalog: the last is
    of those that were added since; others are of segments that can't be used.
    """

    segments: tuple[VectorSegment, ...]
    gaps: tuple[tuple[int, int | None], ...]

    @property
    def is_whole(self) -> bool:
        """Whether all segments can be used."""
        return len(self.gaps) == 1


class Accelerators:
    """The accelerators of one folder, opened when they are needed and as long as they last."""

    def __init__(self, folder: Path, notify: Callable[[str], None]) -> None:
        self.folder = folder
        self._notify = notify
        self._opened: dict[Segment, VectorSegment] = {}
        self._vectors: tuple[str, Dense | None] = ("", None)
        self._lexical: tuple[str, LexicalIndex | None] = ("", None)
        self._lexical_in_memory: tuple[str, LexicalIndex | None] = ("", None)

    def vectors(self, catalog: Catalog) -> Dense:
        """What to search vectors with."""
        noted = catalog.meta("vectors")
        key = f"{noted} {catalog.number('changes')}"
        known = self._vectors[1]
        if self._vectors[0] != key or known is None or not known.is_whole:
            known = self._open_vectors(catalog, segments_of(noted))
            self._vectors = (key, known)
        return known

    def _open_vectors(self, catalog: Catalog, segments: list[Segment]) -> Dense:
        """Open the segments that are not open yet, and close those that are gone."""
        if not segments:
            self._opened = {}
            return Dense((), ((0, None),))
        import numpy as np

        from qa.store.vectors import VectorsDamagedError, VectorSegment

        before, self._opened = self._opened, {}
        gaps: list[tuple[int, int | None]] = []
        after = 0
        for one in segments:
            try:
                self._opened[one] = before.get(one) or VectorSegment(self.folder, one)
            except VectorsDamagedError:
                gaps.append((after, one.last))
            after = one.last
        gaps.append((after, None))
        dead = np.array(catalog.embeddings.dead(), np.int64)
        for opened in self._opened.values():
            opened.set_dead(dead)
        return Dense(tuple(self._opened.values()), tuple(gaps))

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
            index.write(add=lexical_terms(catalog))
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
    lexical = _lexical_noted(catalog.meta("lexical"))
    named = {lexical[0]} if lexical else set()
    for one in segments_of(catalog.meta("vectors")):
        named |= {f"{one.stem}.faiss", f"{one.stem}.ids.npy"}
    return [
        folder / name
        for name in os.listdir(folder)  # noqa: PTH208 - names are enough
        if name in ANNOUNCED or (name not in named and DERIVED.fullmatch(name))
    ]
