"""Vectors and spans to bytes and back, as the catalog keeps them. Little-endian everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "pack_sentences",
    "pack_spans",
    "pack_vector",
    "unpack_sentences",
    "unpack_spans",
    "unpack_vector",
]


def pack_vector(vector: NDArray[np.float32]) -> bytes:
    """Pack `[d]` as float16, the precision that the FAISS file has too."""
    return vector.astype("<f2").tobytes()


def unpack_vector(blob: bytes) -> NDArray[np.float32]:
    """Undo `pack_vector`."""
    return np.frombuffer(blob, "<f2").astype(np.float32)


def pack_spans(spans: Sequence[Span]) -> bytes:
    """Pack spans as pairs of 64-bit numbers."""
    return np.array(spans, "<i8").tobytes()


def unpack_spans(blob: bytes) -> tuple[Span, ...]:
    """Undo `pack_spans`."""
    return tuple(Span(*pair) for pair in np.frombuffer(blob, "<i8").reshape(-1, 2).tolist())


def pack_sentences(vectors: NDArray[np.float32]) -> bytes:
    """Pack `[m, d]` as int8 with a float32 scale a row: off by at most 1/254 of its maximum."""
    highest = np.abs(vectors).max(axis=1, initial=0)
    scales = np.maximum(highest, np.finfo(np.float32).tiny) / 127
    packed = np.empty(len(vectors), _row(vectors.shape[1]))
    packed["scale"] = scales
    packed["codes"] = np.rint(vectors / scales[:, None])
    return packed.tobytes()


def unpack_sentences(blob: bytes, dimension: int) -> NDArray[np.float32]:
    """Undo `pack_sentences`."""
    packed = np.frombuffer(blob, _row(dimension))
    return np.asarray(packed["codes"] * packed["scale"][:, None], np.float32)


def _row(dimension: int) -> np.dtype[np.void]:
    return np.dtype([("scale", "<f4"), ("codes", np.int8, (dimension,))])
