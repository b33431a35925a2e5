"""Many questions in their order: embedded several at a time, ahead of who takes the answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar

from qa.ahead import in_order
from qa.answering.request import AskArguments, Request, make_request
from qa.encoding.micro_batcher import MAX_TEXTS
from qa.errors import QuestionError
from qa.logs import record_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from qa.answering.asking import Asking
    from qa.encoding.encoder import EncodedQuestion, Encoder, Runtime
    from qa.settings import Settings
    from qa.types import Answer

    T = TypeVar("T")
    Asked = Request | QuestionError
    Window = list[tuple[Asked, tuple[Encoder[Runtime], EncodedQuestion] | None]]

__all__ = ["answer_many", "kept", "requests_of", "threads"]

_LOOKED = 1.0  # seconds for which a look at the corpus serves
_AHEAD = 2  # windows of questions that are taken before their turn
# What a question may have of its own; a refresh is of all.
_OF_ALL = ("refresh", "refresh_wait")
_KEYS = ("question", "k", *(key for key in AskArguments.__annotations__ if key not in _OF_ALL))


def threads() -> ThreadPoolExecutor:
    """Threads to ask from: so many that those of a pass are there when it begins."""
    from qa.cores import usable_cores

    return ThreadPoolExecutor(MAX_TEXTS + usable_cores(), thread_name_prefix="qa-ask")


def requests_of(
    questions: Iterable[str | Mapping[str, object]], settings: Settings, given: Mapping[str, Any]
) -> Iterator[Asked]:
    """What is asked with each question, or why it can't be.

    Args:
        questions: as text, or as mappings of "question" and any arguments of its own.
        settings: say what is not given.
        given: arguments of all the others (see `make_request`); None counts as not given.

    Raises:
        QuestionError: at once, where it is those that make no sense.
    """
    arguments = {"settings": settings, **_known(given)}
    make_request(**{**arguments, "question": "?"})
    return (_request(one, arguments) for one in questions)


def _request(one: object, arguments: Mapping[str, Any]) -> Asked:
    try:
        return make_request(**{**arguments, **_own(one)})
    except QuestionError as error:
        return error


def _own(one: object) -> dict[str, Any]:
    if not isinstance(one, Mapping):
        return {"question": one}
    if one.get("question") is None:
        raise QuestionError("There is no question", hint='Give it as "question".')
    if unknown := [key for key in one if key not in _KEYS]:
        raise QuestionError(
            f"A question has nothing called {unknown[0]!r:.80}", hint=f"Known: {', '.join(_KEYS)}."
        )
    return _known(one)


def _known(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def answer_many(
    asking: Asking,
    requests: Iterator[Asked],
    *,
    refused: Callable[[int, QuestionError], None] | None = None,
    wait: float | None = None,
) -> Generator[Answer]:
    """Answer requests in their order, when the answers are asked for.

    Args:
        asking: answers one.
        requests: taken some dozens ahead.
        refused: is told of each that can't be asked, by its number from 0, in its turn.
        wait: see `Request.refresh_wait`.

    Raises:
        QuestionError: a question can't be asked, and nobody is told of it.
        CorpusError, IndexUnusableError, ModelError: see `Asking.answer`.
    """
    look = kept(partial(asking.look, wait))
    lacking = kept(asking.lacking)
    windows = iter(lambda: list(islice(requests, MAX_TEXTS)), [])
    numbers = count()
    encoded = in_order(partial(_encoded, asking), _looked(windows, look), workers=1, most=_AHEAD)
    with closing(encoded):
        for window in encoded:
            for (request, known), number in zip(window, numbers, strict=False):
                started = time.perf_counter()
                try:
                    if isinstance(request, QuestionError):
                        raise request
                    answer = asking.answer(request, look=look, lacking=lacking, known=known)
                except QuestionError as error:
                    if refused is None:
                        raise
                    refused(number, error)
                else:
                    record_answer(answer, time.perf_counter() - started)
                    yield answer


def _looked(windows: Iterator[list[Asked]], look: Callable[[], object]) -> Iterator[list[Asked]]:
    """The same windows; before the first that wants it, the corpus is looked at.

    Only then is there an encoder for certain.
    """
    for number, window in enumerate(windows):
        if not number and any(isinstance(one, Request) and one.refresh for one in window):
            look()
        yield window


def _encoded(asking: Asking, window: list[Asked]) -> Window:
    """Embed the questions of a window."""
    if not (questions := [one.asked[1] for one in window if isinstance(one, Request)]):
        return [(one, None) for one in window]
    encoder = asking.encoder()
    made = iter(encoder.encode_questions(questions))
    return [(one, (encoder, next(made)) if isinstance(one, Request) else None) for one in window]


def kept(function: Callable[[], T]) -> Callable[[], T]:
    """A function that is called again only when what it gave last has got old."""
    kept: list[tuple[float, T]] = []

    def give() -> T:
        if not kept or time.monotonic() >= kept[0][0]:
            made = function()
            kept[:] = [(time.monotonic() + _LOOKED, made)]
        return kept[0][1]

    return give
