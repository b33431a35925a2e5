"""Changes of an index on Milvus: each commit makes what was done since the last visible at once.

Rows are written under the number of the next epoch, which no manifest names yet. Then comes the
manifest. What a file held before is not deleted but has a grave, until no reader can see it.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from qa.errors import ForeignIndexError, IndexLockedError
from qa.store.identity import check_encoder
from qa.store.milvus.catalog import Catalog
from qa.store.milvus.manifest import BITS, read_manifest
from qa.store.milvus.values import text_of
from qa.store.milvus.words import path_key
from qa.store.rows import PackedEmbedding
from qa.words import VERSION
from qa.words.detection import told
from qa.words.terms import STEMMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qa.corpus import Stamp
    from qa.encoding.encoder import EncodedPassage
    from qa.store.identity import Identity
    from qa.store.milvus.catalog import FileKept
    from qa.store.milvus.manifest import Manifest
    from qa.store.milvus.writer import Writer
    from qa.store.rows import FilesKnown, NewPassage, PassageRow, StoredPassage
    from qa.types import Document

__all__ = ["MilvusTransaction"]


class MilvusTransaction:
    """Changes of the index, made visible by each commit."""

    def __init__(self, catalog: Catalog, writer: Writer, term: int) -> None:
        """Take the catalog as it was committed last, what writes, and the term of its epochs."""
        self._catalog = catalog
        self._writer = writer
        self._term = term
        self._begun = False
        # Passages that wait for their embedding, each with its file and document and the former's
        # last change; read when they are asked for, where there were some before.
        self._waiting: dict[int, tuple[int, int, int]] = {}
        self._is_read = not catalog.manifest.pending
        self._known: dict[bytes, PackedEmbedding] = {}
        self._start(catalog.manifest)

    def _start(self, manifest: Manifest) -> None:
        """Take down what there is, so that a commit knows what has changed since."""
        last = manifest.epoch if manifest.term == self._term else (self._term << BITS)
        self._next = replace(manifest, epoch=last + 1)
        self._terms: Counter[int] = Counter()
        self._tokens: Counter[int] = Counter()
        self._languages = Counter(manifest.languages)
        self._notes: dict[str, str] = {}
        self._touched = self._is_rebuilt = False
        self._had_files = manifest.files > 0
        self._gone: set[int] = set()  # files
        self._now = Catalog(
            self._catalog.server, self._catalog.names, self._catalog.place, self._next
        )

    def _count(self, **more: int) -> None:
        self._next = replace(
            self._next, **{key: getattr(self._next, key) + n for key, n in more.items()}
        )
        self._touched = True

    def _take(self, counter: str) -> int:
        self._count(**{counter: 1})
        return int(getattr(self._next, counter)) - 1

    @property
    def identity(self) -> Identity:
        """What the index is bound to."""
        return self._next.identity

    @property
    def changes(self) -> int:
        """How often the index was changed."""
        return self._catalog.manifest.changes

    @property
    def calibration(self) -> str:
        """What `qa calibrate` kept; "" where it kept nothing."""
        return self._next.notes.get("calibration", "")

    def known_files(self) -> FilesKnown:
        """What is known of the corpus's files (CatalogDamagedError where rows are missing)."""
        return self._catalog.files_known()

    def begin(self, identity: Identity, *, rebuild: bool) -> None:
        """Say what the index is bound to; `rebuild` deletes everything first.

        Raises:
            EncoderMismatchError: the index was made with another encoder.
            ForeignIndexError: its terms were found by other rules.
        """
        if rebuild:
            self._next = replace(
                self._next,
                passages=0,
                pending=0,
                documents=0,
                files=0,
                problems=0,
                total_terms=0,
                total_tokens=0,
                dimension=0,
                first_file=self._next.next_file,
                generation=self._next.generation + 1,
            )
            self._now.manifest = self._next
            self._languages = Counter()
            self._waiting, self._is_read = {}, True
            self._is_rebuilt, self._had_files = True, False
        else:
            mine = {"fingerprint": identity.fingerprint, "model": identity.model}
            check_encoder(self._next.identity, str(self._catalog.place), **mine)
            if self._next.notes.get("terms", VERSION) != VERSION:
                raise ForeignIndexError(
                    f"The index {self._catalog.place} is of another version",
                    hint="Replace it with `qa index --rebuild`.",
                    ours=True,
                )
        self._begun = self._touched = True
        self._next = replace(
            self._next,
            notes={**self._next.notes, **asdict(identity), "listing": "", "terms": VERSION},
        )

    # --- files --------------------------------------------------------------------------

    def open_file(self, path: str, sha256: str, stamp: Stamp, seen_ns: int) -> None:
        """Add or replace a file: its documents and their passages follow, then `close_file`."""
        self._path, self._sha256, self._stamp, self._seen_ns = path, sha256, stamp, seen_ns
        self._old = self._file_at(path)
        if self._old is not None:
            self._remember(f"file == {self._old.number}")
        self._file = self._take("next_file")
        self._documents: list[tuple[int, Document, int]] = []  # with its first passage

    def _file_at(self, path: str) -> FileKept | None:
        """What there is of a file, but for what was put in this change."""
        if not self._had_files:
            return None
        found = self._now.files(f'key == "{path_key(path)}"')
        return next((one for one in found if one.number not in self._gone), None)

    def put_document(self, document: Document) -> None:
        """Add a document to the open file."""
        one = self._take("next_document")
        if not document.encoding:
            self._row(f"e{one}", "text", document.text)
        if (language := told(document.metadata)) in STEMMED:
            self._languages[language] += 1
        short = replace(document, text="")
        self._documents.append((one, short, self._next.next_passage))

    def put_passage(self, new: NewPassage) -> bool:
        """Add a passage to the document that was put last; it gets an id that was never used.

        Returns:
            Whether its embedding is known: of one of the same text that the file had before.
        """
        known = self._known.get(new.digest)
        one = self._put(new, waits=known is None)
        if known is not None:
            self._embed(one, self._file, self._documents[-1][0], known)
        else:
            self._wait(one)
        return known is not None

    def put_stored(self, one: StoredPassage) -> None:
        """Add a passage with what encoding gave for it, as it was stored elsewhere."""
        number = self._put(one.passage, waits=one.embedding is None)
        if one.embedding is not None:
            self._embed(number, self._file, self._documents[-1][0], one.embedding)
        else:
            self._wait(number)

    def _wait(self, one: int) -> None:
        self._waiting[one] = (self._file, self._documents[-1][0], self._stamp[1])
        self._count(pending=1)

    def _put(self, new: NewPassage, *, waits: bool) -> int:
        one = self._take("next_passage")
        ids, tokens = new.terms.ids.tolist(), new.tokens.tolist()
        self._terms.update(set(ids))
        self._tokens.update(set(tokens))
        length = new.terms.length
        self._count(passages=1, total_terms=length, total_tokens=len(tokens))
        self._writer.new_passage(
            new,
            one,
            self._documents[-1][1].id,
            file=self._file,
            document=self._documents[-1][0],
            born=self._next.epoch,
            waits=waits,
        )
        return one

    def close_file(self, problems: Mapping[str, str]) -> None:
        """End a file, with why documents in it can't be read, by their ids."""
        from qa.reading.dates import day

        starts = [*(first for _, _, first in self._documents), self._next.next_passage]
        for (one, document, first), end in zip(self._documents, starts[1:], strict=True):
            about = dict(document.metadata)
            kept = (document.id, document.format, document.encoding, about)
            place = (day(about.get("date", "")), first, end - first, self._path, self._sha256)
            self._row(f"d{one}", "document", [*kept, *place], key=path_key(document.id))
        indexed = {document.id for _, document, _ in self._documents}
        if problems:
            found = [
                (path, self._path, why, path in indexed or (path == self._path and bool(indexed)))
                for path, why in problems.items()
            ]
            self._row(f"q{self._file}", "problem", found)
        self._put_file(self._file, self._next.epoch, self._path, self._sha256)
        self._count(files=1, documents=len(self._documents), problems=bool(problems))
        self._known = {}
        if self._old is not None:
            self._bury(self._old)

    def _put_file(self, number: int, born: int, path: str, sha256: str) -> None:
        value = [path, sha256, self._stamp, self._seen_ns]
        key = path_key(path)
        self._writer.row(f"f{number}", "file", value, file=number, born=born, key=key)

    def _row(self, one: str, kind: str, value: object, key: str = "") -> None:
        self._writer.row(one, kind, value, file=self._file, born=self._next.epoch, key=key)

    def drop_file(self, path: str) -> None:
        """Delete a file."""
        if (old := self._file_at(path)) is not None:
            self._bury(old)

    def _bury(self, old: FileKept) -> None:
        """Let a version of a file be gone from the next commit on."""
        chosen = f"file == {old.number}"
        ids = []
        for one, new in self._now.stored(chosen):
            ids.append(one)
            tokens = new.tokens.tolist()
            self._terms.subtract(set(new.terms.ids.tolist()))
            self._tokens.subtract(set(tokens))
            self._count(passages=-1, total_terms=-new.terms.length, total_tokens=-len(tokens))
        if self._next.pending:
            waited = self._pending()
            gone = [one for one in ids if waited.pop(one, None) is not None]
            self._count(pending=-len(gone))
        documents = self._now.documents(chosen)
        languages = (told(one.row.metadata) for one in documents)
        self._languages.subtract(one for one in languages if one in STEMMED)
        problems = any(self._now.rows("problem", chosen))
        self._count(files=-1, documents=-len(documents), problems=-int(problems))
        self._gone.add(old.number)

    def restamp(self, stamps: Mapping[str, Stamp], seen_ns: int) -> None:
        """Note that files were read again and are the same."""
        for path, stamp in stamps.items():
            if (old := self._file_at(path)) is not None:
                self._stamp, self._seen_ns = stamp, seen_ns
                self._put_file(old.number, old.born, path, old.file.sha256)
                self._touched = True

    # --- embeddings ---------------------------------------------------------------------

    def count_pending(self) -> int:
        """How many passages have no embedding yet."""
        return self._next.pending

    def pending(self) -> list[int]:
        """The passages that have no embedding, those of the most recently changed files first."""
        found = self._pending()
        return sorted(found, key=lambda one: (-found[one][2], one))

    def _pending(self) -> dict[int, tuple[int, int, int]]:
        if not self._is_read:
            self._is_read = True
            for one, at in self._catalog.waiting().items():
                if at[0] not in self._gone:
                    self._waiting.setdefault(one, at)
        return self._waiting

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages by id, in the order of `ids`, each once; their known embeddings are read."""
        self._writer.flush()
        wanted = list(dict.fromkeys(ids))
        rows = self._now.passages(wanted)
        found = self._now.server.get(self._now.names.passages, wanted, ["digest"])
        self._known = {}
        digests = sorted({row["digest"] for row in found.values()})
        for n in range(0, len(digests), _DIGESTS):
            listed = ", ".join(f'"{one}"' for one in digests[n : n + _DIGESTS])
            self._remember(f"digest in [{listed}]")
        return rows

    def _remember(self, chosen: str) -> None:
        """Read the embeddings of some passages, of those too that are gone by now."""
        for digest, embedding in self._now.known(chosen).items():
            self._known.setdefault(digest, embedding)

    def put_known(self, passage: PassageRow, digest: bytes) -> bool:
        """Add for a pending passage the embedding of one of that digest, if there is one."""
        if (known := self._known.get(digest)) is not None:
            self._embed_pending(passage.id, known)
        return known is not None

    def put_embedding(self, passage: int, encoded: EncodedPassage) -> None:
        """Add what encoding gave for a pending passage."""
        from qa.store.packing import pack_encoded

        self._embed_pending(passage, PackedEmbedding(*pack_encoded(encoded)))

    def _embed_pending(self, passage: int, packed: PackedEmbedding) -> None:
        file, document, _ = self._pending().pop(passage)
        self._embed(passage, file, document, packed)
        self._count(pending=-1)

    def _embed(self, passage: int, file: int, document: int, packed: PackedEmbedding) -> None:
        from qa.store.packing import unpack_vector

        vector = unpack_vector(packed.vector).tolist()
        if self._next.dimension != len(vector):
            self._writer.make(len(vector))
            self._count(dimension=len(vector) - self._next.dimension)
            self._now.manifest = replace(self._now.manifest, dimension=len(vector))
        row = {"file": file, "document": document, "born": self._next.epoch}
        sentences = [zlib.crc32(packed.vector), text_of(packed.sentences)]
        self._writer.embedding(passage, row, vector, sentences)

    # --- commits ------------------------------------------------------------------------

    def keep(self, **notes: str) -> None:
        """Keep notes in the manifest, when this commits."""
        self._notes |= notes

    def commit(self) -> None:
        """Write what waits, then the manifest that names it; go on with a new change."""
        changed = self._begun and self._touched
        if not changed and not self._notes:
            return
        epoch, before = self._next.epoch, self._catalog.manifest
        if changed:
            self._writer.flush()
            for table, counts in (("term", self._terms), ("token", self._tokens)):
                self._writer.counts(self._now, table, counts, epoch)
            before = self._writer.sweep(before)
        fields = {key: getattr(self._next, key) for key in _CHANGED}
        done = replace(
            before.after(epoch, time.time()),
            **fields,
            rebuilt=epoch if self._is_rebuilt else before.rebuilt,
            changes=self._next.changes + changed,
            languages={code: count for code, count in self._languages.items() if count > 0},
            notes={**self._next.notes, **self._notes},
            graves=(*before.graves, *((file, epoch) for file in sorted(self._gone))),
        )
        self._write(done)

    def _write(self, done: Manifest) -> None:
        catalog = self._catalog
        self._writer.manifest(done)
        found = read_manifest(catalog.server, catalog.names, catalog.place)
        if found.epoch != done.epoch:
            raise IndexLockedError(
                f"Another process took over {catalog.place} meanwhile",
                hint="Run the command again; what was committed before is kept.",
            )
        catalog.manifest = done
        self._start(done)

    def take_over(self) -> None:
        """Repair what a writer that died has left, and close its term."""
        last, first = self._catalog.manifest, self._term << BITS
        self._writer.repair(self._catalog)
        holes = (*last.holes, (last.epoch, first))[-_HOLES:]
        self._write(replace(last.after(first, time.time()), holes=holes))

    def compact(self) -> None:
        """Nothing: the server merges what it stores."""


_DIGESTS, _HOLES = 200, 8  # that one expression names; of so many writers that died
_CHANGED = (
    *("passages", "pending", "documents", "files", "problems", "total_terms", "total_tokens"),
    *("next_file", "next_document", "next_passage", "first_file", "generation", "dimension"),
)
