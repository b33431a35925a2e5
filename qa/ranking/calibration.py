"""Calibration: from the best passage's scores to the probability that the corpus answers."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qa.types import Scores

__all__ = ["DEFAULT", "MOST_LEXICAL", "Calibration", "features", "read_calibration"]

MOST_LEXICAL = 2.0  # repeated phrases say no more beyond


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression; a higher score never makes an answer less probable.

    probability = 1 / (1 + exp(-(bias + semantic · cosine + lexical · share - size · ln passages)))
    """

    bias: float
    semantic: float
    lexical: float
    size: float

    def probability(self, scores: Scores, passages: int) -> float:
        """The probability, in [0, 1], that the corpus holds the answer.

        Args:
            scores: of the passage that is ranked first.
            passages: how many the corpus has, at least one.
        """
        cosine, share, size = features(scores, passages)
        z = self.bias + self.semantic * cosine + self.lexical * share - self.size * size
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, z))))


def features(scores: Scores, passages: int) -> tuple[float, float, float]:
    """What the probability is made from: scores from before the fusion.

    Returns:
        The mean cosine of the passage and its nearest sentence; the lexical share, at most 2; the
        logarithm of the number of passages: among more, one comes near by chance.
    """
    cosine = (scores.dense + scores.sentence) / 2
    return cosine, min(scores.lexical, MOST_LEXICAL), math.log(max(1, passages))


# Fitted by benchmarks/calibration.py on seven public sets: questions that a set answers against
# those of the others, in equal weight (benchmarks/calibration.json has the figures).
DEFAULT = Calibration(bias=-7.3018, semantic=15.1366, lexical=4.408, size=0.3493)


def read_calibration(text: str) -> Calibration:
    """Read what `qa calibrate` kept in an index; the default where there is nothing of use."""
    if not text:
        return DEFAULT
    try:
        numbers = {key: float(value) for key, value in json.loads(text).items()}
        found = Calibration(**numbers)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return DEFAULT
    sound = all(math.isfinite(number) for number in numbers.values())
    return found if sound and min(found.semantic, found.lexical, found.size) >= 0 else DEFAULT
