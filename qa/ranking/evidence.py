"""Evidence: which sentences of a passage answer best, and which words in them could be it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from qa.types import Mark, Span
from qa.words.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["best_sentences", "marks", "question_kind"]

# A neighbour that scores this share of the best sentence is shown with it: marked in one case of
# eight, it takes the share of answers inside the evidence from .83 to .87 (docs/decisions.md).
_NEIGHBOUR = 0.9


def best_sentences(scores: Sequence[float]) -> tuple[int, int]:
    """The first and the last sentence of the evidence: the best, or it and a neighbour.

    Args:
        scores: of a passage's sentences, in order; at least one.
    """
    best = max(range(len(scores)), key=lambda n: scores[n])
    around = [n for n in (best - 1, best + 1) if 0 <= n < len(scores)]
    other = max(around, key=lambda n: scores[n], default=best)
    if scores[other] < _NEIGHBOUR * scores[best]:
        return best, best
    return min(best, other), max(best, other)


_QUESTIONS = {
    "quantity": r"how (?:many|much|old|far|long|tall|large|big|high|deep|wide|often|fast|heavy)"
    r"|(?:what|which) (?:percent\w*|number|proportion|amount|share|size|price|cost|age)",
    "date": r"when|since when|(?:what|which) (?:years?|dates?|days?|months?|century|decade|time)",
    "name": r"who(?:m|se)?|where|(?:what|which) (?:country|countries|city|cities|person|people"
    r"|state|team|company|organi[sz]ation|university|school|place)",
}
_MONTH = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    "|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_NUMBER_WORD = (
    "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
    "|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    "|hundreds?|thousands?|millions?|billions?|trillions?|dozens?|half)"
)
_CAPITALISED = r"(?:[^\W\d_a-z][\w’'.&-]*\w|[^\W\d_a-z])"
_ANSWERS = {
    "quantity": rf"[$€£¥]?\d[\d,.]*\d?(?:\s?%|\s(?:percent|{_NUMBER_WORD}|[a-z]+))?"
    rf"|\b{_NUMBER_WORD}(?:[\s-]{_NUMBER_WORD})*\b",
    "date": rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?\s)?{_MONTH}\.?(?:\s\d{{1,2}}(?:st|nd|rd|th)?)?"
    r"(?:,?\s\d{4})?\b|\b\d{4}-\d{2}-\d{2}\b|\b1\d{3}s?\b|\b20\d{2}s?\b"
    r"|\b\d{1,2}(?:st|nd|rd|th)\scentur(?:y|ies)\b"
    r"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b",
    "name": rf"{_CAPITALISED}(?:\s(?:(?:of|the|de|van|von|al)\s)?{_CAPITALISED})*",
}


# What figures tell in any language. Digits of other scripts are digits, too.
_FIGURES = {
    "quantity": r"[$€£¥]?\d[\d.,]*(?<![.,])(?:\s?%)?",
    "date": r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|1\d{3}|20\d{2})(?!\d)",
}


@lru_cache(maxsize=16)  # each passage of an answer is marked for the same question
def question_kind(question: str) -> str:
    """Tell from its words what a question asks for: quantity, date, name, or "" for the rest."""
    found = (
        (match.start(), kind)
        for kind, pattern in _QUESTIONS.items()
        if (match := re.search(rf"\b(?:{pattern})\b", question, re.IGNORECASE))
    )
    return min(found, default=(0, ""))[1]


def marks(question: str, text: str, place: Span, *, is_english: bool = True) -> tuple[Mark, ...]:
    """Mark what could be the answer in `text[place]`: words of the kind that is asked for.

    Of a text that is not English, figures alone: months, numbers in words and capital letters mean
    other things there, or nothing.

    Nothing is marked where the question asks for something else; what the question itself says
    is no answer to it.
    """
    kind = question_kind(question)
    pattern = (_ANSWERS if is_english else _FIGURES).get(kind)
    if pattern is None:
        return ()
    known = {word.lower() for word in re.findall(r"\w+", question)}
    return tuple(
        Mark(kind, text[start:end], start, end)
        for start, end in _found(kind, pattern, text, place)
        if any(word.lower() not in known for word in re.findall(r"\w+", text[start:end]))
    )


def _found(kind: str, pattern: str, text: str, place: Span) -> Iterator[Span]:
    for match in re.compile(pattern).finditer(text, place.start, place.end):
        start, end = match.span()
        if kind == "name" and start == place.start:  # any word is capitalised there
            first, space, rest = match[0].partition(" ")
            if not rest:
                continue
            if first.lower() in STOP_WORDS:
                start += len(first + space)
        yield Span(start, end)
