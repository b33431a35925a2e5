"""The collections of an index on Milvus, and how rows of several kinds stand in them.

- `…_state`: by id alone: manifests (see `manifest`), and how many passages hold a term or token.
- `…_rows`: files, documents, and parts of what is longer than a field may be.
- `…_passages`: passages, with the ids of their terms for Milvus' BM25.
- `…_vectors_D`: what encoding gave, `D` dimensions, under the id of its passage.
- `qa_claims`: who writes, or wants to, of all indexes in a database (see `lease`).

What belongs to a file has the file's number, which no other version of the file has.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CLAIMS", "LONGEST", "Collection", "Names", "claims", "passages", "rows", "vectors"]

CLAIMS = "qa_claims"
LONGEST = 60_000  # bytes of a value; Milvus' fields end at 65,535


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its kind as pymilvus names it, and its index where it is a vector."""

    name: str
    kind: str
    options: dict[str, object] = field(default_factory=dict)
    index: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection's fields, and which is made by BM25 from which."""

    fields: tuple[Field, ...]
    functions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the collections of an index."""

    base: str

    @property
    def state(self) -> str:
        """Of manifests and counts."""
        return f"{self.base}_state"

    @property
    def rows(self) -> str:
        """Of files, documents and parts."""
        return f"{self.base}_rows"

    @property
    def passages(self) -> str:
        """Of passages."""
        return f"{self.base}_passages"

    def vectors(self, dimension: int) -> str:
        """Of vectors."""
        return f"{self.base}_vectors_{dimension}"

    def is_ours(self, name: str) -> bool:
        """Whether a collection is one of these."""
        rest = name.removeprefix(f"{self.base}_")
        kind, _, dimension = rest.partition("_")
        return name != rest and (
            rest in {"state", "rows", "passages"} or (kind == "vectors" and dimension.isdecimal())
        )


_NUMBER = "INT64"
_TEXT: dict[str, object] = {"max_length": 65_535}
_SHORT: dict[str, object] = {"max_length": 128}
# Every collection has to have a vector.
_NONE = Field("none", "FLOAT_VECTOR", {"dim": 2}, "FLAT", "L2")
NO_VECTOR = (0.0, 0.0)


def state() -> Collection:
    """What is found by its id alone; `epoch` is the last that wrote it."""
    return Collection(
        (
            Field("id", "VARCHAR", {**_SHORT, "is_primary": True}),
            Field("epoch", _NUMBER),
            Field("payload", "VARCHAR", _TEXT),
            _NONE,
        )
    )


def claims() -> Collection:
    """Who writes or wants to."""
    return Collection(
        (
            Field("id", "VARCHAR", {**_SHORT, "is_primary": True}),
            Field("name", "VARCHAR", _SHORT),
            Field("payload", "VARCHAR", _TEXT),
            _NONE,
        )
    )


def rows() -> Collection:
    """Files, documents and parts; `key` is the digest of a path."""
    return Collection(
        (
            Field("id", "VARCHAR", {**_SHORT, "is_primary": True}),
            Field("kind", "VARCHAR", _SHORT),
            Field("file", _NUMBER),
            Field("born", _NUMBER),
            Field("key", "VARCHAR", _SHORT),
            Field("payload", "VARCHAR", _TEXT),
            _NONE,
        )
    )


def passages() -> Collection:
    """Passages: `words` are the ids of their terms, in hexadecimal, which any analyser leaves."""
    analysed = {**_TEXT, "enable_analyzer": True, "analyzer_params": {"tokenizer": "standard"}}
    return Collection(
        (
            Field("id", _NUMBER, {"is_primary": True}),
            Field("file", _NUMBER),
            Field("document", _NUMBER),
            Field("born", _NUMBER),
            Field("start", _NUMBER),
            Field("waits", "BOOL"),
            Field("digest", "VARCHAR", _SHORT),
            Field("scored", "VARCHAR", _TEXT),
            Field("cited", "VARCHAR", _TEXT),
            Field("words", "VARCHAR", analysed),
            Field("bm25", "SPARSE_FLOAT_VECTOR", {}, "SPARSE_INVERTED_INDEX", "BM25"),
        ),
        (("words", "bm25"),),
    )


def vectors(dimension: int) -> Collection:
    """What encoding gave for a passage."""
    return Collection(
        (
            Field("id", _NUMBER, {"is_primary": True}),
            Field("file", _NUMBER),
            Field("document", _NUMBER),
            Field("born", _NUMBER),
            Field("sentences", "VARCHAR", _TEXT),
            Field("vector", "FLOAT_VECTOR", {"dim": dimension}, "AUTOINDEX", "IP"),
        )
    )
