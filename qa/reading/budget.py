"""How much time of the processor reading a file may take."""

from __future__ import annotations

__all__ = ["cpu_seconds"]

CPU_SECONDS = 120
_BYTES_A_SECOND = 100_000
_MOST_SECONDS = 240  # beyond the former: what waits for the file ends it by the clock


def cpu_seconds(size: int) -> int:
    """Give the seconds for a file of so many bytes: more for a large one, but not without end."""
    return CPU_SECONDS + min(_MOST_SECONDS, size // _BYTES_A_SECOND)
