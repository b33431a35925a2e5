"""What passages are found by, to bytes and back, as the catalog keeps it. Little-endian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qa.ranking.candidates import Candidates, Ragged
from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage
    from qa.words.terms import PassageTerms

__all__ = [
    "pack_encoded",
    "pack_spans",
    "pack_terms",
    "pack_tokens",
    "unpack_candidates",
    "unpack_ids",
    "unpack_spans",
    "unpack_term_ids",
    "unpack_terms",
    "unpack_tokens",
    "unpack_vector",
]

_TERM, _TOKEN = "<i8", "<u4"
_LARGEST = 1.01  # of a number in a vector of unit length, or of a scale


def pack_encoded(encoded: EncodedPassage) -> tuple[bytes, bytes]:
    """Pack the vector and the sentence vectors.

    The vector becomes float16, the precision that the FAISS file has too; a sentence's becomes
    int8 with a float32 scale of its own, off by at most 1/254 of its maximum.
    """
    vectors = encoded.sentences
    highest = np.abs(vectors).max(axis=1, initial=0)
    scales = np.maximum(highest, np.finfo(np.float32).tiny) / 127
    sentences = np.empty(len(vectors), _sentence(vectors.shape[1]))
    sentences["scale"] = scales
    sentences["codes"] = np.rint(vectors / scales[:, None])
    return encoded.vector.astype("<f2").tobytes(), sentences.tobytes()


def pack_tokens(tokens: NDArray[np.uint32]) -> bytes:
    """Pack the ids of tokens."""
    return tokens.astype(_TOKEN).tobytes()


def unpack_vector(blob: bytes) -> NDArray[np.float32]:
    """The vector alone, float32 `[d]`."""
    return np.frombuffer(blob, "<f2").astype(np.float32)


def pack_terms(terms: PassageTerms) -> tuple[bytes, bytes]:
    """Pack the ids of terms, and how many stand in the context and in each sentence."""
    return terms.ids.astype(_TERM).tobytes(), terms.counts.astype("<u4").tobytes()


def unpack_terms(ids: bytes, counts: bytes, length: int) -> PassageTerms:
    """Undo `pack_terms`; `length` is kept beside."""
    from qa.words.terms import PassageTerms

    return PassageTerms(np.frombuffer(ids, _TERM), np.frombuffer(counts, "<u4"), length)


def unpack_tokens(blob: bytes) -> NDArray[np.uint32]:
    """Undo `pack_tokens`."""
    return np.frombuffer(blob, _TOKEN)


def unpack_ids(terms: bytes, tokens: bytes) -> tuple[set[int], int, set[int]]:
    """The ids of a passage's terms, its length in tokens, and the ids of these."""
    found = np.frombuffer(tokens, _TOKEN).tolist()
    return unpack_term_ids(terms), len(found), set(found)


def unpack_term_ids(terms: bytes) -> set[int]:
    """The ids of a passage's terms."""
    return set(np.frombuffer(terms, _TERM).tolist())


def pack_spans(spans: Sequence[Span]) -> bytes:
    """Pack spans as pairs of 64-bit numbers."""
    return np.array(spans, "<i8").tobytes()


def unpack_spans(blob: bytes) -> tuple[Span, ...]:
    """Undo `pack_spans`."""
    return tuple(Span(*pair) for pair in np.frombuffer(blob, "<i8").reshape(-1, 2).tolist())


def unpack_candidates(rows: Sequence[tuple[Any, ...]], dimension: int) -> Candidates:
    """Read many passages at once, from their columns (see `qa.store.catalog`).

    Raises:
        ValueError: they don't fit together; no writer of ours wrote them.
    """
    documents, _, ids, vectors, sentences, lengths, terms, counts, tokens = (
        zip(*rows, strict=True) if rows else ((),) * 9
    )
    kind = _sentence(dimension)
    packed = np.frombuffer(b"".join(sentences), kind)
    parts = np.frombuffer(b"".join(counts), "<u4")
    of_terms = np.frombuffer(b"".join(terms), _TERM)
    held = np.array([len(blob) // kind.itemsize for blob in sentences], np.int64)
    scales = packed["scale"]
    sound = bool(((scales >= 0) & (scales <= _LARGEST)).all())
    sound &= all(0 <= length < 2**31 for length in lengths)
    same = [len(blob) // 4 - 1 for blob in counts] == held.tolist()
    if (
        not same
        or not sound
        or (held < 1).any()
        or any(len(blob) % kind.itemsize for blob in sentences)
    ):
        raise ValueError("passages whose sentences don't fit them")
    dense = np.frombuffer(b"".join(vectors), "<f2").reshape(len(rows), dimension)
    if not (np.abs(dense) <= _LARGEST).all():
        raise ValueError("vectors that are not of unit length")
    return Candidates(
        ids=ids,
        documents=documents,
        vectors=dense.astype(np.float32),
        sentences=held,
        sentence_codes=packed["codes"],
        sentence_scales=packed["scale"],
        terms=Ragged.of(of_terms, np.array([len(blob) // 8 for blob in terms], np.int64)),
        parts=Ragged.of(of_terms, parts),
        lengths=np.array(lengths, np.int64),
        tokens=Ragged.of(
            np.frombuffer(b"".join(tokens), _TOKEN),
            np.array([len(blob) // 4 for blob in tokens], np.int64),
        ),
    )


def _sentence(dimension: int) -> np.dtype[np.void]:
    return np.dtype([("scale", "<f4"), ("codes", np.int8, (dimension,))])
