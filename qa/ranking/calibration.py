"""Calibration: from what was found for a question to the probability that the corpus answers it."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.types import Scores

__all__ = ["DEFAULT", "SIGNS", "WORDS", "Calibration", "Signals", "lead", "signals"]

MAX_LEXICAL = 2.0  # repeated phrases say no more beyond
MAX_LEAD = 0.4
MAX_TERMS = 15
MAX_NAMES = 2
MAX_RERANK = 20.0  # log odds: certainty
BEHIND = 5  # candidates that the best one is compared with


class Signals(NamedTuple):
    """What the probability is made from, all of it from before passages are put in order.

    Attributes:
        cosine: the mean of the best passage's and its nearest sentence's.
        lexical: the best passage's lexical share, at most 2.
        coverage: the share of the question's terms that stand in the passage's best sentence.
        lead: by how much the best passage's score is above the mean of the next five, 0 to .4: one
            that answers stands out, while one that is only about the same has equals.
        terms: how many terms the question has, at most 15: the same share of more says more.
        size: the logarithm of the number of passages: among more, one comes near by chance.
        names: names and numbers of the question that stand in no passage, at most 2.
        rerank: a cross-encoder's score of the best passage, -20 to 20; 0 where there is none.
    """

    cosine: float
    lexical: float
    coverage: float
    lead: float
    terms: float
    size: float
    names: float
    rerank: float = 0.0


SIGNS = Signals(cosine=1, lexical=1, coverage=1, lead=1, terms=1, size=-1, names=-1, rerank=1)


def signals(
    best: Scores, others: Sequence[float], *, terms: int, passages: int, names: int
) -> Signals:
    """What the probability is made from.

    Args:
        best: the scores of the passage that is ranked first.
        others: the fused scores of the next ones.
        terms: how many different terms the question has.
        passages: how many passages might have answered.
        names: how many of the question's names and numbers stand in none.
    """
    return Signals(
        cosine=(best.dense + best.sentence) / 2,
        lexical=min(best.lexical, MAX_LEXICAL),
        coverage=best.coverage,
        lead=lead(best.fused, others),
        terms=min(terms, MAX_TERMS),
        size=math.log(max(1, passages)),
        names=min(names, MAX_NAMES),
        rerank=max(-MAX_RERANK, min(MAX_RERANK, best.rerank or 0.0)),
    )


def lead(best: float, others: Sequence[float]) -> float:
    """How far a score is above the mean of the next; of a passage that is alone, above 0."""
    next_ones = others[:BEHIND] or [0.0]
    return min(MAX_LEAD, max(0.0, best - sum(next_ones) / len(next_ones)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression in which no signal ever counts against its sign (`SIGNS`).

    probability = 1 / (1 + exp(-(bias + ln(prior / (1 - prior)) + sum of sign * weight * signal)))
    """

    bias: float
    cosine: float
    lexical: float
    coverage: float
    lead: float
    terms: float
    size: float
    names: float
    rerank: float = 0.0

    def translated(self, slope: float, offset: float) -> Calibration:
        """The same for cosines of another encoder: `slope * cosine + offset` is this one's.

        Raises:
            ValueError: the slope is negative.
        """
        if slope < 0:
            raise ValueError("a calibration must not fall as the cosine rises")
        return replace(self, bias=self.bias + self.cosine * offset, cosine=self.cosine * slope)

    def probability(self, found: Signals, prior: float = 0.5) -> float:
        """The probability, in [0, 1], that the corpus holds the answer.

        Args:
            found: of the question's best passage.
            prior: the share of questions that the corpus answers, above 0 and below 1.
        """
        _, *weights = astuple(self)
        signed = zip(SIGNS, weights, found, strict=True)
        z = self.bias + math.log(prior / (1 - prior)) + sum(a * b * c for a, b, c in signed)
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, z))))


# Fitted by benchmarks/calibration.py on seven public sets, with both kinds of question in equal
# weight (benchmarks/calibration.json has the figures).
DEFAULT = Calibration(
    bias=-5.0816,
    cosine=3.2519,
    lexical=0.5786,
    coverage=1.9497,
    lead=5.7072,
    terms=0.1148,
    size=0.0204,
    names=1.4,
)

# Of words alone, for an encoder whose cosines nobody has compared with anything; fitted by
# benchmarks/self_calibration.py, but for names, which are the default's.
WORDS = Calibration(
    bias=-4.884,
    cosine=0.0,
    lexical=3.5279,
    coverage=1.8402,
    lead=0.0,
    terms=0.1939,
    size=0.2992,
    names=1.4,
)
