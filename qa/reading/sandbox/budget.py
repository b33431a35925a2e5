"""How long a file may take to read, with all that is in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget", "cpu_seconds"]

CPU_SECONDS = 120  # for any file
_BYTES_A_SECOND = 100_000  # more for a large one
MAX_SECONDS = 240  # beyond the former, for one document: no parser needs more
_WAITING = 10  # times as long by the clock: the machine may be busy, and OCR takes its time


def cpu_seconds(size: int) -> int:
    """The seconds of the processor for one document of so many bytes."""
    return CPU_SECONDS + min(MAX_SECONDS, size // _BYTES_A_SECOND)


@dataclass(slots=True)
class Budget:
    """What is left of a file's time, in seconds: shared by the file and the files inside it."""

    processor: float
    clock: float

    @classmethod
    def of(cls, size: int) -> Budget:
        """The budget of a file of so many bytes; a mailbox holds very many messages."""
        seconds = CPU_SECONDS + size / _BYTES_A_SECOND
        return cls(seconds, seconds * _WAITING)

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.processor <= 0 or self.clock <= 0

    def spend(self, *, processor: float = 0, clock: float = 0) -> None:
        """Take off what was used."""
        self.processor -= processor
        self.clock -= clock
