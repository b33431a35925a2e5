"""One change of an index: everything it does is kept by one commit of the catalog, or nothing.

New passages go to the lexical index first, then (when due) a new file of vectors is written
beside the old one, then the catalog commits. Until that commit a reader sees the old state,
because what the accelerators hold too much vanishes in the join with the catalog.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from qa.binding import check_encoder
from qa.store.lexical import LexicalDamagedError, LexicalIndex, is_complete
from qa.store.packing import unpack_ids
from qa.store.vectors import Sealed, build, is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from qa.reading.corpus import Stamp
    from qa.store.catalog import Catalog
    from qa.store.rows import NewPassage
    from qa.types import Document

__all__ = [
    "DERIVED",
    "Identity",
    "Writing",
    "lexical_text",
    "lexical_texts",
    "open_lexical",
    "vectors_notes",
]

# Passages that a search scans from the catalog before they are merged into the vectors' file:
# as many as cost a question less than opening the file does, or this share of the file.
UNMERGED = 256
UNMERGED_SHARE = 8
# What a writer may leave behind: nothing else in the folder is ever removed.
DERIVED = re.compile(r"(?:new-)?vectors-\d+\.(?:faiss|ids\.npy)|lexical-\d+")


def lexical_text(context: str, text: str) -> str:
    """Give what the lexical index holds of a passage: its headings and itself."""
    return f"{context}\n{text}"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an index is bound to: the encoder, and the corpus as seen from the index."""

    fingerprint: str
    model: str
    corpus: str


def vectors_notes(described: str) -> tuple[str, Sealed] | None:
    """Read what the catalog keeps of the vectors' files."""
    if not described:
        return None
    try:
        notes = json.loads(described)
        stem = notes.pop("stem")
        if DERIVED.fullmatch(f"{stem}.faiss"):
            return stem, Sealed(**notes)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return None  # as if there were none: they are made again


def open_lexical(folder: Path, name: str, passages: int) -> LexicalIndex | None:
    """Open the lexical index of that name; None where it lacks some of the passages."""
    if not DERIVED.fullmatch(name) or not is_complete(folder / name):
        return None
    try:
        index = LexicalIndex(folder / name)
    except LexicalDamagedError:
        return None
    return index if index.size >= passages else None


def lexical_texts(catalog: Catalog, *, first: int = 0) -> Iterator[tuple[int, str]]:
    """Give `(id, text)` of the passages from id `first` on, as the lexical index takes them."""
    return ((one, lexical_text(context, text)) for one, context, text in catalog.texts(first))


