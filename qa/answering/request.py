"""What is asked: a question and how, checked once before anything is loaded for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping  # noqa: TC003 - types resolve at run time
from dataclasses import dataclass
from datetime import date  # noqa: TC003 - as above
from typing import TYPE_CHECKING, TypedDict

from qa.errors import QuestionError
from qa.settings import MAX_K
from qa.words.questions import asked

if TYPE_CHECKING:
    from qa.answering.filter import Filter
    from qa.settings import Settings

__all__ = ["MAX_QUESTION", "AskArguments", "Request", "make_request"]

_DAY = 86_400.0
MAX_QUESTION = 10_000  # characters; of a longer one, the beginning is asked


class AskArguments(TypedDict, total=False):
    """The keyword arguments of `Assistant.ask`."""

    threshold: float | None
    refresh: bool
    refresh_wait: float | None
    explain: bool
    per_document: int | None
    within: str | Iterable[str]
    where: Mapping[str, str] | None
    since: str | date | None
    until: str | date | None


@dataclass(frozen=True, slots=True)
class Request:
    """A question that can be asked.

    Attributes:
        question: in plain language.
        k: how many passages are wanted, at least 1.
        threshold: of the probability, from 0 to 1, below which nothing is answered.
        refresh: whether to refresh first.
        refresh_wait: seconds after which the refresh goes on behind; None for as long as it takes.
        explain: whether to explain scores.
        per_document: how many passages of a document at most come before those of all others; any
            number where it is 0.
        chosen: which documents may answer; all where it is None.
    """

    question: str
    k: int
    threshold: float
    refresh: bool = True
    explain: bool = False
    per_document: int = 0
    refresh_wait: float | None = None
    chosen: Filter | None = None

    @property
    def asked(self) -> tuple[int, str]:
        """What is searched for, without phrases of request, and where in the question it begins."""
        begin, end = asked(self.beginning)
        return begin, self.beginning[begin:end]

    @property
    def beginning(self) -> str:
        """As much of the question as is embedded at most."""
        return self.question[:MAX_QUESTION]


def make_request(
    question: str,
    k: int | None = None,
    threshold: float | None = None,
    *,
    settings: Settings,
    refresh: bool = True,
    refresh_wait: float | None = None,
    explain: bool = False,
    per_document: int | None = None,
    within: str | Iterable[str] = (),
    where: Mapping[str, str] | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
) -> Request:
    """Check what was asked; for the arguments see `Request` and `Filter`.

    Of `k` and `threshold`, the settings say what is None.

    Raises:
        QuestionError: the question is empty or not text, or another argument is not as it should
            be.
    """
    k = settings.k if k is None else k
    threshold = settings.threshold if threshold is None else threshold
    if not isinstance(question, str):
        raise QuestionError(f"The question is {question!r:.80}", hint="Give text (str).")
    if not isinstance(k, int) or isinstance(k, bool):
        raise QuestionError(f"k is {k!r:.80}", hint="Give a whole number (int).")
    if per_document is not None and (
        not isinstance(per_document, int) or isinstance(per_document, bool) or per_document < 0
    ):
        raise QuestionError(
            f"per_document is {per_document!r:.80}",
            hint="Give a whole number of passages; 0 for any number.",
        )
    if not _is_number(threshold):
        raise QuestionError(f"The threshold is {threshold!r:.80}", hint="Give a number (float).")
    for name, wanted in {"refresh": refresh, "explain": explain}.items():
        if not isinstance(wanted, bool):
            raise QuestionError(f"{name} is {wanted!r:.80}", hint="Give True or False.")
    if refresh_wait is not None and not (_is_number(refresh_wait) and 0 <= refresh_wait <= _DAY):
        raise QuestionError(
            f"refresh_wait is {refresh_wait!r:.80}",
            hint="Give seconds, from 0 on; None waits as long as the refresh takes.",
        )
    if not 1 <= k <= MAX_K:
        raise QuestionError(f"k is {k}", hint=f"It goes from 1 to {MAX_K:,}.")
    if not 0 <= threshold <= 1:
        raise QuestionError(f"The threshold is {threshold}", hint="It goes from 0 to 1.")
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise QuestionError("The question is not UTF-8", hint="Check the terminal's encoding.")
    if not question.strip():
        raise QuestionError("The question is empty", hint='Ask like this: qa ask "Who …?"')
    chosen = None
    if within or where or since or until:
        from qa.answering.filter import make_filter

        chosen = make_filter(within, where, since, until)
    return Request(
        question, k, threshold, refresh, explain, per_document or 0, refresh_wait, chosen
    )


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)
