"""Changes of an index: each commit of the catalog keeps what was done since the last, or nothing.

What the accelerators are to hold next is written beside what they hold: a new folder of the lexical
index and, when due, new segments of vectors. All of it is synced, then the catalog commits, which
names the new files and what they are known by. Nothing that a catalog names is ever changed, so a
reader sees one state, and a writer that dies leaves nothing but files that nobody names.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from qa.counting import counted
from qa.store.accelerators import (
    lexical_folder,
    lexical_note,
    lexical_terms,
    segments_note,
    segments_of,
    sweep,
)
from qa.store.durable_files import seal, sync_folder
from qa.store.identity import check_encoder
from qa.store.lexical import LexicalDamagedError, build, files_of, grow
from qa.store.packing import unpack_ids
from qa.store.segments import UNMERGED, chunks, first_to_merge, first_to_merge_at_rest
from qa.store.vectors import build as build_vectors
from qa.store.vectors import is_whole
from qa.words import VERSION
from qa.words.detection import told
from qa.words.terms import STEMMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from qa.corpus import Stamp
    from qa.encoding.encoder import EncodedPassage
    from qa.store.catalog import Catalog
    from qa.store.durable_files import Segment
    from qa.store.identity import Identity
    from qa.store.rows import FilesKnown, NewPassage, PassageRow, StoredPassage
    from qa.types import Document

__all__ = ["Transaction"]


class Transaction:
    """Changes of the index, kept by each commit."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        """Take a catalog in a transaction for writing."""
        self._folder = folder
        self._catalog = catalog
        self._file, self._document = 0, 0  # the numbers of those that are being written
        self._replaced: list[int] = []  # the passages that the open file had before
        self._sound: set[Segment] = set()  # segments that were looked at
        self._begun = False
        self._start()

    def _start(self) -> None:
        """Take down what there is, so that a commit knows what has changed since."""
        catalog = self._catalog
        self._terms: Counter[int] = Counter()
        self._tokens: Counter[int] = Counter()
        self._totals: Counter[str] = Counter()
        self._gone: list[int] = []
        self._notes: dict[str, str] = {}
        self._languages = Counter(catalog.languages())
        self._touched = False
        self._first = self._next = catalog.number("next_id") or 1  # of passages
        self._number = catalog.number("next_number") or 1  # of embeddings
        self._segments = segments_of(catalog.meta("vectors"))

    @property
    def identity(self) -> Identity:
        """What the index is bound to."""
        return self._catalog.identity()

    @property
    def changes(self) -> int:
        """How often the index was changed."""
        return self._catalog.number("changes")

    @property
    def calibration(self) -> str:
        """What `qa calibrate` kept; "" where it kept nothing."""
        return self._catalog.meta("calibration")

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files.

        Raises:
            CatalogDamagedError: the catalog lacks rows.
        """
        return self._catalog.known_files()

    def begin(self, identity: Identity, *, rebuild: bool) -> None:
        """Say what the index is bound to; `rebuild` deletes everything first.

        Raises:
            EncoderMismatchError: the index was made with another encoder.
        """
        if rebuild:
            self._catalog.clear()
            self._start()
        else:
            mine = {"fingerprint": identity.fingerprint, "model": identity.model}
            check_encoder(self._catalog.identity(), self._folder, **mine)
            self._catalog.check_counts()
            if self._catalog.meta("terms") != VERSION:
                self._reterm()
        self._begun = self._touched = True
        self._catalog.set_meta(listing="", terms=VERSION, **asdict(identity))

    def _reterm(self) -> None:
        from qa.store.reterming import reterm

        done = reterm(self._catalog)
        self._terms.update(done.terms)
        self._totals.update(total_terms=done.total_terms)
        self._languages = done.languages
        self._catalog.set_meta(lexical="")  # it is made anew

    def open_file(self, path: str, sha256: str, stamp: Stamp, seen_ns: int) -> None:
        """Replace a file: its documents follow, each with its passages, then `close_file`."""
        self._touched = True
        self._replaced = self._passages_of(path)
        self._drop_documents(path)
        self._file = self._catalog.documents.put_file(
            path, sha256=sha256, stamp=stamp, seen_ns=seen_ns
        )

    def put_document(self, document: Document) -> None:
        """Add a document to the open file."""
        self._document = self._catalog.documents.put_document(document, self._file)
        if (language := told(document.metadata)) in STEMMED:
            self._languages[language] += 1

    def put_passage(self, new: NewPassage) -> bool:
        """Add a passage to the document that was put last; it gets an id that was never used.

        Returns:
            Whether its embedding is known, of the first of the same text; else it is pending.
        """
        one, self._next = self._next, self._next + 1
        self._catalog.passages.put(one, self._document, new)
        tokens = new.tokens.tolist()
        self._terms.update(set(new.terms.ids.tolist()))
        self._tokens.update(set(tokens))
        self._totals.update(passages=1, total_terms=new.terms.length, total_tokens=len(tokens))
        known = self._catalog.embeddings.put_known(
            *(one, self._number),
            digest=new.digest,
            context=new.context,
            text=new.text,
            in_all=False,
        )
        self._number += known
        self._touched = True
        if not known:
            self._catalog.embeddings.add_pending(one)
        return known

    def put_stored(self, one: StoredPassage) -> None:
        """Add a passage with what encoding gave for it, as it was stored elsewhere."""
        if not self.put_passage(one.passage) and one.embedding is not None:
            self._catalog.embeddings.put_packed(self._next - 1, self._number, one.embedding)
            self._number += 1

    def close_file(self, problems: Mapping[str, str]) -> None:
        """End a file, with why documents in it can't be read, by their ids.

        What it held before is deleted only now: the embeddings of passages that stay were taken
        from there.
        """
        for path, reason in problems.items():
            self._catalog.documents.put_problem(path, self._file, reason)
        self._drop_passages(self._replaced)

    def drop_file(self, path: str) -> None:
        """Delete a file."""
        self._touched = True
        old = self._passages_of(path)
        self._drop_documents(path)
        self._catalog.documents.drop_file(path)
        self._drop_passages(old)

    def restamp(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
        """Note that files were read again and are the same."""
        self._touched |= bool(stamps)
        self._catalog.documents.restamp(stamps, seen_ns)

    def _passages_of(self, file: str) -> list[int]:
        return self._catalog.passages.of_documents(self._catalog.documents.of_file(file))

    def _drop_documents(self, file: str) -> None:
        documents = self._catalog.documents
        if any(self._languages.values()):
            for row in documents.by_id(documents.of_file(file)).values():
                if (language := told(row.metadata)) in STEMMED:
                    self._languages[language] -= 1
        documents.drop_of_file(file)

    def _drop_passages(self, ids: Sequence[int]) -> None:
        last = self._segments[-1].last if self._segments else 0
        self._catalog.embeddings.drop(ids, last=last)
        for one, length, packed_terms, packed_tokens in self._catalog.passages.drop(ids):
            if one < self._first:  # else no lexical index has it yet
                self._gone.append(one)
            terms, total_tokens, tokens = unpack_ids(packed_terms, packed_tokens)
            self._terms.subtract(terms)
            self._tokens.subtract(tokens)
            self._totals.update(passages=-1, total_terms=-length, total_tokens=-total_tokens)

    # --- embeddings ---------------------------------------------------------------------

    def count_pending(self) -> int:
        """How many passages have no embedding yet."""
        return self._catalog.number("pending")

    def pending(self) -> list[int]:
        """The passages that have no embedding, those of the most recently changed files first."""
        return self._catalog.embeddings.pending()

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages by id, in the order of `ids`, each once."""
        return self._catalog.passages.by_id(ids)

    def put_known(self, passage: PassageRow, digest: bytes) -> bool:
        """Add for a pending passage the embedding of one of that digest, if there is one.

        Returns:
            Whether there is.
        """
        known = self._catalog.embeddings.put_known(
            passage.id, self._number, digest=digest, context=passage.context, text=passage.text
        )
        self._number += known
        self._touched |= known
        return known

    def put_embedding(self, passage: int, encoded: EncodedPassage) -> None:
        """Add what encoding gave for a pending passage."""
        self._catalog.embeddings.put(passage, self._number, encoded)
        self._number += 1
        self._touched = True

    # --- commits ------------------------------------------------------------------------

    def keep(self, **notes: str) -> None:
        """Keep notes in the catalog, when this commits."""
        self._notes |= notes

    def commit(self) -> None:
        """Bring the accelerators up to date, then commit the catalog; go on with a new change."""
        catalog = self._catalog
        catalog.set_meta(**self._notes)
        if self._begun and self._touched:
            catalog.passages.add_counts("term", self._terms)
            catalog.passages.add_counts("token", self._tokens)
            catalog.set_meta(
                **{key: catalog.number(key) + more for key, more in self._totals.items()},
                changes=catalog.number("changes") + 1,
                next_id=self._next,
                next_number=self._number,
            )
            catalog.note_counts()
            catalog.note_languages(self._languages)
            self._bring_lexical()
            self._bring_vectors()
        elif not self._notes:
            return
        self._keep()

    def compact(self) -> None:
        """Merge segments of vectors where searches gain by it: what was committed stays as it is.

        This takes a while where many are merged, so it is for when nobody waits.
        """
        before = self._segments
        self._write_unmerged(most=sum(one.rows for one in before))
        first = first_to_merge_at_rest([one.rows for one in self._segments], self._dead())
        if first is not None:
            self._merge(first)
        if self._segments != before:
            self._keep()

    def _keep(self) -> None:
        sync_folder(self._folder)
        self._catalog.commit()
        sweep(self._folder, self._catalog)
        self._catalog.begin(write=True)
        self._start()

    def _bring_lexical(self) -> None:
        """Make the folder of the lexical index that goes with this change, where it needs one."""
        catalog = self._catalog
        old = lexical_folder(self._folder, catalog.meta("lexical"))
        if not (passages := catalog.number("passages")):
            catalog.set_meta(lexical="")
            return
        if old and not self._gone and self._next == self._first:
            return
        folder = self._folder / f"lexical-{catalog.number('changes')}"
        held = -1
        if old:
            added = lexical_terms(catalog, first=self._first)
            with suppress(LexicalDamagedError):
                held = grow(old, folder, delete=self._gone, add=added)
        if held != passages:
            held = build(folder, lexical_terms(catalog))
        with catalog.reporting_damage():
            if held != passages:
                raise ValueError(f"it has {counted(held, 'passage')}, not {passages:,}")
        catalog.set_meta(lexical=lexical_note(folder, seal(files_of(folder))))

    def _bring_vectors(self) -> None:
        """Write what has no segment yet, where that is due, and merge segments."""
        embeddings = self._catalog.embeddings
        if self._catalog.number("passages") == self.count_pending():  # none has an embedding
            self._segments = []
            embeddings.forget_dead()
        self._replace_damaged()
        self._write_unmerged(most=UNMERGED)
        first = first_to_merge([one.rows for one in self._segments])
        if first is not None:
            self._merge(first)

    def _write_unmerged(self, *, most: int) -> None:
        """Write a segment of the embeddings that are in none, where these are more than `most`."""
        last = self._segments[-1].last if self._segments else 0
        unmerged = self._catalog.embeddings.count_after(last)
        if unmerged > most or (unmerged and not self._segments):
            self._segments = [*self._segments, *self._written(last, self._number - 1)]
        self._note_segments()

    def _merge(self, first: int) -> None:
        after = self._segments[first - 1].last if first else 0
        merged = self._written(after, self._segments[-1].last)
        self._segments = [*self._segments[:first], *merged]
        self._note_segments()

    def _note_segments(self) -> None:
        self._catalog.set_meta(vectors=segments_note(self._segments) if self._segments else "")

    def _replace_damaged(self) -> None:
        """Write again what a segment holds whose files are not those that were written."""
        found: list[Segment] = []
        for one in self._segments:
            if one in self._sound or is_whole(self._folder, one):
                self._sound.add(one)
                found.append(one)
            else:
                found += self._written(found[-1].last if found else 0, one.last)
        self._segments = found

    def _written(self, after: int, upto: int) -> list[Segment]:
        """Write segments of the embeddings that are numbered over `after`, up to `upto`."""
        embeddings = self._catalog.embeddings
        found: list[Segment] = []
        counts = chunks(embeddings.count_after(after, upto=upto))
        embeddings.forget_dead(after=after, upto=upto)
        for n, count in enumerate(counts):
            last = upto if n == len(counts) - 1 else embeddings.number_of(after, count)
            built = self._catalog.number("segments") + 1
            self._catalog.set_meta(segments=built)
            stem = f"vectors-{built}"
            vectors = partial(embeddings.vectors, after=after, upto=last)
            found.append(build_vectors(self._folder, stem, vectors, count, last))
            self._sound.add(found[-1])
            after = last
        return found

    def _dead(self) -> list[int]:
        """How many rows of each segment are dead."""
        counts = Counter(
            bisect_left(self._segments, number, key=lambda one: one.last)
            for number in self._catalog.embeddings.dead()
        )
        return [counts[n] for n in range(len(self._segments))]
