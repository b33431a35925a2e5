"""From a question to ranked, cited passages: candidates, scores, citations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qa.citing import open_source
from qa.retrieval.bm25 import bm25, idf
from qa.retrieval.fusion import fuse
from qa.retrieval.stopwords import STOP_WORDS
from qa.store.lexical import analyse
from qa.store.writing import lexical_text
from qa.types import CitedPassage, Evidence, Scores, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qa.reading.corpus import Corpus
    from qa.store.local import Snapshot
    from qa.store.rows import PassageRow

__all__ = ["Ranked", "cite", "is_answered", "question_terms", "rank"]

CANDIDATES = 100  # from each retriever
# Below this, and without a word in common, a passage is no answer (docs/decisions.md).
LEAST_COSINE = 0.30


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its scores; `sentence` is the number of its best sentence."""

    row: PassageRow
    document: str
    scores: Scores
    sentence: int


def question_terms(question: str) -> list[str]:
    """Give the terms to search for: stop words are left out."""
    words = analyse(question)
    stop = set(analyse(" ".join(STOP_WORDS)))
    return [word for word in words if word not in stop]


def rank(snapshot: Snapshot, question: str, vector: NDArray[np.float32]) -> list[Ranked]:
    """Give all candidates for a question, best first; ties go by path, then place.

    Args:
        snapshot: the index at one moment.
        question: as it was asked.
        vector: its unit vector `[d]`.
    """
    terms = question_terms(question)
    ids = snapshot.dense_candidates(vector, CANDIDATES)
    ids += snapshot.lexical_candidates(terms, CANDIDATES)
    rows = snapshot.passages(ids)
    documents = snapshot.documents([row.document for row in rows])
    rows = [row for row in rows if row.document in documents and len(row.vector) == len(vector)]
    if not rows:
        return []
    dense = np.array([float(row.vector @ vector) for row in rows])
    sentences = [row.sentence_vectors @ vector for row in rows]
    best = np.array([float(scores.max(initial=-1)) for scores in sentences])
    lexical = _lexical(snapshot, terms, rows)
    fused = fuse(dense, best, lexical)
    ranked = [
        Ranked(
            row,
            documents[row.document].path,
            Scores(float(fused[n]), float(dense[n]), float(best[n]), float(lexical[n])),
            int(sentences[n].argmax()) if len(sentences[n]) else 0,
        )
        for n, row in enumerate(rows)
    ]
    return sorted(ranked, key=lambda one: (-one.scores.fused, one.document, one.row.start))


def _lexical(
    snapshot: Snapshot, terms: Sequence[str], rows: Sequence[PassageRow]
) -> NDArray[np.float64]:
    catalog = snapshot.catalog
    passages = catalog.number("passages")
    holding = catalog.passages_with(sorted(set(terms)))
    weights = {term: idf(passages, count) for term, count in holding.items()}
    texts = [analyse(lexical_text(row.context, row.text)) for row in rows]
    return bm25(terms, texts, weights, catalog.number("total_terms") / max(1, passages))


def is_answered(best: Ranked) -> bool:
    """Tell whether the best candidate has anything to do with the question."""
    scores = best.scores
    return scores.lexical > 0 or (scores.dense + scores.sentence) / 2 >= LEAST_COSINE


def cite(snapshot: Snapshot, corpus: Corpus, ranked: Sequence[Ranked]) -> list[CitedPassage | None]:
    """Cite each passage from its file as it is now; None where the file is another by now."""
    documents = snapshot.documents([one.row.document for one in ranked])
    sources = {
        number: open_source(corpus, row.path, sha256=row.sha256, encoding=row.encoding)
        for number, row in documents.items()
    }
    cited: list[CitedPassage | None] = []
    for one in ranked:
        source, row = sources[one.row.document], one.row
        if source is None or source.text[row.start : row.end] != row.text:
            cited.append(None)
            continue
        span = row.spans[one.sentence] if row.spans else (row.start, row.end)
        cited.append(
            CitedPassage(
                source.cite(Span(row.start, row.end), row.heading_path),
                Evidence(source.cite(Span(*span), row.heading_path), one.scores.sentence),
                one.scores,
            )
        )
    return cited
