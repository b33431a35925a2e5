"""Whether questions were rightly answered or refused, in words: no I/O here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qa.cli.layout import wrap
from qa.cli.output import Line, Segment
from qa.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qa.evaluation.evaluate import Outcome

__all__ = ["MEANINGS", "Decisions", "decide", "listed", "meant", "told", "written"]

_SHOWN = 10  # questions of a kind, unless all are wanted
_LEAD = 8  # columns before a question

MEANINGS = {
    "ndcg": "how near the top the relevant documents stand, among ten; 1: nothing above them",
    "recall": "the share of the relevant documents that is among the first ten",
    "mrr": "1 divided by the place of the first relevant document, on average",
    "hit@1": "how often the first document is relevant",
    "hit@5": "how often one of the first five documents is relevant",
    "answer@1": "how often the first passage holds the answer",
    "answer@5": "how often one of the first five passages holds the answer",
    "evidence": "where a passage holds the answer, how often the sentence marked in it does",
    "auroc": "how often a question that can be answered is given a higher probability than one "
    "that can't; 0.5: by chance",
    "ece": "how far the probabilities are from what is true, on average; 0: they can be believed",
    "aurc": "how often the first result is wrong, averaged over all thresholds; 0: never",
    "p50 ms": "milliseconds of half of the questions at most",
    "p99 ms": "milliseconds of 99 questions in 100 at most",
}


@dataclass(frozen=True, slots=True)
class Decisions:
    """What became of questions, at a threshold, where `k` passages are shown.

    Attributes:
        answerable: how many the corpus answers.
        unanswerable: how many it does not.
        refused: of the answerable, those that were not answered, the least probable first.
        answered: of the unanswerable, those that were, the most probable first.
        missed: those rightly answered where nothing that is shown holds the answer, or is of a
            relevant document; only among questions whose answer or documents are known.
    """

    threshold: float
    k: int
    answerable: int
    unanswerable: int
    refused: tuple[Outcome, ...]
    answered: tuple[Outcome, ...]
    missed: tuple[Outcome, ...]

    @property
    def questions(self) -> int:
        """How many there are."""
        return self.answerable + self.unanswerable

    @property
    def right(self) -> int:
        """How many were rightly answered or refused."""
        return self.questions - len(self.refused) - len(self.answered)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        kinds = {
            "wrongly_refused": self.refused,
            "wrongly_answered": self.answered,
            "missed": self.missed,
        }
        return {
            "threshold": self.threshold,
            "k": self.k,
            "questions": self.questions,
            "right": self.right,
            **{kind: [_row(one) for one in found] for kind, found in kinds.items()},
        }


def _row(one: Outcome) -> dict[str, Any]:
    question = {"id": one.question.id, "question": one.question.text}
    return question | {"probability": round(one.probability, 4)}


def decide(outcomes: Sequence[Outcome], *, threshold: float, k: int) -> Decisions:
    """Compare what was answered with what should have been."""
    answerable = [one for one in outcomes if not one.question.unanswerable]
    unanswerable = [one for one in outcomes if one.question.unanswerable]
    refused = [one for one in answerable if one.probability < threshold]
    answered = [one for one in unanswerable if one.probability >= threshold]
    missed = [one for one in answerable if one.probability >= threshold and _is_missed(one, k)]
    return Decisions(
        threshold=threshold,
        k=k,
        answerable=len(answerable),
        unanswerable=len(unanswerable),
        refused=tuple(sorted(refused, key=lambda one: one.probability)),
        answered=tuple(sorted(answered, key=lambda one: -one.probability)),
        missed=tuple(sorted(missed, key=lambda one: -one.probability)),
    )


def _is_missed(one: Outcome, k: int) -> bool:
    if one.hit is not None:
        return not 1 <= one.hit <= k
    relevant = one.question.relevant
    return bool(relevant) and not any(name in relevant for name in [*one.documents][:k])


def told(now: Decisions, before: Decisions | None = None) -> str:
    """How many decisions are right, in a sentence; with those before, where there are some."""

    def figure(kind: int) -> str:
        then = f"{_rights(before)[kind]} → " if before is not None else ""
        return then + _rights(now)[kind]

    parts = []
    if now.answerable:
        parts.append(f"answered where the documents answer: {figure(1)}")
    if now.unanswerable:
        parts.append(f"refused where they don't: {figure(2)}")
    return f"Right decisions: {figure(0)} ({'; '.join(parts)})."


def _rights(one: Decisions) -> tuple[str, str, str]:
    """How many decisions are right: of all, of the answerable, and of the unanswerable."""
    answered, refused = one.answerable - len(one.refused), one.unanswerable - len(one.answered)
    return (
        f"{one.right:,} of {one.questions:,}",
        f"{answered:,} of {one.answerable:,}",
        f"{refused:,} of {one.unanswerable:,}",
    )


def meant(name: str, width: int) -> Iterator[Line]:
    """Say what a measure means, below it."""
    for line in wrap(MEANINGS.get(name, ""), width - 2) if name in MEANINGS else ():
        yield (Segment(f"  {line}", "dim"),)


def listed(one: Decisions, *, width: int, everything: bool) -> Iterator[Line]:
    """Lay out the questions that went wrong, by how they did."""
    yield ()
    for line in wrap(told(one), width):
        yield (Segment(line, "bold"),)
    for heading, found in _kinds(one).items():
        yield ()
        for line in wrap(heading, width):
            yield (Segment(line, "bold"),)
        for outcome in found if everything else found[:_SHOWN]:
            lead = f"  {outcome.probability:.2f}  "
            for line in wrap(" ".join(outcome.question.text.split()), width - _LEAD):
                yield Segment(f"{lead:{_LEAD}}", "dim"), Segment(line)
                lead = ""
            for line in wrap(_why(outcome), width - _LEAD, hanging=2):
                yield (Segment(" " * _LEAD + line, "dim"),)
        if (more := len(found) - _SHOWN) > 0 and not everything:
            yield (Segment(f"  … and {more:,} more: add --all"),)


def written(one: Decisions, *, everything: bool) -> str:
    """Write the same as Markdown."""
    lines = ["", told(one)]
    for heading, found in _kinds(one).items():
        lines += ["", f"**{heading}**", ""]
        for outcome in found if everything else found[:_SHOWN]:
            text = " ".join(outcome.question.text.split())
            lines.append(f"- {outcome.probability:.2f} {text} ({_why(outcome)})")
        if (more := len(found) - _SHOWN) > 0 and not everything:
            lines.append(f"- … and {more:,} more: add --all")
    return "\n".join(lines)


def _kinds(one: Decisions) -> Mapping[str, Sequence[Outcome]]:
    below = f"the probability is below the threshold of {one.threshold:g}"
    shown = "the first passage" if one.k == 1 else f"the first {one.k} passages"
    headings = {
        f"Wrongly refused, {counted(len(one.refused), 'question')}: {below}": one.refused,
        f"Wrongly answered, {counted(len(one.answered), 'question')}: "
        "the documents don't answer": one.answered,
        f"Missed, {counted(len(one.missed), 'question')}: "
        f"answered, but {shown} hold{'s' * (one.k == 1)} no answer": one.missed,
    }
    return {heading: found for heading, found in headings.items() if found}


def _why(one: Outcome) -> str:
    """Where a question is from, what should have been found, and what was."""
    first = next(iter(one.documents), "nothing")
    parts = [f"question {one.question.id}"]
    if wanted := [name for name, grade in one.question.relevant.items() if grade > 0]:
        parts.append(f"expected {wanted[0]}" + f" or {len(wanted) - 1} others" * (len(wanted) > 1))
    if one.hit:
        parts.append(f"the answer is in passage {one.hit}")
    return ", ".join([*parts, f"first found: {first}"])
