"""What the score of a passage is made of, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.types import CitedPassage

__all__ = ["why"]


def why(one: CitedPassage) -> Iterator[str]:
    """Say, line by line, what the score of a passage is made of."""
    scores = one.scores
    yield f"score {scores.fused:.3f}, made of:"
    yield f"  {scores.dense:.3f}  how near the passage's meaning is (cosine)"
    yield f"  {scores.sentence:.3f}  the same for its best sentence"
    yield f"  {scores.lexical:.3f}  the question's words in it"
    yield f"  {scores.coverage:.3f}  the same for that sentence"
    if scores.rerank is not None:
        yield f"  {scores.rerank:.3f}  the reranker's score, which decided"
    if one.explanation is not None:
        terms = [f"{term} {share:.3f}" for term, share in one.explanation.terms if share]
        yield "words: " + (", ".join(terms) or "none of the question's")
        yield "nearest in meaning: " + ", ".join(word for word, _ in one.explanation.words)
