"""BM25, exact: from the catalog's own counts, so that it does not depend on the index's history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bm25", "idf", "saturated"]

K1 = 1.2
B = 0.75


def idf(passages: int, holding: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weigh terms that `holding [q]` of all passages hold: ln(1 + (N - n + .5) / (n + .5))."""
    held = np.clip(
        holding, 1, max(1, passages)
    )  # one that none holds weighs no more than a rare one
    return np.asarray(np.log1p((passages - held + 0.5) / (held + 0.5)))


def saturated(
    frequencies: NDArray[np.int64], norm: NDArray[np.float64] | float = K1
) -> NDArray[np.float64]:
    """Let each further occurrence count for less: tf · (k1 + 1) / (tf + norm)."""
    return np.asarray(frequencies * (K1 + 1) / (frequencies + norm))


def bm25(
    frequencies: NDArray[np.int64],
    weights: NDArray[np.float64],
    lengths: NDArray[np.int64],
    mean_length: float,
) -> NDArray[np.float64]:
    """Score passages against a question.

    score = sum over terms of idf · tf · (k1 + 1) / (tf + k1 · (1 - b + b · length / mean));
    Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), with Lucene's idf.

    Args:
        frequencies: of each of the question's terms in each passage, `[q, n]`.
        weights: the idf of each term, `[q]`.
        lengths: of the passages, `[n]`.
        mean_length: over the corpus.

    Returns:
        float64 `[q, n]`, 0 where a passage lacks a term; a passage's score is their sum.
    """
    norm = K1 * (1 - B + B * lengths / max(mean_length, 1e-9))
    return np.asarray(weights[:, None] * saturated(frequencies, np.maximum(norm, 1e-9)))
