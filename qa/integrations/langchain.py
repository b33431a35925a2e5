"""A retriever for LangChain: a `Runnable` whose fields are plain values."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, cast

from qa.errors import MissingExtraError
from qa.integrations.retrieval import Found, Retrieval

try:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from pydantic import BeforeValidator, Field, PrivateAttr
except ImportError as error:
    raise MissingExtraError("A retriever for LangChain", "langchain") from error

if TYPE_CHECKING:
    from langchain_core.callbacks.manager import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )

    from qa.integrations.retrieval import RetrievalArguments

__all__ = ["QARetriever"]


def _as_text(given: object) -> object:
    return os.fspath(given) if isinstance(given, os.PathLike) else given


def _as_several(given: object) -> object:
    return (given,) if isinstance(given, str) else given


def _as_day(given: Any) -> Any:  # noqa: ANN401 - pydantic checks what comes of it
    return given.isoformat()[:10] if hasattr(given, "isoformat") else given


Path = Annotated[str | os.PathLike[str], BeforeValidator(_as_text)]
Patterns = Annotated[tuple[str, ...] | str, BeforeValidator(_as_several)]
Day = Annotated[str | None, BeforeValidator(_as_day)]


class QARetriever(BaseRetriever):
    """The passages that answer a question, as LangChain's documents; none for an abstention.

    The fields are those of `RetrievalArguments`; `invoke(question, k=3, within="*.md")` gives some
    of them for one question. `metadata` of each document has its citation, `score` and
    `probability`; see docs/integrations.md.
    """

    corpus: Path = "corpus"
    index: Path | None = None
    model: Path | None = None
    k: int = 5
    threshold: float | None = None
    within: Patterns = ()
    where: dict[str, str] | None = None
    since: Day = None
    until: Day = None
    per_document: int | None = None
    refresh: bool = True
    nearest: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)
    _retrieval: Retrieval = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's own
        """Check the values (see `Retrieval.of`)."""
        super().model_post_init(context)
        self._retrieval = self._wanted()

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `langchain_core.load.dumps` takes it."""
        return True

    def close(self) -> None:
        """Let go of all files; the next question opens them again."""
        self._retrieval.close()

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        **own: Any,  # noqa: ANN401 - as `Retrieval.find` takes them
    ) -> list[Document]:
        return [_document(one) for one in self._current().find(query, **own)]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        **own: Any,  # noqa: ANN401 - as above
    ) -> list[Document]:
        return [_document(one) for one in await self._current().find_async(query, **own)]

    def _wanted(self) -> Retrieval:
        values = {one.name: getattr(self, one.name) for one in fields(Retrieval)}
        return Retrieval.of(cast("RetrievalArguments", values))

    def _current(self) -> Retrieval:
        """The retrieval that the fields say: they can be assigned, and differ in a copy."""
        if (wanted := self._wanted()) != self._retrieval:
            self._retrieval = wanted
        return self._retrieval


def _document(found: Found) -> Document:
    """Make a document; "source" is where LangChain's chains look for its name."""
    about = {**found.metadata, "source": found.metadata["document"], "score": found.score}
    return Document(id=found.id, page_content=found.text, metadata=about)
