"""In LangChain: a runnable that finds cited passages, can be saved, and says nothing unfounded."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import qa
from conftest import REPOSITORY

pytest.importorskip("langchain_core")

from langchain_core.load import dumps, load
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from pydantic import ValidationError

from qa.integrations.langchain import QARetriever

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.documents import Document

MOON = "Who set foot on the Moon?"
NOTHING = "What does a barrister earn?"


@pytest.fixture(name="made_from")
def _made_from(corpus: Path, tmp_path: Path, cache: Path) -> dict[str, Any]:
    """Give the arguments of a retriever."""
    places = {"corpus": str(corpus), "index": str(tmp_path / "index")}
    return {**places, "settings": {"cache": str(cache)}}


@pytest.fixture(name="retriever")
def _retriever(made_from: dict[str, Any]) -> Iterator[QARetriever]:
    """Give a retriever over three small documents."""
    one = QARetriever(**made_from)
    yield one
    one.close()


def test_langchains_own_tests_of_a_retriever_pass(made_from: dict[str, Any]) -> None:
    pytest.importorskip("langchain_tests")
    file = "tests/standard/langchain_standard.py"
    given = {**made_from, "threshold": 0.0}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", file, "-p", "no:cacheprovider", "-o", "addopts="),
            *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
            *(
                "-p",
                "no:benchmark",
                "-p",
                "no:codspeed",
                "-p",
                "no:xdist",
                "-o",
                "markers=benchmark",
            ),
        ],
        cwd=REPOSITORY,
        env=os.environ | {"STANDARD_RETRIEVER": json.dumps(given)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= 5
    assert "skipped" not in done.stdout


def test_what_is_found_is_what_the_assistant_answers_with(
    retriever: QARetriever, made_from: dict[str, Any], cache: Path
) -> None:
    found = retriever.invoke(MOON)
    with qa.Assistant(made_from["corpus"], made_from["index"], cache=cache) as assistant:
        answer = assistant.ask(MOON)
        assert len(found) == len(answer.passages) > 0
        for document, passage in zip(found, answer.passages, strict=True):
            place, about = passage.citation, document.metadata
            assert document.page_content == about["quote"] == place.quote
            assert about["document"] == about["source"] == place.document
            assert about["heading_path"] == list(place.heading_path)
            assert (about["start"], about["end"]) == (place.start, place.end)
            assert (about["start_line"], about["page"]) == (place.start_line, place.page)
            assert about["evidence"] == passage.evidence.citation.quote
            assert about["score"] == about["scores"]["fused"] == passage.scores.fused
            assert about["probability"] == answer.probability
            assert about["answered"] is True
            assert assistant.show(about["citation"]).citation.document == place.document
            assert about["link"].startswith("file:///")
            assert about["link"].endswith(place.file)
            json.dumps(about)


def test_of_an_abstention_nothing_is_found_unless_the_nearest_are_asked_for(
    retriever: QARetriever,
) -> None:
    assert retriever.invoke(NOTHING) == []
    nearest = retriever.invoke(NOTHING, nearest=True)
    assert nearest
    assert {one.metadata["answered"] for one in nearest} == {False}
    assert all(one.metadata["probability"] < 0.5 for one in nearest)


def test_it_is_asked_in_a_chain_in_batches_and_without_waiting(retriever: QARetriever) -> None:
    def cite(found: list[Document]) -> list[str]:
        return [one.metadata["citation"] for one in found]

    chain: Any = {"cited": retriever | RunnableLambda(cite), "asked": RunnablePassthrough()}
    answered = (RunnablePassthrough() | chain).invoke(MOON)
    assert answered["asked"] == MOON
    assert answered["cited"][0].startswith("moon.md:")
    questions = [MOON, NOTHING, "How long is bread kneaded?"]
    one_by_one = [retriever.invoke(one) for one in questions]
    assert retriever.batch(questions) == one_by_one
    together = asyncio.run(retriever.abatch(questions))  # their scores agree to 1e-6
    assert list(map(cite, together)) == list(map(cite, one_by_one))


def test_filters_are_of_all_questions_or_of_one(made_from: dict[str, Any]) -> None:
    retriever = QARetriever(**made_from, within="*.txt", threshold=0, k=3)
    assert {one.metadata["document"] for one in retriever.invoke(MOON)} <= {
        "bread.txt",
        "deep/whales.txt",
    }
    assert {one.metadata["document"] for one in retriever.invoke(MOON, within=["*.md"])} == {
        "moon.md"
    }
    with pytest.raises(qa.FilterError, match="matches the pattern"):
        retriever.invoke(MOON, within="*.pdf")
    retriever.close()


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
@pytest.mark.parametrize("way", ["pickle", "copy", "model", "json"])
def test_it_can_be_saved_and_made_again(made_from: dict[str, Any], way: str) -> None:
    retriever = QARetriever(**made_from, k=1, within="moon.md", nearest=True, tags=["docs"])
    before = retriever.invoke(MOON)
    match way:
        case "pickle":
            again = pickle.loads(pickle.dumps(retriever))  # noqa: S301 - our own
        case "copy":
            again = copy.deepcopy(retriever)
        case "model":
            again = QARetriever.model_validate_json(retriever.model_dump_json())
        case _:
            again = load(
                json.loads(dumps(retriever)),
                valid_namespaces=["qa"],
                allowed_objects=[QARetriever],
            )
    assert (again.k, again.within, again.nearest) == (1, ("moon.md",), True)
    assert again.invoke(MOON) == before
    again.close()
    retriever.close()


def test_a_field_that_is_assigned_counts_and_a_copy_leaves_the_first_alone(
    retriever: QARetriever, tmp_path: Path
) -> None:
    assert len(retriever.invoke(MOON, threshold=0)) > 1
    other = retriever.model_copy(update={"k": 1})
    assert len(other.invoke(MOON, threshold=0)) == 1
    assert len(retriever.invoke(MOON, threshold=0)) > 1
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mars.txt").write_text("Nobody has set foot on Mars yet.\n", "utf-8")
    retriever.corpus, retriever.index = str(tmp_path / "elsewhere"), str(tmp_path / "other")
    assert [one.metadata["document"] for one in retriever.invoke(MOON, threshold=0)] == ["mars.txt"]
    other.close()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"threshold": 2.0}, "threshold is 2.0"),
        ({"since": "soon"}, "not a date"),
        ({"settings": {"nonsense": 1}}, "unknown setting 'nonsense'"),
        ({"corpus": ""}, "corpus is empty"),
        ({"corpus": 7}, "valid string"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_made(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        QARetriever(**wrong)


def test_what_is_wrong_with_a_question_or_the_corpus_is_raised_as_it_is(
    retriever: QARetriever, tmp_path: Path
) -> None:
    with pytest.raises(qa.QuestionError, match="empty"):
        retriever.invoke(" ")
    with pytest.raises(qa.CorpusNotFoundError):
        QARetriever(corpus=tmp_path / "nowhere", index=tmp_path / "i").invoke(MOON)


def test_without_the_framework_it_is_said_what_to_install() -> None:
    for module, extra in {"langchain": "langchain_core", "llama_index": "llama_index.core"}.items():
        program = (
            f"import sys; sys.modules[{extra!r}] = None\nimport qa\n"
            f"try: import qa.integrations.{module}\n"
            "except qa.MissingExtraError as error: print(error.hint)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert f"retrieval-qa[{module.replace('_', '-')}]" in done.stdout


def test_what_a_document_says_of_itself_hides_nothing_of_the_citation(
    tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.md").write_text(
        "---\nauthor: B. Blake\nprobability: 1\nanswered: yes\nquote: none\nlink: x\n---\n\n"
        "The lighthouse of Ys was built in 1862.\n",
        "utf-8",
    )
    retriever = QARetriever(
        corpus=tmp_path / "corpus", index=tmp_path / "i", settings={"cache": str(cache)}
    )
    (one,) = retriever.invoke("When was the lighthouse of Ys built?")
    assert one.metadata["author"] == "B. Blake"
    assert one.metadata["answered"] is True
    assert one.metadata["quote"] == one.page_content == "The lighthouse of Ys was built in 1862."
    assert isinstance(one.metadata["probability"], float)
    retriever.close()
