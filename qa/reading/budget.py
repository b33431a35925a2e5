"""How long a file may take to read, with all that is in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget"]

_SECONDS = 120.0  # on the processor, for any file
_SECONDS_A_BYTE = 10 / 1_000_000  # and for a large one: mailboxes hold very many messages
_WAITING = 10  # times as long by the clock: the machine may be busy, and OCR takes its time


@dataclass(slots=True)
class Budget:
    """What is left of a file's time, in seconds: shared by the file and the files inside it."""

    processor: float
    clock: float

    @classmethod
    def of(cls, size: int) -> Budget:
        """Give that of a file of so many bytes."""
        seconds = _SECONDS + size * _SECONDS_A_BYTE
        return cls(seconds, seconds * _WAITING)

    @property
    def is_spent(self) -> bool:
        """Tell whether nothing is left."""
        return self.processor <= 0 or self.clock <= 0

    def spend(self, *, processor: float = 0, clock: float = 0) -> None:
        """Take off what was used."""
        self.processor -= processor
        self.clock -= clock
