"""Work done ahead of who uses it: by several threads, in order, in bounded memory."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

__all__ = ["in_order"]

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    workers: int,
    most: int,
    size: Callable[[T], int] = lambda _: 1,
    abandon: Callable[[], None] = lambda: None,
) -> Generator[R]:
    """What a function gives of each item, in their order, computed before it is asked for.

    Whoever may stop early closes this; the threads have ended then.

    Args:
        function: must wait, or compute outside of the interpreter, for threads to bring anything.
        items: taken by the thread that asks, and not further than `most` allows.
        workers: how many are computed at a time.
        most: the size that items may have together from when they are taken until what they gave
            is; one that is larger is taken alone.
        size: of an item.
        abandon: called where this ends early, to end what is being computed, which is waited for.

    Raises:
        Exception: what the function raised of an item, in its turn.
    """
    running: deque[tuple[int, Future[R]]] = deque()
    held = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="qa-ahead") as pool:
        try:
            for item in items:
                one = size(item)
                while running and held + one > most:
                    held -= running[0][0]
                    yield running.popleft()[1].result()
                held += one
                running.append((one, pool.submit(function, item)))
            while running:
                yield running.popleft()[1].result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            abandon()
            raise
