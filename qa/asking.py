"""What a question must be to be asked."""

from __future__ import annotations

from qa.errors import QuestionError

__all__ = ["check_question"]

LONGEST_QUESTION = 10_000  # characters; the encoder's own limit, in tokens, is checked as well


def check_question(question: str) -> None:
    """Refuse what is no question, before anything is loaded for it.

    Raises:
        QuestionError: it is empty, too long, or no text that can be written as UTF-8.
    """
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise QuestionError("The question is not UTF-8", hint="Check the terminal's encoding.")
    if not question.strip():
        raise QuestionError("The question is empty", hint='Ask like this: qa ask "Who …?"')
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(question):,} characters; at most {LONGEST_QUESTION:,} are read",
            hint="Ask a shorter question.",
        )
