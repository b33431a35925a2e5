"""A follow-up that leans on the question before it, by a rule that can be told in three sentences.

A line leans if it begins with "and", "or", "but", "what about" or "how about", and no question word
or verb of a question comes next. Where it goes on with a preposition, and the question before has a
phrase with the same one, it takes the place of the last such phrase; else it is put behind that
question. What is asked is shown.
"""

from __future__ import annotations

import re

__all__ = ["leaning"]

_LEAD = re.compile(
    r"(?:(?:and|or|but)[\s,]+)?(?:what|how)\s+about\s+|(?:and|or|but)[\s,]+", re.IGNORECASE
)
_ASKS = frozenset(
    """
    am are can could did do does had has have how is may might must shall should was were what when
    where which who whom whose why will would
    """.split()
)
_PREPOSITIONS = frozenset(
    """
    about after against among as at before between by during for from in into of on over per since
    through to under until via with within without
    """.split()
)
_WORD = re.compile(r"\S+")
_END = " \t\r\n?!.,;:…"


def leaning(line: str, before: str) -> str:
    """The question that a line means; the line itself where it doesn't lean on the one before.

    >>> leaning("and in 2023?", "How much rice was sent in 2022 by sea?")
    'How much rice was sent in 2023 by sea?'
    >>> leaning("what about whales?", "How long do elephants live?")
    'How long do elephants live, whales?'

    Args:
        line: what was typed.
        before: the last question that stood by itself; "" where there was none.
    """
    lead = _LEAD.match(line.lstrip())
    rest = line.lstrip()[lead.end() :].strip(_END) if lead else ""
    base = before.strip(_END)
    if not rest or not base or _first(rest) in _ASKS:
        return line
    phrase = _last_phrase(base, _first(rest))
    if phrase is not None:
        start, end = phrase
        return f"{base[:start]}{rest}{base[end:]}?"
    joined = " " if _first(rest) in _PREPOSITIONS else ", "
    return f"{base}{joined}{rest}?"


def _first(text: str) -> str:
    return text.split(maxsplit=1)[0].strip(_END).lower()


def _last_phrase(text: str, preposition: str) -> tuple[int, int] | None:
    """Where the last phrase with a preposition stands: up to the next preposition or the end."""
    if preposition not in _PREPOSITIONS:
        return None
    words = list(_WORD.finditer(text))
    names = [word[0].strip(_END).lower() for word in words]
    found = [at for at, name in enumerate(names[:-1]) if name == preposition]
    if not found:
        return None
    at = found[-1]
    # What comes right after a preposition belongs to it, whatever it is.
    after = (n for n in range(at + 2, len(words)) if names[n] in _PREPOSITIONS)
    end = words[next(after, len(words)) - 1].end()
    return words[at].start(), end
