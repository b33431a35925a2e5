"""Text to terms, the unit of lexical search: words in lower case, without accents, stemmed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import tantivy

from qa.words.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from qa.types import Span

__all__ = ["PassageTerms", "analyse", "analyser", "content_terms", "passage_terms", "term_ids"]

_MAX_TERM = 64  # bytes


def analyse(text: str) -> list[str]:
    """The terms of a text, in order; each is Porter-stemmed."""
    return analyser().analyze(text)


@cache
def analyser() -> tantivy.TextAnalyzer:
    """What cuts text into terms, for tantivy to use as well."""
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(_MAX_TERM))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )


def content_terms(text: str) -> list[str]:
    """The terms of a text that say what it is about: those of stop words are left out."""
    stop = _stop_terms()
    return [term for term in analyse(text) if term not in stop]


@cache
def _stop_terms() -> frozenset[str]:
    return frozenset(analyse(" ".join(STOP_WORDS)))


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


def passage_terms(context: str, text: str, sentences: Sequence[Span]) -> PassageTerms:
    """Find the terms of a passage; `sentences` are spans of `text`."""
    stop = _stop_terms()
    parts = [analyse(part) for part in (context, *(text[start:end] for start, end in sentences))]
    content = [[term for term in part if term not in stop] for part in parts]
    return PassageTerms(
        term_ids(term for part in content for term in part),
        np.array([len(part) for part in content], np.uint32),
        sum(len(part) for part in parts),
    )
