"""Text in scripts whose words tantivy does not find: cut into pieces that search can find."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from unicodedata import category, normalize

import tantivy

__all__ = ["is_cut", "is_plain", "spaced"]

# All but Latin and what stands in any text: punctuation, signs. What is plain is cut by tantivy
# alone; what is not is cut in the same way, so this may hold more than it must.
_OTHER = re.compile(r"[^\x00-\u02ff\u1e00-\u1eff\u2000-\u20cf\u2100-\u2bff]")
# Words run together in these, or (Korean) with what other languages have small words for.
_BLOCKS = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai and Lao, Burmese, Khmer
    *((0x3005, 0x3007), (0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),  # Kana
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # Han
    *((0x1100, 0x11FF), (0xAC00, 0xD7AF)),  # Hangul
)
_RUN = f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in _BLOCKS)}]"
_HALF_WIDTH = re.compile(r"[\uff66-\uff9f]")
_MARKED = ((0x0370, 0x052F), (0x0620, 0x06FF), (0x1F00, 0x1FFF))  # Greek, Cyrillic, Arabic letters
_KEPT = "\u0306\u0327\u0328"  # й is not и: the marks that make another letter of one
_POINTS = ((0x0591, 0x05BD), (0x05BF, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x06D6, 0x06ED))
_NO_LETTERS = (0x0640, 0x0670)  # a stroke that lengthens a word, and an alef that is a mark
_JOINER = re.compile(r"(?<=[\u0590-\u1cff])[\u200c\u200d]+")


def is_plain(text: str) -> bool:
    """Whether a text is in Latin letters alone, without marks that combine."""
    return text.isascii() or not _OTHER.search(text)


def is_cut(word: str) -> bool:
    """Whether a word, or a part of it, becomes pairs of characters."""
    return not is_plain(word) and _parts().search(word) is not None


def spaced(text: str) -> str:
    """The words of a text with a space between each two, as many as there are.

    A word is letters and digits with the marks on them (Unicode's word borders, UAX 29, without
    those rules that keep `don't` and `3.14` whole). Han, Kana, Hangul, Thai, Lao, Khmer and
    Burmese become overlapping pairs of characters, a character with the marks on it being one; one
    that stands alone stays alone. Accents of Greek and Cyrillic, points of Hebrew and Arabic are
    left out.
    """
    words = _words().analyze(_JOINER.sub("", text))
    return " ".join(piece for word in words for piece in _pieces(word))


@cache
def _words() -> tantivy.TextAnalyzer:
    word = r"[\p{Alphabetic}\p{N}][\p{Alphabetic}\p{N}\p{M}]*"
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(word)).build()


@cache
def _folded() -> dict[int, str | None]:
    """What becomes of letters with marks: what stays of them, None for nothing."""
    found: dict[int, str | None] = dict.fromkeys(_NO_LETTERS)
    for first, last in _POINTS:
        found |= dict.fromkeys(range(first, last + 1))
    for first, last in _MARKED:
        for code in range(first, last + 1):
            apart = normalize("NFD", chr(code))
            kept = "".join(one for one in apart if category(one) != "Mn" or one in _KEPT)
            if kept and kept != apart:
                found[code] = normalize("NFC", kept)
    return found


@cache
def _parts() -> re.Pattern[str]:
    """Finds the runs of a word that are cut further, and what stands between them."""
    return re.compile(rf"({_RUN}[{_marks()}{_RUN[1:-1]}]*)")


@cache
def _characters() -> re.Pattern[str]:
    """Finds characters, each with the marks on it."""
    return re.compile(rf".[{_marks()}]*", re.DOTALL)


@cache
def _marks() -> str:
    """The marks that combine with the letters of those scripts, for a class of characters."""
    blocks = [(0x0300, 0x036F), (0x3099, 0x309A), *_BLOCKS[:3]]
    codes = (chr(code) for first, last in blocks for code in range(first, last + 1))
    return "".join(code for code in codes if category(code).startswith("M"))


def _pieces(word: str) -> list[str]:
    if is_plain(word):
        return [word]
    word = normalize("NFC", word).translate(_folded())
    if not _parts().search(word):
        return [word] if word else []
    if _HALF_WIDTH.search(word):
        word = normalize("NFKC", word)
    found: list[str] = []
    for n, part in enumerate(_parts().split(word)):
        if n % 2 == 0:
            found += [part] if part else []
            continue
        characters = _characters().findall(part)
        found += [one + other for one, other in pairwise(characters)] or characters
    return found
