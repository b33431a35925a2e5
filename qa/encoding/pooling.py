"""Token embeddings to vectors: one forward pass serves the passage and each of its sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qa.types import Span

__all__ = ["mean", "sentence_means", "unit"]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale `[..., d]` to unit length; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def mean(tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pool `[n, d]`, special tokens included, as sentence-transformers' mean pooling does."""
    return unit(tokens.mean(axis=0, dtype=np.float32))


def sentence_means(
    tokens: NDArray[np.float32],
    offsets: Sequence[tuple[int, int]],
    sentences: Sequence[Span],
) -> NDArray[np.float32]:
    """Pool the tokens of each sentence, embedded in the context of the whole passage.

    Args:
        tokens: `[n, d]`.
        offsets: the characters each token stands for; `(0, 0)` for special tokens.
        sentences: spans of the same text.

    Returns:
        float32 `[len(sentences), d]`, unit length; a sentence without a token of its own (only
        characters that the tokenizer drops) gets the passage's vector.
    """
    begins = np.array([begin for begin, _ in offsets])
    real = np.array([end > begin for begin, end in offsets])
    vectors = np.empty((len(sentences), tokens.shape[1]), np.float32)
    for row, span in enumerate(sentences):
        inside = real & (begins >= span.start) & (begins < span.end)
        vectors[row] = mean(tokens[inside] if inside.any() else tokens)
    return vectors
