"""What the routes take, with its limits."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from qa.answering.request import MAX_QUESTION

__all__ = [
    "EXAMPLE",
    "MAX_K",
    "REFUSED",
    "AskBody",
    "Characters",
    "Id",
    "Limit",
    "Offset",
    "Pattern",
]

MAX_K = 100
_WORDS = 1_000  # characters of anything but the question

Pattern = Annotated[str, Field(min_length=1, max_length=_WORDS)]
Limit = Annotated[int, Field(ge=1, le=1_000)]
Id = Annotated[str, Field(min_length=1, max_length=4_096)]
Offset = Annotated[int, Field(ge=0, le=2**40)]
Characters = Annotated[int, Field(ge=1, le=1_000_000)]
_Value = Annotated[str, Field(max_length=_WORDS)]


class Refusal(BaseModel):
    """What is wrong with a request, and what to do now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "schema": "qa.error/1",
                    "error": "k: Input should be less than or equal to 100",
                    "hint": "",
                }
            ]
        }
    )

    schema_: Annotated[str, Field(alias="schema")]
    error: str
    hint: str


_REFUSED = {
    400: "The body is not JSON",
    401: "A token is needed",
    403: "A page of another site asks",
    404: "There is no such thing",
    408: "The request did not arrive in time",
    413: "The request is too large",
    421: "The server is not known by that host",
    422: "It can't be asked like that",
    500: "The server failed",
    503: "Nothing is indexed yet, or too much is asked at once: see Retry-After",
}
REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": said} for status, said in _REFUSED.items()
}


class AskBody(BaseModel):
    """A question, and which documents may answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"question": "Will Russia send food or medicine?"},
                {"question": "Who signed it?", "k": 3, "within": ["*.md"], "since": "2024-01-01"},
            ]
        },
    )

    question: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION)]
    k: Annotated[
        int | None, Field(ge=1, le=MAX_K, strict=True, description="Passages at most.")
    ] = None
    threshold: Annotated[
        float | None, Field(ge=0, le=1, description="Abstain below this probability.")
    ] = None
    per_document: Annotated[
        int | None, Field(ge=0, le=MAX_K, strict=True, description="Passages of a document first.")
    ] = None
    explain: Annotated[bool, Field(strict=True, description="Say what scores are made of.")] = False
    within: Annotated[
        list[Pattern],
        Field(max_length=20, description="Patterns as in .gitignore; one must fit the path."),
    ] = []
    where: Annotated[
        dict[_Value, _Value], Field(max_length=10, description="What its metadata must be.")
    ] = {}
    since: Annotated[date | None, Field(description="The first day.")] = None
    until: Annotated[date | None, Field(description="The last day.")] = None

    def options(self) -> dict[str, Any]:
        """The arguments of `Assistant.ask` beside the question."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "question"}


_PLACE = {
    "document": "moon.md",
    "file": "moon.md",
    "format": "markdown",
    "quote": "Neil Armstrong set foot on it in July 1969.",
    "heading_path": ["The Moon", "Landing"],
    "start_line": 7,
    "end_line": 7,
    "start": 94,
    "end": 137,
    "sha256": "…",
}
EXAMPLE = {
    "schema": "qa.answer/1",
    "question": "Who set foot on the Moon?",
    "answered": True,
    "probability": 0.97,
    "verdict": "answered",
    "passages": [{"citation": _PLACE, "evidence": {"citation": _PLACE, "score": 0.8, "marks": []}}],
    "nearest": [],
    "reason": "",
}
