"""What a monitoring system reads at /metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Metrics"]

_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)  # seconds


class Metrics:
    """Counts and times requests by route and status; no question is among them."""

    def __init__(self, under_way: Callable[[], int]) -> None:
        """Take what tells how many questions are under way."""
        self._registry = CollectorRegistry()
        labels = ("route", "status")
        self._requests = Counter("qa_requests", "Requests.", labels, registry=self._registry)
        self._seconds = Histogram(
            "qa_request_seconds",
            "Seconds from a request to the end of its response.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        questions = Gauge("qa_under_way", "Questions under way.", registry=self._registry)
        questions.set_function(under_way)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def of(self, app: ASGIApp) -> ASGIApp:
        """The same application, measured."""

        async def measured(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            started, status = time.perf_counter(), 500

            async def noted(message: Message) -> None:
                nonlocal status
                status = message.get("status", status)
                await send(message)

            try:
                await app(scope, receive, noted)
            finally:
                # The template of the path: what a stranger makes up gets no series of its own.
                route = getattr(scope.get("route"), "path", "none")
                self._requests.labels(route, str(status)).inc()
                self._seconds.labels(route).observe(time.perf_counter() - started)

        return measured
