"""When files of vectors are merged: decided from how many rows each has, oldest first.

As in a log-structured merge tree (O'Neil et al., The log-structured merge-tree, 1996), small
segments are many and cheap to write, and each row is written again a few times only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FULL",
    "MANY",
    "SMALL",
    "UNMERGED",
    "chunks",
    "first_to_merge",
    "first_to_merge_at_rest",
]

# Embeddings that a search scans from the catalog before they get a segment: as many as cost a
# question less than opening a file does.
UNMERGED = 256
# Rows that the largest segment has: it takes 200 MB to write, and is not written again.
FULL = 262_144
SMALL, MANY = 16_384, 8  # so many segments of fewer rows are merged at once
_CHEAP = 32_768  # rows that are merged in a moment, .1 s
_SHARE = 8  # at rest, what came since is merged once it is this part of what was there


def first_to_merge(rows: Sequence[int]) -> int | None:
    """From which segment on all are merged when something was committed; None for no merge."""
    first = len(rows)
    while first and rows[first - 1] < SMALL:
        first -= 1
    return first if len(rows) - first >= MANY else None


def first_to_merge_at_rest(rows: Sequence[int], dead: Sequence[int]) -> int | None:
    """The same when there is time: so that few segments are left, with few dead rows.

    Args:
        rows: of each segment.
        dead: how many of these are.
    """
    for n, (held, gone) in enumerate(zip(rows, dead, strict=True)):
        if gone * 4 > held:
            return n
        if held < FULL // 2:
            later = sum(rows[n + 1 :])
            due = later + held <= _CHEAP or later * _SHARE >= held or len(rows) - n > MANY
            return n if later and due else None
    return None


def chunks(count: int) -> list[int]:
    """How many rows each segment gets where `count` are merged."""
    return [*[FULL] * (count // FULL), *([count % FULL] if count % FULL else [])]
