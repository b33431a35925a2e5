"""Fit the calibration to questions whose answers are known."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from qa.encoding.model import DEFAULT_MODEL
from qa.errors import QuestionsError
from qa.evaluation.evaluate import evaluate
from qa.ranking.calibration import SIGNS, Calibration
from qa.ranking.calibrations import calibration_in_use, with_own

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qa.evaluation.evaluate import Answering, Outcome
    from qa.evaluation.questions import Question
    from qa.store.identity import Identity

__all__ = ["fit", "fit_own", "fit_to"]

_MIN_QUESTIONS = 5  # of each kind
_STRENGTH = 0.05  # of what there is, against a weight of 1 a question


def fit_to(
    questions: Sequence[Question] | None,
    assistant: Answering,
    identity: Identity,
    own: str,
    corpus: str,
    *,
    reranker: str,
) -> tuple[Calibration, str]:
    """Ask a person's own questions, and fit the probability to what comes of them.

    Args:
        questions: answerable and unanswerable ones; None goes back to what there is without any.
        assistant: answers them.
        identity: what its index is bound to.
        own: what the index keeps of earlier fits to questions.
        corpus: what it keeps of the fit to itself.
        reranker: the fingerprint of the one that is used, or "".

    Returns:
        The calibration, and what the index is to keep of all fits to questions.

    Raises:
        QuestionsError: there are too few answerable or unanswerable ones.
    """
    encoder = identity.fingerprint
    is_default = identity.model == DEFAULT_MODEL
    there_is = calibration_in_use("", corpus, encoder=encoder, is_default=is_default).calibration
    if questions is None:
        return there_is, ""
    fitted = fit_own(evaluate(assistant, questions), prior=there_is)
    return fitted, with_own(own, fitted, encoder=encoder, reranker=reranker)


def fit_own(outcomes: Sequence[Outcome], *, prior: Calibration) -> Calibration:
    """Fit to a person's own questions; with few of them, it stays near what there was.

    Raises:
        QuestionsError: there are too few answerable or unanswerable ones.
    """
    truths = np.array([not outcome.question.unanswerable for outcome in outcomes])
    if min(truths.sum(), (~truths).sum()) < _MIN_QUESTIONS:
        raise QuestionsError(
            f"{truths.sum()} answerable and {(~truths).sum()} unanswerable questions are too few",
            hint=f"Give at least {_MIN_QUESTIONS} of each; mark the latter with "
            '"unanswerable": true.',
        )
    signals = np.array([outcome.signals for outcome in outcomes])
    # Both kinds weigh the same, however many there are of each.
    weights = np.where(truths, 0.5 / truths.sum(), 0.5 / (~truths).sum()) * len(truths)
    return fit(signals, truths, weights, prior=prior, strength=_STRENGTH)


def fit(
    signals: NDArray[np.float64],
    truths: NDArray[np.bool_],
    weights: NDArray[np.float64],
    *,
    prior: Calibration | None = None,
    strength: float = 0.0,
) -> Calibration:
    """Fit a logistic regression in which each signal counts as its sign says, or not at all.

    Args:
        signals: `[n, 8]`, rows as `qa.ranking.calibration.Signals` has them.
        truths: whether the corpus answers, `[n]`.
        weights: how much each counts, `[n]`.
        prior: where the coefficients are drawn to.
        strength: how strongly, in questions' weight per squared unit of a coefficient.
    """
    from scipy.optimize import minimize

    columns = np.column_stack([np.ones(len(signals)), signals * np.array(SIGNS)])
    signs = np.where(truths, 1.0, -1.0)
    center = np.zeros(columns.shape[1]) if prior is None else np.array(astuple(prior))

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (columns @ w)
        away = w - center
        value = weights @ np.logaddexp(0, -margins) + strength * away @ away
        slope = -(weights * signs * np.exp(-np.logaddexp(0, margins))) @ columns
        return float(value), slope + 2 * strength * away

    bounds = [(None, None)] + [(0, None)] * len(SIGNS)
    found = minimize(loss, center, jac=True, bounds=bounds, method="L-BFGS-B").x
    return Calibration(*(round(float(weight), 4) for weight in found))
