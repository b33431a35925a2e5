"""The server: a socket, uvicorn, and its end."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from qa.errors import SettingsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["is_loopback", "listen", "make_server"]

_CONNECTIONS = 500
_HEAD = 16_384  # bytes of a request's line and headers
_GRACE = 30  # seconds that what is under way gets to finish


class _Protocol(H11Protocol):
    """Drops who does not send a request's head in time."""

    seconds = 10.0
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        # asyncio does this only where a socket names its protocol; without, a response's body
        # waits 40 ms for the client to acknowledge its head.
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        self._forget()

    def _wait(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._due is None:
            self._due = self.loop.call_later(self.seconds, self.transport.close)

    def _forget(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


def is_loopback(host: str) -> bool:
    """Whether an address that is listened on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; on any free port where it is 0.

    Raises:
        SettingsError: that can't be done.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=_CONNECTIONS)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (")[0]
        raise SettingsError(
            f"The server can't listen on {host}, port {port}: {why}",
            hint="Give another `--port` (0 for any that is free) or `--host`.",
        ) from error


def make_server(app: ASGIApp) -> uvicorn.Server:
    """The server of an application.

    Its `run(sockets=[…])` serves until a signal comes; what is under way is finished first, then
    the signal is raised again.
    """
    settings: dict[str, Any] = {
        "http": _Protocol,
        "ws": "none",
        "loop": "asyncio",
        "lifespan": "on",
        "access_log": False,  # addresses hold questions
        "log_config": None,
        "log_level": "critical",  # who makes the application tells of errors
        "server_header": False,
        "proxy_headers": False,
        "limit_concurrency": _CONNECTIONS,
        "h11_max_incomplete_event_size": _HEAD,
        "timeout_graceful_shutdown": _GRACE,
        # Longer than clients keep theirs (httpx: 5 s), else both ends part in the same moment.
        "timeout_keep_alive": 20,
    }
    return uvicorn.Server(uvicorn.Config(app, **settings))
