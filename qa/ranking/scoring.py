"""Scores of candidates: cosines, words in common, and one number made of both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from qa.ranking.bm25 import bm25, idf, saturated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qa.ranking.candidates import Candidates, Ragged

__all__ = ["Query", "Scored", "Statistics", "score", "term_shares"]

# Chosen in coarse steps over public sets (docs/quality.md); none of them is sharp.
SEMANTIC = 0.7
SENTENCE = 0.6  # share of the nearest sentence's cosine; the rest is the passage's
TOKENS = 0.5  # share of BM25 that is over the encoder's tokens; the rest is over words
PHRASE = 0.6
COVERAGE = 0.7  # of the question's terms by the best single sentence
HELD = 0.3  # of the question's terms by the passage as a whole


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the corpus says about a question: how many passages hold each of its terms."""

    passages: int
    average_length: float
    average_tokens: float
    document_frequencies: NDArray[np.int64]
    token_document_frequencies: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Query:
    """A question as scoring needs it: unit vector `[d]`, content terms and tokens, in order."""

    vector: NDArray[np.float32]
    terms: NDArray[np.int64]
    tokens: NDArray[np.int64]

    @property
    def unique_terms(self) -> list[int]:
        """Each term once, in order."""
        return list(dict.fromkeys(self.terms.tolist()))

    @property
    def unique_tokens(self) -> list[int]:
        """Each token once, in order."""
        return list(dict.fromkeys(self.tokens.tolist()))


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of `n` candidates, each `[n]`.

    `dense` and `sentence` are cosines in [-1, 1]; `lexical` and `coverage` are shares of what the
    question's terms weigh: `coverage`, at most 1, in the best single sentence; `lexical`, which
    repeated terms and phrases can take over 1, in the passage. `sentences [s]` are the mixtures
    of cosine and coverage of all sentences of all candidates.
    """

    fused: NDArray[np.float64]
    dense: NDArray[np.float64]
    sentence: NDArray[np.float64]
    lexical: NDArray[np.float64]
    coverage: NDArray[np.float64]
    sentences: NDArray[np.float64]


def score(query: Query, candidates: Candidates, statistics: Statistics) -> Scored:
    """Score candidates by a convex combination of what the encoder and the words say.

    Both sides are on scales of their own that don't depend on the other candidates: cosines, and
    shares of the highest score that the question could reach. A question whose words the corpus
    lacks is then decided by the cosines, without a switch. (Bruch, Gai and Ingber, An Analysis of
    Fusion Functions for Hybrid Retrieval, 2023, call it theoretical min-max normalisation.)

    Args:
        query: the question.
        candidates: at least one.
        statistics: of the query's unique terms and tokens, in their order.

    Raises:
        ValueError: more candidates hold a term than the statistics know of.
    """
    first = candidates.first_sentences
    # Row by row: a product of matrices would start threads that spin on long after it (35 ms of
    # CPU at 4,000 sentences), and its last bit depends on how many rows there are.
    dense = np.vecdot(candidates.vectors, query.vector)
    cosines = np.vecdot(candidates.sentence_codes, query.vector) * candidates.sentence_scales
    sentence = np.maximum.reduceat(cosines, first)

    weights = idf(statistics.passages, statistics.document_frequencies)
    total = max(float(weights.sum()), 1e-9)
    held = _held(candidates.terms, query.unique_terms)
    frequencies = candidates.terms.count(held)
    _require_known(frequencies, statistics.document_frequencies)
    words = bm25(frequencies, weights, candidates.lengths, statistics.average_length).sum(axis=0)
    covered = weights @ (candidates.parts.count(held) > 0) / total
    covered = np.delete(covered, first + np.arange(len(first)))  # the contexts' shares
    coverage = np.maximum.reduceat(covered, first)
    lexical = (
        (1 - TOKENS) * words / total
        + PHRASE * _phrases(query, candidates.terms, held, weights) / total
        + COVERAGE * coverage
        + HELD * (weights @ (frequencies > 0)) / total
        + TOKENS * _tokens(query, candidates, statistics)
    )
    return Scored(
        fused=SEMANTIC * (dense + SENTENCE * (sentence - dense)) + (1 - SEMANTIC) * lexical,
        dense=np.asarray(dense, np.float64),
        sentence=np.asarray(sentence, np.float64),
        lexical=lexical,
        coverage=coverage,
        sentences=SEMANTIC * cosines + (1 - SEMANTIC) * covered,
    )


def _held(rows: Ragged, wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Mark where each of the wanted ids stands: `[q, values]`."""
    return np.asarray(rows.values == np.array(wanted, rows.values.dtype)[:, None])


def _require_known(frequencies: NDArray[np.int64], holding: NDArray[np.int64]) -> None:
    if (np.count_nonzero(frequencies, axis=1) > holding).any():
        raise ValueError("more passages hold a term than are counted")


def _tokens(query: Query, candidates: Candidates, statistics: Statistics) -> NDArray[np.float64]:
    """BM25 over the encoder's tokens, which match parts of words and what stemming misses."""
    weights = idf(statistics.passages, statistics.token_document_frequencies)
    rows = candidates.tokens
    frequencies = rows.count(_held(rows, query.unique_tokens))
    _require_known(frequencies, statistics.token_document_frequencies)
    scores = bm25(frequencies, weights, rows.ends - rows.starts, statistics.average_tokens)
    return np.asarray(scores.sum(axis=0) / max(float(weights.sum()), 1e-9))


def term_shares(
    query: Query, candidates: Candidates, statistics: Statistics
) -> NDArray[np.float64]:
    """What each of the query's terms, alone, adds to each candidate's score: `[q, n]`.

    Phrases, coverage and tokens come on top; they belong to several terms, or to none.
    """
    weights = idf(statistics.passages, statistics.document_frequencies)
    frequencies = candidates.terms.count(_held(candidates.terms, query.unique_terms))
    each = bm25(frequencies, weights, candidates.lengths, statistics.average_length)
    return np.asarray((1 - SEMANTIC) * (1 - TOKENS) * each / max(float(weights.sum()), 1e-9))


def _phrases(
    query: Query, rows: Ragged, held: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Score pairs of terms that follow each other in the question and in the passage."""
    number = {term: n for n, term in enumerate(query.unique_terms)}
    terms = query.terms.tolist()
    pairs = list(dict.fromkeys(pairwise(terms)))
    left = [number[one] for one, other in pairs if one != other]
    right = [number[other] for one, other in pairs if one != other]
    together = np.zeros((len(left), held.shape[1]), bool)
    together[:, :-1] = held[left, :-1] & held[right, 1:]
    lasts = rows.ends[rows.ends > rows.starts] - 1
    together[:, lasts] = False  # what follows stands in another passage
    pair_weights = (weights[left] + weights[right]) / 2
    return np.asarray(pair_weights @ saturated(rows.count(together)))
