"""Token embeddings to vectors by their mean: one pass serves a passage and its sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qa.encoding.word_tokens import Tokenised

__all__ = ["mean", "passage_means", "sentence_tokens", "unit"]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale `[..., d]` to unit length; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def mean(tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pool `[n, d]`, special tokens included, as sentence-transformers' mean pooling does."""
    return unit(tokens.mean(axis=0, dtype=np.float32))


def passage_means(
    embeddings: NDArray[np.float32],
    text: Tokenised,
    spans: NDArray[np.int64],
    *,
    lead: int,
) -> NDArray[np.float32]:
    """Pool a passage, and the tokens of each of its sentences in the context of the whole.

    Args:
        embeddings: `[n, d]`, special tokens included.
        text: the tokens of the text.
        spans: the characters of sentences, `[m, 2]`.
        lead: how many special tokens stand before those of the text.

    Returns:
        float32 `[m + 1, d]`, unit length, the passage first; a sentence without a token of its own
        (only characters that the tokenizer drops) gets the passage's vector.
    """
    rows, bounds = embeddings[lead : lead + len(text)], _bounds(text, spans)
    if not (real := text.ends > text.begins).all():
        rows = rows[real]
    counts = np.array([len(embeddings), *(bounds[:, 1] - bounds[:, 0])], np.float32)
    sums = np.empty((len(counts), embeddings.shape[1]), np.float32)
    np.add.reduce(embeddings, axis=0, out=sums[0])
    for row, (first, stop) in enumerate(bounds.tolist(), 1):
        np.add.reduce(rows[first:stop], axis=0, out=sums[row])
    empty = counts == 0
    sums[empty], counts[empty] = sums[0], counts[0]
    return unit(sums / counts[:, None])


def sentence_tokens(text: Tokenised, spans: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Which tokens of a text begin in each of the sentences `[m, 2]`; those of no character don't.

    Returns:
        `m` arrays, int64, in order.
    """
    real = np.flatnonzero(text.ends > text.begins)
    return [real[first:stop] for first, stop in _bounds(text, spans).tolist()]


def _bounds(text: Tokenised, spans: NDArray[np.int64]) -> NDArray[np.intp]:
    """The first token of each sentence and the one after its last, of those with characters."""
    begins = text.begins[text.ends > text.begins]
    # A tokenizer that reorders accents may name their characters out of order.
    return np.searchsorted(np.maximum.accumulate(begins), spans)
