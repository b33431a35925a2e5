"""In Haystack: a component that pipelines run, await, write down and make again."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

import qa

pytest.importorskip("haystack")

from haystack import Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers import MultiRetriever
from haystack.core.errors import DeserializationError

from qa.integrations.haystack import QARetriever, options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOON = "Who set foot on the Moon?"
NOTHING = "What does a barrister earn?"


@pytest.fixture(name="made_from")
def _made_from(corpus: Path, tmp_path: Path, cache: Path) -> dict[str, Any]:
    """Give the arguments of a retriever."""
    return {"corpus": corpus, "index": tmp_path / "index", "settings": {"cache": str(cache)}}


@pytest.fixture(name="pipeline")
def _pipeline(made_from: dict[str, Any]) -> Iterator[Pipeline]:
    """Give a pipeline of two retrievers and what joins their documents."""
    pipeline = Pipeline()
    pipeline.add_component("all", QARetriever(**made_from))
    pipeline.add_component("one", QARetriever(**made_from, within="*.md", k=1))
    pipeline.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
    pipeline.connect("all.documents", "join.documents")
    pipeline.connect("one.documents", "join.documents")
    yield pipeline
    pipeline.close()


def asked(question: str) -> dict[str, Any]:
    return {"all": {"query": question}, "one": {"query": question}}


def test_documents_are_the_passages_with_their_scores_and_citations(
    made_from: dict[str, Any], cache: Path
) -> None:
    retriever = QARetriever(**made_from)
    found = retriever.run(MOON)["documents"]
    with qa.Assistant(made_from["corpus"], made_from["index"], cache=cache) as assistant:
        answer = assistant.ask(MOON)
    assert [one.content for one in found] == [one.citation.quote for one in answer.passages]
    assert [one.score for one in found] == [one.scores.fused for one in answer.passages]
    assert found[0].meta["citation"] == str(answer.passages[0].citation)
    assert found[0].meta["probability"] == answer.probability
    for one in found:
        assert type(one).from_dict(json.loads(json.dumps(one.to_dict()))) == one
    retriever.close()


def test_a_pipeline_runs_it_and_awaits_it(pipeline: Pipeline) -> None:
    found = pipeline.run(asked(MOON))["join"]["documents"]
    assert found[0].meta["document"] == "moon.md"
    assert len({one.id for one in found}) == len(found)
    awaited = asyncio.run(pipeline.run_async(asked(MOON)))["join"]["documents"]
    assert [one.id for one in awaited] == [one.id for one in found]
    assert pipeline.run(asked(NOTHING))["join"]["documents"] == []


def test_a_pipeline_that_was_written_down_is_the_same(pipeline: Pipeline) -> None:
    written = pipeline.dumps()
    again = Pipeline.loads(written, allowed_modules=["qa.integrations.haystack"])
    assert again.dumps() == written
    assert again.run(asked(MOON)) == pipeline.run(asked(MOON))
    again.close()
    with pytest.raises(DeserializationError):  # unless its module is allowed, Haystack loads none
        Pipeline.loads(written)


def test_the_nearest_come_with_a_pipeline_that_wants_them(made_from: dict[str, Any]) -> None:
    retriever = QARetriever(**made_from, nearest=True)
    found = retriever.run(NOTHING)["documents"]
    assert found
    assert {one.meta["answered"] for one in found} == {False}
    assert QARetriever.from_dict(retriever.to_dict()).run(NOTHING)["documents"] == found


@pytest.mark.filterwarnings("ignore:'MultiRetriever' is an experimental component")
def test_it_is_a_retriever_among_others_for_what_asks_several(made_from: dict[str, Any]) -> None:
    retriever = QARetriever(**made_from)
    several = MultiRetriever(retrievers={"qa": retriever}, top_k=1)
    found = several.run(query=MOON)["documents"]
    assert [one.meta["document"] for one in found] == ["moon.md"]
    retriever.close()


def test_filters_of_haystack_choose_documents(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "signed"
    folder.mkdir()
    for name, author, day in (("old", "A. Adams", "2001-02-03"), ("new", "B. Blake", "2024-05-06")):
        (folder / f"{name}.md").write_text(
            f"---\nauthor: {author}\ndate: {day}\n---\n\nThe pact was signed in Rome by Kim.\n",
            "utf-8",
        )
    retriever = QARetriever(
        corpus=folder, index=tmp_path / "index", settings={"cache": str(cache)}, threshold=0
    )
    blake: dict[str, Any] = {"field": "meta.author", "operator": "==", "value": "B. Blake"}
    late = {"field": "meta.date", "operator": ">=", "value": "2020-01-01"}
    early = {"field": "meta.date", "operator": "<=", "value": "2020-01-01"}
    wanted: list[tuple[dict[str, Any], str]] = [
        (blake, "new.md"),
        (late, "new.md"),
        (early, "old.md"),
        ({"operator": "AND", "conditions": [blake, late]}, "new.md"),
    ]
    for filters, name in wanted:
        found = retriever.run("Where was the pact signed?", filters=filters, top_k=5)["documents"]
        assert [one.meta["document"] for one in found] == [name]
        assert found[0].meta["author"] == ("B. Blake" if name == "new.md" else "A. Adams")
    with pytest.raises(qa.FilterError, match="No indexed document passes all filters"):
        retriever.run("Where?", filters={"operator": "AND", "conditions": [blake, early]})
    retriever.close()


@pytest.mark.parametrize(
    "filters",
    [
        {"operator": "OR", "conditions": []},
        {"operator": "NOT", "conditions": []},
        {"field": "meta.author", "operator": "!=", "value": "x"},
        {"field": "meta.page", "operator": "==", "value": 3},
        {"field": "meta.author", "operator": "==", "value": "A*"},
        {"field": "meta.author", "operator": "in", "value": ["x"]},
        {"nonsense": 1},
        {
            "operator": "AND",
            "conditions": [
                {"field": "meta.author", "operator": "==", "value": "x"},
                {"field": "meta.author", "operator": "==", "value": "y"},
            ],
        },
    ],
)
def test_a_filter_that_could_not_be_kept_is_refused_and_not_left_out(
    filters: dict[str, Any],
) -> None:
    with pytest.raises(qa.FilterError, match="can't be filtered by"):
        options(filters)


def test_filters_of_a_run_go_before_the_retrievers_own_and_leave_the_others(
    made_from: dict[str, Any],
) -> None:
    assert options({}) == {}
    retriever = QARetriever(**made_from, where={"author": "x", "title": "y"})
    chosen = retriever._chosen({"field": "author", "operator": "==", "value": "z"})
    assert chosen == {"where": {"author": "z", "title": "y"}}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"k": 0}, qa.QuestionError),
        ({"within": [7]}, qa.FilterError),
        ({"settings": {"nonsense": 1}}, qa.SettingsError),
        ({"nonsense": 1}, TypeError),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_made(
    wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        QARetriever(**wrong)
