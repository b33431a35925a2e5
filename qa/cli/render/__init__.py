"""What commands show, as styled lines and as Markdown: no I/O here."""

from __future__ import annotations

from qa.cli.render.answers import answer, plain, verdict
from qa.cli.render.reports import (
    diagnosis,
    excerpt,
    models,
    problems,
    refresh,
    status,
    verification,
)

__all__ = [
    "answer",
    "diagnosis",
    "excerpt",
    "models",
    "plain",
    "problems",
    "refresh",
    "status",
    "verdict",
    "verification",
]
