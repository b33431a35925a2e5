"""Addresses that lead from a citation to its file."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

    from qa.types import Citation

__all__ = ["file_link"]


def file_link(place: Citation, root: Path | None) -> str:
    """The address of the cited file, with the page or anchor where viewers take one.

    Args:
        place: what is cited.
        root: the absolute folder that documents lie below; without one the address is "".
    """
    if root is None:
        return ""
    # Within a book the anchor begins with the file of the chapter: no viewer takes that.
    known = place.format in {"html", "pdf"} and place.document == place.file
    return (root / place.file).as_uri() + (quote(place.fragment, "#=") if known else "")
