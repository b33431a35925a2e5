"""Reading rows of an index on Milvus at one moment: files, documents, passages, counts."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from qa.corpus.walking import is_settled
from qa.store.failures import reporting_damage
from qa.store.milvus.values import bytes_of, parts_of, unsealed
from qa.store.rows import (
    DocumentRow,
    FilesKnown,
    NewPassage,
    PackedEmbedding,
    PassageRow,
    ProblemRow,
    StoredFile,
)
from qa.types import Place, PlaceKind, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qa.corpus import Stamp
    from qa.place import MilvusPlace
    from qa.store.milvus.layout import Names
    from qa.store.milvus.manifest import Manifest
    from qa.store.milvus.server import Server

__all__ = ["COUNTED", "Catalog", "DocumentKept", "FileKept", "Scored", "count_id"]

COUNTED = {"term": "t", "token": "k"}
PASSAGE = ("file", "document", "start", "waits", "digest", "scored", "cited")


class FileKept(NamedTuple):
    """A version of a file."""

    number: int
    born: int
    file: StoredFile


class DocumentKept(NamedTuple):
    """A document, its day by its own date or "", and the first of its passages and their number."""

    row: DocumentRow
    number: int  # of its file
    day: str
    first: int
    passages: int


class Scored(NamedTuple):
    """What a passage is scored by, as `qa.store.packing` packs it."""

    path: str
    length: int
    terms: bytes
    counts: bytes
    tokens: bytes


class Catalog:
    """The rows that are there by one manifest."""

    def __init__(
        self, server: Server, names: Names, place: MilvusPlace, manifest: Manifest
    ) -> None:
        self.server = server
        self.names = names
        self.place = place
        self.manifest = manifest

    # --- files and documents ------------------------------------------------------------

    def files(self, chosen: str = "") -> list[FileKept]:
        """The files, by path; those that an expression chooses."""
        rows = self.rows("file", chosen)
        with reporting_damage(self.place):
            found = [_file(row, self._read(row)) for row in rows]
        return sorted(found, key=lambda one: one.file.path)

    def problems(self) -> list[ProblemRow]:
        """The documents that could not be read, or only in part, by path."""
        if not self.manifest.problems:
            return []
        with reporting_damage(self.place):
            found = [
                ProblemRow(path, file, reason, indexed)
                for row in self.rows("problem", "")
                for path, file, reason, indexed in self._read(row)
            ]
        return sorted(found, key=lambda row: row.path)

    def files_known(self) -> FilesKnown:
        """What is known of the corpus's files (CatalogDamagedError where rows are missing)."""
        files = self.files()
        with reporting_damage(self.place):
            if len(files) != self.manifest.files:
                raise ValueError("it lacks files that were indexed")
        return FilesKnown(
            {one.file.path: _known_stamp(one.file) for one in files},
            [one.file.sha256 for one in files],
            self.problems(),
        )

    def documents(self, chosen: str = "") -> list[DocumentKept]:
        """The documents, by number; those that an expression chooses."""
        rows = self.rows("document", chosen)
        with reporting_damage(self.place):
            found = [_document(row, self._read(row)) for row in rows]
        return sorted(found, key=lambda one: one.row.id)

    def documents_by_id(self, ids: Iterable[int]) -> dict[int, DocumentRow]:
        """Documents by number."""
        wanted = [f"d{one}" for one in dict.fromkeys(ids)]
        rows = self.server.get(self.names.rows, wanted, ["file", "payload"])
        with reporting_damage(self.place):
            if len(rows) < len(wanted):
                raise ValueError("it lacks documents that were indexed")
            found = [_document(row, self._read(row)).row for row in rows.values()]
        return {one.id: one for one in found}

    def extract(self, document: int) -> str:
        """The text of a document that is kept beside."""
        owner = f"e{document}"
        rows = self.server.get(self.names.rows, [owner], ["payload"])
        with reporting_damage(self.place):
            if owner not in rows:
                raise ValueError(f"it lacks the text of document {document}")
            return str(self._read(rows[owner]))

    def rows(self, kind: str, chosen: str) -> Iterator[dict[str, Any]]:
        """The rows of a kind; those that an expression chooses."""
        expression = f'kind == "{kind}" and {self.manifest.visible()}'
        if chosen:
            expression += f" and ({chosen})"
        return self.server.scan(self.names.rows, expression, ["file", "born", "payload"], after="")

    def _read(self, row: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever JSON holds
        return unsealed(row["id"], self.whole(row["id"], row["payload"]))

    def whole(self, owner: str, text: str) -> str:
        """What was split into parts, as one (ValueError where one is missing)."""
        if not (ids := parts_of(owner, text)):
            return text
        found = self.server.get(self.names.rows, ids, ["payload"])
        if len(found) < len(ids):
            raise ValueError(f"it lacks parts of {owner}")
        return "".join(found[one]["payload"] for one in ids)

    # --- passages -----------------------------------------------------------------------

    def passages(self, ids: Iterable[int]) -> list[PassageRow]:
        """Passages by id, in the order of `ids`, each once."""
        wanted = list(dict.fromkeys(ids))
        rows = self.server.get(self.names.passages, wanted, ["document", "start", "cited"])
        with reporting_damage(self.place):
            if len(rows) < len(wanted):
                raise ValueError("it lacks passages that were indexed")
            return [self._passage(rows[one]) for one in wanted]

    def texts(self) -> Iterator[PassageRow]:
        """All passages, by id."""
        rows = self.server.scan(
            self.names.passages, self.manifest.visible(), ["document", "start", "cited"]
        )
        for row in rows:
            with reporting_damage(self.place):
                yield self._passage(row)

    def copies(self, one: int, most: int) -> list[int]:
        """At most so many passages with the digest of one, by path and place."""
        rows = self.server.get(self.names.passages, [one], ["digest"])
        with reporting_damage(self.place):
            if not rows:
                raise ValueError(f"it lacks passage {one}")
        chosen = f'digest == "{rows[one]["digest"]}" and {self.manifest.visible()}'
        found = []
        for row in self.server.scan(self.names.passages, chosen, ["start", "scored"]):
            with reporting_damage(self.place):
                found.append((self.scored(row).path, row["start"], row["id"]))
            if len(found) == most:
                break
        return [each for _, _, each in sorted(found)]

    def digests(self) -> Iterator[dict[str, Any]]:
        """The `id` and `digest` of all passages, by id."""
        return self.server.scan(self.names.passages, self.manifest.visible(), ["digest"])

    def stored(self, chosen: str) -> Iterator[tuple[int, NewPassage]]:
        """The number and all that is stored of passages, but for embeddings, by id."""
        from qa.store.packing import unpack_terms, unpack_tokens

        expression = f"{self.manifest.visible()} and ({chosen})"
        for row in self.server.scan(self.names.passages, expression, list(PASSAGE)):
            with reporting_damage(self.place):
                read, scored = self._passage(row), self.scored(row)
                new = NewPassage(
                    *(read.start, read.end, read.heading_path, read.places, read.context),
                    *(read.text, read.spans, bytes.fromhex(row["digest"])),
                    unpack_terms(scored.terms, scored.counts, scored.length),
                    unpack_tokens(scored.tokens),
                )
            yield row["id"], new

    def _passage(self, row: Mapping[str, Any]) -> PassageRow:
        owner = f"p{row['id']}"
        end, headings, places, context, text, spans = unsealed(
            owner, self.whole(owner, row["cited"])
        )
        return PassageRow(
            *(row["id"], row["document"], row["start"], end, tuple(headings)),
            tuple(Place(at, PlaceKind(kind), value) for at, kind, value in places),
            *(context, text, tuple(Span(*span) for span in spans)),
        )

    def scored(self, row: Mapping[str, Any]) -> Scored:
        """What a passage's row says that it is scored by (ValueError)."""
        owner = f"s{row['id']}"
        path, length, *packed = unsealed(owner, self.whole(owner, row["scored"]))
        return Scored(path, length, *map(bytes_of, packed))

    # --- embeddings ---------------------------------------------------------------------

    def embeddings(self, ids: Sequence[int]) -> dict[int, PackedEmbedding]:
        """What encoding gave for passages, by id, of those for which it has."""
        if not self.manifest.dimension or not ids:
            return {}
        collection = self.names.vectors(self.manifest.dimension)
        rows = self.server.get(collection, ids, ["born", "sentences", "vector"])
        with reporting_damage(self.place):
            return {
                one: self._embedding(row)
                for one, row in rows.items()
                if self.manifest.holds(row["born"])
            }

    def embedded(self, ids: Sequence[int]) -> set[int]:
        """Those of some passages that have an embedding."""
        if not self.manifest.dimension or not ids:
            return set()
        rows = self.server.get(self.names.vectors(self.manifest.dimension), ids, ["born"])
        return {one for one, row in rows.items() if self.manifest.holds(row["born"])}

    def known(self, chosen: str) -> dict[bytes, PackedEmbedding]:
        """By their digests, the embeddings of passages that an expression chooses.

        Those that are gone since count too, as long as they are stored.
        """
        if not self.manifest.dimension:
            return {}
        digests = {
            row["id"]: bytes.fromhex(row["digest"])
            for row in self.server.scan(self.names.passages, chosen, ["born", "digest"])
            if self.manifest.holds(row["born"])
        }
        found = self.embeddings(list(digests))
        return {digests[one]: embedding for one, embedding in found.items()}

    def waiting(self) -> dict[int, tuple[int, int, int]]:
        """The passages that have none, with their file, document, and the file's last change."""
        changed = {one.number: one.file.stamp[1] for one in self.files()}
        chosen = f"waits == true and {self.manifest.visible()}"
        rows = list(self.server.scan(self.names.passages, chosen, ["file", "document"]))
        embedded = self.embedded([row["id"] for row in rows])
        return {
            row["id"]: (row["file"], row["document"], changed.get(row["file"], 0))
            for row in rows
            if row["id"] not in embedded
        }

    def vectors(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """`(id, vector [d])` of all passages that have one."""
        import numpy as np

        if not self.manifest.dimension:
            return
        collection = self.names.vectors(self.manifest.dimension)
        for row in self.server.scan(collection, self.manifest.visible(), ["vector"]):
            yield row["id"], np.array(row["vector"], np.float32)

    def _embedding(self, row: Mapping[str, Any]) -> PackedEmbedding:
        import numpy as np

        vector = np.array(row["vector"], np.float32).astype("<f2").tobytes()
        owner = f"v{row['id']}"
        seal = unsealed(owner, self.whole(owner, row["sentences"]))
        if seal[0] != zlib.crc32(vector):
            raise ValueError(f"the vector of passage {row['id']} is not what was written")
        return PackedEmbedding(vector, bytes_of(seal[1]))

    # --- counts -------------------------------------------------------------------------

    def counts(self, table: str, ids: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
        """`(epoch, passages)` of each term or token as far as it counts, oldest first."""
        wanted = {count_id(self.manifest.generation, table, one): one for one in ids}
        rows = self.server.get(self.names.state, list(wanted), ["payload"])
        with reporting_damage(self.place):
            return {
                wanted[one]: [
                    (epoch, count)
                    for epoch, count in unsealed(one, row["payload"])
                    if self.manifest.holds(epoch)
                ]
                for one, row in rows.items()
            }

    def document_frequencies(self, table: str, ids: Iterable[int]) -> list[int]:
        """How many passages hold each of some terms or tokens."""
        wanted = list(ids)
        found = self.counts(table, list(dict.fromkeys(wanted)))
        return [found[one][-1][1] if found.get(one) else 0 for one in wanted]


def count_id(generation: int, table: str, one: int) -> str:
    """The id of the row that counts the passages with a term or token."""
    return f"{COUNTED[table]}{generation}:{one}"


def _known_stamp(file: StoredFile) -> Stamp | None:
    """The stamp of a file; None where a change after it was read might not show in it."""
    return file.stamp if is_settled(file.stamp, file.seen_ns) else None


def _file(row: Mapping[str, Any], read: Sequence[Any]) -> FileKept:
    path, sha256, stamp, seen_ns = read
    size, mtime_ns, ctime_ns, inode = stamp
    file = StoredFile(path, sha256, (size, mtime_ns, ctime_ns, inode), seen_ns)
    return FileKept(row["file"], row["born"], file)


def _document(row: Mapping[str, Any], read: Sequence[Any]) -> DocumentKept:
    path, kind, encoding, metadata, day, first, count, file, sha256 = read
    one = int(row["id"][1:])
    about = {key: str(value) for key, value in metadata.items()}
    kept = DocumentRow(one, path, kind, encoding, file, sha256, about)
    return DocumentKept(kept, row["file"], day, first, count)
