"""One change of an index: everything it does is kept by one commit of the catalog, or nothing.

What the accelerators are to hold next is written beside what they hold: a new folder of the lexical
index and, when due, a new file of vectors. All of it is synced, then the catalog commits, which
names the new files and what they are known by. Nothing that a catalog names is ever changed, so a
reader sees one state, and a writer that dies leaves nothing but files that nobody names.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from qa.counting import counted
from qa.store.accelerators import lexical_folder, lexical_texts, notes_on, sweep, vectors_notes
from qa.store.durable_files import seal, sync_folder
from qa.store.identity import check_encoder
from qa.store.lexical import LexicalDamagedError, build, files_of, grow
from qa.store.packing import unpack_ids
from qa.store.vectors import build as build_vectors
from qa.store.vectors import is_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from qa.corpus import Stamp
    from qa.encoding.encoder import EncodedPassage
    from qa.store.catalog import Catalog
    from qa.store.identity import Identity
    from qa.store.rows import FilesKnown, NewPassage
    from qa.types import Document

__all__ = ["Transaction"]

# Passages that a search scans from the catalog before they are merged into the vectors' file:
# as many as cost a question less than opening the file does, or this share of the file.
UNMERGED = 256
UNMERGED_SHARE = 8


class Transaction:
    """One change of the index, kept by one commit."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        """Take a catalog in a transaction for writing."""
        self._folder = folder
        self._catalog = catalog
        self._terms: Counter[int] = Counter()
        self._tokens: Counter[int] = Counter()
        self._totals: Counter[str] = Counter()
        self._ids = iter(range(0))
        self._first = 0
        self._file, self._document = 0, 0  # the numbers of those that are being written
        self._replaced: list[int] = []  # the passages that the open file had before
        self._gone: list[int] = []
        self._begun = False
        self._notes: dict[str, str] = {}

    @property
    def identity(self) -> Identity:
        """What the index is bound to."""
        return self._catalog.identity()

    @property
    def changes(self) -> int:
        """How often the index was changed."""
        return self._catalog.number("changes")

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files.

        Raises:
            CatalogDamagedError: the catalog lacks rows.
        """
        return self._catalog.known_files()

    def encoded(self, digest: bytes, context: str, text: str) -> EncodedPassage | None:
        """What encoding a passage of that digest gave, if one is indexed."""
        return self._catalog.passages.encoded(digest, context, text)

    def begin(self, identity: Identity, *, rebuild: bool) -> None:
        """Say what the index is bound to; `rebuild` deletes everything first.

        Raises:
            EncoderMismatchError: the index was made with another encoder.
        """
        if rebuild:
            self._catalog.clear()
        else:
            mine = {"fingerprint": identity.fingerprint, "model": identity.model}
            check_encoder(self._catalog.identity(), self._folder, **mine)
            self._catalog.check_counts()
        ids = self._catalog.take_ids()
        self._ids, self._first = iter(ids), ids.start
        self._begun = True
        self._catalog.set_meta(**asdict(identity))

    def open_file(self, path: str, sha256: str, stamp: Stamp, seen_ns: int) -> None:
        """Replace a file: its documents follow, each with its passages, then `close_file`."""
        self._replaced = self._passages_of(path)
        self._catalog.documents.drop_of_file(path)
        self._file = self._catalog.documents.put_file(
            path, sha256=sha256, stamp=stamp, seen_ns=seen_ns
        )

    def put_document(self, document: Document) -> None:
        """Add a document to the open file."""
        self._document = self._catalog.documents.put_document(document, self._file)

    def put_passage(self, new: NewPassage) -> None:
        """Add a passage to the document that was put last; it gets an id that was never used."""
        self._catalog.passages.put(next(self._ids), self._document, new)
        tokens = new.encoded.tokens.tolist()
        self._terms.update(set(new.terms.ids.tolist()))
        self._tokens.update(set(tokens))
        self._totals.update(passages=1, total_terms=new.terms.length, total_tokens=len(tokens))

    def close_file(self, problems: Mapping[str, str]) -> None:
        """End a file, with why documents in it can't be read, by their ids.

        What it held before is deleted only now: the vectors of passages that stay were looked up.
        """
        for path, reason in problems.items():
            self._catalog.documents.put_problem(path, self._file, reason)
        self._drop_passages(self._replaced)

    def drop_file(self, path: str) -> None:
        """Delete a file."""
        old = self._passages_of(path)
        self._catalog.documents.drop_of_file(path)
        self._catalog.documents.drop_file(path)
        self._drop_passages(old)

    def restamp(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
        """Note that files were read again and are the same."""
        self._catalog.documents.restamp(stamps, seen_ns)

    def _passages_of(self, file: str) -> list[int]:
        return self._catalog.passages.of_documents(self._catalog.documents.of_file(file))

    def _drop_passages(self, ids: Iterable[int]) -> None:
        for one, length, packed_terms, packed_tokens in self._catalog.passages.drop(ids):
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
        catalog = self._catalog
        catalog.set_meta(**self._notes)
        if not self._begun:
            if self._notes:
                catalog.commit()
            return
        catalog.passages.add_counts("term", self._terms)
        catalog.passages.add_counts("token", self._tokens)
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
        catalog = self._catalog
        old = lexical_folder(self._folder, catalog.meta("lexical"))
        if not (passages := catalog.number("passages")):
            catalog.set_meta(lexical="")
            return
        if old and not self._gone and not catalog.passages.count_after(self._first - 1):
            return
        folder = self._folder / f"lexical-{catalog.number('changes')}"
        held = -1
        if old:
            added = lexical_texts(catalog, first=self._first)
            with suppress(LexicalDamagedError):
                held = grow(old, folder, delete=self._gone, add=added)
        if held != passages:
            held = build(folder, lexical_texts(catalog))
        with catalog.reporting_damage():
            if held != passages:
                raise ValueError(f"it has {counted(held, 'passage')}, not {passages:,}")
        catalog.set_meta(lexical=notes_on(folder.name, seal(files_of(folder))))

    def _bring_vectors(self) -> None:
        """Merge what is not in the vectors' file into a new one, where that is due."""
        catalog, notes = self._catalog, vectors_notes(self._catalog.meta("vectors"))
        if notes and is_whole(self._folder, *notes):
            unmerged = catalog.passages.count_after(notes[1].last_id) + len(
                catalog.passages.deleted_ids()
            )
            if unmerged <= max(UNMERGED, notes[1].rows // UNMERGED_SHARE):
                return
        if not (passages := catalog.number("passages")):
            catalog.set_meta(vectors="")
            catalog.passages.forget_deleted_ids()
            return
        stem = f"vectors-{catalog.number('changes')}"
        sealed = build_vectors(self._folder, stem, catalog.passages.vectors, passages)
        catalog.set_meta(vectors=notes_on(stem, sealed))
        catalog.passages.forget_deleted_ids()
