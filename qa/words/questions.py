"""What of a question says what it is about: without how it is asked, and which words are names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["WORD", "asked", "explained", "is_one_edit", "names"]

WORD = re.compile(r"[^\W_]+(?:[’'.&-][^\W_]+)*")
_SOURCE = r"(?:text|documents?|articles?|passages?|papers?|reports?|files?)"
_ABOUT = r"(?:\s+(?:more\s+)?(?:about|on|of|for))?(?:\s+(?:this|the\s+following)\s*[.:])?"
_REQUESTS = re.compile(
    rf"""\s*(?:
      (?:hi|hello|hey|good\s+(?:morning|evening|day))\b[\s,.!]*
    | (?:can|could|would|will)\s+you\s+(?:please\s+|kindly\s+)?(?:tell|show|give|explain\s+to)\s+me
      {_ABOUT}
    | (?:please\s+)?(?:tell|show|give)\s+me{_ABOUT}
    | i(?:\s+would|['’]d)\s+like(?:\s+to\s+(?:know|find|read|learn|see|have))?
      (?:\s+(?:some|any|more|{_SOURCE}|information))*{_ABOUT}
    | i(?:\s+a|['’])m\s+(?:looking|searching)\s+for
      (?:\s+(?:some|any|{_SOURCE}|information))*{_ABOUT}
    | i\s+(?:want|need)\s+to\s+(?:know|find(?:\s+out)?){_ABOUT}
    | (?:according\s+to|based\s+on)\s+(?:the|these|this|your|my)\s+{_SOURCE}
    | please
    )(?!\w)[\s,:.]*""",
    re.IGNORECASE | re.VERBOSE,
)
_AFTER = re.compile(
    rf"[\s,]+(?:according\s+to|based\s+on)\s+(?:the|these|this|your|my)\s+{_SOURCE}\s*[?.!]*\s*$"
    r"|[\s,]+please\s*[?.!]*\s*$|[\s,.]+thank(?:s|\s+you)\b.{0,20}$",
    re.IGNORECASE,
)


_MAX_AFTER = 120  # characters


def asked(question: str) -> tuple[int, int]:
    """Where what is asked begins and ends, without phrases of request around it.

    "Could you tell me, according to the text, who signed?" asks "who signed?". Where nothing else
    is left, the question is all of it.
    """
    begin, end = 0, len(question.rstrip())
    while (found := _REQUESTS.match(question, begin)) and found.end() > begin:
        begin = found.end()
    # What may stand behind is short; to look for it from each of many spaces takes their square.
    if found := _AFTER.search(question, max(begin, end - _MAX_AFTER), end):
        end = found.start()
    return (begin, end) if WORD.search(question[begin:end]) else (0, len(question))


def names(question: str) -> list[str]:
    """The words that are names or numbers: capitalised inside a sentence, or of digits alone.

    Letters mixed with digits name a thing that goes by other names, too (a gene, a part, a model).
    """
    found = []
    for match in WORD.finditer(question):
        word, before = match[0], question[: match.start()].rstrip()
        is_inside = bool(before) and before[-1] not in ".?!:\"“”'"
        has_digit, has_letter = any(map(str.isdigit, word)), any(map(str.isalpha, word))
        if (has_digit and not has_letter) or (is_inside and word[0].isupper() and not has_digit):
            found.append(word)
    return found


def explained(words: Iterable[str], question: str, texts: Iterable[str]) -> set[str]:
    """Those of some words that texts have as an acronym, or have an acronym of.

    "US" where they have "United States", and "United" and "States" where they have "US".
    """
    joined = " ".join(texts)
    runs = [match[0] for match in _CAPITALISED.finditer(joined)]
    spelled = {acronym for run in runs for acronym in _acronyms(run)}
    found = set()
    for word in words:
        bare = word.replace(".", "").upper()
        if _ACRONYM.fullmatch(bare) and bare in spelled:
            found.add(word)
    shouted = {match[0].replace(".", "") for match in _SHOUTED.finditer(joined)}
    for match in _CAPITALISED.finditer(question):
        if shouted.intersection(_acronyms(match[0])):
            found.update(WORD.findall(match[0]))
    return found.intersection(words)


_CAPITALISED = re.compile(r"[A-Z]\w*(?:[ -](?:(?:of|the|and|for)\s)?[A-Z]\w*)+")
_SHOUTED = re.compile(r"\b(?:[A-Z]\.){2,6}|\b[A-Z]{2,6}\b")
_ACRONYM = re.compile(r"[A-Z]{2,6}")


def _acronyms(run: str) -> Iterator[str]:
    """The acronyms that words in a row, capitalised ones, can have."""
    initials = [word[0] for word in WORD.findall(run.replace("-", " ")) if word[0].isupper()]
    for start in range(len(initials)):
        for end in range(start + 2, min(len(initials), start + 6) + 1):
            yield "".join(initials[start:end])


def is_one_edit(one: str, other: str) -> bool:
    """Whether a word becomes another by one letter more, less, changed or swapped with the next."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    rest, others = one[same:], other[same:]
    return (
        rest[1:] == others
        or rest == others[1:]
        or rest[1:] == others[1:]
        or (rest[:2] == others[1::-1] and rest[2:] == others[2:])
    )
