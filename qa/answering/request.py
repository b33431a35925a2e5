"""What a question must be to be asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypedDict

from qa.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

__all__ = ["LONGEST_QUESTION", "AskArguments", "check_question"]

LONGEST_QUESTION = 10_000  # characters; of a longer one, the beginning is asked


class AskArguments(TypedDict, total=False):
    """The keyword arguments of `Assistant.ask`."""

    threshold: float | None
    refresh: bool
    explain: bool
    within: str | Iterable[str]
    where: Mapping[str, str] | None
    since: str | date | None
    until: str | date | None


def check_question(
    question: str, k: int, threshold: float, *, refresh: bool = True, explain: bool = False
) -> None:
    """Refuse what can't be asked, before anything is loaded for it.

    Args:
        question: not empty, and text that can be written as UTF-8.
        k: how many passages are wanted, at least 1.
        threshold: a probability, from 0 to 1.
        refresh: whether to refresh first.
        explain: whether to explain scores.

    Raises:
        QuestionError: one of them is not so.
    """
    if not isinstance(question, str):
        raise QuestionError(f"The question is {question!r:.80}", hint="Give text (str).")
    if not isinstance(k, int) or isinstance(k, bool):
        raise QuestionError(f"k is {k!r:.80}", hint="Give a whole number (int).")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool):
        raise QuestionError(f"The threshold is {threshold!r:.80}", hint="Give a number (float).")
    for name, wanted in {"refresh": refresh, "explain": explain}.items():
        if not isinstance(wanted, bool):
            raise QuestionError(f"{name} is {wanted!r:.80}", hint="Give True or False.")
    if not 1 <= k <= sys.maxsize:
        raise QuestionError(f"k is {k}", hint=f"It goes from 1 to {sys.maxsize}.")
    if not 0 <= threshold <= 1:
        raise QuestionError(f"The threshold is {threshold}", hint="It goes from 0 to 1.")
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise QuestionError("The question is not UTF-8", hint="Check the terminal's encoding.")
    if not question.strip():
        raise QuestionError("The question is empty", hint='Ask like this: qa ask "Who …?"')
