"""From a question to ranked, cited passages: candidates, scores, citations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qa.citing import open_source
from qa.retrieval.scoring import Query, Statistics, score
from qa.retrieval.terms import content_terms, term_ids
from qa.types import CitedPassage, Evidence, Scores, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.encoding.encoder import EncodedQuestion
    from qa.reading.corpus import Corpus
    from qa.store.local import Snapshot

__all__ = ["Ranked", "cite", "is_answered", "rank"]

CANDIDATES = 50  # from each retriever; 400 rank no better (docs/decisions.md)
# Below this, and without a word in common, a passage is no answer (docs/decisions.md).
LEAST_COSINE = 0.30


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its scores; `sentence` is the number of its best sentence."""

    passage: int
    scores: Scores
    sentence: int


def rank(snapshot: Snapshot, question: str, encoded: EncodedQuestion) -> Iterator[Ranked]:
    """Give all candidates for a question, best first; ties go by path, then place."""
    terms = content_terms(question)
    query = Query(encoded.vector, term_ids(terms), encoded.tokens)
    ids = snapshot.dense_candidates(query.vector, CANDIDATES)
    ids += snapshot.lexical_candidates(terms, CANDIDATES)
    candidates = snapshot.catalog.candidates(ids, len(query.vector))
    if not len(candidates):
        return
    scored = score(query, candidates, _statistics(snapshot, query))
    for n in np.argsort(-scored.fused, kind="stable").tolist():
        scores = Scores(
            fused=float(scored.fused[n]),
            dense=float(scored.dense[n]),
            sentence=float(scored.sentence[n]),
            lexical=float(scored.lexical[n]),
            coverage=float(scored.coverage[n]),
        )
        yield Ranked(candidates.ids[n], scores, int(scored.best[n]))


def _statistics(snapshot: Snapshot, query: Query) -> Statistics:
    catalog = snapshot.catalog
    passages = catalog.number("passages")
    return Statistics(
        passages,
        catalog.number("total_terms") / max(1, passages),
        catalog.number("total_tokens") / max(1, passages),
        np.array(catalog.passages_with("term", query.unique_terms), np.int64),
        np.array(catalog.passages_with("token", query.unique_tokens), np.int64),
    )


def is_answered(best: Ranked) -> bool:
    """Tell whether the best candidate has anything to do with the question."""
    scores = best.scores
    return scores.coverage > 0 or (scores.dense + scores.sentence) / 2 >= LEAST_COSINE


def cite(snapshot: Snapshot, corpus: Corpus, ranked: Sequence[Ranked]) -> list[CitedPassage | None]:
    """Cite each passage from its file as it is now; None where the file is another by now."""
    rows = {row.id: row for row in snapshot.passages([one.passage for one in ranked])}
    documents = snapshot.documents([row.document for row in rows.values()])
    sources = {
        number: open_source(corpus, row.path, sha256=row.sha256, encoding=row.encoding)
        for number, row in documents.items()
    }
    cited: list[CitedPassage | None] = []
    for one in ranked:
        row = rows[one.passage]
        source = sources[row.document]
        if source is None or source.text[row.start : row.end] != row.text:
            cited.append(None)
            continue
        span = row.spans[one.sentence]
        cited.append(
            CitedPassage(
                source.cite(Span(row.start, row.end), row.heading_path),
                Evidence(source.cite(span, row.heading_path), one.scores.sentence),
                one.scores,
            )
        )
    return cited
