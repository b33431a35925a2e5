"""In LlamaIndex: nodes with scores and citations, for query engines and for fusion."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import qa

pytest.importorskip("llama_index.core")

from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import MetadataMode, NodeRelationship

from qa.integrations.llama_index import QARetriever

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOON = "Who set foot on the Moon?"
ORBIT = "How many days does the Moon take around the Earth?"
NOTHING = "What does a barrister earn?"


@pytest.fixture(name="made_from")
def _made_from(corpus: Path, tmp_path: Path, cache: Path) -> dict[str, Any]:
    """Give the arguments of a retriever."""
    return {"corpus": corpus, "index": tmp_path / "index", "settings": {"cache": str(cache)}}


@pytest.fixture(name="retriever")
def _retriever(made_from: dict[str, Any]) -> Iterator[QARetriever]:
    """Give a retriever over three small documents."""
    one = QARetriever(**made_from)
    yield one
    one.close()


def test_nodes_are_the_passages_with_their_scores_and_citations(
    retriever: QARetriever, made_from: dict[str, Any], cache: Path
) -> None:
    found = retriever.retrieve(MOON)
    with qa.Assistant(made_from["corpus"], made_from["index"], cache=cache) as assistant:
        answer = assistant.ask(MOON)
    assert [one.text for one in found] == [one.citation.quote for one in answer.passages]
    assert [one.score for one in found] == [one.scores.fused for one in answer.passages]
    node, place = found[0].node, answer.passages[0].citation
    assert node.metadata["citation"] == str(place)
    assert node.metadata["probability"] == answer.probability
    assert node.ref_doc_id == place.document == "moon.md"
    assert NodeRelationship.SOURCE in node.relationships
    assert (node.start_char_idx, node.end_char_idx) == (place.start, place.end)  # type: ignore[attr-defined]
    json.dumps(node.to_dict())
    told = node.get_content(MetadataMode.LLM)
    assert str(place) in told
    assert place.sha256 not in told


def test_of_an_abstention_nothing_is_found_unless_the_nearest_are_asked_for(
    retriever: QARetriever, made_from: dict[str, Any]
) -> None:
    assert retriever.retrieve(NOTHING) == []
    nearest = QARetriever(**made_from, nearest=True).retrieve(NOTHING)
    assert nearest
    assert {one.metadata["answered"] for one in nearest} == {False}


def test_a_query_engine_is_given_the_passages_and_tells_its_sources(retriever: QARetriever) -> None:
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())  # which says what it is told
    response = engine.query(MOON)
    assert "Neil Armstrong set foot on it" in str(response)
    assert response.source_nodes[0].metadata["document"] == "moon.md"
    again = asyncio.run(engine.aquery(MOON))
    assert str(again) == str(response)
    assert str(engine.query(NOTHING)) == "Empty Response"


@pytest.mark.parametrize("mode", list(FUSION_MODES))
def test_fusion_takes_a_passage_that_several_questions_find_for_one(
    retriever: QARetriever, made_from: dict[str, Any], mode: FUSION_MODES
) -> None:
    other = QARetriever(**made_from, within="*.md", k=2, threshold=0)
    one, two = retriever.retrieve(MOON)[0].node, other.retrieve(ORBIT)
    (same,) = [node.node for node in two if node.node_id == one.node_id]
    assert same.metadata["probability"] != one.metadata["probability"]
    assert same.hash == one.hash
    fusion = QueryFusionRetriever(
        [retriever, other], llm=MockLLM(), mode=mode, num_queries=2, similarity_top_k=20,
        use_async=False,
    )  # fmt: skip
    for found in (fusion.retrieve(MOON), asyncio.run(fusion.aretrieve(MOON))):
        ids = [node.node_id for node in found]
        assert len(set(ids)) == len(ids)
        assert one.node_id in ids
    other.close()


def test_many_are_awaited_at_once(retriever: QARetriever) -> None:
    async def ask_all() -> list[Any]:
        return await asyncio.gather(*map(retriever.aretrieve, [MOON, ORBIT, NOTHING] * 3))

    found = asyncio.run(ask_all())
    assert found[:3] == [retriever.retrieve(one) for one in (MOON, ORBIT, NOTHING)]
    assert found[3:] == found[:3] * 2


@pytest.mark.parametrize("way", ["dictionary", "pickle"])
def test_it_can_be_saved_and_made_again(made_from: dict[str, Any], way: str) -> None:
    retriever = QARetriever(**made_from, k=1, within="moon.md")
    before = retriever.retrieve(MOON)
    if way == "pickle":
        again = pickle.loads(pickle.dumps(retriever))  # noqa: S301 - our own
    else:
        again = QARetriever.from_dict(json.loads(json.dumps(retriever.to_dict())))
    assert again.to_dict() == retriever.to_dict()
    assert again.retrieve(MOON) == before
    again.close()
    retriever.close()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"k": True}, qa.QuestionError),
        ({"where": {"author": 1}}, qa.FilterError),
        ({"settings": {"prior": 2.0}}, qa.SettingsError),
        ({"nonsense": 1}, TypeError),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_made(
    wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        QARetriever(**wrong)


def test_closed_it_opens_again_for_the_next_question(retriever: QARetriever) -> None:
    before = retriever.retrieve(MOON)
    retriever.close()
    retriever.close()
    assert retriever.retrieve(MOON) == before
