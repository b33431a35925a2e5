"""What is said of pictures: the text that somebody wrote for those who don't see them."""

from __future__ import annotations

import re

__all__ = ["caption", "inline", "joined"]

# What programs write where no one wrote anything: "Picture 3", "scan.png", an address.
_NAME = re.compile(r"(?:\S+ ){1,3}\d{1,3}|.*\.[A-Za-z]\w{2,3}|https?://\S*|formula", re.IGNORECASE)
_EDGE = "\v"  # no character of XML
_EDGES = re.compile(rf"\s?{_EDGE}\s?")


def caption(*texts: str) -> str:
    """The first alternative text of a picture that is one, on one line; "" where none is."""
    flat = (" ".join(text.split()) for text in texts)
    return next((text for text in flat if text and not _NAME.fullmatch(text)), "")


def inline(said: str) -> str:
    """What is said of a picture as a piece of the text around it: see `joined`."""
    return f"{_EDGE}{said}{_EDGE}" if said else ""


def joined(text: str) -> str:
    """Part captions from the text around them, by one space where there is none yet."""
    return _EDGES.sub(" ", text) if _EDGE in text else text
