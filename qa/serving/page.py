"""The page for people: one box, answers, and the document beside them; it works without scripts."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, Query, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from qa.answering.request import MAX_QUESTION
from qa.errors import CitationError, QaError, UnreadableDocumentError
from qa.reading.formats import TEXT
from qa.serving.guard import COOKIE, Rules
from qa.serving.marking import quoted, view, where
from qa.serving.picturing import page_at, picture, spans_on
from qa.serving.queue import BusyError
from qa.serving.replies import notes_of, refusal, refused
from qa.serving.shapes import Id, Offset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qa.contents import DocumentText, PageImage
    from qa.serving.picturing import Picture
    from qa.types import Answer, CitedPassage

__all__ = ["add_page"]

_STATIC = {"icon.svg": "image/svg+xml", "page.css": "text/css", "page.js": "text/javascript"}
_SHOWN = 10  # passages
_Text = Annotated[str, Query(max_length=1_000)]


def add_page(
    app: FastAPI,
    rules: Rules,
    *,
    ask: Callable[..., Awaitable[Answer]],
    open_document: Callable[[str], Awaitable[DocumentText]],
    draw: Callable[[str, int, list[tuple[int, int]]], Awaitable[PageImage]],
) -> None:
    """Add the page's routes to an application.

    Args:
        app: the application.
        rules: say which token lets somebody in.
        ask: answers a question, with the arguments of `Assistant.ask`.
        open_document: gives a document by its id.
        draw: gives a page of a document as a picture, with where spans of its text stand.
    """
    templates = Environment(
        loader=PackageLoader("qa.serving"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    static = files("qa.serving") / "static"
    contents = {name: (static / name).read_bytes() for name in _STATIC}

    def rendered(name: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 - a template's
        text = templates.get_template(name).render(**values)
        return HTMLResponse(text.encode("utf-8", "replace"), status)

    async def pictured(
        document: DocumentText, passages: tuple[CitedPassage, ...], at: int
    ) -> Picture | None:
        if (found := page_at(document, at)) is None:
            return None
        spans = spans_on(found, document, passages)
        with suppress(UnreadableDocumentError, CitationError):  # its text is shown all the same
            drawn = await draw(document.id, found.number, [one[:2] for one in spans])
            return picture(found, document, drawn, spans, at)
        return None

    @app.get("/", include_in_schema=False)
    async def page(
        *,
        q: Annotated[str, Query(max_length=MAX_QUESTION)] = "",
        folder: _Text = "",
        kind: _Text = "",
        since: _Text = "",
        until: _Text = "",
        doc: Annotated[Id | None, Query()] = None,
        at: Offset = 0,
    ) -> Response:
        asked = {"q": q, "folder": folder, "kind": kind, "since": since, "until": until}
        kept = {key: value for key, value in asked.items() if value}
        status, problem, answer, document, shown, drawn = 200, "", None, None, None, None
        try:
            if q.strip():
                within = _pattern(folder, kind)
                answer = await ask(
                    q, k=_SHOWN, within=within, since=since or None, until=until or None
                )
            if doc is not None:
                document = await open_document(doc)
                passages = answer.shown if answer else ()
                drawn = await pictured(document, passages, at)
                shown = view(document, passages, at, drawn.page.characters if drawn else None)
        except (QaError, BusyError) as error:
            said = refused(error)
            status, problem = said.status, str(said)

        def link(document: str, at: int) -> str:
            return "/?" + urlencode({**kept, "doc": document, "at": at}) + "#place"

        def link_to(one: CitedPassage) -> str:
            return link(one.citation.document, one.evidence.citation.start)

        return rendered(
            "page.html",
            status,
            asked=asked,
            answer=answer,
            notes=notes_of(answer) if answer else [],
            problem=problem,
            document=document,
            view=shown,
            quoted=quoted,
            link=link,
            link_to=link_to,
            where=where,
            at=at,
            is_source=document is not None and document.format in TEXT,
            back="/?" + urlencode(kept),
            picture=drawn,
        )

    @app.get("/static/{name}", include_in_schema=False)
    async def part(name: str) -> Response:
        if name not in contents:
            return refusal(404, "There is no such file")
        return Response(contents[name], media_type=_STATIC[name])

    @app.get("/login", include_in_schema=False)
    async def login() -> Response:
        return rendered("login.html", wrong=False)

    @app.post("/login", include_in_schema=False)
    async def let_in(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        given = form.get("token", [""])[0].strip()
        if not rules.token or not rules.is_token(given):
            return rendered("login.html", 401, wrong=True)
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, given, httponly=True, samesite="lax")
        return response


def _pattern(folder: str, kind: str) -> list[str]:
    """The pattern of the documents in a folder whose names end in a way; none for all."""
    folder, kind = folder.strip().strip("/"), kind.strip().lstrip("*.")
    if not folder:
        return [f"*.{kind}"] if kind else []
    return [f"/{folder}/**/*.{kind}" if kind else f"/{folder}/"]
