"""What the routes give, as the description of the server tells it; nothing is checked by it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from qa.contents import DocumentInfo, DocumentText
from qa.serving.replies import answer_of
from qa.types import Answer, Citation, CitedPassage, Evidence, Scores, Verdict

if TYPE_CHECKING:
    from fastapi import FastAPI

    from qa.serving.guard import Rules

__all__ = [
    "ANSWER",
    "DOCUMENT",
    "DOCUMENTS",
    "OPEN",
    "PICTURE",
    "REFUSED",
    "STATUS",
    "TEXT",
    "add_security",
]

_SCHEME = "token"
OPEN: dict[str, Any] = {"security": []}  # of a route that asks for no token
_CLOSED = ConfigDict(extra="forbid")


def _extended(name: str, kind: type, without: tuple[str, ...], **more: Any) -> type[BaseModel]:  # noqa: ANN401 - types
    """The JSON form of a dataclass, with other fields besides; `schema` has a name of its own."""
    hints = get_type_hints(kind)
    own = {one.name: hints[one.name] for one in fields(kind) if one.name not in without}
    return create_model(name, __config__=_CLOSED, __doc__=kind.__doc__, **own, **more)


class Refusal(BaseModel):
    """What is wrong with a request, and what to do now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "schema": "qa.error/1",
                    "error": "k: Input should be less than or equal to 100",
                    "hint": "",
                }
            ]
        },
    )

    schema_: Annotated[Literal["qa.error/1"], Field(alias="schema")]
    error: str
    hint: str


class Documents(BaseModel):
    """Documents by id; `next` is what the next page comes `after`."""

    model_config = _CLOSED

    schema_: Annotated[Literal["qa.documents/1"], Field(alias="schema")]
    documents: list[DocumentInfo]
    next: str | None


class Serving(BaseModel):
    """What is indexed, in numbers."""

    model_config = _CLOSED

    schema_: Annotated[Literal["qa.serving/1"], Field(alias="schema")]
    model: str
    documents: int
    passages: int
    pending: Annotated[int, Field(description="Passages found by their words alone so far.")]
    stale: Annotated[int, Field(description="Files that have changed since.")]
    unreadable: int
    refreshing: bool
    healthy: Annotated[bool, Field(description="Whether the index can be kept up to date.")]


_Answer = _extended(
    "Answer",
    Answer,
    ("schema", "searched", "signals"),
    schema_=Annotated[Literal["qa.answer/1"], Field(alias="schema")],
    verdict=Verdict,
)
_Document = _extended(
    "Document",
    DocumentText,
    (),
    schema_=Annotated[Literal["qa.document/1"], Field(alias="schema")],
    start=Annotated[int, Field(description="Where in the document this text begins.")],
    characters=Annotated[int, Field(description="How many the document has in all.")],
)


def _example() -> dict[str, Any]:
    citation = Citation(
        document="moon.md",
        quote="Neil Armstrong set foot on it in July 1969.",
        start_line=7,
        end_line=7,
        heading_path=("The Moon", "Landing"),
        page=None,
        label="",
        anchor="",
        paragraph=None,
        chapter=None,
        row=None,
        start=94,
        end=137,
        start_byte=94,
        end_byte=137,
        file="moon.md",
        format="markdown",
        sha256="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        encoding="utf-8",
    )
    passage = CitedPassage(citation, Evidence(citation, 0.8), Scores(0.7, 0.6, 0.6, 0.9, 0.9))
    question = "Who set foot on the Moon?"
    answer = Answer(question, True, 0.97, (passage,), (), "", "all-MiniLM-L6-v2", "")  # noqa: FBT003
    return answer_of(answer)


def _given(model: type[BaseModel], example: dict[str, Any] | None = None) -> dict[int | str, Any]:
    described: dict[str, Any] = {"model": model}
    if example:
        described["content"] = {"application/json": {"example": example}}
    return {200: described}


ANSWER = _given(_Answer, _example())
DOCUMENT = _given(_Document)
DOCUMENTS = _given(Documents)
STATUS = _given(Serving)
# A route of these has no media type of its own, which its refusals would be said to have, too.
TEXT: dict[int | str, Any] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
PICTURE: dict[int | str, Any] = {200: {"content": {"image/png": {}}}}

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


def add_security(app: FastAPI, rules: Rules) -> None:
    """Say in an application's description that a token is asked for, where one is."""
    usual = app.openapi

    def openapi() -> dict[str, Any]:
        described = usual()
        if rules.token:
            schemes = described["components"].setdefault("securitySchemes", {})
            schemes[_SCHEME] = {"type": "http", "scheme": "bearer"}
            described["security"] = [{_SCHEME: []}]
        return described

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI's documentation does it
