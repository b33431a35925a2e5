"""What a question must be to be asked."""

from __future__ import annotations

from qa.errors import QuestionError

__all__ = ["LONGEST_QUESTION", "check_question"]

LONGEST_QUESTION = 10_000  # characters; of a longer one, the beginning is asked


def check_question(question: str, k: int, threshold: float) -> None:
    """Refuse what can't be asked, before anything is loaded for it.

    Args:
        question: not empty, and text that can be written as UTF-8.
        k: how many passages are wanted, at least 1.
        threshold: a probability, from 0 to 1.

    Raises:
        QuestionError: one of them is not so.
    """
    if k < 1:
        raise QuestionError(f"k is {k}", hint="Ask for at least 1 passage.")
    if not 0 <= threshold <= 1:
        raise QuestionError(f"The threshold is {threshold}", hint="It goes from 0 to 1.")
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise QuestionError("The question is not UTF-8", hint="Check the terminal's encoding.")
    if not question.strip():
        raise QuestionError("The question is empty", hint='Ask like this: qa ask "Who …?"')
