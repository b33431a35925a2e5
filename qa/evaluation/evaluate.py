"""Ask questions with known answers, and report how good the answers are."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from qa.evaluation.measures import (
    RANKING,
    calibration_error,
    confidence,
    ranking,
    reliability,
    risk_coverage,
)
from qa.ranking.calibration import SIGNS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qa.evaluation.questions import Question
    from qa.types import Answer, CitedPassage

__all__ = ["Answering", "Measure", "Outcome", "Report", "evaluate", "is_all_zero", "report"]

_DEPTH = 50  # passages ranked for each question


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question.

    `documents` are scored by their best passage; `hit` is the rank, from 1, of the first passage
    that holds a known answer (0: none does, None: no answer is known), and `evidence` whether
    the evidence of that passage holds it. `truncated` tells that the question is longer than the
    encoder reads.
    """

    question: Question
    probability: float
    documents: dict[str, float]
    hit: int | None
    evidence: bool | None
    signals: tuple[float, ...]
    seconds: float
    truncated: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """A mean over questions with its 95 % interval, or a single figure without."""

    value: float
    low: float | None
    high: float | None
    questions: int


@dataclass(frozen=True, slots=True)
class Report:
    """All measures that the questions allow, and the curves behind the last ones."""

    measures: dict[str, Measure]
    reliability: tuple[tuple[float, float, float], ...]
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    schema: Literal["qa.evaluation/1"] = "qa.evaluation/1"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        return {"schema": self.schema, **asdict(self)}


class Answering(Protocol):
    """What can be asked, as `Assistant` can."""

    def ask(self, question: str, k: int, *, threshold: float, refresh: bool) -> Answer:
        """The answer with at most `k` passages."""


def evaluate(
    assistant: Answering,
    questions: Sequence[Question],
    *,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Outcome]:
    """Ask every question, without abstaining; the index must be in line with the corpus."""
    outcomes = []
    for number, question in enumerate(questions, 1):
        started = time.perf_counter()
        answer = assistant.ask(question.text, _DEPTH, threshold=0, refresh=False)
        seconds = time.perf_counter() - started
        outcomes.append(_outcome(question, answer, seconds))
        progress(number, len(questions))
    return outcomes


def _outcome(question: Question, answer: Answer, seconds: float) -> Outcome:
    documents: dict[str, float] = {}
    for passage in answer.passages:
        for place in (passage.citation, *passage.also):
            documents.setdefault(place.document, passage.scores.fused)
    hit: int | None = None
    evidence: bool | None = None
    if question.spans or question.answers:
        holding = (n for n, one in enumerate(answer.passages, 1) if _holds(question, one))
        hit = next(holding, 0)
        evidence = _holds(question, answer.passages[hit - 1], evidence=True) if hit else None
    return Outcome(
        question=question,
        probability=answer.probability,
        documents=documents,
        hit=hit,
        evidence=evidence,
        signals=answer.signals or (0.0,) * len(SIGNS),
        seconds=seconds,
        truncated=answer.truncated,
    )


def _holds(question: Question, passage: CitedPassage, *, evidence: bool = False) -> bool:
    """Whether a passage, wherever it stands, or its evidence alone, holds a known answer."""
    held = passage.evidence.citation if evidence else passage.citation
    places = (passage.citation, *passage.also)
    if question.spans:
        before, after = held.start - places[0].start, held.end - places[0].start
        return any(
            document == place.document
            and place.start + before <= start
            and end <= place.start + after
            for document, start, end in question.spans
            for place in places
        )
    relevant = question.relevant
    in_right_one = not relevant or any(place.document in relevant for place in places)
    quote = _plain(held.quote)
    return in_right_one and any(_plain(answer) in quote for answer in question.answers)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def report(outcomes: Sequence[Outcome], *, prior: float = 0.5) -> Report:
    """Sum up outcomes: whatever measures the questions allow.

    Args:
        outcomes: what came of each question.
        prior: the share of questions that the corpus answers, of which the probabilities were made:
            how right they are is judged in such a mixture, however many there are of each kind.
    """
    measures: dict[str, Measure] = {}
    ranked = [outcome for outcome in outcomes if outcome.question.relevant]
    if ranked:
        relevant = {outcome.question.id: dict(outcome.question.relevant) for outcome in ranked}
        run = {outcome.question.id: outcome.documents for outcome in ranked}
        for name, values in ranking(relevant, run).items():
            measures[name] = _mean([values[outcome.question.id] for outcome in ranked])
    answered = [outcome for outcome in outcomes if outcome.hit is not None]
    if answered:
        for k in (1, 5):
            measures[f"answer@{k}"] = _mean([0 < (outcome.hit or 0) <= k for outcome in answered])
        shown = [outcome.evidence for outcome in answered if outcome.evidence is not None]
        if shown:
            measures["evidence"] = _mean(shown)
    truths = np.array([not outcome.question.unanswerable for outcome in outcomes])
    probabilities = np.array([outcome.probability for outcome in outcomes])
    weights = np.where(truths, prior / max(1, truths.sum()), (1 - prior) / max(1, (~truths).sum()))
    bins: list[tuple[float, float, float]] = []
    if truths.any() and not truths.all():
        from sklearn.metrics import roc_auc_score

        auroc = float(roc_auc_score(truths, probabilities))
        measures["auroc"] = Measure(auroc, None, None, len(outcomes))
        error = calibration_error(probabilities, truths, weights)
        measures["ece"] = Measure(error, None, None, len(outcomes))
        bins = reliability(probabilities, truths, weights)
    coverage, risk = risk_coverage(
        probabilities, np.array([_is_right(outcome) for outcome in outcomes])
    )
    measures["aurc"] = Measure(float(risk.mean()), None, None, len(outcomes))
    times = np.array([outcome.seconds for outcome in outcomes]) * 1e3
    for name, share in (("p50 ms", 50), ("p99 ms", 99)):
        measures[name] = Measure(float(np.percentile(times, share)), None, None, len(outcomes))
    return Report(measures, tuple(bins), tuple(coverage.tolist()), tuple(risk.tolist()))


def _is_right(one: Outcome) -> bool:
    """Whether the best passage answers, or stands in a relevant document."""
    if one.question.unanswerable:
        return False
    if one.hit is not None:
        return one.hit == 1
    return next(iter(one.documents), "") in one.question.relevant


def _mean(values: Sequence[float | bool]) -> Measure:
    array = np.array(values, np.float64)
    return Measure(float(array.mean()), *confidence(array), len(array))


def is_all_zero(found: Report) -> bool:
    """Whether no question found anything: the files hardly belong together."""
    names = [name for name in (*RANKING, "answer@5") if name in found.measures]
    return bool(names) and not any(found.measures[name].value for name in names)
