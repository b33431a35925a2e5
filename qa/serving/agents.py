"""The tools of `mcp.py` over HTTP, beside the other routes: for many agents, and for strangers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.server.streamable_http_manager import StreamableHTTPASGIApp
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route

from qa import __version__, logs
from qa.errors import CitationError, IndexMissingError, QaError, QuestionError, UnknownDocumentError
from qa.serving.mcp import Access, hint_of, make_server
from qa.serving.queue import BusyError
from qa.serving.quoting import status_text
from qa.serving.replies import FAILED, name_of, refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from starlette.types import Receive, Scope, Send

    from qa.assistant import Assistant
    from qa.citations.locate import Excerpt
    from qa.serving.queue import Queue
    from qa.types import Answer

__all__ = ["AGENTS", "Agents"]

AGENTS = "/mcp"
T = TypeVar("T")
_ROOM = 6000  # characters of a status


class _Route(Route):
    """A route that metrics know by its path, as they do FastAPI's."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette."""
        scope["route"] = self
        await super().handle(scope, receive, send)


class Agents:
    """What an application serves to agents."""

    def __init__(self, access: Access) -> None:
        """Take how their tools reach documents."""
        server = make_server(access)
        # Each request is answered by itself: nothing is kept for an agent that doesn't come back.
        # The guard has checked hosts and origins, and bounded the body.
        server.streamable_http_app(
            stateless_http=True,
            json_response=True,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._sessions = server.session_manager
        self.route = _Route(AGENTS, StreamableHTTPASGIApp(self._sessions), methods=["POST"])

    def running(self, _: object = None) -> AbstractAsyncContextManager[None]:
        """The time in which it can be asked: an application's lifespan."""
        return self._sessions.run()


class Shared(Access):
    """An assistant that many ask, whose index somebody else keeps in line."""

    log_level = "CRITICAL"  # what strangers send is nobody's business

    def __init__(
        self,
        assistant: Assistant,
        *,
        ask: Callable[..., Awaitable[Answer]],
        look: Queue,
        tell: Callable[[Exception], None],
    ) -> None:
        """Take the assistant, what questions and what looks at documents go through, and `tell`.

        That is told of what fails, which the agents aren't.
        """
        super().__init__(assistant)
        self._ask = ask
        self._look = look
        self._tell = tell

    async def ask(self, question: str, **wanted: Any) -> Answer:  # noqa: ANN401 - those of `ask`
        """Answer a question from the index as it is."""
        return await self._ask(question, **wanted)

    async def look(self, work: Callable[[], T]) -> T:
        """Do it in its turn."""
        return await self._look(asyncio.to_thread(work))

    async def show(self, citation: str, context: int) -> Excerpt:
        """Find a cited place, of an indexed document alone."""
        found = await super().show(citation, context)
        await self.look(partial(self.assistant.outline, found.citation.document))
        return found

    async def status(self) -> str:
        """Tell what is indexed, without what is of this machine alone."""
        try:
            found = await self.look(self.assistant.status)
        except IndexMissingError:
            return f"qa {__version__}: nothing is indexed yet; the server is at it."
        own = replace(found, model=name_of(found.model))
        return status_text(own, version=__version__, most=_ROOM, is_shared=True)

    def told(self, error: BaseException | None) -> str:
        """What a stranger may know of an error."""
        if isinstance(error, CitationError):  # it may say why a file can't be read
            return f"The citation names no such place. {hint_of(error)}"
        if isinstance(error, QuestionError | UnknownDocumentError):
            return super().told(error)
        if isinstance(error, QaError | BusyError):
            said = refused(error)
            if isinstance(error, QaError) and said is FAILED:
                self._report(error)
            return str(said)
        if isinstance(error, Exception):
            self._report(error)
        return "Something went wrong here. Whoever runs the server sees what."

    def _report(self, error: Exception) -> None:
        logs.error(error)
        self._tell(error)
