"""Scores of several kinds to one: a convex combination of normalised scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["fuse"]

DENSE_WEIGHT = 0.5


def fuse(
    dense: NDArray[np.float64], sentence: NDArray[np.float64], lexical: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Combine cosine of the passage, cosine of its best sentence, and BM25.

    The two cosines are averaged; both sides are divided by the best candidate's score, so that
    neither's scale decides: Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid
    Retrieval (2023).

    Args:
        dense: cosine of the passage, in [-1, 1], `[n]`.
        sentence: cosine of its best sentence, likewise.
        lexical: 0 or more, `[n]`.

    Returns:
        float64 `[n]`, in [0, 1].
    """
    semantic = np.maximum((dense + sentence) / 2, 0)
    return DENSE_WEIGHT * _scaled(semantic) + (1 - DENSE_WEIGHT) * _scaled(lexical)


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    highest = scores.max(initial=0)
    return scores / highest if highest > 0 else np.zeros_like(scores)
