"""Send requests at a constant rate, whatever becomes of them, and tell how long each took.

Each request has its moment, and its latency counts from there: one that had to wait because an
earlier one was slow is as late as a person would find it ("coordinated omission" is the name of
leaving that out; G. Tene, "How NOT to Measure Latency"). A request goes out on a connection that
is free, or else on another, so that none waits for an answer to one before it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Load", "percentile", "send"]

_PATIENCE = 60.0  # seconds after the last request that answers are waited for


@dataclass
class Load:
    """What became of requests.

    Attributes:
        sent: how many there were.
        seconds: from the moment of the first request to the last answer.
        latencies: seconds from the moment of each request with status 200 to the end of its answer.
        statuses: how many there are of each; 0 counts those without a whole answer.
        late: seconds by which the slowest request went out after its moment.
    """

    sent: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    late: float = 0.0

    def took(self, status: int, seconds: float) -> None:
        """Note an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 200:
            self.latencies.append(seconds)


def percentile(values: Iterable[float], share: float) -> float:
    """The least of some values that `share` of them don't exceed (the nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def send(
    port: int, bodies: Iterable[object], rate: float, going_on: Callable[[], bool] = lambda: True
) -> Load:
    """Post bodies of JSON to `/ask` on loopback.

    Args:
        port: where the server listens.
        bodies: one for each request.
        rate: requests a second.
        going_on: asked before each; where it says no, that was all.
    """
    return asyncio.run(_sent(port, bodies, rate, going_on))


async def _sent(
    port: int, bodies: Iterable[object], rate: float, going_on: Callable[[], bool]
) -> Load:
    load, free, under_way = Load(), list[_Connection](), set[asyncio.Task[None]]()
    start = time.perf_counter()
    for body in bodies:
        due = start + load.sent / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        if not going_on():
            break
        load.sent += 1
        load.late = max(load.late, time.perf_counter() - due)
        request = _request(port, body)
        task = asyncio.create_task(_one(port, request, due, free, load))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way, timeout=_PATIENCE)
    load.seconds = time.perf_counter() - start
    lost = list(under_way)
    for task in lost:
        task.cancel()
    await asyncio.gather(*lost, return_exceptions=True)
    load.statuses |= {0: load.statuses.get(0, 0) + len(lost)} if lost else {}
    for connection in free:
        connection.close()
    return load


async def _one(port: int, request: bytes, due: float, free: list[_Connection], load: Load) -> None:
    try:
        connection = free.pop() if free else await _Connection.opened(port)
        status = await connection.ask(request)
    except OSError:
        load.took(0, 0.0)
        return
    load.took(status, time.perf_counter() - due)
    if connection.is_open:
        free.append(connection)


def _request(port: int, body: object) -> bytes:
    text = json.dumps(body).encode()
    head = (
        f"POST /ask HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


class _Connection(asyncio.Protocol):
    """One request at a time; answers are only looked at as far as their length and status."""

    is_open = True
    _answer: asyncio.Future[int]

    def __init__(self) -> None:
        self._received = bytearray()

    @classmethod
    async def opened(cls, port: int) -> _Connection:
        """Connect."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio promises it
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """The status of the answer to a request, once all of it is here."""
        self._answer = asyncio.get_running_loop().create_future()
        self._received.clear()
        if self.is_open:
            self._transport.write(request)
        else:
            self._answer.set_exception(ConnectionResetError())
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        first, *fields = head.lower().split(b"\r\n")
        length = next((int(one[15:]) for one in fields if one.startswith(b"content-length:")), 0)
        if len(body) >= length and not self._answer.done():
            if b"connection: close" in fields:
                self.close()
            self._answer.set_result(int(first.split()[1]))

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        if hasattr(self, "_answer") and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def close(self) -> None:
        self.is_open = False
        self._transport.close()
