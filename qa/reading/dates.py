"""Days from the ways in which files write them."""

from __future__ import annotations

import re
from datetime import date

__all__ = ["day"]

_ISO = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")
_PDF = re.compile(r"(?:D:)?(\d{4})(\d{2})(\d{2})(?:\d{2}|\b)")
_YEAR = re.compile(r"(\d{4})")


def day(text: str) -> str:
    """The day as YYYY-MM-DD; "" where the text has none.

    Read are ISO 8601 (also a month or a year alone, taken as its first day), what PDF writes
    (D:20240131…), and what e-mail does (RFC 5322: Wed, 31 Jan 2024 …).
    """
    text = text.strip()
    match = _ISO.match(text) or _PDF.match(text) or _YEAR.fullmatch(text)
    if match is not None:
        numbers = [int(number) for number in match.groups() if number]
        try:
            return date(*[*numbers, 1, 1][:3]).isoformat()
        except ValueError:
            return ""
    from email.utils import parsedate_to_datetime  # 6 ms to import, and seldom needed

    try:
        return parsedate_to_datetime(text).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
