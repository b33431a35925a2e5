"""From a question to ranked, cited passages: candidates, scores, citations."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from qa.citations.source import open_source
from qa.counting import counted
from qa.indexing.plan import known_problems
from qa.ranking.calibration import read_calibration
from qa.ranking.evidence import best_sentences, marks
from qa.ranking.scoring import Query, Statistics, score, term_shares
from qa.types import Answer, CitedPassage, Evidence, Explanation, Scores, Span
from qa.words.terms import analyse, content_terms, term_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from qa.answering.filter import Filter
    from qa.citations.source import Headings
    from qa.corpus import Corpus
    from qa.encoding.encoder import EncodedQuestion
    from qa.encoding.reranker import Reranker
    from qa.ranking.candidates import Candidates
    from qa.ranking.scoring import Scored
    from qa.store.local import Snapshot
    from qa.store.rows import PassageRow
    from qa.types import Problem

__all__ = [
    "Found",
    "Ranked",
    "Ranking",
    "cite",
    "conclude",
    "find",
    "note_on_length",
    "rank",
    "rerank",
]

CANDIDATES = 50  # from each retriever; 400 rank no better (docs/decisions.md)
_FEW = 4 * CANDIDATES  # allowed passages that are scored without asking the retrievers
RERANKED = 20  # candidates that a cross-encoder reads
_UNKNOWN_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its scores, and the first and last sentence of its evidence."""

    passage: int
    scores: Scores
    evidence: tuple[int, int]
    evidence_score: float
    terms: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """All candidates for a question, best first; `unknown` are its words that no passage has.

    `all_filtered` tells that no passage was allowed to answer.
    """

    ranked: Iterator[Ranked]
    unknown: tuple[str, ...]
    has_content: bool
    all_filtered: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What one moment of the index has for a question.

    `passages` are verified, best first; `dropped` counts those whose file is another by now.
    `problems` are of documents that can't be read; `model` names the encoder that searched, which
    embedded so many `characters` of the question.
    """

    model: str
    characters: int
    ranking: Ranking
    passages: tuple[CitedPassage, ...]
    dropped: int
    probability: float
    problems: tuple[Problem, ...]

    def is_answer(self, threshold: float) -> bool:
        """Tell whether the passages answer, rather than being the closest there are."""
        return bool(self.passages) and self.probability >= threshold


def find(
    snapshot: Snapshot,
    corpus: Corpus,
    question: str,
    encoded: EncodedQuestion,
    k: int,
    *,
    model: str,
    headings: Headings,
    chosen: Filter | None = None,
    reranker: Reranker | None = None,
    explain: Callable[[str], tuple[tuple[str, float], ...]] | None = None,
) -> Found:
    """Give the `k` best passages of one moment of the index whose quotes are verified.

    Args:
        snapshot: that moment.
        corpus: where the files are.
        question: as it was asked.
        encoded: its vector and tokens.
        k: how many at most.
        model: the name of the encoder that gave these.
        headings: of those files.
        chosen: which documents may answer.
        reranker: what orders the best of them again.
        explain: gives the words of an embedded text that add most to its cosine.
    """
    allowed = None
    if chosen:
        from qa.answering.filter import allowed_passages

        allowed = allowed_passages(chosen, snapshot)
    ranking = rank(snapshot, question, encoded, allowed=allowed, explain=explain is not None)
    ranked = ranking.ranked
    if reranker is not None:
        ranked = rerank(snapshot, question, ranked, reranker)
    found: list[CitedPassage] = []
    dropped = 0
    while len(found) < k and (portion := list(islice(ranked, k - len(found)))):
        cited = cite(snapshot, corpus, question, portion, headings=headings, explain=explain)
        dropped += cited.count(None)
        found += [one for one in cited if one is not None]
    calibration = read_calibration(snapshot.catalog.meta("calibration"))
    passages = snapshot.catalog.number("passages") if allowed is None else len(allowed)
    probability = calibration.probability(found[0].scores, passages) if found else 0.0
    problems = tuple(known_problems(snapshot.catalog))
    return Found(model, encoded.characters, ranking, tuple(found), dropped, probability, problems)


def rank(
    snapshot: Snapshot,
    question: str,
    encoded: EncodedQuestion,
    *,
    allowed: Sequence[int] | None = None,
    explain: bool = False,
) -> Ranking:
    """Find and order the candidates for a question; ties go by path, then place.

    Args:
        snapshot: the index at one moment.
        question: as it was asked.
        encoded: its vector and tokens.
        allowed: the passages that may answer, ascending; all where it is None.
        explain: whether to say what each of its terms adds.
    """
    terms = content_terms(question)
    query = Query(encoded.vector, term_ids(terms), encoded.tokens)
    ids = _proposed(snapshot, query.vector, terms, allowed)
    candidates = snapshot.catalog.candidates(ids, len(query.vector))
    statistics = _statistics(snapshot, query)
    names = list(dict.fromkeys(terms))
    lacking = {
        name
        for name, held in zip(names, statistics.holding_terms.tolist(), strict=True)
        if not held
    }
    unknown = (word for word in _WORD.findall(question) if lacking.intersection(analyse(word)))
    with snapshot.catalog.sense():
        scored = score(query, candidates, statistics) if len(candidates) else None
    ranked = _ranked(query, candidates, statistics, scored, names if explain else ())
    return Ranking(
        ranked,
        tuple(dict.fromkeys(unknown)) if lacking else (),
        has_content=bool(terms),
        all_filtered=allowed is not None and not allowed,
    )


_WORD = re.compile(r"\w+")


def _proposed(
    snapshot: Snapshot,
    vector: NDArray[np.float32],
    terms: Sequence[str],
    allowed: Sequence[int] | None,
) -> Sequence[int]:
    """Give the ids of what may be the best; where few are allowed, all of them."""
    if allowed is not None and len(allowed) <= _FEW:
        return allowed
    among = None if allowed is None else np.array(allowed, np.int64)
    return [
        *snapshot.dense_candidates(vector, CANDIDATES, among),
        *snapshot.lexical_candidates(terms, CANDIDATES, among),
    ]


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
        yield Ranked(candidates.ids[n], scores, best_sentences(sentences), max(sentences), terms)


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


def rerank(
    snapshot: Snapshot, question: str, ranked: Iterator[Ranked], reranker: Reranker
) -> Iterator[Ranked]:
    """Order the first candidates anew, by what a cross-encoder makes of each."""
    first = list(islice(ranked, RERANKED))
    rows = {row.id: row for row in snapshot.passages([one.passage for one in first])}
    texts = [_embedded(rows[one.passage]) for one in first]
    scores = reranker.score(question, texts)
    best = sorted(range(len(first)), key=lambda n: -scores[n])
    for n in best:
        yield replace(first[n], scores=replace(first[n].scores, rerank=scores[n]))
    yield from ranked


def _embedded(row: PassageRow) -> str:
    return f"{row.context}\n{row.text}" if row.context else row.text


def cite(
    snapshot: Snapshot,
    corpus: Corpus,
    question: str,
    ranked: Sequence[Ranked],
    *,
    headings: Headings,
    explain: Callable[[str], tuple[tuple[str, float], ...]] | None = None,
) -> list[CitedPassage | None]:
    """Cite each passage from its file as it is now; None where the file is another by now.

    Args:
        snapshot: what was ranked.
        corpus: where the files are.
        question: as it was asked.
        ranked: from the same snapshot.
        headings: of those files.
        explain: gives the words of an embedded text that add most to its cosine.
    """
    rows = {row.id: row for row in snapshot.passages([one.passage for one in ranked])}
    documents = snapshot.documents([row.document for row in rows.values()])
    sources = {
        number: open_source(corpus, row, None if row.encoding else snapshot.catalog.extract(number))
        for number, row in documents.items()
    }
    cited: list[CitedPassage | None] = []
    for one in ranked:
        row = rows[one.passage]
        source = sources.get(row.document)
        if (
            source is None
            or one.evidence[1] >= len(row.spans)
            or source.text[row.start : row.end] != row.text
        ):
            cited.append(None)
            continue
        above = headings.confirmed(source, row.heading_path, row.start)
        begin, end = one.evidence
        place = Span(row.spans[begin].start, row.spans[end].end)
        evidence = Evidence(
            source.cite(place, above, row.places),
            one.evidence_score,
            marks(question, source.text, place),
        )
        citation = source.cite(Span(row.start, row.end), above, row.places)
        explanation = None
        if explain is not None:
            explanation = Explanation(one.terms, explain(_embedded(row)))
        metadata = documents[row.document].metadata
        cited.append(CitedPassage(citation, evidence, one.scores, metadata, explanation))
    return cited


def note_on_length(found: Found, question: str) -> list[str]:
    """A sentence where the encoder read only the beginning of the question; else nothing."""
    if found.characters >= len(question):
        return []
    words = len(question[: found.characters].split())
    return [
        f"The question is longer than {found.model} reads; its first {words} words were embedded."
    ]


def conclude(
    found: Found,
    *,
    question: str,
    threshold: float,
    lacking: str | None,
    corpus: str,
    notes: Sequence[str],
) -> Answer:
    """Answer with what was found, or abstain and say why.

    Args:
        found: what the index has.
        question: as it was asked.
        threshold: of the probability, below which nothing is answered.
        lacking: how much of the corpus the index lacks, "" for nothing; None where nobody looked.
        corpus: where the documents lie.
        notes: what else a person should know.
    """
    answered = found.is_answer(threshold)
    said = [f"{lacking}."] if lacking and answered else []
    if found.dropped:
        dropped = f"{counted(found.dropped, 'passage')} left out"
        said.append(f"{dropped}: the file has changed or gone since. Run `qa index`.")
        lacking = lacking or f"{dropped}, whose files are changing"
    return Answer(
        question=question,
        answered=answered,
        probability=found.probability,
        passages=found.passages if answered else (),
        nearest=() if answered else found.passages,
        reason="" if answered else _reason(found, threshold, lacking),
        model=found.model,
        corpus=corpus,
        notes=(*said, *notes),
        complete=None if lacking is None else not lacking,
        truncated=found.characters < len(question),
    )


def _reason(found: Found, threshold: float, lacking: str | None) -> str:
    """Say why a question is not answered; where the search lacked something, deny nothing."""
    ranking = found.ranking
    if lacking:
        return f"Can't tell yet: {lacking}."
    if ranking.all_filtered:
        return "The documents that pass the filter hold no text."
    if not ranking.has_content:
        return "The question has no word that says what it is about."
    chance = f"the probability that the documents answer it is {found.probability:.2f}"
    if ranking.unknown:
        words = ", ".join(f"“{word}”" for word in ranking.unknown[:_UNKNOWN_SHOWN])
        return f"The documents don't mention {words}; {chance}, below {threshold:.2f}."
    return f"No passage is close enough: {chance}, below the threshold of {threshold:.2f}."
