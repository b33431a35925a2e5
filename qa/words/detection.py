"""Which language a document is in: as it says itself, else as its text tells with confidence."""

from __future__ import annotations

import re
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from py3langid.langid import LanguageIdentifier

__all__ = ["code_of", "language_of", "told", "with_language"]

_WORDS = 300  # of the beginning
_LONGEST = 4000  # characters: a word may be without end
_MIN_LETTERS = 24
# Of 11,183 English questions and titles none is told to be in another language at this.
_CONFIDENT = 0.6
# Words that English does not do without and other languages don't have: where so many of all words
# are of these, the text is English, and the detector need not be loaded (0.4 s, 120 MB).
_ENGLISH = frozenset("the and that with which were this from are been their they these".split())
_ENGLISH_SHARE, _ENGLISH_SHARE_OF_ASCII = 0.08, 0.03
_ASCII = 0.99  # of the characters
_WORD = re.compile(r"[^\W\d_]+")
# A code and what else documents call its language, of those that Snowball stems, then of others.
_LANGUAGES = """
ar arabic ara; da danish dan; de german deutsch deu ger; el greek ell gre; en english eng
es spanish español spa; fi finnish fin; fr french français fra fre; hu hungarian hun
it italian ita; nl dutch nld dut; no norwegian nor nb nob nn nno; pt portuguese por
ro romanian ron rum; ru russian rus; sv swedish swe; ta tamil tam; tr turkish tur
bg bulgarian; bn bengali; ca catalan; cs czech; fa persian; he hebrew heb iw; hi hindi; hr croatian
hy armenian; id indonesian; ja japanese jpn; ka georgian; km khmer; ko korean kor; lo lao
lt lithuanian; lv latvian; mk macedonian; ml malayalam; mr marathi; my burmese; ne nepali; pl polish
si sinhala; sk slovak; sl slovenian; sr serbian; te telugu; th thai tha; uk ukrainian; ur urdu
vi vietnamese; zh chinese zho chi yue wuu
"""
_CODES = {
    name: line.split()[0]
    for line in re.split(r"[;\n]+", _LANGUAGES.strip())
    for name in line.split()
}


def code_of(name: str) -> str:
    """The code (ISO 639-1) of a language, as documents name it: `de-AT`, `ger`, `German`.

    Of several the first; "" for one that is treated like no other.
    """
    found = _WORD.search(name.lower())
    return _CODES.get(found[0], "") if found else ""


def told(metadata: Mapping[str, str]) -> str:
    """The code of the language that a document's metadata names, or "" where they name none."""
    return code_of(_named(metadata))


def _named(metadata: Mapping[str, str]) -> str:
    return metadata.get("language") or metadata.get("lang") or ""


def with_language(
    metadata: Mapping[str, str], format_: str, texts: Iterable[str]
) -> Mapping[str, str]:
    """A document's metadata, with the code of its language where they lack it and it is sure.

    English is not named: it is what all text is taken for.

    Args:
        metadata: where they name a language, that is the one.
        format_: of the document; of source code no language is told.
        texts: what is in it, from its beginning.
    """
    if _named(metadata) or format_ == "code":
        return metadata
    code = language_of(texts)
    return {**metadata, "language": code} if code else metadata


def language_of(texts: Iterable[str]) -> str:
    """The code of the language that texts begin in, other than English; "" where it isn't sure."""
    found = chain.from_iterable(map(_WORD.finditer, texts))
    words = [match[0].lower() for match in islice(found, _WORDS)]
    text = " ".join(words)[:_LONGEST]
    is_ascii = len(text.encode("ascii", "ignore")) >= _ASCII * len(text)
    share = _ENGLISH_SHARE_OF_ASCII if is_ascii else _ENGLISH_SHARE
    is_english = sum(word in _ENGLISH for word in words) >= share * len(words)
    if is_english or sum(map(len, words)) < _MIN_LETTERS:
        return ""
    code, confidence = _detector().classify(text)
    return code_of(code) if code != "en" and confidence >= _CONFIDENT else ""


@cache
def _detector() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
