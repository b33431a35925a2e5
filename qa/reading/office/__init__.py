"""Formats of office programs: parts and properties of OOXML, OpenDocument, and what libraries read.

The libraries of the extra `office` are given bytes, never a path or an address.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from qa.reading.extracted import UnreadableError
from qa.reading.reasons import DAMAGED, NO_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.reading.extracted import Extracted

__all__ = ["guarded"]


def guarded(read: Callable[[bytes], Extracted]) -> Callable[[bytes], Extracted]:
    """The same reader, which raises `UnreadableError` whatever its library stumbles over."""

    @wraps(read)
    def guarded_read(raw: bytes) -> Extracted:
        try:
            extracted = read(raw)
        except (UnreadableError, ImportError, MemoryError, RecursionError, PermissionError):
            raise  # the worker says what these mean
        except Exception as error:  # libraries have many kinds, and each of them means this
            raise UnreadableError(DAMAGED) from error
        if not extracted.sections and not extracted.members:
            raise UnreadableError(NO_TEXT)
        return extracted

    return guarded_read
