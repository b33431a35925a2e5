"""Ranking, evidence and probability: pure functions, and what asking makes of them."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ARTICLE
from qa.answering.spreading import spread
from qa.assistant import Assistant
from qa.errors import QuestionError, SettingsError
from qa.ranking.bm25 import bm25, idf
from qa.ranking.calibration import (
    DEFAULT,
    MAX_LEAD,
    SIGNS,
    WORDS,
    Calibration,
    Signals,
    lead,
    signals,
)
from qa.ranking.calibrations import (
    CorpusFit,
    Use,
    assigned,
    calibration_in_use,
    read_corpus_fit,
    with_own,
)
from qa.ranking.candidates import Candidates, Ragged
from qa.ranking.evidence import best_sentences, marks, question_kind
from qa.ranking.scoring import Query, Statistics, score, term_shares
from qa.types import Scores, Span
from qa.words.terms import content_terms, passage_terms, term_ids
from strategies import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qa.encoding.encoder import Encoder, Runtime
    from qa.types import Answer


def candidates_of(texts: Sequence[str], seed: int = 0) -> Candidates:
    """Make candidates of one sentence each, with vectors drawn at random."""
    rng = np.random.default_rng(seed)
    terms = [passage_terms("", text, (Span(0, len(text)),)) for text in texts]
    vectors = rng.normal(size=(len(texts), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = np.concatenate([one.ids for one in terms])
    sizes = np.array([len(one.ids) for one in terms])
    return Candidates(
        ids=list(range(len(texts))),
        documents=["a.md"] * len(texts),
        vectors=vectors,
        sentences=np.ones(len(texts), np.int64),
        sentence_codes=np.rint(vectors * 127).astype(np.int8),
        sentence_scales=np.full(len(texts), 1 / 127, np.float32),
        terms=Ragged.of(ids, sizes),
        parts=Ragged.of(ids, np.concatenate([one.counts for one in terms])),
        lengths=np.array([one.length for one in terms]),
        tokens=Ragged.of(ids.astype(np.uint32), sizes),
    )


def query_of(text: str, candidates: Candidates) -> tuple[Query, Statistics]:
    terms = term_ids(content_terms(text))
    query = Query(candidates.vectors[0], terms, np.zeros(0, np.int64))
    held = [
        sum(term in candidates.terms.values[a:b] for a, b in _rows(candidates.terms))
        for term in query.unique_terms
    ]
    return query, Statistics(
        len(candidates), 6.0, 6.0, np.array(held, np.int64), np.zeros(0, np.int64)
    )


def _rows(ragged: Ragged) -> list[tuple[int, int]]:
    return list(zip(ragged.starts.tolist(), ragged.ends.tolist(), strict=True))


def test_bm25_is_the_published_formula() -> None:
    weights = idf(10, np.array([2]))
    assert weights[0] == pytest.approx(math.log(1 + (10 - 2 + 0.5) / (2 + 0.5)))
    [[found]] = bm25(np.array([[3]]), weights, np.array([50]), 100.0)
    norm = 1.2 * (1 - 0.75 + 0.75 * 50 / 100)
    assert found == pytest.approx(weights[0] * 3 * 2.2 / (3 + norm))


def test_a_term_that_no_passage_holds_weighs_as_one_that_a_single_passage_holds() -> None:
    assert idf(100, np.array([0])) == idf(100, np.array([1])) > idf(100, np.array([2]))


def test_words_in_the_order_of_the_question_score_more_than_the_same_words_apart() -> None:
    candidates = candidates_of(["strategic pact signed soon", "pact signed soon strategic"])
    same = replace(candidates, vectors=candidates.vectors[[0, 0]])
    query, statistics = query_of("strategic pact", same)
    lexical = score(query, same, statistics).lexical
    assert lexical[0] > lexical[1] > 0


def test_a_phrase_does_not_reach_from_one_passage_into_the_next() -> None:
    candidates = candidates_of(["the strategic", "pact of theirs"])
    query, statistics = query_of("strategic pact", candidates)
    whole = score(query, candidates, statistics)
    alone = candidates_of(["the strategic"])
    query, _ = query_of("strategic pact", alone)
    assert score(query, alone, statistics).lexical[0] == pytest.approx(whole.lexical[0])


@given(
    st.lists(TEXTS.filter(lambda text: text.strip()), min_size=2, max_size=6),
    st.randoms(use_true_random=False),
)
def test_scores_do_not_depend_on_the_other_candidates_or_their_order(
    texts: list[str], chosen: object
) -> None:
    candidates = candidates_of(texts)
    query, statistics = query_of(texts[0], candidates)
    scored = score(query, candidates, statistics)
    assert ((scored.coverage >= 0) & (scored.coverage <= 1 + 1e-9)).all()
    assert (scored.lexical >= 0).all()
    alone = candidates_of(texts[:1])
    assert score(query, alone, statistics).lexical[0] == pytest.approx(scored.lexical[0])
    shares = term_shares(query, candidates, statistics)
    assert shares.shape == (len(query.unique_terms), len(texts))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.5], (0, 0)),
        ([0.1, 0.9, 0.2], (1, 1)),
        ([0.1, 0.9, 0.85], (1, 2)),
        ([0.88, 0.9, 0.85], (0, 1)),
        ([0.9, 0.1, 0.9], (0, 0)),
    ],
)
def test_evidence_is_the_best_sentence_or_it_and_a_close_neighbour(
    scores: list[float], expected: tuple[int, int]
) -> None:
    assert best_sentences(scores) == expected


@pytest.mark.parametrize(
    ("question", "text", "kind", "quotes"),
    [
        ("How many died?", "About 1,250 people died.", "quantity", ["1,250 people"]),
        ("How long is it?", "It takes ten minutes to walk.", "quantity", ["ten"]),
        ("When did he land?", "Armstrong landed on 20 July 1969.", "date", ["20 July 1969"]),
        ("What year was it?", "Built in the 1890s, it burnt in 1901.", "date", ["1890s", "1901"]),
        (
            "Who met Putin?",
            "There Vladimir Putin met Kim Jong-un.",
            "name",
            ["Vladimir Putin", "Kim Jong-un"],
        ),
        ("Where is it?", "It lies in North Korea.", "name", ["North Korea"]),
        ("Why did it fail?", "It failed in 1969 under Smith.", "", []),
    ],
)
def test_what_could_be_the_answer_is_marked(
    question: str, text: str, kind: str, quotes: list[str]
) -> None:
    assert question_kind(question) == kind
    assert [one.quote for one in marks(question, text, Span(0, len(text)))] == quotes


@given(st.sampled_from(["How many?", "When?", "Who?", "Why?"]), TEXTS, st.data())
def test_marks_are_exact_slices_inside_the_evidence_and_apart(
    question: str, text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    last = start
    for one in marks(question, text, Span(start, end)):
        assert last <= one.start < one.end <= end
        assert one.quote == text[one.start : one.end]
        last = one.end


SCORES = st.builds(
    Scores,
    fused=st.floats(-1, 3),
    dense=st.floats(-1, 1),
    sentence=st.floats(-1, 1),
    lexical=st.floats(0, 5),
    coverage=st.floats(0, 1),
)


@given(
    SCORES,
    st.lists(st.floats(-1, 3), max_size=9),
    st.sampled_from(["dense", "sentence", "lexical", "coverage", "fused"]),
    st.floats(0, 1),
    st.floats(0.01, 0.99),
)
def test_more_of_any_score_never_makes_an_answer_less_probable(
    scores: Scores, others: list[float], which: str, more: float, prior: float
) -> None:
    def probability(one: Scores, *, passages: int = 9, names: int = 0, terms: int = 3) -> float:
        found = signals(one, others, terms=terms, passages=passages, names=names)
        return DEFAULT.probability(found, prior)

    higher = replace(scores, **{which: getattr(scores, which) + more})
    assert 0 <= probability(scores) <= probability(higher) <= 1
    assert probability(scores, passages=1000) <= probability(scores, passages=10)
    assert probability(scores, names=1) <= probability(scores)
    assert probability(scores, names=2) == probability(scores, names=9)
    assert probability(scores) <= probability(scores, terms=4)


@given(SCORES, st.floats(0.01, 0.98), st.floats(0.001, 0.01))
def test_a_higher_prior_raises_every_probability(scores: Scores, prior: float, more: float) -> None:
    found = signals(scores, [], terms=3, passages=9, names=0)
    assert DEFAULT.probability(found, prior) <= DEFAULT.probability(found, prior + more)


def test_what_stands_out_leads_and_what_has_equals_does_not() -> None:
    assert lead(0.9, [0.5] * 5) == MAX_LEAD
    assert lead(0.9, [0.8] * 5) == pytest.approx(0.1)
    assert lead(0.9, [0.9] * 5 + [0] * 50) == 0
    assert lead(0.9, []) == MAX_LEAD  # it is alone
    assert lead(0.1, []) == pytest.approx(0.1)
    assert lead(0.2, [0.9]) == 0


GOOD = (
    '{"bias": -1, "cosine": 2, "lexical": 3, "coverage": 4,'
    ' "lead": 5, "terms": 6, "size": 7, "names": 8}'
)
FITTED = Calibration(-1, 2, 3, 4, 5, 6, 7, 8)
RERANKED = replace(FITTED, rerank=9.0)


def used(own: str = "", corpus: str = "", encoder: str = "e", reranker: str = "") -> Use:
    """Choose for an encoder, which is the default one where it is called so."""
    return calibration_in_use(
        own, corpus, encoder=encoder, is_default=encoder == "default", reranker=reranker
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        "null",
        "3",
        "[3, null, [], {}]",
        '{"bias": "a"}',
        '{"bias": 0, "semantic": 1, "lexical": 1, "size": 0}',  # an earlier version's
        GOOD.replace("2", "-2"),
        GOOD.replace("2", "NaN"),
        GOOD.replace("2", "9" * 400),
        GOOD.replace("}", ', "more": 2}'),
        f'[{{"encoder": 3, "reranker": "", "calibration": {GOOD}}}]',
        f'[{{"encoder": "e", "calibration": {GOOD}}}]',
        '{"encoder": "e", "passages": 9, "calibration": {"bias": 1e999}}',
        f'{{"encoder": "e", "passages": "9", "calibration": {GOOD}}}',
        f'{{"encoder": "e", "passages": -9, "calibration": {GOOD}}}',
        "[" * 100_000,
    ],
)
def test_a_calibration_that_makes_no_sense_is_not_used(text: str) -> None:
    assert used(text, text) == (WORDS, "words", False)
    assert used(text, text, "default", "r") == (DEFAULT, "built-in", False)
    assert used(with_own(text, FITTED, encoder="e")) == (FITTED, "questions", False)


def test_a_calibration_is_used_with_its_encoder_and_its_reranker_alone() -> None:
    own = with_own("", FITTED, encoder="e")
    assert used(own) == (FITTED, "questions", False)
    assert used(own, reranker="r") == (FITTED, "questions", False)
    assert used(own, encoder="other") == (WORDS, "words", False)
    assert used(own, encoder="default") == (DEFAULT, "built-in", False)
    both = with_own(own, RERANKED, encoder="e", reranker="r")
    assert used(both) == (FITTED, "questions", False)
    assert used(both, reranker="r") == (RERANKED, "questions", True)
    assert used(both, reranker="other") == (FITTED, "questions", False)
    assert used(with_own(both, DEFAULT, encoder="e")) == (DEFAULT, "questions", False)


def test_what_an_earlier_version_kept_is_of_the_encoder_that_the_index_had() -> None:
    assert used(GOOD) == (FITTED, "questions", False)
    own = assigned(GOOD, "e")
    assert used(own) == (FITTED, "questions", False)
    assert used(own, encoder="other") == (WORDS, "words", False)
    assert assigned("", "e") == ""


def test_a_fit_to_a_corpus_is_its_encoders_until_the_corpus_is_of_another_size() -> None:
    fit = CorpusFit("e", 100, FITTED)
    assert read_corpus_fit(fit.to_text()) == fit
    assert used("", fit.to_text()) == (FITTED, "corpus", False)
    assert used("", fit.to_text(), encoder="other") == (WORDS, "words", False)
    assert used(with_own("", RERANKED, encoder="e"), fit.to_text()).calibration == RERANKED
    none = CorpusFit("e", 100, None)
    assert read_corpus_fit(none.to_text()) == none
    assert used("", none.to_text()) == (WORDS, "words", False)
    assert [fit.serves("e", passages) for passages in (49, 50, 200, 201)] == [
        False,
        True,
        True,
        False,
    ]
    assert not fit.serves("other", 100)


@given(st.integers(0, 40))
def test_no_more_fits_are_kept_than_the_latest(number: int) -> None:
    own = ""
    for n in range(number):
        own = with_own(own, FITTED, encoder="e", reranker=f"r{n}")
    assert own.count("reranker") <= 16
    assert not number or used(own, reranker=f"r{number - 1}").weighs_reranker


@given(
    st.floats(-1, 1), st.floats(0, 20), st.floats(-5, 5), st.sampled_from([DEFAULT, FITTED, WORDS])
)
def test_a_translated_calibration_is_the_same_of_the_translated_cosine(
    cosine: float, slope: float, offset: float, calibration: Calibration
) -> None:
    found = Signals(cosine, 0.5, 0.5, 0.1, 4, 3.0, 0)
    there = found._replace(cosine=slope * cosine + offset)
    made = calibration.translated(slope, offset)
    assert made.probability(found) == pytest.approx(calibration.probability(there), abs=1e-9)


def test_a_calibration_never_falls_as_a_cosine_rises() -> None:
    with pytest.raises(ValueError, match="must not fall"):
        DEFAULT.translated(-0.1, 0)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e3))
def test_a_higher_score_of_the_reranker_never_lowers_the_probability(
    score: float, more: float
) -> None:
    def probability(rerank: float) -> float:
        best = Scores(0.5, 0.5, 0.5, 0.5, 0.5, rerank)
        return RERANKED.probability(signals(best, [], terms=3, passages=9, names=0))

    assert SIGNS.rerank == 1
    assert 0 <= probability(score) <= probability(score + more) <= 1


@pytest.fixture(scope="module", name="article")
def _article(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    index = tmp_path_factory.mktemp("article") / "index"
    with Assistant(ARTICLE, index, cache=str(cache)) as one:
        one.refresh()
        yield one


@pytest.mark.parametrize(
    "question",
    [
        "Will Russia send food or medicine?",
        "Who travelled to Pyongyang?",
        "What does South Korea think of the pact?",
        "humanitarian aid",
        "Which key allies of the United States are worried?",
    ],
)
def test_questions_that_the_article_answers_are_answered(article: Assistant, question: str) -> None:
    answer = article.ask(question)
    assert answer.answered
    assert answer.probability >= 0.5
    assert answer.passages
    assert not answer.nearest
    assert not answer.reason


@pytest.mark.parametrize(
    "question",
    [
        "Who won the football world cup in 1966?",
        "How do I bake sourdough bread?",
        "asdf qwer zxcv",
        "the of and",
        "?!",
        "Wie viele Einwohner hat Hamburg?",
        "日本の首都はどこですか",
        "What is the capital of Australia?",
    ],
)
def test_questions_about_something_else_are_not_answered(article: Assistant, question: str) -> None:
    answer = article.ask(question)
    assert not answer.answered
    assert answer.probability < 0.5
    assert not answer.passages
    assert answer.nearest
    assert answer.reason


def test_an_abstention_names_the_words_that_the_documents_lack(article: Assistant) -> None:
    assert "“sourdough”" in article.ask("How do I bake sourdough bread?").reason
    assert "no word" in article.ask("the of and").reason


def test_the_threshold_decides_and_zero_always_answers(article: Assistant) -> None:
    question = "Who won the football world cup in 1966?"
    assert article.ask(question, threshold=0).answered
    assert not article.ask("Will Russia send food or medicine?", threshold=1).answered
    with pytest.raises(QuestionError, match="threshold"):
        article.ask(question, threshold=1.5)
    with pytest.raises(SettingsError, match="threshold"):
        Assistant(ARTICLE, threshold=-1)


def test_an_explanation_adds_up_to_the_cosine(
    article: Assistant, encoder: Encoder[Runtime]
) -> None:
    answer = article.ask("Will Russia send food or medicine?", 1, explain=True)
    [passage] = answer.passages
    assert passage.explanation is not None
    assert dict(passage.explanation.terms)["food"] > 0
    assert dict(passage.explanation.words).keys() & {"food", "humanitarian", "medical", "russia"}
    vector = encoder.encode_question("Will Russia send food or medicine?").vector
    text = "Russia sends food"
    [embeddings] = encoder.runtime.forward_batch([encoder.tokens.encode(text).ids])
    mean = embeddings.mean(axis=0)
    each = embeddings @ vector / (len(embeddings) * np.linalg.norm(mean))
    assert each.sum() == pytest.approx(encoder.encode_question(text).vector @ vector, abs=1e-5)
    shares = dict(encoder.contributions(text, vector))
    assert [shares[word] for word in text.lower().split()] == pytest.approx(each[1:4], abs=1e-6)
    assert all(one.explanation is None for one in article.ask("Will Russia send food?").passages)


def test_a_search_leaves_the_threads_of_others_alone(article: Assistant) -> None:
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    try:
        article.ask("Will Russia send food or medicine?", refresh=False)
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


@given(st.lists(st.lists(st.booleans(), max_size=4), max_size=6))
def test_marks_are_counted_row_by_row_and_an_empty_row_has_none(rows: list[list[bool]]) -> None:
    marked = np.array([one for row in rows for one in row], bool)
    ragged = Ragged.of(marked, np.array([len(row) for row in rows], np.int64))
    assert ragged.count(np.stack([marked, ~marked])).tolist() == [
        [sum(row) for row in rows],
        [len(row) - sum(row) for row in rows],
    ]


@given(st.lists(st.sampled_from("abcd")), st.integers(1, 4))
def test_no_document_has_more_than_its_passages_before_all_others_have_theirs(
    documents: list[str], at_most: int
) -> None:
    ranked = list(enumerate(documents))
    found = list(spread(ranked, document=lambda one: one[1], at_most=at_most))
    assert sorted(found) == ranked
    first = sum(min(documents.count(one), at_most) for one in "abcd")
    for part in (found[:first], found[first:]):
        assert part == sorted(part)
    for one in "abcd":
        assert [key for _, key in found[:first]].count(one) <= at_most
    assert found[:1] == ranked[:1]


def test_other_documents_come_before_more_of_one_where_that_is_asked_for(
    tmp_path: Path, cache: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    parts = (f"# Part {n}\n\nWhales of kind {n} sing and eat krill.\n" for n in range(4))
    (corpus / "whales.md").write_text("\n".join(parts), "utf-8")
    (corpus / "other.txt").write_text("Some whales are mentioned here, and krill.\n", "utf-8")

    def documents(answer: Answer) -> list[str]:
        return [one.citation.document for one in answer.passages]

    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as one:
        asked = partial(one.ask, "Which whales sing and eat krill?", threshold=0)
        assert documents(asked()) == ["whales.md"] * 4 + ["other.txt"]
        for same in (asked(per_document=0), asked(per_document=None), asked(per_document=9)):
            assert documents(same) == documents(asked())
        limited = asked(per_document=2)
        assert documents(limited) == [*["whales.md"] * 2, "other.txt", *["whales.md"] * 2]
        assert limited.probability == pytest.approx(asked().probability)
        wrongly: tuple[Any, ...] = (-1, 1.5, True, "2")
        for wrong in wrongly:
            with pytest.raises(QuestionError, match="per_document"):
                asked(per_document=wrong)
