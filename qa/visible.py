"""What of a text may reach a terminal: nothing that it obeys, that reorders, or that hides.

Control characters, bidirectional controls and characters without a look of their own are shown as
pictures or numbers. Ordinary text needs a few of the last kind, and keeps them where they belong:
joiners after a letter of a script without capitals (Persian, Hindi, Khmer) or between emoji, one
variation selector after the character that it changes. Between Latin letters they only hide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JOINERS", "escaped", "visible"]

_UNUSUAL = re.compile(r"[^ -~]+")
_UNUSUAL_IN_JSON = re.compile(r"[^\n -~]+")
# Unicode's Default_Ignorable_Code_Point, as far as Python takes it for printable or unassigned;
# all others are of the category Cf, which `unicodedata` knows.
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_SELECTOR = re.compile(f"[{_SELECTORS}]")
_IGNORABLE = re.compile(
    f"[\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff{_SELECTORS}]"
)
_NONCHARACTERS = 0xFFFE  # and 0xFFFF, of each plane
JOINERS = frozenset("\u200b\u200c\u200d")  # zero width space, non-joiner, joiner
_JOINER = "\u200d"
_SYMBOLS = frozenset({"So", "Sk", "Sm"})
_KEYCAP, _KEYS = "\u20e3", frozenset("0123456789#*")
_PICTURES = {code: chr(0x2400 + code) for code in range(32)}
_PICTURES |= {0x09: " ", 0x7F: "\u2421", 0xAD: "\u2027"}  # soft hyphen: as dictionaries write it


def visible(text: str) -> str:
    """Show what a terminal obeys or hides instead of sending it; surrogates as question marks.

    A tab becomes a space.
    """
    return _written(text, _UNUSUAL, _shown)


def escaped(json: str) -> str:
    r"""Write the same characters of a JSON text as `\uXXXX`; line breaks stay."""
    return _written(json, _UNUSUAL_IN_JSON, _numbered)


def _written(text: str, unusual: re.Pattern[str], write: Callable[[int], str]) -> str:
    def run(match: re.Match[str]) -> str:
        found = match[0]
        if found.isprintable() and not _IGNORABLE.search(found):
            return found
        return "".join(
            one if _may_pass(text, at) else write(ord(one))
            for at, one in enumerate(found, match.start())
        )

    return unusual.sub(run, text)


def _shown(code: int) -> str:
    if 0xD800 <= code < 0xE000:
        return "?"
    return _PICTURES.get(code) or f"<U+{code:04X}>"


def _numbered(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _may_pass(text: str, at: int) -> bool:
    from unicodedata import bidirectional, category

    one = text[at]
    if _SELECTOR.match(one):
        return _selects(text, at)
    if _IGNORABLE.match(one):
        return False
    match category(one):
        case "Cc" | "Cs" | "Zl" | "Zp":
            return False
        case "Cf":
            # The signs above or around Arabic numbers are drawn.
            return bidirectional(one) == "AN" or (one in JOINERS and _joins(text, at))
        case "Cn":
            return ord(one) & _NONCHARACTERS != _NONCHARACTERS and not 0xFDD0 <= ord(one) < 0xFDF0
        case _:
            return True


def _selects(text: str, at: int) -> bool:
    before = text[at - 1 : at]
    if before in _KEYS:
        return text[at + 1 : at + 2] == _KEYCAP
    return before.isprintable() and not before.isascii() and not _IGNORABLE.match(before)


def _joins(text: str, at: int) -> bool:
    """Whether what stands before a joiner is a letter that may need one, or an emoji."""
    from unicodedata import category

    base = at - 1
    while base >= 0 and category(text[base])[0] == "M":
        base -= 1
    before, after = text[max(base, 0) : base + 1], text[at + 1 : at + 2]
    if not before or before.isascii() or _IGNORABLE.match(before):
        return False
    if category(before) == "Lo":
        return True
    between = after != "" and not after.isascii() and category(after) in _SYMBOLS
    return text[at] == _JOINER and category(before) in _SYMBOLS and between
