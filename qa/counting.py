"""Numbers of things, as people say them."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str) -> str:
    """Give "1 document", "2,000 documents"; for nouns whose plural ends in s."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
