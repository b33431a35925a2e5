"""One change of an index: everything it does is kept by one commit of the catalog, or nothing.

What the accelerators are to hold next is written beside what they hold: a new folder of the lexical
index and, when due, a new file of vectors. All of it is synced, then the catalog commits, which
names the new files and what they are known by. Nothing that a catalog names is ever changed, so a
reader sees one state, and a writer that dies leaves nothing but files that nobody names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

from qa.binding import check_encoder
from qa.counting import counted
from qa.store.lexical import LexicalDamagedError, build, files_of, grow, open_index
from qa.store.packing import unpack_ids
from qa.store.seals import Seal, seal, sync_folder
from qa.store.vectors import Sealed, is_whole
from qa.store.vectors import build as build_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from qa.corpus import Stamp
    from qa.store.catalog import Catalog
    from qa.store.lexical import LexicalIndex
    from qa.store.rows import NewPassage
    from qa.types import Document

    # Makes the rows of a document's passages from its number and a source of ids.
    MakePassages = Callable[[int, Iterator[int]], Iterable[NewPassage]]

__all__ = [
    "DERIVED",
    "Identity",
    "Writing",
    "lexical_text",
    "lexical_texts",
    "open_lexical",
    "sweep",
    "unnamed",
    "vectors_notes",
]

# Passages that a search scans from the catalog before they are merged into the vectors' file:
# as many as cost a question less than opening the file does, or this share of the file.
UNMERGED = 256
UNMERGED_SHARE = 8
# What a writer may leave behind: nothing else in the folder is ever removed.
DERIVED = re.compile(r"(?:new-)?vectors-\d+\.(?:faiss|ids\.npy)|lexical-\d+")
_STEM = re.compile(r"(?:vectors|lexical)-\d+")
_S = TypeVar("_S", bound=Seal)


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
    return _notes(described, Sealed)


def _notes(described: str, kind: type[_S]) -> tuple[str, _S] | None:
    try:
        notes = json.loads(described or "{}")
        stem = notes.pop("stem", "")
        if _STEM.fullmatch(stem):
            return stem, kind(**notes)
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    return None  # as if there were none: they are made again


def _described(stem: str, sealed: Seal) -> str:
    return json.dumps({"stem": stem, **asdict(sealed)})


def lexical_folder(folder: Path, described: str) -> Path | None:
    """Find the folder that the catalog names; None where it is not the one that was sealed."""
    if (notes := _notes(described, Seal)) is None:
        return None
    try:
        whole = seal(files_of(folder / notes[0])) == notes[1]
    except (LexicalDamagedError, OSError):
        return None
    return folder / notes[0] if whole else None


def open_lexical(folder: Path, described: str) -> LexicalIndex | None:
    """Open the lexical index that the catalog names; None where it can't be used."""
    try:
        found = lexical_folder(folder, described)
        return open_index(found) if found else None
    except (LexicalDamagedError, OSError):
        return None


def lexical_texts(catalog: Catalog, *, first: int = 0) -> Iterator[tuple[int, str]]:
    """Give `(id, text)` of the passages from id `first` on, as the lexical index takes them."""
    return ((one, lexical_text(context, text)) for one, context, text in catalog.texts(first))


