"""Evaluation and calibration on one's own questions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from qa.assistant import Assistant
from qa.errors import QuestionsError
from qa.evaluation.evaluate import evaluate, report
from qa.evaluation.measures import calibration_error, confidence, ranking, risk_coverage
from qa.evaluation.questions import Question, load_beir, load_questions

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

MOON = {"question": "When did Armstrong land?", "documents": ["moon.md"], "answer": "July 1969"}
BREAD = {"question": "How does sourdough rise?", "documents": "bread.txt", "answer": ["wild yeast"]}
WHALES = {"question": "What do blue whales eat?", "documents": {"deep/whales.txt": 2}}
OTHER = {"question": "Who painted the Mona Lisa?", "unanswerable": True}


@pytest.fixture(name="questions")
def _questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.jsonl"
    rows = (MOON, BREAD, WHALES, OTHER)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


@pytest.fixture(name="beir")
def _beir(tmp_path: Path) -> Path:
    folder = tmp_path / "beir"
    folder.mkdir()
    documents = [
        {"_id": "a", "title": "The Moon", "text": "It orbits the Earth once every 27 days."},
        {"_id": "b", "title": "", "text": "Sourdough bread rises through wild yeast."},
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)), "utf-8")
    queries = [
        {"_id": "1", "text": "How long does the Moon take?"},
        {"_id": "2", "text": "What makes bread rise?"},
        {"_id": "3", "text": "This one has no judgement"},
    ]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)), "utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\ta\t1\n2\tb\t1\n", "utf-8")
    return folder


def test_ranking_measures_are_those_of_the_field() -> None:
    found = ranking({"q": {"a": 1, "b": 1}, "none": {"a": 1}}, {"q": {"x": 3.0, "a": 2.0}})
    gain = (1 / np.log2(3)) / (1 + 1 / np.log2(3))
    assert found["ndcg"]["q"] == pytest.approx(gain)
    assert found["mrr"]["q"] == 0.5
    assert found["recall"]["q"] == 0.5
    assert found["hit@1"]["q"] == 0
    assert found["hit@5"]["q"] == 1
    assert found["ndcg"]["none"] == 0


def test_a_probability_that_is_always_right_has_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    said = rng.uniform(size=20_000)
    true = rng.uniform(size=20_000) < said
    even = np.ones(20_000)
    assert calibration_error(said, true, even) < 0.02
    assert calibration_error(np.full(10, 0.9), np.zeros(10, bool), np.ones(10)) == pytest.approx(
        0.9
    )


def test_risk_falls_where_the_sure_answers_are_the_right_ones() -> None:
    coverage, risk = risk_coverage(np.array([0.9, 0.1, 0.5]), np.array([True, False, True]))
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk.tolist() == pytest.approx([0, 0, 1 / 3])


def test_an_interval_holds_the_mean() -> None:
    low, high = confidence(np.array([0.0, 1.0] * 50))
    assert 0.35 < low < 0.5 < high < 0.65


def test_own_questions_are_measured(assistant: Assistant, questions: Path) -> None:
    assistant.refresh()
    found = report(evaluate(assistant, load_questions(questions))).measures
    assert found["ndcg"].value == 1
    assert found["ndcg"].questions == 3
    assert found["answer@1"].value == 1
    assert found["answer@1"].questions == 2
    assert found["evidence"].value == 1
    assert found["auroc"].value == 1
    assert found["p50 ms"].value > 0


def test_a_folder_in_beir_form_brings_its_corpus(beir: Path, cache: Path) -> None:
    corpus, asked = load_beir(beir)
    assert [one.id for one in asked] == ["1", "2"]
    with Assistant(documents=corpus, cache=str(cache)) as assistant:
        assistant.refresh()
        assert report(evaluate(assistant, asked)).measures["ndcg"].value == 1
        best = assistant.ask("How long does the Moon take?", 1, threshold=0).passages[0]
    assert best.citation.heading_path == ("The Moon",)


def test_an_answer_counts_only_where_it_stands(assistant: Assistant) -> None:
    asked = [
        Question("1", "Who set foot on the Moon?", answers=("Neil Armstrong",)),
        Question("2", "Who set foot on the Moon?", {"bread.txt": 1}, ("Neil Armstrong",)),
    ]
    assistant.refresh()
    first, second = evaluate(assistant, asked)
    assert first.hit == 1
    assert second.hit == 0


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"question": 1}',
        '{"question": "a", "documents": 3}',
        '{"question": "a", "answer": [1]}',
        '{"question": "a", "id": 1}\n{"question": "b", "id": 1}',
    ],
)
def test_a_file_that_holds_no_questions_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.jsonl").write_text(line)
    with pytest.raises(QuestionsError):
        load_questions(tmp_path / "x.jsonl")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(QuestionsError, match=r"x\.jsonl"):
        load_questions(tmp_path / "x.jsonl")
    with pytest.raises(QuestionsError, match=r"qrels\.tsv"):
        load_beir(tmp_path)


@pytest.mark.usefixtures("corpus")
def test_eval_prints_measures_and_writes_what_is_asked_for(
    run: Run, questions: Path, tmp_path: Path
) -> None:
    rows, curves = tmp_path / "rows.jsonl", tmp_path / "curves.svg"
    status, out, _ = run(
        "eval", questions, "--per-question", rows, "--plot", curves, "--fail-under", "ndcg=0.9"
    )
    assert status == 0
    assert "ndcg" in out
    assert len(rows.read_text("utf-8").splitlines()) == 4
    assert "<svg" in curves.read_text("utf-8")
    status, out, _ = run("eval", questions, "--format", "json", "-q")
    assert status == 0
    assert json.loads(out)["measures"]["hit@1"]["value"] == 1


@pytest.mark.usefixtures("corpus")
def test_eval_fails_under_a_bound_and_says_when_nothing_fits(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "wrong.jsonl"
    file.write_text(json.dumps({"question": "Where is Oslo?", "documents": ["oslo.md"]}))
    status, _, err = run("eval", file, "--fail-under", "ndcg=0.5")
    assert status == 1
    assert "below 0.5" in err
    assert "belong to this corpus" in err
    assert run("eval", file, "--fail-under", "beauty=1")[0] == 2
    assert run("eval", file, "--fail-under", "ndcg")[0] == 2


def test_eval_takes_a_folder_and_foreign_questions(run: Run, beir: Path, questions: Path) -> None:
    status, out, _ = run("eval", beir, "--foreign", questions, "--format", "markdown")
    assert status == 0
    assert "| auroc |" in out


def test_calibrating_moves_the_probability_and_is_kept(assistant: Assistant) -> None:
    question = "How does bread rise?"
    before = assistant.ask(question).probability
    own = [Question(f"y{n}", question) for n in range(20)]
    own += [Question(f"n{n}", "Is the Earth far from here?", unanswerable=True) for n in range(20)]
    fitted = assistant.calibrate(own)
    after = assistant.ask(question).probability
    assert after != before
    assert fitted.semantic >= 0
    assert fitted.lexical >= 0
    (assistant.root / "more.txt").write_text("Cheese is made of milk.", "utf-8")  # type: ignore[operator]
    assert assistant.ask(question).probability == pytest.approx(after, abs=0.2)
    assistant.calibrate(None)
    assert assistant.ask(question).probability == pytest.approx(before, abs=0.1)


def test_too_few_questions_do_not_calibrate(assistant: Assistant) -> None:
    with pytest.raises(QuestionsError, match="1 answerable and 0"):
        assistant.calibrate([Question("1", "How does bread rise?")])


@pytest.mark.usefixtures("corpus")
def test_calibrate_is_a_command(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    rows = [{"question": f"How does bread rise, {n}?"} for n in range(5)]
    rows += [{"question": f"Who was king in {n}?", "unanswerable": True} for n in range(5)]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    status, out, _ = run("calibrate", file)
    assert status == 0
    assert out.startswith("bias ")
    assert run("calibrate", "--reset")[0] == 0
    assert run("calibrate")[0] == 2
