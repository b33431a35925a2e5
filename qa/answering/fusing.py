"""One answer from those that several corpora gave, each asked on its own.

What is compared across corpora is the probability alone: it is calibrated, where scores are not
(they depend on the words and the size of a corpus). The answer's probability is the highest. Only
corpora that answer give passages, in their own order. A passage's *standing* is its corpus's
probability times the share that its score has of the best score there, and never more than that of
the passage before it; passages come in the order of their standings.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qa.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.types import Answer, Citation, CitedPassage

__all__ = ["Asked", "common_folder", "fuse", "standings"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A corpus by what a person calls it, the folder its documents lie below, and its answer."""

    name: str
    root: Path
    answer: Answer


def fuse(asked: Sequence[Asked], *, above: Path, k: int) -> Answer:
    """One answer with at most `k` passages, best first, whose documents lie below one folder.

    Each passage says which corpus it is of. A passage that two corpora have (one lies within the
    other) comes once. Where no corpus answers, it is an abstention with the closest passages.

    Args:
        asked: the corpora, at least one.
        above: the folder that all lie in or below (`common_folder`).
        k: how many passages are wanted.
    """
    first = max(asked, key=lambda one: one.answer.probability).answer
    answering = [one for one in asked if one.answer.answered]
    merged = tuple(_merged(answering or asked, above))[:k]
    parts = [one.answer for one in asked]
    completes = [one.complete for one in parts]
    return replace(
        first,
        answered=bool(answering),
        passages=merged if answering else (),
        nearest=() if answering else merged,
        reason="" if answering else " ".join(f"{one.name}: {one.answer.reason}" for one in asked),
        model=", ".join(dict.fromkeys(one.model for one in parts)),
        corpus=str(above),
        notes=tuple(f"{one.name}: {note}" for one in asked for note in one.answer.notes),
        complete=False if False in completes else None if None in completes else True,
        truncated=any(one.truncated for one in parts),
        searched=sum(one.searched for one in parts),
    )


def standings(probability: float, scores: Sequence[float]) -> list[float]:
    """The standing of each passage of a corpus, by the probability that the corpus answers.

    Args:
        probability: from 0 to 1.
        scores: of its passages, in their order.
    """
    found: list[float] = []
    for score in scores:
        share = min(1.0, max(score, 0.0) / scores[0]) if scores[0] > 0 else 1.0
        found.append(min(probability * share, found[-1] if found else probability))
    return found


def _merged(asked: Sequence[Asked], above: Path) -> Iterator[CitedPassage]:
    ranked = []
    for one in asked:
        passages = one.answer.shown
        scores = [passage.scores.fused for passage in passages]
        for standing, passage in zip(
            standings(one.answer.probability, scores), passages, strict=True
        ):
            ranked.append((standing, _below(above, one, passage)))
    seen = set()
    for _, passage in sorted(ranked, key=lambda pair: -pair[0]):  # stable: in the order given
        place = passage.citation
        if (key := (place.document, place.start, place.end)) not in seen:
            seen.add(key)
            yield passage


def common_folder(roots: Sequence[Path]) -> Path:
    """The folder that all corpora lie in or below.

    Raises:
        QuestionError: there is none.
    """
    try:
        return Path(os.path.commonpath(roots))
    except ValueError as error:
        raise QuestionError(
            "The corpora lie on different drives, so no folder holds them all",
            hint="Ask them one by one.",
        ) from error


def _below(above: Path, one: Asked, passage: CitedPassage) -> CitedPassage:
    """Name a passage's documents from the folder above all corpora."""
    way = one.root.relative_to(above).as_posix()
    lead = "" if way == "." else f"{way}/"

    def moved(place: Citation) -> Citation:
        return replace(place, document=lead + place.document, file=lead + place.file)

    return replace(
        passage,
        citation=moved(passage.citation),
        evidence=replace(passage.evidence, citation=moved(passage.evidence.citation)),
        also=tuple(map(moved, passage.also)),
        corpus=one.name,
    )
