"""What all retrievers share: an assistant that is made of plain values, and what it finds.

Of a question that is not answered nothing is found, unless `nearest` asks for the closest passages:
their `answered` is then false.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING, Any, TypedDict, cast
from uuid import NAMESPACE_URL, uuid5

from qa.answering.request import make_request
from qa.assistant import Assistant
from qa.citations.links import file_link
from qa.settings import Settings, override

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from qa.answering.request import AskArguments
    from qa.types import Answer, CitedPassage

__all__ = ["FOR_READERS", "Found", "Retrieval", "RetrievalArguments"]

# The keys of `Found.metadata` that a generative model may be shown beside the text.
FOR_READERS = ("citation", "heading_path")
# What a call may have of its own, as a retriever has it for all of its calls.
_ASKED = ("threshold", "within", "where", "since", "until", "per_document", "refresh")


class RetrievalArguments(TypedDict, total=False):
    """What a retriever is made from, in plain values, so that it can be saved and made again.

    `settings` are further fields of `qa.Settings`, such as `{"max_age": 60}`; the others are those
    of `qa.Assistant` and of its `ask`. `nearest` gives the closest passages where there is no
    answer.
    """

    corpus: str | os.PathLike[str]
    index: str | os.PathLike[str] | None
    model: str | os.PathLike[str] | None
    k: int
    threshold: float | None
    within: str | Iterable[str]
    where: Mapping[str, str] | None
    since: str | date | None
    until: str | date | None
    per_document: int | None
    refresh: bool
    nearest: bool
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A passage as frameworks take it.

    Attributes:
        id: a UUID made of corpus, place and text: the same whichever question found it.
        text: of the passage, as it stands in its document.
        score: what passages are ranked by, see `qa.Scores.fused`.
        metadata: values of JSON; docs/integrations.md has the keys.
    """

    id: str
    text: str
    score: float
    metadata: dict[str, Any]


@dataclass(kw_only=True)
class Retrieval:
    """What `RetrievalArguments` say, and the assistant for it, made when it is first asked.

    A copy or a pickle has the same values and makes an assistant of its own.
    """

    corpus: str = "corpus"
    index: str | None = None
    model: str | None = None
    k: int = 5
    threshold: float | None = None
    within: tuple[str, ...] = ()
    where: dict[str, str] | None = None
    since: str | None = None
    until: str | None = None
    per_document: int | None = None
    refresh: bool = True
    nearest: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Assistant | None = None

    @classmethod
    def of(cls, arguments: RetrievalArguments) -> Retrieval:
        """Take arguments: paths and days as text, one pattern as several.

        Raises:
            TypeError: one is unknown.
            SettingsError: a setting is unknown, of the wrong type or out of range.
            QuestionError: another argument makes no sense.
        """
        given: dict[str, Any] = dict(arguments)
        for key in ("corpus", "index", "model"):
            if isinstance(given.get(key), os.PathLike):
                given[key] = os.fspath(given[key])
        for key in ("since", "until"):
            if isinstance(given.get(key), date):
                given[key] = given[key].isoformat()[:10]
        within = given.get("within") or ()
        given["within"] = (within,) if isinstance(within, str) else tuple(within)
        if given.get("where") is not None:
            given["where"] = dict(given["where"])
        given["settings"] = dict(given.get("settings") or {})
        made = cls(**given)
        k, _, options = made._asked({})
        make_request("?", k, settings=made._settings(), **_told(options))
        return made

    def values(self) -> dict[str, Any]:
        """What differs from the defaults, in values that JSON and YAML have."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        found["within"] = list(self.within)
        empty: tuple[object, ...] = (None, [], {})
        return {
            key: value
            for key, value in found.items()
            if value not in empty and value != _DEFAULTS.get(key)
        }

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    def close(self) -> None:
        """Let go of all files; the next question opens them again."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def find(self, question: str, **own: Any) -> list[Found]:  # noqa: ANN401 - as `ask` takes them
        """The passages that answer a question, best first.

        Args:
            question: in plain language.
            **own: `k`, `nearest` and arguments of `Assistant.ask` that go before those of all.

        Raises:
            QuestionError: see `Assistant.ask`.
            CorpusError, IndexUnusableError: see `Assistant.refresh`.
        """
        k, nearest, options = self._asked(own)
        assistant = self._assistant()
        return found_in(assistant.ask(question, k, **options), assistant.root, nearest=nearest)

    async def find_async(self, question: str, **own: Any) -> list[Found]:  # noqa: ANN401 - as above
        """Do what `find` does without holding up the event loop."""
        import asyncio

        k, nearest, options = self._asked(own)
        assistant = await asyncio.to_thread(self._assistant)
        answer = await assistant.ask_async(question, k, **options)
        return found_in(answer, assistant.root, nearest=nearest)

    def _asked(self, own: Mapping[str, Any]) -> tuple[int, bool, AskArguments]:
        of_all = {key: getattr(self, key) for key in _ASKED}
        options = of_all | _told(own)
        k, nearest = options.pop("k", self.k), options.pop("nearest", self.nearest)
        return k, nearest, cast("AskArguments", options)

    def _assistant(self) -> Assistant:
        with self._lock:
            if self._made is None:
                self._made = Assistant(settings=self._settings())
            return self._made

    def _settings(self) -> Settings:
        places = {"corpus": self.corpus, "index": self.index, "model": self.model}
        return override(Settings(), {**places, **self.settings})


def _told(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are given: None counts as not given."""
    return {key: value for key, value in arguments.items() if value is not None}


_DEFAULTS = {one.name: one.default for one in fields(Retrieval)}


def found_in(answer: Answer, root: Path | None, *, nearest: bool) -> list[Found]:
    """What is found with an answer; of an abstention nothing but, if wanted, the closest."""
    return [_found(one, answer, root) for one in (answer.shown if nearest else answer.passages)]


def _found(one: CitedPassage, answer: Answer, root: Path | None) -> Found:
    place, evidence = one.citation, one.evidence.citation
    cited: dict[str, Any] = {name: getattr(place, name) for name in place.__slots__}
    scores: dict[str, Any] = {name: getattr(one.scores, name) for name in one.scores.__slots__}
    named = f"{answer.corpus}\n{place.document}\n{place.start}\n{place.end}\n{place.quote}"
    return Found(
        id=str(uuid5(NAMESPACE_URL, named)),
        text=place.quote,
        score=one.scores.fused,
        metadata={
            **one.metadata,  # what a document says of itself hides nothing of the citation
            **cited,
            "heading_path": list(place.heading_path),
            "citation": str(place),
            "link": file_link(place, root),
            "evidence": evidence.quote,
            "evidence_start": evidence.start,
            "evidence_end": evidence.end,
            "scores": scores,
            "answered": answer.answered,
            "probability": answer.probability,
        },
    )