class Writing:
    """One change of the index, kept by one commit."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._folder = folder
        self.catalog = catalog
        self._terms: Counter[int] = Counter()
        self._tokens: Counter[int] = Counter()
        self._totals: Counter[str] = Counter()
        self._ids = iter(range(0))
        self._first = 0
        self._lost = range(0)
        self._purge: list[int] = []
        self._begun = False
        self._notes: dict[str, str] = {}

    def begin(self, identity: Identity, *, anew: bool) -> None:
        """Start the one transaction; `anew` deletes everything first.

        Raises:
            EncoderMismatchError: the index was made with another encoder.
        """
        if not anew:
            check_encoder(self.catalog, identity.fingerprint, identity.model)
        self._lost, ids = self.catalog.reserve_ids()
        self._ids, self._first = iter(ids), ids.start
        self.catalog.begin(write=True)
        self._begun = True
        self._purge = self.catalog.dead_in_lexical()
        if anew:
            for path in self.catalog.documents():
                self.drop(path)
        self.catalog.set_meta(**asdict(identity))

    def put(
        self,
        document: Document,
        stamp: Stamp,
        seen_ns: int,
        passages: Callable[[int, Iterator[int]], Iterable[NewPassage]],
    ) -> None:
        """Replace a document: `passages` makes its rows from its id and a source of ids."""
        self.drop_passages(document.id)
        number = self.catalog.put_document(
            document.id,
            sha256=document.sha256,
            encoding=document.encoding,
            metadata=document.metadata,
            stamp=stamp,
            seen_ns=seen_ns,
        )
        for row in passages(number, self._ids):
            self.catalog.put_passage(row)
            tokens = row.encoded.tokens.tolist()
            self._terms.update(set(row.terms.ids.tolist()))
            self._tokens.update(set(tokens))
            self._totals.update(passages=1, total_terms=row.terms.length, total_tokens=len(tokens))

    def drop(self, path: str) -> None:
        """Delete a document."""
        self.drop_passages(path)
        self.catalog.drop_document(path)

    def drop_passages(self, path: str) -> None:
        """Delete a document's passages."""
        for length, packed_terms, packed_tokens in self.catalog.drop_passages(path):
            terms, total_tokens, tokens = unpack_ids(packed_terms, packed_tokens)
            self._terms.subtract(terms)
            self._tokens.subtract(tokens)
            self._totals.update(passages=-1, total_terms=-length, total_tokens=-total_tokens)

    def keep(self, **notes: str) -> None:
        """Keep notes in the catalog, when this commits."""
        self._notes |= notes

    def commit(self) -> None:
        """Bring the accelerators up to date, then commit the catalog."""
        if not self._begun:
            if self._notes:
                self.catalog.begin(write=True)
                self.catalog.set_meta(**self._notes)
                self.catalog.commit()
            return
        catalog = self.catalog
        catalog.add_counts("term", self._terms)
        catalog.add_counts("token", self._tokens)
        before = catalog.number("passages")
        catalog.set_meta(
            **{key: catalog.number(key) + more for key, more in self._totals.items()},
            changes=catalog.number("changes") + 1,
            pending="",
        )
        self._bring_lexical(before)
        self._bring_vectors()
        catalog.commit()
        self._sweep()

    def _bring_lexical(self, before: int) -> None:
        """Add the new passages; delete those that were gone before this change began."""
        catalog, name = self.catalog, self.catalog.meta("lexical")
        index = open_lexical(self._folder, name, before)
        if index is not None:
            try:
                # Ids that a crashed writer had reserved may be in there, though nobody has them.
                added = lexical_texts(catalog, first=self._first)
                index.write(delete=self._purge, delete_range=self._lost, add=added)
            except LexicalDamagedError:
                pass  # made anew below
            else:
                catalog.note_purged(self._purge)
                return
        name = f"lexical-{catalog.number('changes')}"
        shutil.rmtree(self._folder / name, ignore_errors=True)
        LexicalIndex(self._folder / name).write(add=lexical_texts(catalog))
        catalog.note_purged(catalog.dead_in_lexical())
        catalog.set_meta(lexical=name)

    def _bring_vectors(self) -> None:
        """Merge what is not in the vectors' file into a new one, where that is due."""
        catalog, notes = self.catalog, vectors_notes(self.catalog.meta("vectors"))
        if notes and is_whole(self._folder, *notes):
            unmerged = catalog.count_after(notes[1].last_id) + len(catalog.dead())
            if unmerged <= max(UNMERGED, notes[1].rows // UNMERGED_SHARE):
                return
        if not (passages := catalog.number("passages")):
            catalog.set_meta(vectors="")
            catalog.forget_dead()
            return
        stem = f"vectors-{catalog.number('changes')}"
        sealed = build(self._folder, stem, catalog.vectors, passages)
        catalog.set_meta(vectors=json.dumps({"stem": stem, **asdict(sealed)}))
        catalog.forget_dead()

    def _sweep(self) -> None:
        """Remove files that the catalog no longer names; one in use elsewhere goes next time."""
        notes = vectors_notes(self.catalog.meta("vectors"))
        stem = notes[0] if notes else ""
        named = {f"{stem}.faiss", f"{stem}.ids.npy", self.catalog.meta("lexical")}
        for path in self._folder.iterdir():
            if path.name in named or not DERIVED.fullmatch(path.name):
                continue
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
