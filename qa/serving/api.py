"""The routes for programs."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Path, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from qa import __version__, logs
from qa.errors import QaError
from qa.serving.described import (
    ANSWER,
    DOCUMENT,
    DOCUMENTS,
    OPEN,
    PICTURE,
    REFUSED,
    STATUS,
    TEXT,
    add_security,
)
from qa.serving.guard import Guard, Rules
from qa.serving.metrics import Metrics
from qa.serving.page import add_page
from qa.serving.picturing import Pictures, address
from qa.serving.queue import BusyError, Queue
from qa.serving.replies import (
    FAILED,
    Json,
    answer_of,
    document_of,
    documents_of,
    refusal,
    refused,
    status_of,
)
from qa.serving.shapes import AskBody, Characters, Id, Limit, Offset, Pattern, once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from qa.assistant import Assistant
    from qa.contents import DocumentText, PageImage
    from qa.types import Answer

    Spans = Iterable[tuple[int, int]]

__all__ = ["MOST", "make_app"]

MOST = 64  # questions under way at once: four passes of the encoder
_LOOKS = 4  # of what reads more than a question does
_SECONDS = 30.0  # that anything is waited for


def make_app(
    assistant: Assistant,
    rules: Rules,
    *,
    problem: Callable[[], str] = lambda: "",
    tell: Callable[[Exception], None] = lambda _: None,
    most: int = MOST,
    seconds: float = _SECONDS,
    for_agents: bool = False,
) -> ASGIApp:
    """The application that serves an assistant.

    Args:
        assistant: answers, from the index as it is: somebody else keeps that in line.
        rules: what is let in.
        problem: tells what keeps the index from being in line; "" where nothing does.
        tell: is told of what fails, which the network isn't.
        most: how many questions may be under way at once.
        seconds: how long a request is waited for.
        for_agents: whether to serve the tools of `mcp.py` as well, which needs that extra, and an
            ASGI server that knows lifespans.
    """
    asking, looking = Queue(most, seconds), Queue(_LOOKS, seconds)
    metrics = Metrics(lambda: asking.under_way)
    app = FastAPI(
        title="qa",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=REFUSED,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    _add_refusals(app, tell)
    add_security(app, rules)

    @app.post("/ask", summary="Ask the documents a question", response_class=Json, responses=ANSWER)
    async def ask(body: AskBody) -> Response:
        return Json(answer_of(await asked(body.question, **body.options())))

    @app.get(
        "/documents",
        summary="List documents",
        response_class=Json,
        responses=DOCUMENTS,
        dependencies=[Depends(once)],
    )
    async def documents(
        after: Id | None = None,
        limit: Limit = 100,
        within: Annotated[list[Pattern], Query(max_length=20)] = [],  # noqa: B006 - pydantic copies it
    ) -> Response:
        listed = partial(assistant.documents, after=after, limit=limit, within=within)
        return Json(documents_of(await looking(asyncio.to_thread(listed)), limit))

    async def opened(document: str) -> DocumentText:
        return await looking(asyncio.to_thread(assistant.document, document))

    async def drawn(document: str, page: int, spans: Spans) -> PageImage:
        return await looking(asyncio.to_thread(assistant.page_image, document, page, spans))

    pictures = Pictures(drawn)

    @app.get(
        "/documents/{document:path}/pages/{page}.png",
        summary="See a page of a PDF",
        response_class=Response,
        responses=PICTURE,
    )
    async def picture(
        document: Annotated[Id, Path(examples=["paper.pdf"])],
        page: Annotated[Offset, Path(examples=[1])],
    ) -> Response:
        image = await pictures.alone(document, page)
        return Response(image.data, media_type=image.media_type)

    @app.get("/documents/{document:path}/pages/{page}.jpg", include_in_schema=False)
    async def other_picture(document: Id, page: Offset) -> Response:
        return RedirectResponse(address(document, page), 308)

    @app.get(
        "/documents/{document:path}",
        summary="Read a document",
        response_class=Json,
        responses=DOCUMENT,
        dependencies=[Depends(once)],
    )
    async def document(
        document: Annotated[Id, Path(examples=["moon.md"])],
        start: Offset = 0,
        limit: Characters = 100_000,
    ) -> Response:
        return Json(document_of(await opened(document), start, limit))

    @app.get("/status", summary="What is indexed", response_class=Json, responses=STATUS)
    async def status() -> Response:
        found = await looking(asyncio.to_thread(assistant.status))
        return Json(status_of(found, problem=bool(problem())))

    @app.get(
        "/healthz",
        summary="Whether the server runs",
        response_class=Response,
        responses=TEXT,
        openapi_extra=OPEN,
    )
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/metrics", summary="For Prometheus", response_class=Response, responses=TEXT)
    async def measured() -> Response:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    async def asked(question: str, **options: Any) -> Answer:  # noqa: ANN401 - those of `ask`
        return await asking(assistant.ask_async(question, refresh=False, **options))

    add_page(app, rules, ask=asked, open_document=opened, draw=pictures.marked)
    if for_agents:
        from qa.serving.agents import Agents, Shared

        agents = Agents(Shared(assistant, ask=asked, look=looking, tell=tell))
        app.router.routes.append(agents.route)
        app.router.lifespan_context = agents.running
    return metrics.of(Guard(app, rules))


def _add_refusals(app: FastAPI, tell: Callable[[Exception], None]) -> None:
    """Say what is wrong with a request in one form, whatever finds it."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        def place(one: dict[str, Any]) -> str:
            return ".".join(str(part)[:80] for part in one["loc"][1:]) or str(one["loc"][0])

        return refusal(422, "; ".join(f"{place(one)}: {one['msg']}" for one in error.errors()[:5]))

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> Response:
        response = refusal(error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(BusyError)
    @app.exception_handler(QaError)
    async def failed(_: Request, error: QaError | BusyError) -> Response:
        said = refused(error)
        if isinstance(error, QaError) and said is FAILED:
            logs.error(error)
            tell(error)
        return refusal(*said)

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        logs.error(error)
        tell(error)
        return refusal(500, "Something went wrong here", "Whoever runs the server sees what.")
