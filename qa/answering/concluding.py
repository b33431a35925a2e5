"""What was found for a question, as an answer: its verdict, why there is none, and what to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.counting import counted
from qa.indexing.plan import notes_on
from qa.types import Answer
from qa.words.languages import language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.answering.ask import Found
    from qa.answering.request import Request

__all__ = ["abstention_reason", "conclude"]

_READ_ENGLISH = {"all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"}
_UNKNOWN_SHOWN = 5


def conclude(found: Found, request: Request, *, corpus: str, lacking: str | None) -> Answer:
    """Answer with what was found, or abstain and say why.

    Args:
        found: what the index has.
        request: the question.
        corpus: where the documents lie.
        lacking: how much of the corpus the index lacks, "" for nothing; None where nobody looked.
    """
    answered = found.is_answer(request.threshold)
    notes = [f"{lacking}."] if lacking and answered else []
    if found.dropped:
        dropped = f"{counted(found.dropped, 'passage')} left out"
        notes.append(f"{dropped}: the file has changed or gone since. Run `qa index`.")
        lacking = lacking or f"{dropped}, whose files are changing"
    if found.refusal:
        notes.append(found.refusal)
    notes += _calibration_notes(found)
    for word, other in found.corrected:
        notes.append(f"No passage has “{word}”; searched for “{other}”.")
    truncated = found.characters < len(request.question)
    if truncated:
        words = len(request.question[: found.characters].split())
        notes.append(
            f"The question is longer than {found.model} reads; its first {words} words were "
            "embedded."
        )
    return Answer(
        question=request.question,
        answered=answered,
        probability=found.probability,
        passages=found.passages if answered else (),
        nearest=() if answered else found.passages,
        reason="" if answered else _reason(found, request, lacking),
        model=found.model,
        corpus=corpus,
        notes=(*notes, *notes_on(found.problems)),
        complete=None if lacking is None else not lacking,
        truncated=truncated,
        corrected=found.corrected,
        searched=found.searched,
        signals=found.signals,
        calibration=found.calibration,
    )


def _calibration_notes(found: Found) -> Iterator[str]:
    """What to know of the probability, where it is not what a person would take it for."""
    if found.calibration == "words" and found.pending:
        yield "Until all passages are embedded, the probability comes from words alone."
    elif found.calibration == "words":
        yield (
            "The probability is not calibrated for this model, and comes from words alone: "
            "`qa calibrate` fits it to questions of yours."
        )
    if found.reranker_ignored:
        yield "The probability does not weigh the reranker's scores: `qa calibrate` fits one."


def _reason(found: Found, request: Request, lacking: str | None) -> str:
    reason = abstention_reason(found, request.threshold, lacking)
    spoken = language(request.question) if found.model in _READ_ENGLISH else ""
    return (
        f"{reason} The question looks {spoken}; {found.model} reads English." if spoken else reason
    )


def abstention_reason(found: Found, threshold: float, lacking: str | None) -> str:
    """Say why a question is not answered; where the search lacked something, deny nothing."""
    if lacking:
        return f"Can't tell yet: {lacking}."
    if found.all_filtered:
        return "The documents that pass the filter hold no text."
    if not found.has_content:
        return "The question has no word that says what it is about."
    chance = f"the probability that the documents answer it is {found.probability:.2f}"
    if found.unknown:
        words = ", ".join(f"“{word}”" for word in found.unknown[:_UNKNOWN_SHOWN])
        return f"The documents don't mention {words}; {chance}, below {threshold:.2f}."
    return f"No passage is close enough: {chance}, below the threshold of {threshold:.2f}."
