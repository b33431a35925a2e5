"""Rows on their way to Milvus: gathered, written many at a time, and removed when they are over."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from qa.store.milvus import layout
from qa.store.milvus.catalog import COUNTED, count_id
from qa.store.milvus.layout import NO_VECTOR
from qa.store.milvus.manifest import write_manifest
from qa.store.milvus.values import sealed, split, text_of
from qa.store.milvus.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qa.store.milvus.catalog import Catalog
    from qa.store.milvus.lease import Lease
    from qa.store.milvus.manifest import Manifest
    from qa.store.rows import NewPassage

__all__ = ["PATIENCE", "Writer"]

PATIENCE = 60.0  # seconds that a server may be away before a refresh gives up
_BYTES = 4_000_000  # of rows that are written at once
_ROWS = 500
_MOST_WORDS = 3_800  # of 17 bytes each, in a field
_NO_WORDS = "0"  # in place of none, which Milvus does not take
_ROW = 200  # bytes of a row, beside what it holds


class Writer:
    """Writes the rows of one transaction, as long as it has the right to."""

    def __init__(self, catalog: Catalog, lease: Lease) -> None:
        """Take what is read by, and the right to write."""
        self._server = catalog.server
        self._names = catalog.names
        self._lease = lease
        self._waiting: defaultdict[str, list[Mapping[str, object]]] = defaultdict(list)
        self._bytes: defaultdict[str, int] = defaultdict(int)

    # --- rows ---------------------------------------------------------------------------

    def row(
        self, one: str, kind: str, value: object, *, file: int, born: int, key: str = ""
    ) -> None:
        """Write a file, a document, a problem or a text."""
        payload, parts = split(one, sealed(one, value))
        self._parts(parts, file, born)
        row = {"id": one, "kind": kind, "file": file, "born": born, "key": key}
        self._add(self._names.rows, {**row, "payload": payload, "none": NO_VECTOR}, len(payload))

    def new_passage(
        self,
        new: NewPassage,
        one: int,
        path: str,
        *,
        file: int,
        document: int,
        born: int,
        waits: bool,
    ) -> None:
        """Write a passage of the document at a path under a number."""
        from qa.store.packing import pack_terms, pack_tokens

        packed = map(text_of, (*pack_terms(new.terms), pack_tokens(new.tokens)))
        words = words_of(new.terms.ids[:_MOST_WORDS].tolist())
        row = {
            "file": file,
            "document": document,
            "born": born,
            "start": new.start,
            "waits": waits,
            "digest": new.digest.hex(),
            "words": words or _NO_WORDS,
        }
        cited = [new.end, new.heading_path, new.places, new.context, new.text, new.spans]
        self.passage(one, row, [path, new.terms.length, *packed], cited)

    def passage(self, one: int, row: Mapping[str, object], scored: object, cited: object) -> None:
        """Write a passage; `row` has its short fields."""
        texts = {}
        for name, value in (("scored", scored), ("cited", cited)):
            owner = f"{name[0] if name == 'scored' else 'p'}{one}"
            texts[name], parts = split(owner, sealed(owner, value))
            self._parts(parts, int(str(row["file"])), int(str(row["born"])))
        size = sum(map(len, texts.values()))
        self._add(self._names.passages, {"id": one, **row, **texts}, size)

    def embedding(
        self, one: int, row: Mapping[str, object], vector: Sequence[float], sentences: object
    ) -> None:
        """Write what encoding gave for a passage; `row` has its short fields."""
        owner = f"v{one}"
        text, parts = split(owner, sealed(owner, sentences))
        self._parts(parts, int(str(row["file"])), int(str(row["born"])))
        collection = self._names.vectors(len(vector))
        self._add(collection, {"id": one, **row, "sentences": text, "vector": vector}, len(text))

    def _parts(self, parts: Iterable[tuple[str, str]], file: int, born: int) -> None:
        for one, text in parts:
            row = {"id": one, "kind": "part", "file": file, "born": born, "key": ""}
            self._add(self._names.rows, {**row, "payload": text, "none": NO_VECTOR}, len(text))

    def _add(self, collection: str, row: Mapping[str, object], size: int) -> None:
        self._waiting[collection].append(row)
        self._bytes[collection] += size + _ROW
        if self._bytes[collection] >= _BYTES or len(self._waiting[collection]) >= _ROWS:
            self._flush(collection)

    def flush(self) -> None:
        """Write what waits."""
        for collection in list(self._waiting):
            self._flush(collection)

    def _flush(self, collection: str) -> None:
        if rows := self._waiting.pop(collection, []):
            self._bytes[collection] = 0
            self.put(collection, rows)

    def put(self, collection: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Write rows now."""
        self._lease.check()
        self._server.put(collection, rows, patience=PATIENCE)

    # --- states -------------------------------------------------------------------------

    def counts(self, catalog: Catalog, table: str, changes: Mapping[int, int], epoch: int) -> None:
        """Add to the numbers of passages that hold terms or tokens.

        Each row keeps what it was at the moments that a reader may still have.
        """
        ids = [one for one, change in changes.items() if change]
        oldest = catalog.manifest.oldest(time.time())
        for n in range(0, len(ids), _ROWS):
            portion = ids[n : n + _ROWS]
            known = catalog.counts(table, portion)
            rows = []
            for one in portion:
                history = known.get(one, [])
                last = history[-1][1] if history else 0
                older = [pair for pair in history if pair[0] <= oldest][-1:]
                kept = [*older, *(pair for pair in history if oldest < pair[0] < epoch)]
                key = count_id(catalog.manifest.generation, table, one)
                payload = sealed(key, [*kept, (epoch, last + changes[one])])
                rows.append({"id": key, "epoch": epoch, "payload": payload, "none": NO_VECTOR})
            self.put(self._names.state, rows)

    def manifest(self, one: Manifest) -> None:
        """Write a manifest: what it names is visible from then on."""
        write_manifest(lambda rows: self.put(self._names.state, rows), one)

    # --- what is over -------------------------------------------------------------------

    def repair(self, catalog: Catalog) -> None:
        """Delete what a writer that did not finish has written after its last commit."""
        last = catalog.manifest.epoch
        for collection in self._with_files():
            self._server.delete(collection, f"born > {last}", patience=PATIENCE)
        counted = "|".join(COUNTED.values())
        rows = []
        for row in list(
            self._server.scan(self._names.state, f"epoch > {last}", ["payload"], after="")
        ):
            one = row["id"]
            if one[0] not in counted:
                continue
            table = next(name for name, letter in COUNTED.items() if letter == one[0])
            number = int(one.partition(":")[2])
            history = catalog.counts(table, [number]).get(number, [])
            payload = sealed(one, history or [(0, 0)])
            epoch = history[-1][0] if history else 0
            rows.append({"id": one, "epoch": epoch, "payload": payload, "none": NO_VECTOR})
        for n in range(0, len(rows), _ROWS):
            self.put(self._names.state, rows[n : n + _ROWS])

    def sweep(self, manifest: Manifest) -> Manifest:
        """Delete what no reader can see any more; gives a manifest without it."""
        oldest = manifest.oldest(time.time())
        gone = [file for file, since in manifest.graves if since <= oldest]
        for n in range(0, len(gone), _ROWS):
            for collection in self._with_files():
                chosen = f"file in {gone[n : n + _ROWS]}"
                self._server.delete(collection, chosen, patience=PATIENCE)
        left = tuple(one for one in manifest.graves if one[1] > oldest)
        if not 0 < manifest.rebuilt <= oldest:
            return replace(manifest, graves=left)
        for collection in self._with_files():
            chosen = f"file < {manifest.first_file}"
            self._server.delete(collection, chosen, patience=PATIENCE)
        for letter in COUNTED.values():
            chosen = f'id like "{letter}{manifest.generation - 1}:%"'
            self._server.delete(self._names.state, chosen, patience=PATIENCE)
        return replace(manifest, graves=left, rebuilt=0)

    def _with_files(self) -> list[str]:
        names = [name for name in self._server.names() if self._names.is_ours(name)]
        return [name for name in names if name != self._names.state]

    def make(self, dimension: int = 0) -> None:
        """Make the collections, or that of vectors."""
        if dimension:
            self._server.make(self._names.vectors(dimension), layout.vectors(dimension))
            return
        for name, made in (
            (self._names.rows, layout.rows()),
            (self._names.passages, layout.passages()),
            (self._names.state, layout.state()),  # last: where it is, all are
        ):
            self._server.make(name, made)
