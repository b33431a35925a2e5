"""Text to terms, the unit of lexical search: words in lower case, without accents, stemmed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import tantivy

from qa.words.scripts import is_plain, spaced
from qa.words.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from qa.types import Span

__all__ = [
    "STEMMED",
    "PassageTerms",
    "analyse",
    "content_terms",
    "is_stop_word",
    "passage_terms",
    "stop_terms",
    "term_ids",
    "words_of",
]

_MAX_TERM = 64  # bytes
# The languages whose words are stemmed in their own way, all by Snowball's rules.
STEMMED = dict(
    pair.split(":")
    for pair in """
    ar:arabic da:danish de:german el:greek es:spanish fi:finnish fr:french hu:hungarian it:italian
    nl:dutch no:norwegian pt:portuguese ro:romanian ru:russian sv:swedish ta:tamil tr:turkish
    """.split()
)
_UNLISTED = {"ar", "el", "ro", "ta", "tr"}  # tantivy has no stop words of them


def analyse(text: str, language: str = "") -> list[str]:
    """The terms of a text, in order, stemmed as a language of `STEMMED` is, any other as English.

    Whatever the language, as many: they are of the same words.
    """
    return _terms(text, STEMMED.get(language, "english"), stops=True)


def _terms(text: str, stemmer: str | None, *, stops: bool) -> list[str]:
    if is_plain(text):
        return _analyser(stemmer, plain=True, stops=stops).analyze(text)
    return _analyser(stemmer, plain=False, stops=stops).analyze(spaced(text))


@cache
def _analyser(stemmer: str | None, *, plain: bool, stops: bool) -> tantivy.TextAnalyzer:
    """What cuts text, which is spaced where it is not `plain`; None stems nothing."""
    cut = tantivy.Tokenizer.simple() if plain else tantivy.Tokenizer.whitespace()
    builder = tantivy.TextAnalyzerBuilder(cut).filter(tantivy.Filter.remove_long(_MAX_TERM))
    builder = builder.filter(tantivy.Filter.lowercase())
    if stemmer is None:
        return builder.build()
    if not stops:
        builder = builder.filter(tantivy.Filter.stopword(stemmer))
    # Accents go first, so that a word is found as it is typed where nobody types them.
    builder = builder.filter(tantivy.Filter.ascii_fold())
    return builder.filter(tantivy.Filter.stemmer(stemmer)).build()


def words_of(text: str) -> list[str]:
    """The words that terms are made of: as many, in lower case."""
    return _terms(text, None, stops=True)


def content_terms(text: str, language: str = "") -> list[str]:
    """The terms of a text that say what it is about: those of stop words are left out."""
    return _content(text, language, analyse(text, language))


def _content(text: str, language: str, terms: list[str]) -> list[str]:
    if language not in STEMMED:
        stop = stop_terms()
        return [term for term in terms if term not in stop]
    if language in _UNLISTED:
        return terms
    return _terms(text, STEMMED[language], stops=False)


@cache
def stop_terms() -> frozenset[str]:
    """The terms of English stop words."""
    return frozenset(analyse(" ".join(STOP_WORDS)))


@lru_cache(maxsize=1 << 12)
def is_stop_word(word: str, language: str) -> bool:
    """Whether a word is a stop word of a language of `STEMMED`."""
    return not content_terms(word, language)


def term_ids(terms: Iterable[str]) -> NDArray[np.int64]:
    """Name terms by 64 bits of their digest, so that scoring compares numbers, not words."""
    return np.array([_term_id(term) for term in terms], np.int64)


@lru_cache(maxsize=1 << 16)
def _term_id(term: str) -> int:
    return int.from_bytes(blake2b(term.encode(), digest_size=8).digest(), "little", signed=True)


@dataclass(frozen=True, slots=True)
class PassageTerms:
    """The terms of a passage, its heading context first.

    `ids` are those of its content terms, in order, int64 `[t]`; `counts` says how many of them
    stand in the context, then in each of its `m` sentences, uint32 `[m + 1]`; `length` counts
    all terms, stop words included.
    """

    ids: NDArray[np.int64]
    counts: NDArray[np.uint32]
    length: int


def passage_terms(
    context: str, text: str, sentences: Sequence[Span], language: str = ""
) -> PassageTerms:
    """Find the terms of a passage in a language; `sentences` are spans of `text`."""
    parts = [context, *(text[start:end] for start, end in sentences)]
    terms = [analyse(part, language) for part in parts]
    content = [_content(part, language, of) for part, of in zip(parts, terms, strict=True)]
    return PassageTerms(
        term_ids(term for part in content for term in part),
        np.array([len(part) for part in content], np.uint32),
        sum(len(part) for part in terms),
    )
