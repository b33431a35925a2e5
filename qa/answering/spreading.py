"""Other documents before more of one: a ranked list in another order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

__all__ = ["spread"]

_T = TypeVar("_T")


def spread(
    ranked: Iterable[_T], *, document: Callable[[_T], Hashable], at_most: int
) -> Iterator[_T]:
    """The same in the same order, but so many of a document at most before all other documents'.

    What is over comes last, in its own order.
    """
    seen: Counter[Hashable] = Counter()
    later: list[_T] = []
    for one in ranked:
        key = document(one)
        seen[key] += 1
        if seen[key] > at_most:
            later.append(one)
        else:
            yield one
    yield from later
