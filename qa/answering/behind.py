"""What goes on in a thread of its own when nobody waits for it any longer."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    T = TypeVar("T")

__all__ = ["begin"]


def begin(function: Callable[[], T], *, name: str) -> Future[T]:
    """Call a function in a thread that a program which ends doesn't wait for."""
    given: Future[T] = Future()
    run = copy_context().run

    def fulfil() -> None:
        try:
            given.set_result(run(function))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            given.set_exception(error)

    threading.Thread(target=fulfil, name=name, daemon=True).start()
    return given
