"""Measures over questions: ranking by ir_measures, the rest by their definitions; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["RANKING", "calibration_error", "confidence", "ranking", "reliability", "risk_coverage"]

RANKING = {"ndcg": "nDCG@10", "recall": "R@10", "mrr": "RR@10", "hit@1": "Success@1"}
RANKING["hit@5"] = "Success@5"
_RESAMPLES = 1000
_BINS = 10


def ranking(
    relevant: Mapping[str, Mapping[str, int]], run: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Compute ranking measures: name to question id to value.

    Args:
        relevant: question id to document to grade.
        run: question id to document to score.
    """
    import ir_measures

    wanted = {ir_measures.parse_measure(text): name for name, text in RANKING.items()}
    empty = {query: run.get(query, {}) or {"": 0.0} for query in relevant}
    found: dict[str, dict[str, float]] = {name: dict.fromkeys(relevant, 0.0) for name in RANKING}
    for one in ir_measures.iter_calc(list(wanted), relevant, empty):
        found[wanted[one.measure]][one.query_id] = float(one.value)
    return found


def confidence(values: NDArray[np.float64], *, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean (percentile method, Efron 1979)."""
    draws = np.random.default_rng(seed).integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def reliability(
    probabilities: NDArray[np.float64], truths: NDArray[np.bool_], weights: NDArray[np.float64]
) -> list[tuple[float, float, float]]:
    """For bins of about equal numbers: mean probability, share of truths, weight."""
    order = np.argsort(probabilities, kind="stable")
    bins = []
    for part in np.array_split(order, min(_BINS, len(order))):
        weight = float(weights[part].sum())
        mean = float(np.average(probabilities[part], weights=weights[part]))
        bins.append((mean, float(np.average(truths[part], weights=weights[part])), weight))
    return bins


def calibration_error(
    probabilities: NDArray[np.float64], truths: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float:
    """The expected calibration error: |mean probability - share of truths|, over the bins.

    Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning
    (2015), with bins of equal numbers.
    """
    bins = reliability(probabilities, truths, weights)
    return sum(abs(mean - share) * weight for mean, share, weight in bins) / float(weights.sum())


def risk_coverage(
    probabilities: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage and risk as the threshold sinks: the share answered, and of it the wrong.

    El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification (2010).
    """
    order = np.argsort(-probabilities, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return answered / len(order), np.cumsum(~right[order]) / answered
