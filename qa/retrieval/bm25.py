"""BM25, exact: from the catalog's own counts, so that it does not depend on the index's history."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["bm25", "idf"]

K1 = 1.2
B = 0.75


def idf(passages: int, holding: int) -> float:
    """Weigh a term that `holding` of `passages` passages hold: ln(1 + (N - n + .5) / (n + .5))."""
    return math.log(1 + (passages - holding + 0.5) / (holding + 0.5))


def bm25(
    question: Sequence[str],
    texts: Sequence[Sequence[str]],
    weights: Mapping[str, float],
    mean_length: float,
) -> NDArray[np.float64]:
    """Score each text against the question.

    score = sum over terms of idf · tf · (k1 + 1) / (tf + k1 · (1 - b + b · length / mean));
    Robertson and Zaragoza, The Probabilistic Relevance Framework (2009), with Lucene's idf.

    Args:
        question: its terms; one that stands twice counts twice.
        texts: the terms of each candidate.
        weights: the idf of each term of the question.
        mean_length: terms of a passage, on average over the corpus.

    Returns:
        float64 `[len(texts)]`, 0 where no term is held.
    """
    scores = np.zeros(len(texts))
    for row, terms in enumerate(texts):
        counts = Counter(terms)
        norm = K1 * (1 - B + B * len(terms) / mean_length) if mean_length else K1
        for term in question:
            if tf := counts[term]:
                scores[row] += weights[term] * tf * (K1 + 1) / (tf + norm)
    return scores
