"""An assistant that lets go of its index, and is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qa.assistant import Assistant

__all__ = ["release"]


def release(assistant: Assistant) -> None:
    """Close the files of an assistant's index, which may then be replaced under it."""
    assistant._index.close()
