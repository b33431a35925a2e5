"""How much is under way at once: what is more is refused at once, so that nobody waits long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["BusyError", "Queue"]

T = TypeVar("T")


class BusyError(Exception):
    """More is under way than may be, or it takes too long."""


class Queue:
    """Bounds what is under way, and how long anybody waits for it.

    What takes too long, or nobody waits for any more, still counts until it is done.
    """

    def __init__(self, most: int, seconds: float) -> None:
        """Take how many may be under way at once, and how long each is waited for."""
        self._most = most
        self._seconds = seconds
        self.under_way = 0

    async def __call__(self, work: Coroutine[None, None, T]) -> T:
        """Give what comes of it.

        Raises:
            BusyError: it is not begun, or not done in time.
        """
        if self.under_way >= self._most:
            work.close()
            raise BusyError
        self.under_way += 1
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(task)
        except TimeoutError as error:
            raise BusyError from error

    def _done(self, task: asyncio.Future[T]) -> None:
        self.under_way -= 1
        if not task.cancelled():
            task.exception()  # whoever waited for it may be gone
