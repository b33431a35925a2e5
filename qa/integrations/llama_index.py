"""A retriever for LlamaIndex, for its query engines and for fusion."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Unpack

from qa.errors import MissingExtraError
from qa.integrations.retrieval import FOR_READERS, Found, Retrieval, RetrievalArguments

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.schema import (
        NodeRelationship,
        NodeWithScore,
        RelatedNodeInfo,
        TextNode,
    )
except ImportError as error:
    raise MissingExtraError("A retriever for LlamaIndex", "llama-index") from error

if TYPE_CHECKING:
    from typing import Any, Self

    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import QueryBundle

__all__ = ["CitedNode", "QARetriever"]


class CitedNode(TextNode):
    """A cited passage: the same node whichever question found it.

    Fusion takes nodes of one `hash` for one; that of a `TextNode` is of its metadata too, in which
    the probability is another for each question.
    """

    @property
    def hash(self) -> str:
        """Of the id, which is of corpus, place and text."""
        return hashlib.sha256(self.node_id.encode()).hexdigest()


class QARetriever(BaseRetriever):
    """The passages that answer a question, as nodes with scores; none for an abstention.

    Args:
        callback_manager: LlamaIndex's.
        verbose: as LlamaIndex has it.
        **arguments: see `RetrievalArguments`.

    Raises:
        TypeError: an argument is unknown.
        SettingsError: a setting is unknown, of the wrong type or out of range.
    """

    def __init__(
        self,
        *,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
        **arguments: Unpack[RetrievalArguments],
    ) -> None:
        super().__init__(callback_manager=callback_manager, verbose=verbose)
        self._retrieval = Retrieval.of(arguments)

    def to_dict(self) -> dict[str, Any]:
        """The arguments that it was made from, in values that JSON has."""
        return self._retrieval.values()

    @classmethod
    def from_dict(cls, arguments: dict[str, Any]) -> Self:
        """Undo `to_dict`."""
        return cls(**arguments)

    def close(self) -> None:
        """Let go of all files; the next question opens them again."""
        self._retrieval.close()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(one) for one in self._retrieval.find(query_bundle.query_str)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(one) for one in await self._retrieval.find_async(query_bundle.query_str)]


def _node(found: Found) -> NodeWithScore:
    """Make a node; of its metadata a model is shown where it stands, and no more."""
    about = found.metadata
    hidden = [key for key in about if key not in FOR_READERS]
    node = CitedNode(
        id_=found.id,
        text=found.text,
        extra_info=about,  # that is what a node's `metadata` is called here
        start_char_idx=about["start"],
        end_char_idx=about["end"],
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=about["document"])},
    )
    return NodeWithScore(node=node, score=found.score)
