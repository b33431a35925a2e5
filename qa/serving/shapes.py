"""What the routes take, with its limits."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from qa.answering.request import MAX_QUESTION

__all__ = [
    "MAX_K",
    "AskBody",
    "Characters",
    "Id",
    "Limit",
    "Offset",
    "Pattern",
    "once",
]

MAX_K = 100
_WORDS = 1_000  # characters of anything but the question

Pattern = Annotated[str, Field(min_length=1, max_length=_WORDS)]
Limit = Annotated[int, Field(ge=1, le=1_000)]
Id = Annotated[str, Field(min_length=1, max_length=4_096)]
Offset = Annotated[int, Field(ge=0, le=2**40)]
Characters = Annotated[int, Field(ge=1, le=1_000_000)]
_Value = Annotated[str, Field(max_length=_WORDS)]


async def once(request: Request) -> None:
    """Refuse a parameter that is given twice and makes no list: either could be meant."""
    names = Counter(name for name, _ in request.query_params.multi_items() if name != "within")
    if twice := [name for name, times in names.items() if times > 1]:
        raise HTTPException(422, f"{twice[0]:.80}: It is given more than once")


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
