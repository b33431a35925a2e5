"""What a request must be like before any route sees it, and the headers of every response."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response

from qa.serving.replies import refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "Guard", "Rules"]

COOKIE = "qa_token"
_OPEN = ("/healthz", "/login", "/static/")  # without a token
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is let in.

    `names` are the hosts, in lower case, that a request may be for; `is_local` tells that beside
    them only addresses of this machine are, and not any address. Without a `token`, none is
    asked for. A body has at most `most_bytes` and arrives within `seconds`.
    """

    names: frozenset[str] = frozenset()
    is_local: bool = True
    token: str = ""
    most_bytes: int = 65_536
    seconds: float = 10.0

    def is_host(self, host: str) -> bool:
        """Whether a request may be for this host: a page elsewhere can name only its own."""
        if (found := _HOST.fullmatch(host)) is None:
            return False
        name = found[1].lower()
        if name == "localhost" or name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or not self.is_local

    def is_token(self, given: str) -> bool:
        """Whether this is the token, in a time that doesn't depend on where they differ."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())


class Guard:
    """Lets a request through to an application, its body read, or refuses it."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        """Take the application and what it is to be spared."""
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (see the ASGI specification)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refused = _refusal(Headers(scope=scope), scope, self._rules)
        if refused is None:
            try:
                async with asyncio.timeout(self._rules.seconds):
                    body = await _body(receive, self._rules.most_bytes)
            except TimeoutError:
                refused = refusal(408, "The request did not arrive in time", close=True)
            else:
                if body is None:
                    refused = _too_large(self._rules)
                else:
                    receive = _again(body, receive)
        await (refused or self._app)(scope, receive, guarded)


def _refusal(headers: Headers, scope: Scope, rules: Rules) -> Response | None:
    """Why a request is refused, from all but its body; None where it isn't."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not rules.is_host(hosts[0]):
        return refusal(421, "This server is not known by that name", "See `--allow-host`.")
    if _is_foreign(headers, scope["method"]):
        return refusal(403, "Pages of other sites may not ask here")
    size = headers.get("content-length", "0")
    if not size.isdecimal() or int(size[:20]) > rules.most_bytes:
        return _too_large(rules)
    if not rules.token or scope["path"].startswith(_OPEN) or _has_token(headers, rules):
        return None
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        return RedirectResponse("/login", 303)
    response = refusal(401, "A token is needed", "Send it as `Authorization: Bearer TOKEN`.")
    response.headers["www-authenticate"] = "Bearer"
    return response


def _too_large(rules: Rules) -> Response:
    most = f"{rules.most_bytes:,} bytes"
    return refusal(413, f"The request has more than {most}", close=True)


def _is_foreign(headers: Headers, method: str) -> bool:
    """Whether a page of another site asks; a link there may lead here all the same."""
    host = headers["host"].lower()
    if any(one.partition("://")[2].lower() != host for one in headers.getlist("origin")):
        return True
    is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and not is_link


def _has_token(headers: Headers, rules: Rules) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rules.is_token(given.strip())
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return False
    return COOKIE in cookies and rules.is_token(cookies[COOKIE].value)


async def _body(receive: Receive, most: int) -> bytes | None:
    """The whole body of a request; None where it is larger."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, then whatever comes after it."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return pending.pop() if pending else await receive()

    return again
