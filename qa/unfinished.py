"""What must not be left behind by a process that is stopped in the middle of something."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["drop_all", "dropped_if_stopped"]

_pending: list[Callable[[], object]] = []


@contextmanager
def dropped_if_stopped(drop: Callable[[], object]) -> Iterator[None]:
    """Have `drop` called where the process is stopped inside this; it must not wait for a lock."""
    _pending.append(drop)
    try:
        yield
    finally:
        _pending.remove(drop)


def drop_all() -> None:
    """Drop all of it, the newest first; the process must end after this."""
    for drop in reversed(_pending):
        with suppress(Exception):
            drop()
