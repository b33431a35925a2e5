"""Search: both retrievers propose, exact scores decide, a cross-encoder may order again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from qa.encoding.encoder import in_context
from qa.ranking.evidence import best_sentences
from qa.ranking.scoring import Query, score, term_shares
from qa.types import Scores
from qa.words.question_terms import question_terms
from qa.words.questions import WORD
from qa.words.scripts import is_cut
from qa.words.terms import analyse, term_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from qa.encoding.encoder import EncodedPassage, EncodedQuestion, PassageInput
    from qa.encoding.reranker import Reranker
    from qa.ranking.candidates import Candidates
    from qa.ranking.scoring import Scored, Statistics
    from qa.store.protocol import Snapshot
    from qa.store.rows import PassageRow

__all__ = ["Hits", "Ranked", "embedded_of", "proposals", "rerank", "search"]

# What each retriever proposes (docs/decisions.md has the figures). Where it shows fewer texts or
# documents than these, it proposes GROWTH times as many again, and so on up to MOST times.
CANDIDATES = 50  # of up to SMALL passages; of four times as many passages, twice as many
SMALL = 10_000
TEXTS, DOCUMENTS = 25, 3
GROWTH, MOST = 4, 16
_FEW = 4 * CANDIDATES  # allowed passages that are scored without asking the retrievers
# Candidates that are embedded for a question because that has not been done yet: some .1 s.
EMBEDDED_NOW = 8
RERANKED = 20  # candidates that a cross-encoder reads


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate of a document, its scores, and the first and last sentence of its evidence."""

    passage: int
    document: str
    scores: Scores
    evidence: tuple[int, int]
    evidence_score: float
    terms: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Hits:
    """All candidates for a question, best first.

    Attributes:
        ranked: the candidates.
        fused: the scores of all of them, falling.
        unknown: the question's words that no passage has.
        terms: how many different terms it has that say what it is about.
    """

    ranked: Iterator[Ranked]
    fused: Sequence[float]
    unknown: tuple[str, ...]
    terms: int


def search(
    snapshot: Snapshot,
    question: str,
    encoded: EncodedQuestion,
    embed: Callable[[Sequence[PassageInput]], Sequence[EncodedPassage]],
    *,
    allowed: NDArray[np.int64] | None = None,
    explain: bool = False,
) -> Hits:
    """Find and order the candidates for a question; ties go by path, then place.

    Args:
        snapshot: the index at one moment.
        question: as it was asked.
        encoded: its vector and tokens.
        embed: gives the vectors of passages that the index has no embedding of yet.
        allowed: the passages that may answer, ascending; all where it is None.
        explain: whether to say what each of its terms adds.
    """
    terms = question_terms(question, snapshot.languages)
    query = Query(encoded.vector, term_ids(terms.names), encoded.tokens)
    names = list(terms.variants)
    ids = {name: term_ids(variants).tolist() for name, variants in terms.variants.items()}
    candidates = _proposed(snapshot, query.vector, terms.all, allowed, embed)
    candidates = candidates.with_terms(
        {other: own for own, *others in ids.values() for other in others}
    )
    statistics = snapshot.statistics([ids[name] for name in names], query.unique_tokens)
    with snapshot.reporting_damage():
        scored = score(query, candidates, statistics) if len(candidates) else None
    return Hits(
        _ranked(query, candidates, statistics, scored, names if explain else ()),
        [] if scored is None else np.sort(scored.fused)[::-1].tolist(),
        _unknown(question, names, statistics),
        len(names),
    )


def _unknown(question: str, terms: Sequence[str], statistics: Statistics) -> tuple[str, ...]:
    """The words of a question whose terms no passage holds."""
    held = zip(terms, statistics.document_frequencies.tolist(), strict=True)
    lacking = {term for term, passages in held if not passages}
    if not lacking:
        return ()
    words = (word for word in WORD.findall(question) if _is_lacking(analyse(word), lacking))
    return tuple(dict.fromkeys(words))


def _is_lacking(terms: Sequence[str], lacking: set[str]) -> bool:
    """Whether a word lacks one of its terms; all of them where they are pairs of characters."""
    if any(map(is_cut, terms)):
        return lacking.issuperset(terms)
    return not lacking.isdisjoint(terms)