class Writing:
    """One change of the index, kept by one commit."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        """Take a catalog in a transaction for writing."""
        self._folder = folder
        self.catalog = catalog
        self._terms: Counter[int] = Counter()
        self._tokens: Counter[int] = Counter()
        self._totals: Counter[str] = Counter()
        self._ids = iter(range(0))
        self._first = 0
        self._gone: list[int] = []
        self._begun = False
        self._notes: dict[str, str] = {}

    def begin(self, identity: Identity, *, anew: bool) -> None:
        """Say what the index is bound to; `anew` deletes everything first.

        Raises:
            EncoderMismatchError: the index was made with another encoder.
        """
        if anew:
            self.catalog.clear()
        else:
            check_encoder(self.catalog, identity.fingerprint, identity.model)
            self.catalog.check_counts()
        ids = self.catalog.take_ids()
        self._ids, self._first = iter(ids), ids.start
        self._begun = True
        self.catalog.set_meta(**asdict(identity))

    def put(
        self,
        file: str,
        sha256: str,
        stamp: Stamp,
        seen_ns: int,
        *,
        documents: Iterable[tuple[Document, MakePassages]],
        problems: Mapping[str, str],
    ) -> None:
        """Replace a file: its documents, and why some of them can't be read, by their ids.

        What it had is deleted last: `documents` may be made as they are written, and look up the
        vectors of the passages that stay.
        """
        old = self._old_passages(file)
        self.catalog.drop_documents(file)
        number = self.catalog.put_file(file, sha256=sha256, stamp=stamp, seen_ns=seen_ns)
        for document, passages in documents:
            for row in passages(self.catalog.put_document(document, number), self._ids):
                self._put_passage(row)
        for path, reason in problems.items():
            self.catalog.put_problem(path, number, reason)
        self._drop_passages(old)

    def _put_passage(self, row: NewPassage) -> None:
        self.catalog.put_passage(row)
        tokens = row.encoded.tokens.tolist()
        self._terms.update(set(row.terms.ids.tolist()))
        self._tokens.update(set(tokens))
        self._totals.update(passages=1, total_terms=row.terms.length, total_tokens=len(tokens))

    def drop(self, file: str) -> None:
        """Delete a file."""
        old = self._old_passages(file)
        self.catalog.drop_documents(file)
        self.catalog.drop_file(file)
        self._drop_passages(old)

    def _old_passages(self, file: str) -> list[int]:
        return self.catalog.passages_of(self.catalog.documents_of(file))

    def _drop_passages(self, ids: list[int]) -> None:
        for one, length, packed_terms, packed_tokens in self.catalog.drop_passages(ids):
            self._gone.append(one)
            terms, total_tokens, tokens = unpack_ids(packed_terms, packed_tokens)
            self._terms.subtract(terms)
            self._tokens.subtract(tokens)
            self._totals.update(passages=-1, total_terms=-length, total_tokens=-total_tokens)

    def keep(self, **notes: str) -> None:
        """Keep notes in the catalog, when this commits."""
        self._notes |= notes

    def commit(self) -> None:
        """Bring the accelerators up to date, then commit the catalog."""
        catalog = self.catalog
        catalog.set_meta(**self._notes)
        if not self._begun:
            if self._notes:
                catalog.commit()
            return
        catalog.add_counts("term", self._terms)
        catalog.add_counts("token", self._tokens)
        catalog.set_meta(
            **{key: catalog.number(key) + more for key, more in self._totals.items()},
            changes=catalog.number("changes") + 1,
        )
        catalog.note_counts()
        self._bring_lexical()
        self._bring_vectors()
        sync_folder(self._folder)
        catalog.commit()
        sweep(self._folder, catalog)

    def _bring_lexical(self) -> None:
        """Make the folder of the lexical index that goes with this change, where it needs one."""
        catalog = self.catalog
        old = lexical_folder(self._folder, catalog.meta("lexical"))
        if not (passages := catalog.number("passages")):
            catalog.set_meta(lexical="")
            return
        if old and not self._gone and not catalog.count_after(self._first - 1):
            return
        folder = self._folder / f"lexical-{catalog.number('changes')}"
        held = -1
        if old:
            added = lexical_texts(catalog, first=self._first)
            with suppress(LexicalDamagedError):
                held = grow(old, folder, delete=self._gone, add=added)
        if held != passages:
            held = build(folder, lexical_texts(catalog))
        with catalog.sense():
            if held != passages:
                raise ValueError(f"it has {counted(held, 'passage')}, not {passages:,}")
        catalog.set_meta(lexical=_described(folder.name, seal(files_of(folder))))

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
        sealed = build_vectors(self._folder, stem, catalog.vectors, passages)
        catalog.set_meta(vectors=_described(stem, sealed))
        catalog.forget_dead()


def sweep(folder: Path, catalog: Catalog) -> None:
    """Remove files that the catalog does not name; one in use elsewhere goes next time."""
    for path in unnamed(folder, catalog) * 2:  # tantivy may have put a lock there meanwhile
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def unnamed(folder: Path, catalog: Catalog) -> list[Path]:
    """List what writers made in the folder and the catalog does not name."""
    vectors, lexical = (
        notes[0] if (notes := _notes(catalog.meta(key), kind)) else ""
        for key, kind in (("vectors", Sealed), ("lexical", Seal))
    )
    named = {f"{vectors}.faiss", f"{vectors}.ids.npy", lexical}
    return [
        folder / name
        for name in os.listdir(folder)  # noqa: PTH208 - names are enough
        if name not in named and DERIVED.fullmatch(name)
    ]
