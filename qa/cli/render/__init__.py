"""What commands show, as styled lines: no I/O here. Loaded with the first use, by what is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa.cli.render.answers import answer, plain, verdict
    from qa.cli.render.reports import (
        choices,
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
    "choices",
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


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    home = "answers" if name in {"answer", "plain", "verdict"} else "reports"
    return getattr(import_module(f"{__name__}.{home}"), name)