def _proposed(
    snapshot: Snapshot,
    vector: NDArray[np.float32],
    terms: Sequence[str],
    allowed: NDArray[np.int64] | None,
    embed: Callable[[Sequence[PassageInput]], Sequence[EncodedPassage]],
) -> Candidates:
    """What may be the best; where few passages are allowed, all of them.

    Copies of one text, or a few long documents, must not take the places of all others. (Where
    documents were chosen by a filter, few may be what is wanted.)
    """
    if allowed is not None and len(allowed) <= _FEW:
        first = (
            snapshot.lexical_candidates(terms, _FEW, allowed) if snapshot.count_pending() else ()
        )
        ids, embedded = _embedded_now(snapshot, [*first, *allowed.tolist()], embed)
        return snapshot.candidates(ids, len(vector), embedded)
    passages = snapshot.count_passages() if allowed is None else len(allowed)
    k = proposals(passages)
    most = min(k * MOST, passages)
    while True:
        proposed = [
            *snapshot.dense_candidates(vector, k, allowed),
            *snapshot.lexical_candidates(terms, k, allowed),
        ]
        ids, embedded = _embedded_now(snapshot, proposed, embed)
        found = snapshot.candidates(ids, len(vector), embedded)
        is_varied = len(found) >= TEXTS and (allowed is not None or _is_mixed(found, snapshot))
        if is_varied or embedded or k >= most:  # of what is pending, no more will be embedded now
            return found
        k *= GROWTH


def proposals(passages: int) -> int:
    """How many each retriever proposes out of so many passages."""
    return round(CANDIDATES * math.sqrt(max(1.0, passages / SMALL)))


def _is_mixed(found: Candidates, snapshot: Snapshot) -> bool:
    """Whether candidates are of enough documents, or of all that there are."""
    documents = len(set(found.documents))
    return documents >= DOCUMENTS or documents == snapshot.count_documents()


def _embedded_now(
    snapshot: Snapshot,
    ids: Sequence[int],
    embed: Callable[[Sequence[PassageInput]], Sequence[EncodedPassage]],
) -> tuple[Sequence[int], Mapping[int, EncodedPassage]]:
    """Embed the first of those that are pending, and leave out the others."""
    pending = snapshot.pending_among(ids)
    if not pending:
        return ids, {}
    rows = snapshot.passages(
        list(islice((one for one in dict.fromkeys(ids) if one in pending), EMBEDDED_NOW))
    )
    vectors = embed([row.to_embed() for row in rows])
    embedded = {row.id: one for row, one in zip(rows, vectors, strict=True)}
    return [one for one in ids if one not in pending or one in embedded], embedded


def _ranked(
    query: Query,
    candidates: Candidates,
    statistics: Statistics,
    scored: Scored | None,
    names: Sequence[str],
) -> Iterator[Ranked]:
    if scored is None:
        return
    first = candidates.first_sentences
    shares = term_shares(query, candidates, statistics) if names else np.empty((0, len(first)))
    for n in np.argsort(-scored.fused, kind="stable").tolist():
        scores = Scores(
            fused=float(scored.fused[n]),
            dense=float(scored.dense[n]),
            sentence=float(scored.sentence[n]),
            lexical=float(scored.lexical[n]),
            coverage=float(scored.coverage[n]),
        )
        sentences = scored.sentences[first[n] : first[n] + candidates.sentences[n]].tolist()
        terms = tuple(zip(names, shares[:, n].tolist(), strict=True))
        yield Ranked(
            candidates.ids[n],
            candidates.documents[n],
            scores,
            best_sentences(sentences),
            max(sentences),
            terms,
        )


def rerank(
    snapshot: Snapshot, question: str, ranked: Iterator[Ranked], reranker: Reranker
) -> Iterator[Ranked]:
    """Order the first candidates again, by what a cross-encoder makes of each."""
    first = list(islice(ranked, RERANKED))
    rows = {row.id: row for row in snapshot.passages([one.passage for one in first])}
    texts = [embedded_of(rows[one.passage]) for one in first]
    scores = reranker.score(question, texts)
    best = sorted(range(len(first)), key=lambda n: -scores[n])
    for n in best:
        yield replace(first[n], scores=replace(first[n].scores, rerank=scores[n]))
    yield from ranked


def embedded_of(row: PassageRow) -> str:
    """The text by which a passage is found."""
    return in_context(row.context, row.text)
