"""What is said to the network: answers without what is of this machine alone, and refusals."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.responses import JSONResponse

from qa.errors import (
    CitationError,
    EmptyCorpusError,
    IndexMissingError,
    QaError,
    QuestionError,
    UnknownDocumentError,
    UnreadableDocumentError,
)
from qa.hints import worded
from qa.serving.queue import BusyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qa.contents import DocumentInfo, DocumentText
    from qa.progress import Status
    from qa.types import Answer

__all__ = [
    "FAILED",
    "Json",
    "answer_of",
    "document_of",
    "documents_of",
    "name_of",
    "notes_of",
    "refusal",
    "refused",
    "status_of",
]

RETRY = 2  # seconds after which to ask again


class Json(JSONResponse):
    """A body of JSON, written at once."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - starlette's own
        """Write it; in ASCII, so that a name that is not UTF-8 is no obstacle."""
        return json.dumps(content, separators=(",", ":")).encode()


def refusal(
    status: int, message: str, hint: str = "", retry: int = 0, *, close: bool = False
) -> Json:
    """A response that says what is wrong, and what to do now.

    Args:
        status: of HTTP.
        message: what happened.
        hint: what to do now.
        retry: seconds after which the same may succeed.
        close: whether the connection ends with it.
    """
    headers = {"connection": "close"} if close else {}
    if retry:
        headers["retry-after"] = str(retry)
    return Json({"schema": "qa.error/1", "error": message, "hint": hint}, status, headers)


class Refused(NamedTuple):
    """What a stranger may know of an error: what they asked, not what is on this machine."""

    status: int
    message: str
    hint: str = ""
    retry: int = 0

    def __str__(self) -> str:
        """What happened and what to do now, in a line."""
        return f"{self.message}. {self.hint}".rstrip()


_LATER = "Ask again in a moment."
_KNOWN: tuple[tuple[type[Exception], Refused], ...] = (
    (UnknownDocumentError, Refused(404, "There is no such document")),
    (CitationError, Refused(404, "There is no such page")),
    (
        UnreadableDocumentError,
        Refused(503, "The document has changed since it was indexed", _LATER, RETRY),
    ),
    (IndexMissingError, Refused(503, "Nothing is indexed yet", _LATER, RETRY)),
    (EmptyCorpusError, Refused(503, "Nothing is indexed yet", _LATER, RETRY)),
    (BusyError, Refused(503, "Too much is asked at once", _LATER, RETRY)),
)
FAILED = Refused(
    503, "The index can't be used at the moment", "Whoever runs the server sees why.", 10 * RETRY
)


def refused(error: QaError | BusyError) -> Refused:
    """What to say of an error."""
    if isinstance(error, QuestionError):
        return Refused(422, worded(str(error), "network"), worded(error.hint, "network"))
    return next((said for kind, said in _KNOWN if isinstance(error, kind)), FAILED)


def answer_of(answer: Answer) -> dict[str, Any]:
    """The JSON form of an answer (docs/json.md); the corpus' path is left empty."""
    return {
        **answer.to_dict(),
        "corpus": "",
        "model": name_of(answer.model),
        "notes": notes_of(answer),
    }


def notes_of(answer: Answer) -> list[str]:
    """What a person should know about an answer, who may have no terminal here."""
    return [worded(note, "network") for note in answer.notes]


def status_of(status: Status, *, problem: bool) -> Mapping[str, Any]:
    """What is indexed, in numbers."""
    return {
        "schema": "qa.serving/1",
        "model": name_of(status.model),
        "documents": status.documents,
        "passages": status.passages,
        "pending": status.pending,
        "stale": status.stale,
        "unreadable": sum(not one.indexed for one in status.problems),
        "refreshing": status.running is not None,
        "healthy": not problem,
    }


def document_of(document: DocumentText, start: int, limit: int) -> dict[str, Any]:
    """A document, with `limit` characters of its text at most, from `start` on."""
    return {
        "schema": "qa.document/1",
        **asdict(document),
        "text": document.text[start : start + limit],
        "start": start,
        "characters": len(document.text),
    }


def documents_of(documents: Sequence[DocumentInfo], limit: int) -> dict[str, Any]:
    """A page of documents; `next` is what the page after it comes `after`."""
    last = documents[-1].id if len(documents) == limit else None
    listed = [asdict(one) for one in documents]
    return {"schema": "qa.documents/1", "documents": listed, "next": last}


def name_of(model: str) -> str:
    """A model's name on a hub, or of its folder alone."""
    return os.path.basename(model) if os.path.isabs(model) else model  # noqa: PTH117, PTH119
