"""Checks kept beside what the catalog holds, so that a damaged row is never taken for a sound one.

SQLite notices damage to its own structure, not to the values in it.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "MODULUS",
    "blob_check",
    "check",
    "checked_count",
    "coded_count",
    "meta_check",
    "require",
    "scored_check",
    "text_check",
]

# A count is kept as count * MODULUS + id % MODULUS (an AN code: Brown, Error detecting and
# correcting binary codes for arithmetic operations, 1960): sums stay valid, and as no power of
# two is a multiple of this prime, any one flipped bit shows.
MODULUS = 65_521


def check(*values: bytes | str | int) -> int:
    """The CRC-32 of values that stand in one row, in this order."""
    parts = [one if type(one) is bytes else str(one).encode("utf-8") for one in values]
    return zlib.crc32(b"\0".join(parts))


def blob_check(row: int, blob: bytes) -> int:
    """What `check` gives of a number and a blob, in half of the time."""
    return zlib.crc32(b"%d\0%b" % (row, blob))


def scored_check(columns: tuple[int, int, int, int, bytes, bytes, bytes]) -> int:
    """What `check` gives of what a passage is scored by, in half of the time.

    Args:
        columns: id, document, start, length, terms, counts, tokens.

    Raises:
        TypeError: one is of another type; no writer of ours wrote it.
    """
    return zlib.crc32(b"%d\0%d\0%d\0%d\0%b\0%b\0%b" % columns)


def text_check(*values: str) -> int:
    """What `check` gives of texts alone, in a third of the time."""
    return zlib.crc32("\0".join(values).encode("utf-8"))


def meta_check(values: Iterable[tuple[str, str]]) -> str:
    """The check of all entries of the catalog's notes.

    Raises:
        TypeError: one is not text; no writer of ours wrote it.
    """
    values = list(values)
    if not all(isinstance(one, str) for pair in values for one in pair):
        raise TypeError("notes that are not text")
    return str(zlib.crc32(json.dumps(sorted(values)).encode("utf-8")))


def coded_count(one: int, count: int) -> int:
    """Code the number of passages that hold term or token `one`."""
    return count * MODULUS + one % MODULUS


def checked_count(one: int, coded: int) -> int:
    """Undo `coded_count`.

    Raises:
        ValueError: it is not what was coded.
    """
    count, rest = divmod(coded, MODULUS)
    if rest != one % MODULUS or count < 1:
        raise ValueError(f"the count of {one} fails its checksum")
    return count


def require(row: int, known: int, found: int) -> None:
    """Refuse a row whose sum is not that of its columns (ValueError)."""
    if known != found:
        raise ValueError(f"row {row} fails its checksum")
