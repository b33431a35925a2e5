"""Which calibration serves an encoder and a reranker, and how those of an index are kept.

An index keeps two entries: what `qa calibrate` fitted, for each encoder and reranker that it was
asked with; and what was fitted to the corpus itself, for its encoder. Both may come from a
stranger: what makes no sense is as if it were not there.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from qa.ranking.calibration import DEFAULT, WORDS, Calibration

if TYPE_CHECKING:
    from qa.types import Calibrated

__all__ = [
    "CorpusFit",
    "Use",
    "assigned",
    "calibration_in_use",
    "read_corpus_fit",
    "with_own",
]

_MAX_KEPT = 16  # of the fits to questions, the latest
GROWTH = 2  # a corpus that is so many times larger or smaller is fitted again


class Use(NamedTuple):
    """A calibration, what it was fitted to, and whether it weighs the reranker's score."""

    calibration: Calibration
    kind: Calibrated
    weighs_reranker: bool


class CorpusFit(NamedTuple):
    """What was fitted to a corpus, for one encoder: when it had so many passages.

    `calibration` is None where the corpus allowed no fit.
    """

    encoder: str
    passages: int
    calibration: Calibration | None

    def serves(self, encoder: str, passages: int) -> bool:
        """Whether it need not be made again for that encoder and so many passages."""
        is_near = self.passages <= GROWTH * passages and passages <= GROWTH * self.passages
        return self.encoder == encoder and is_near

    def to_text(self) -> str:
        """What `read_corpus_fit` reads."""
        weights = None if self.calibration is None else asdict(self.calibration)
        return json.dumps({**self._asdict(), "calibration": weights})


def calibration_in_use(
    own: str, corpus: str, *, encoder: str, is_default: bool, reranker: str = ""
) -> Use:
    """Choose the calibration for an encoder and a reranker, known by their fingerprints.

    Args:
        own: what the index keeps of fits to questions.
        corpus: what it keeps of the fit to the corpus.
        encoder: the one that searched.
        is_default: whether that is the default one, of which the built-in calibration is.
        reranker: the one that decided the order; "" for none.
    """
    kept = _read_own(own, encoder)
    if reranker and (found := kept.get((encoder, reranker))) is not None:
        return Use(found, "questions", weighs_reranker=True)
    if (found := kept.get((encoder, ""))) is not None:
        return Use(found, "questions", weighs_reranker=False)
    if is_default:
        return Use(DEFAULT, "built-in", weighs_reranker=False)
    fit = read_corpus_fit(corpus)
    if fit is not None and fit.encoder == encoder and fit.calibration is not None:
        return Use(fit.calibration, "corpus", weighs_reranker=False)
    return Use(WORDS, "words", weighs_reranker=False)


def with_own(own: str, fitted: Calibration, *, encoder: str, reranker: str = "") -> str:
    """What an index keeps once one more was fitted to questions, in the place of its like."""
    kept = _read_own(own, encoder)
    kept.pop((encoder, reranker), None)
    kept[encoder, reranker] = fitted
    return _own_text(kept)


def assigned(own: str, encoder: str) -> str:
    """The same with the name of the encoder on what an earlier version kept without one."""
    return _own_text(_read_own(own, encoder)) if own else ""


def read_corpus_fit(text: str) -> CorpusFit | None:
    """Read what `CorpusFit.to_text` wrote; None where there is nothing of use."""
    found = _parsed(text)
    if not isinstance(found, dict):
        return None
    encoder, passages = found.get("encoder"), found.get("passages")
    if not isinstance(encoder, str) or type(passages) is not int or passages < 0:
        return None
    return CorpusFit(encoder, passages, _calibration(found.get("calibration")))


def _read_own(text: str, encoder: str) -> dict[tuple[str, str], Calibration]:
    found = _parsed(text)
    if isinstance(found, dict):  # an earlier version's, which was of the index's encoder
        found = [{"encoder": encoder, "reranker": "", "calibration": found}]
    kept: dict[tuple[str, str], Calibration] = {}
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict):
            key = one.get("encoder"), one.get("reranker")
            calibration = _calibration(one.get("calibration"))
            if isinstance(key[0], str) and isinstance(key[1], str) and calibration is not None:
                kept[key[0], key[1]] = calibration
    return kept


def _own_text(kept: dict[tuple[str, str], Calibration]) -> str:
    return json.dumps(
        [
            {"encoder": encoder, "reranker": reranker, "calibration": asdict(calibration)}
            for (encoder, reranker), calibration in list(kept.items())[-_MAX_KEPT:]
        ]
    )


def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever JSON there is
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _calibration(found: object) -> Calibration | None:
    if not isinstance(found, dict):
        return None
    try:
        numbers = {key: float(value) for key, value in found.items()}
        made = Calibration(**numbers)
    except (ValueError, TypeError, OverflowError):
        return None
    sound = all(math.isfinite(number) for number in numbers.values())
    weights = [getattr(made, field.name) for field in fields(made) if field.name != "bias"]
    return made if sound and min(weights) >= 0 else None
