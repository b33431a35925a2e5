"""Spelling: a word that no passage has is taken for one that they have, if a letter parts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.words.question_terms import question_terms
from qa.words.questions import WORD, is_one_edit
from qa.words.scripts import is_cut
from qa.words.stop_words import STOP_WORDS
from qa.words.terms import analyse, term_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qa.store.protocol import Snapshot

__all__ = ["corrected"]

_LOOKED_AT = 20  # passages with a word like it
_MIN_LETTERS = 3
_ENDING = 3  # letters that a stemmer cuts off
_MIN_SMALL = 4  # letters of a small word that is looked for: shorter ones are near to everything
_MIN_LETTERS_OF_NAME = 5
_MOST = 5  # words of a question: each is looked up in the vocabulary


def corrected(
    question: str, snapshot: Snapshot, is_word: Callable[[str], bool]
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A question in the words of the documents, and which were exchanged for which.

    A word is exchanged if no passage has it, and some have another that is one letter more, less or
    different, or has two neighbours swapped. Numbers are never exchanged.

    Args:
        question: as it was asked.
        snapshot: the index at one moment.
        is_word: whether a word is a common one, which is hardly a misspelling of another.
    """
    unknown = (word for word in _unknown(question, snapshot) if not is_word(word))
    like = {word: _like(word, snapshot) for word in list(dict.fromkeys(unknown))[:_MOST]}
    found = {word: other for word, other in like.items() if other}
    return WORD.sub(lambda match: found.get(match[0], match[0]), question), tuple(found.items())


def _unknown(question: str, snapshot: Snapshot) -> list[str]:
    """The words, of letters alone and no acronyms, with a term that no passage has."""
    found = (match[0] for match in WORD.finditer(question))
    words = [word for word in found if word.isalpha() and not word.isupper() and not is_cut(word)]
    terms = question_terms(question, snapshot.languages)
    held = snapshot.document_frequencies(_ids(terms.variants.values()))
    lacking = {
        form
        for forms, count in zip(terms.variants.values(), held, strict=True)
        for form in forms
        if not count
    }
    return [word for word in words if lacking.intersection(analyse(word))]


def _ids(terms: Iterable[Sequence[str]]) -> list[list[int]]:
    return [term_ids(forms).tolist() for forms in terms]


def _like(word: str, snapshot: Snapshot) -> str:
    """The small word, or the word of the documents, that differs by a letter; "" for none.

    Of several in the documents it is the commonest.
    """
    for small in sorted(STOP_WORDS):
        is_alike = len(small) >= _MIN_SMALL and small[0] == word[0].casefold()
        if is_alike and is_one_edit(word.casefold(), small):
            return small
    [term, *others] = analyse(word) or [""]
    least = _MIN_LETTERS_OF_NAME if word[0].isupper() else _MIN_LETTERS
    if others or len(term) < least:
        return ""
    # An ending that is misspelt is not cut off by the stemmer, as that of the right word was.
    beginnings = (term[:end] for end in range(len(term), max(least, len(term) - _ENDING) - 1, -1))
    searches = (_near(word, beginning, snapshot) for beginning in beginnings)
    found = next(filter(None, searches), {})
    if not found:
        return ""
    forms = (question_terms(each, snapshot.languages).all for each in found.values())
    counts = snapshot.document_frequencies(_ids(forms))
    best = max(zip(counts, found, strict=True))[1]
    return found[best]


def _near(word: str, term: str, snapshot: Snapshot) -> dict[str, str]:
    """Words that differ from one by a letter, by their terms, of passages with a term like this."""
    found: dict[str, str] = {}
    for row in snapshot.passages(snapshot.passages_with_a_term_like(term, _LOOKED_AT)):
        for each in WORD.findall(f"{row.context} {row.text}"):
            is_alike = each[0].casefold() == word[0].casefold() and not each.isupper()
            if is_alike and abs(len(each) - len(word)) <= 1:
                [its, *rest] = analyse(each) or [""]
                if not rest and is_one_edit(word.casefold(), each.casefold()):
                    found.setdefault(its, each)
    return found
