"""Requests to the routes of `qa serve`, as a stranger could send any, and what each is held to."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope

__all__ = ["REQUESTS", "broken_by", "start"]

_SECRET = "kept-from-strangers"  # noqa: S105 - what stands in files that nobody may read
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,99}): ?([^\r\n]*)\r?")
_CSP = b"content-security-policy"
_SECONDS = 60

_ASK = b"POST /ask\ncontent-type: application/json\n\n"
_CALL = (
    b"POST /mcp\naccept: application/json, text/event-stream\ncontent-type: application/json\n"
    b"mcp-protocol-version: 2025-06-18\n\n"
    b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": '
)
REQUESTS = [
    _ASK + b'{"question": "Who set foot on the Moon?", "k": 2}',
    _ASK + b'{"question": "Who?", "within": ["*.md"], "where": {"title": "*"}}',
    _ASK + b'{"question": "Who?", "since": "2024-01-31", "explain": true, "threshold": 0}',
    b"GET /documents?limit=2&after=bread.txt&within=deep/&within=*.md\n\n",
    b"GET /documents/deep/whales.txt?start=2&limit=8\n\n",
    b"GET /documents/..%2f..%2fsecret.txt\n\n",
    b"GET /documents/moon.md/pages/1.png\n\n",
    b"GET /?q=Who%20sings%3F&folder=deep&kind=txt&since=2024-01-31&doc=moon.md&at=3\n\n",
    b"GET /static/..%2fpage.css\naccept: text/html\n\n",
    b"POST /login\ncontent-type: application/x-www-form-urlencoded\n\ntoken=%00%ff",
    b"OPTIONS /status\norigin: http://localhost\nsec-fetch-site: same-origin\n\n",
    b"GET /metrics\nhost: [::1]:8642\ncookie: qa_token=x\ncontent-length: 5\n\n",
    _CALL + b'{"name": "read", "arguments": {"citation": "moon.md:1-3"}}}',
    _CALL + b'{"name": "ask", "arguments": {"question": "Who sings?", "max_chars": 1000}}}',
]


def broken_by(raw: bytes) -> str:
    """Send a request; give the promise that its response breaks, "" where it breaks none.

    The first line is a method and a target, then come headers, an empty line and the body.
    """
    loop, app, folder = start()
    head, _, body = raw.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.partition(b" ")
    path, _, query = target.partition(b"?")
    headers = [(found[1].lower(), found[2]) for one in lines if (found := _HEADER.fullmatch(one))]
    if not any(name == b"host" for name, _ in headers):
        headers.append((b"host", b"localhost"))
    status, said, answered = loop.run_until_complete(
        _sent(
            app,
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method.decode("latin-1").upper() or "GET",
                "scheme": "http",
                "path": unquote_to_bytes(path).decode("utf-8", "replace"),
                "raw_path": path,
                "query_string": query,
                "root_path": "",
                "headers": headers,
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 8642),
            },
            body,
        )
    )
    if status >= 500 and status != 503:
        return f"whatever is asked, the server does not fail ({status})"
    if b"default-src 'none'" not in dict(said).get(_CSP, b""):
        return "every response is strict about what a page may do"
    if b"Traceback" in answered and b"Traceback" not in raw:
        return "no traceback is shown"
    if any(os.fsencode(one) in answered for one in (folder, sys.prefix)):
        return "no folder of the machine is named"
    if _SECRET.encode() in answered:
        return "no file is read that is not a document"
    return ""


async def _sent(
    app: ASGIApp, scope: Scope, body: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Give the status, the headers and the body of the response."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if pending:
            return pending.pop()
        await asyncio.sleep(_SECONDS)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(_SECONDS):
        await app(scope, receive, send)
    start = sent[0]
    return start["status"], start["headers"], b"".join(one.get("body", b"") for one in sent)


@cache
def start() -> tuple[asyncio.AbstractEventLoop, ASGIApp, Path]:
    """Start what is asked, once: three documents, beside files that are none; takes seconds."""
    import atexit

    from qa.assistant import Assistant
    from qa.serving.api import make_app
    from qa.serving.guard import Rules

    holder = tempfile.TemporaryDirectory(prefix="qa-fuzz-", ignore_cleanup_errors=True)
    folder = Path(holder.name)
    corpus = folder / "corpus"
    (corpus / "deep").mkdir(parents=True)
    (corpus / "moon.md").write_text(
        "# The Moon\n\n## Landing\n\nNeil Armstrong set foot on it in July 1969.\n", "utf-8"
    )
    (corpus / "bread.txt").write_text("Knead the bread for ten minutes.\n", "utf-8")
    (corpus / "deep" / "whales.txt").write_text("Whales sing over great distances.\n", "utf-8")
    (corpus / ".qaignore").write_text("*.secret\n", "utf-8")
    for secret in (folder / "secret.txt", corpus / ".secret.txt", corpus / "deep" / "b.secret"):
        secret.write_text(f"Whales sing. {_SECRET}\n", "utf-8")
    assistant = Assistant(corpus, folder / "index")
    assistant.refresh()
    app = make_app(assistant, Rules(), for_agents=True)
    loop = asyncio.new_event_loop()
    running = loop.create_task(_running(app))
    loop.run_until_complete(asyncio.sleep(0))

    def end() -> None:
        running.cancel()
        loop.run_until_complete(asyncio.gather(running, return_exceptions=True))
        loop.close()
        assistant.close()
        holder.cleanup()

    atexit.register(end)
    return loop, app, folder


async def _running(app: ASGIApp) -> None:
    """Begin the lifespan of an application, which lasts."""
    begun: list[Message] = [{"type": "lifespan.startup"}]

    async def receive() -> Any:
        return begun.pop() if begun else await asyncio.Event().wait()

    async def send(_: Message) -> None:
        pass

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
