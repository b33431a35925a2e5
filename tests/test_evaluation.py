"""Evaluation and calibration on one's own questions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.assistant import Assistant
from qa.cli.decisions import MEANINGS, decide, told
from qa.errors import QuestionsError
from qa.evaluation.evaluate import Outcome, evaluate, report
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
        "{",
        "[]",
        "{}",
        '{"question": 1}',
        '{"question": " "}',
        '{"question": "a", "documents": 3}',
        '{"question": "a", "documents": [[]]}',
        '{"question": "a", "documents": [{}]}',
        '{"question": "a", "documents": [true]}',
        '{"question": "a", "documents": {"b": "1"}}',
        '{"question": "a", "documents": {"b": 1.5}}',
        '{"question": "a", "documents": {"b": 1000000000000000000000}}',
        '{"question": "a", "answer": [1]}',
        '{"question": "a", "answer": {"b": 1}}',
        '{"question": "a", "id": []}',
        '{"question": "a", "id": ""}',
        '{"question": "a", "unanswerable": "false"}',
        '{"question": "\\ud800"}',
        '{"question": "a", "documents": ["\\udfff"]}',
        '{"question": ' + "9" * 10_000 + "}",
        "[" * 100_000,
        '{"question": "first"}',
        "\udcff",
    ],
)
def test_a_line_that_is_not_a_question_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "x.jsonl"
    text = f'\n{{"question": "good", "id": 4}}\r\n\n{line}\n'
    if line == '{"question": "first"}':  # which would be question 4 too
        text = text.replace('"id": 4', '"id": "4"')
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(QuestionsError, match=r"x\.jsonl:4\b") as caught:
        load_questions(file)
    assert caught.value.hint
    assert "Error" not in str(caught.value)


def test_a_file_without_a_question_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\n \n", b"\xef\xbb\xbf\n"):
        (tmp_path / "x.jsonl").write_bytes(content)
        with pytest.raises(QuestionsError, match="holds no questions"):
            load_questions(tmp_path / "x.jsonl")


def test_questions_are_read_from_what_editors_of_every_kind_write(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    rows = [MOON | {"id": 70}, BREAD, WHALES | {"documents": None}, {"text": "Why?", "_id": "w"}]
    for end, mark in (("\n", ""), ("\r\n", "\ufeff"), ("\r", ""), ("\n\n \n", "")):
        text = mark + end.join(json.dumps(row, ensure_ascii=False) for row in rows)
        file.write_bytes(text.encode())
        first, *_, last = load_questions(file)
        assert (first.id, first.relevant) == ("70", {"moon.md": 1})
        assert (last.id, last.text) == ("w", "Why?")


def test_a_document_with_a_title_alone_is_found_by_it(beir: Path, cache: Path) -> None:
    with (beir / "corpus.jsonl").open("a", encoding="utf-8") as stream:
        for row in (
            {"_id": "c", "title": "The largest whale is the blue whale", "text": ""},
            {"_id": "d", "title": "Volcanoes of Iceland", "text": None},
            {"_id": "e", "title": "Tides of the North Sea"},
            {"_id": "f", "title": "", "text": " "},
        ):
            stream.write("\n" + json.dumps(row))
    corpus, _ = load_beir(beir)
    assert list(corpus.scan().stamps) == ["a", "b", "c", "d", "e"]
    with Assistant(documents=corpus, cache=str(cache)) as assistant:
        best = assistant.ask("Which whale is the largest?", 1, threshold=0).passages[0]
    assert best.citation.document == "c"
    assert best.citation.quote == "The largest whale is the blue whale"


@pytest.mark.parametrize(
    "rows",
    [
        "query-id\tcorpus-id\tscore\n1\ta\t1\n2\tb\t1\n",
        "1\ta\t1\n2\tb\t1\n",
        "\ufeff1\ta\t1\r\n\r\n2\tb\t1.0\r\n",
        "\ufeffquery-id\tcorpus-id\tscore\n\n1\ta\t1\n2\tb\t1\n1\tb\t0\n1\tc\t-1",
    ],
)
def test_judgements_are_read_with_or_without_names_of_columns(beir: Path, rows: str) -> None:
    (beir / "qrels.tsv").write_bytes(rows.encode())
    assert {one.id: dict(one.relevant) for one in load_beir(beir)[1]} == {
        "1": {"a": 1},
        "2": {"b": 1},
    }


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("qrels.tsv", "1\ta"),
        ("qrels.tsv", "1\ta\tmuch"),
        ("qrels.tsv", "1\ta\tnan"),
        ("qrels.tsv", "1\ta\tinf"),
        ("qrels.tsv", "1\ta\t99999999"),
        ("qrels.tsv", "1 0 a 1"),
        ("qrels.tsv", "\ta\t1"),
        ("qrels.tsv", "\udcff"),
        ("corpus.jsonl", '{"_id": "a", "text": "again"}'),
        ("corpus.jsonl", '{"text": "no id"}'),
        ("corpus.jsonl", '{"_id": "", "text": "no id"}'),
        ("corpus.jsonl", '{"_id": "z", "text": 3}'),
        ("corpus.jsonl", '{"_id": "z", "title": [], "text": "x"}'),
        ("corpus.jsonl", '{"_id": "z", "text": "\\ud800"}'),
        ("corpus.jsonl", "{"),
        ("queries.jsonl", '{"_id": "1", "text": "again"}'),
        ("queries.jsonl", '{"_id": 1, "text": "again"}'),
        ("queries.jsonl", '{"text": "no id"}'),
        ("queries.jsonl", '{"_id": "2", "text": ""}'),
        ("queries.jsonl", '{"_id": "2"}'),
        ("queries.jsonl", '{"_id": "9", "text": "x", "unanswerable": 1}'),
        ("spans.jsonl", '{"query_id": "1", "doc_id": "a", "answer": "It", "char_start": "0"}'),
        ("spans.jsonl", '{"query_id": "1", "answer": "It", "char_start": 0}'),
        ("spans.jsonl", '{"doc_id": "a", "answer": "It", "char_start": 0}'),
        ("spans.jsonl", '{"query_id": "1", "doc_id": "a", "answer": 3, "char_start": 0}'),
    ],
)
def test_what_is_wrong_in_a_beir_folder_is_named_by_file_and_line(
    beir: Path, file: str, line: str
) -> None:
    path = beir / file
    good = path.read_bytes().rstrip(b"\n") if path.exists() else b""
    if line.startswith('{"_id": "2"'):  # instead of the question that has this id
        good = b""
    path.write_bytes(good + b"\n" + line.encode("utf-8", "surrogateescape") + b"\n")
    number = good.count(b"\n") + 2
    with pytest.raises(QuestionsError, match=rf"{file}:{number}\b") as caught:
        load_beir(beir)
    assert caught.value.hint
    assert "Error" not in str(caught.value)


def test_judgements_of_other_questions_are_said_to_be_so(beir: Path) -> None:
    (beir / "qrels.tsv").write_text("other\ta\t1\n")
    with pytest.raises(QuestionsError, match=r"qrels\.tsv judges no question of .*queries\.jsonl"):
        load_beir(beir)


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
    first, *others = map(json.loads, rows.read_text("utf-8").splitlines())
    assert len(others) == 3
    assert (first["answer_rank"], first["evidence_contains_answer"]) == (1, True)
    assert all(" " not in key for key in first)
    assert "<svg" in curves.read_text("utf-8")
    status, out, _ = run("eval", questions, "--format", "json", "-q")
    assert status == 0
    assert json.loads(out)["measures"]["hit@1"]["value"] == 1


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--plot", "x.foo"),
        ("--plot", "x"),
        ("--plot", "no/x.png"),
        ("--per-question", "no/x.jsonl"),
    ],
)
def test_a_place_that_eval_can_t_write_to_is_refused_before_the_work(
    run: Run, questions: Path, option: str, name: str
) -> None:
    status, out, err = run("eval", questions, option, name)
    assert (status, out) == (2, "")
    assert name in err
    assert "defect" not in err
    assert "refused" not in err


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
    assert min(fitted.cosine, fitted.lexical, fitted.lead, fitted.names) >= 0
    (assistant.root / "more.txt").write_text("Cheese is made of milk.", "utf-8")  # type: ignore[operator]
    assert assistant.ask(question).probability == pytest.approx(after, abs=0.2)
    assistant.calibrate(None)
    assert assistant.ask(question).probability == pytest.approx(before, abs=0.1)


def test_too_few_questions_do_not_calibrate(assistant: Assistant) -> None:
    with pytest.raises(
        QuestionsError, match="1 answerable and 0 unanswerable questions are too few"
    ):
        assistant.calibrate([Question("1", "How does bread rise?")])


@pytest.mark.usefixtures("corpus")
def test_calibrate_is_a_command(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    rows: list[dict[str, object]] = [{"question": f"How does bread rise, {n}?"} for n in range(5)]
    rows += [{"question": f"Who was king in {n}?", "unanswerable": True} for n in range(5)]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    status, out, _ = run("calibrate", file)
    assert status == 0
    assert re.match(r"Right decisions: \d+ of 10 → \d+ of 10 \(answered where", out)
    assert run("calibrate", "--reset")[0] == 0
    assert run("calibrate")[0] == 2


@pytest.mark.usefixtures("corpus")
def test_one_of_anything_is_not_said_in_the_plural(run: Run, corpus: Path, tmp_path: Path) -> None:
    for name in ("bread.txt", "deep/whales.txt"):
        (corpus / name).unlink()
    (corpus / "moon.md").write_text("The Moon orbits the Earth once every 27 days.")
    assert "1 of 1 passage embedded" in run("index")[1]
    doctor = run("doctor")[1]
    assert "1 document," in doctor
    assert "1 passage;" in " ".join(doctor.split())
    (corpus / "new.md").write_text("One more.")
    assert "no: 1 document differs (run `qa index`)" in run("status")[1]
    assert "1 differs" in run("doctor")[1]
    (corpus / "newer.md").write_text("And one more.")
    assert "no: 2 documents differ (run `qa index`)" in run("status")[1]
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(MOON))
    measured = run("eval", file)[1]
    assert "1 question\n" in measured
    assert "1 questions" not in measured
    assert "the document has 1 line\n" in run("show", "moon.md:7")[2]


def outcome(
    text: str, probability: float, *, unanswerable: bool = False, hit: int | None = None
) -> Outcome:
    relevant = {} if unanswerable else {"a.md": 1}
    question = Question(text, f"{text}?", relevant, unanswerable=unanswerable)
    return Outcome(
        question=question, probability=probability, documents={"b.md": 0.9, "a.md": 0.8}, hit=hit,
        evidence=None, signals=(), seconds=0.0, truncated=False,
    )  # fmt: skip


def test_each_question_that_went_wrong_is_named_once_by_how_it_did() -> None:
    outcomes = [
        outcome("right", 0.9, hit=1),
        outcome("late", 0.9, hit=3),
        outcome("nowhere", 0.8, hit=0),
        outcome("by document", 0.7),
        outcome("refused", 0.4, hit=1),
        outcome("refused more", 0.1, hit=0),
        outcome("foreign", 0.2, unanswerable=True),
        outcome("foreign answered", 0.5, unanswerable=True),
    ]
    made = decide(outcomes, threshold=0.5, k=2)
    assert [one.question.id for one in made.refused] == ["refused more", "refused"]
    assert [one.question.id for one in made.answered] == ["foreign answered"]
    assert [one.question.id for one in made.missed] == ["late", "nowhere"]
    assert (made.right, made.questions) == (5, 8)
    assert [one.question.id for one in decide(outcomes, threshold=0.5, k=1).missed][-1] == (
        "by document"
    )
    said = told(made, decide(outcomes, threshold=0.85, k=2))
    assert said == (
        "Right decisions: 4 of 8 → 5 of 8 (answered where the documents answer: 2 of 6 → 4 of 6; "
        "refused where they don't: 2 of 2 → 1 of 2)."
    )


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.sampled_from([None, 0, 1, 9]))),
    st.floats(0, 1),
)
def test_what_went_wrong_and_what_was_right_are_all_questions(
    made: list[tuple[float, bool, int | None]], threshold: float
) -> None:
    outcomes = [
        outcome(str(number), probability, unanswerable=foreign, hit=None if foreign else hit)
        for number, (probability, foreign, hit) in enumerate(made)
    ]
    found = decide(outcomes, threshold=threshold, k=5)
    assert found.right + len(found.refused) + len(found.answered) == found.questions == len(made)
    wrong = {one.question.id for one in (*found.refused, *found.answered)}
    assert not wrong & {one.question.id for one in found.missed}


@pytest.mark.usefixtures("corpus")
def test_eval_says_what_figures_mean_and_lists_what_went_wrong(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    rows: list[dict[str, object]] = [dict(MOON)]
    rows += [
        {
            "id": f"r{n}",
            "question": f"What does a barrister earn in {n}?",
            "documents": ["bread.txt"],
        }
        for n in range(12)
    ]
    rows += [{"id": "u", "question": "What do whales eat?", "unanswerable": True}]
    rows += [{"id": "m", "question": "How does sourdough bread rise?", "documents": ["moon.md"],
              "answer": "Zanzibar"}]  # fmt: skip
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    status, out, _ = run("eval", file, "-q")
    assert status == 0
    plain = " ".join(out.split())
    assert "how near the top the relevant documents stand" in plain
    assert re.search(
        r"Right decisions: 2 of 15 \(answered where the documents answer: 2 of 14;", plain
    )
    assert "Wrongly refused, 12 questions: the probability is below the threshold of 0.5" in plain
    assert "… and 2 more: add --all" in plain
    assert "Wrongly answered, 1 question: the documents don't answer" in plain
    assert "What do whales eat? question u, first found: deep/whales.txt" in plain
    assert "Missed, 1 question: answered, but the first 5 passages hold no answer" in plain
    assert max(map(len, out.splitlines())) <= 80
    everything = run("eval", file, "-q", "--all")[1]
    assert "barrister earn in 11?" in everything
    assert "add --all" not in everything
    listed = json.loads(run("eval", file, "-q", "--format", "json")[1])["decisions"]
    assert [one["id"] for one in listed["wrongly_answered"]] == ["u"]
    assert len(listed["wrongly_refused"]) == 12
    _, out, _ = run("eval", file, "-q", "--format", "markdown")
    assert "**Wrongly answered, 1 question: the documents don't answer**" in out


@pytest.mark.usefixtures("corpus")
def test_every_figure_that_eval_shows_has_a_meaning(run: Run, beir: Path, questions: Path) -> None:
    found = json.loads(run("eval", beir, "--foreign", questions, "--format", "json")[1])
    found["measures"] |= json.loads(run("eval", questions, "--format", "json")[1])["measures"]
    assert set(found["measures"]) == set(MEANINGS)
