"""A retriever for Haystack: a component for pipelines, with `run` and `run_async`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from qa.errors import FilterError, MissingExtraError
from qa.integrations.retrieval import Found, Retrieval, RetrievalArguments

try:
    from haystack import Document, component, default_from_dict, default_to_dict
except ImportError as error:
    raise MissingExtraError("A retriever for Haystack", "haystack") from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

__all__ = ["QARetriever"]


@component
class QARetriever:
    """The passages that answer a question, as Haystack's documents; none for an abstention.

    Args:
        **arguments: see `RetrievalArguments`.

    Raises:
        TypeError: an argument is unknown.
        SettingsError: a setting is unknown, of the wrong type or out of range.
    """

    def __init__(self, **arguments: Unpack[RetrievalArguments]) -> None:
        self._retrieval = Retrieval.of(arguments)

    def to_dict(self) -> dict[str, Any]:
        """The component as pipelines write it."""
        made: dict[str, Any] = default_to_dict(self, **self._retrieval.values())
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Undo `to_dict`."""
        made: Self = default_from_dict(cls, data)
        return made

    def close(self) -> None:
        """Let go of all files; the next question opens them again."""
        self._retrieval.close()

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, Any]:
        """Find the passages that answer.

        Args:
            query: the question.
            filters: Haystack's, as far as documents can be filtered here: "==" of what a document
                says of itself, ">=" and "<=" of `meta.date`, joined by "AND". They go before the
                retriever's own.
            top_k: how many passages at most.

        Raises:
            FilterError: a filter says something else, or lets no document pass.
            QuestionError, CorpusError, IndexUnusableError: see `Assistant.ask`.
        """
        found = self._retrieval.find(query, k=top_k, **self._chosen(filters))
        return {"documents": list(map(_document, found))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, Any]:
        """Do what `run` does without holding up the event loop."""
        found = await self._retrieval.find_async(query, k=top_k, **self._chosen(filters))
        return {"documents": list(map(_document, found))}

    def _chosen(self, filters: Mapping[str, Any] | None) -> dict[str, Any]:
        chosen = options(filters or {})
        if "where" in chosen:
            chosen["where"] = {**(self._retrieval.where or {}), **chosen["where"]}
        return chosen


_DAYS = {">=": "since", "<=": "until"}


def options(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Filters of Haystack as arguments of `Assistant.ask`.

    Raises:
        FilterError: they say what these can't.
    """
    chosen: dict[str, Any] = {}
    for name, operator, value in _conditions(filters) if filters else ():
        key = name.removeprefix("meta.")
        if operator == "==" and isinstance(value, str) and "*" not in value and "?" not in value:
            where, wanted = chosen.setdefault("where", {}), value
            is_other = where.setdefault(key, wanted) != wanted
        elif key == "date" and operator in _DAYS:
            is_other = chosen.setdefault(_DAYS[operator], value) != value
        else:
            raise _not_here(f"{name} {operator} {value!r:.80}")
        if is_other:
            raise _not_here(f"two conditions {operator} of {name}")
    return chosen


def _conditions(filters: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The conditions that must all hold."""
    match filters:
        case {"field": str(name), "operator": str(operator), "value": value}:
            yield name, operator, value
        case {"operator": "AND", "conditions": [*conditions]}:
            for one in conditions:
                yield from _conditions(one)
        case _:
            raise _not_here(f"{filters!r:.80}")


def _not_here(what: str) -> FilterError:
    return FilterError(
        f"Documents can't be filtered by {what}",
        hint='Give "==" of metadata, ">=" and "<=" of meta.date, joined by "AND"; '
        "paths are chosen by `within` of the retriever.",
    )


def _document(found: Found) -> Document:
    return Document(id=found.id, content=found.text, meta=found.metadata, score=found.score)
