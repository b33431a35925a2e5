"""A question's terms, as the documents of each language have them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

from qa.words.languages import SMALL_WORDS
from qa.words.stop_words import STOP_WORDS
from qa.words.terms import analyse, is_stop_word, stop_terms, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["QuestionTerms", "question_terms"]


@dataclass(frozen=True, slots=True)
class QuestionTerms:
    """What of a question is looked for.

    Attributes:
        names: its terms that say what it is about, in order.
        variants: of each, all that it is in documents of one language or another, itself first.
    """

    names: Sequence[str]
    variants: Mapping[str, Sequence[str]]

    @property
    def all(self) -> list[str]:
        """Whatever a passage that is looked for may hold."""
        return [one for variants in self.variants.values() for one in variants]


def question_terms(question: str, languages: Sequence[str] = ()) -> QuestionTerms:
    """The terms of a question, stemmed in English and in every way that documents are.

    Its own language decides which of its words say nothing: `die` is a German one, and in English
    a word like others.

    Args:
        question: of one or more words.
        languages: those of `STEMMED` that documents are in, beside English and others.
    """
    english = analyse(question)
    if not languages:
        stop = stop_terms()
        kept = [term for term in english if term not in stop]
        return QuestionTerms(kept, {term: (term,) for term in kept})
    ways = [english, *(analyse(question, language) for language in languages)]
    says = _says_something(question, english, languages)
    names: list[str] = []
    variants: dict[str, dict[str, None]] = {}
    known: dict[str, str] = {}  # a variant's term
    for forms in compress(zip(*ways, strict=True), says):
        name = next((known[form] for form in forms if form in known), forms[0])
        names.append(name)
        for form in forms:
            if known.setdefault(form, name) == name:
                variants.setdefault(name, {})[form] = None
    return QuestionTerms(names, {name: tuple(forms) for name, forms in variants.items()})


def _says_something(question: str, english: Sequence[str], languages: Sequence[str]) -> list[bool]:
    """Of each term whether it is none of a stop word in the question's language."""
    words = words_of(question)
    stops = {code: [_says_nothing(word, code) for word in words] for code in languages}
    spoken = max(stops, key=lambda code: sum(stops[code]))
    if sum(stops[spoken]) > sum(word in STOP_WORDS for word in words):
        return [not stop for stop in stops[spoken]]
    return [term not in stop_terms() for term in english]


def _says_nothing(word: str, code: str) -> bool:
    """Whether a word is a stop word of a language, or one that it asks with."""
    return word in SMALL_WORDS.get(code, "").split() or is_stop_word(word, code)
