"""What a log says: refreshes, answers, problems and timings, never the text of either side.

Python's `logging`, logger `qa`. A question is known by the first digits of its SHA-256. Texts go to
the logger `qa.text`, and only once that one has been given a level of its own. Where nobody has
imported `logging`, nobody listens, and it isn't imported for their sake (4 ms of a cold start).
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import time
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from pathlib import Path

    from qa.progress import Progress
    from qa.types import Answer, Refresh

    P = ParamSpec("P")

__all__ = [
    "Pace",
    "answers",
    "error",
    "indexing",
    "notifying",
    "record",
    "record_answer",
    "refreshes",
    "to_file",
]

_LOGGER, _TEXT = "qa", "qa.text"
_DIGITS = 12  # of a digest
PACE_SECONDS = 10  # at least so long between two reports of progress
_SHARE = 20  # and this part of all between them


def to_file(path: Path, *, text: bool) -> None:
    """Append what is recorded to this file alone; with `text`, questions and quotes as well.

    Raises:
        SettingsError: the file can't be written.
    """
    import logging

    from qa.errors import SettingsError

    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as problem:
        raise SettingsError(
            f"The log {path} can't be written: {problem}", hint="Name another file with --log-file."
        ) from problem
    form = logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s")
    handler.setFormatter(form)
    logger = logging.getLogger(_LOGGER)
    for other in list(logger.handlers):
        logger.removeHandler(other)
        other.close()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if text:
        logging.getLogger(_TEXT).setLevel(logging.INFO)


def record(event: str, *, level: int = 20, **facts: object) -> None:
    """Write one line: the event, then `name=value` with values as ASCII JSON."""
    logger = _listening(_LOGGER)
    if logger is not None and logger.isEnabledFor(level):
        logger.log(level, "%s", _line(event, facts))


def _record_text(event: str, **facts: object) -> None:
    logger = _listening(_TEXT)
    if logger is not None and logger.level and logger.isEnabledFor(logger.level):
        logger.info("%s", _line(event, facts))


def _listening(name: str) -> logging.Logger | None:
    """The logger, where somebody hears it: without handlers, Python writes to stderr."""
    module = sys.modules.get("logging")
    logger = module.getLogger(name) if module is not None else None
    return logger if logger is not None and logger.hasHandlers() else None


def _line(event: str, facts: dict[str, object]) -> str:
    # As JSON in ASCII, so that no name or text can begin a line of its own.
    return " ".join([event, *(f"{name}={json.dumps(one)}" for name, one in facts.items())])


def answers(ask: Callable[P, Answer]) -> Callable[P, Answer]:
    """Record each answer that a method gives: how it came out, and how long it took."""

    @functools.wraps(ask)
    def recorded(*given: P.args, **options: P.kwargs) -> Answer:
        started = time.perf_counter()
        answer = ask(*given, **options)
        record_answer(answer, time.perf_counter() - started)
        return answer

    return recorded


def record_answer(answer: Answer, seconds: float) -> None:
    """Record how an answer came out, and how long it took."""
    name = hashlib.sha256(answer.question.encode()).hexdigest()[:_DIGITS]
    record(
        "answered" if answer.answered else "not answered",
        question=name,
        characters=len(answer.question),
        probability=round(answer.probability, 4),
        passages=len(answer.passages),
        documents=[str(passage.citation) for passage in answer.passages],
        notes=len(answer.notes),
        seconds=round(seconds, 4),
    )
    quotes = [passage.evidence.citation.quote for passage in answer.passages]
    _record_text("text", question=name, asked=answer.question, evidence=quotes)


def refreshes(refresh: Callable[P, Refresh]) -> Callable[P, Refresh]:
    """Record each refresh that did something, and what could not be read."""

    @functools.wraps(refresh)
    def recorded(*given: P.args, **options: P.kwargs) -> Refresh:
        started = time.perf_counter()
        done = refresh(*given, **options)
        if done.added or done.changed or done.removed:
            record(
                "refreshed",
                added=done.added,
                changed=done.changed,
                removed=done.removed,
                unchanged=done.unchanged,
                passages=done.passages,
                encoded=done.encoded,
                seconds=round(time.perf_counter() - started, 4),
            )
            for one in done.problems:
                record("not read", level=30, document=one.document, reason=one.reason)
        return done

    return recorded


class Pace:
    """Says when to report how far something is: every ten seconds or 5 %, whichever is rarer.

    The first report comes after `first` seconds, however little is done by then.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, first: float = 0) -> None:
        self._clock = clock
        self._first = first
        self._doing: str | None = None
        self._last, self._done, self._is_first = clock(), 0, True

    def is_due(self, done: int, total: int, doing: str) -> bool:
        """Whether to report now; then this counts as reported. Other work starts afresh."""
        now = self._clock()
        if doing != self._doing or done < self._done:
            self._doing = doing
            self._last, self._done, self._is_first = now, 0, True
        passed = now - self._last
        if self._is_first:
            is_due = passed >= self._first
        else:
            is_due = passed >= PACE_SECONDS and (done - self._done) * _SHARE >= total
        if is_due:
            self._last, self._done, self._is_first = now, done, False
        return is_due


def indexing(
    progress: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[Progress], None]:
    """Record now and then how far a refresh is, as well as telling it."""
    pace = Pace(clock)

    def told(one: Progress) -> None:
        from qa.indexing.progress import amount

        done, total = amount(one)
        if pace.is_due(done, total, one.phase):
            left = one.seconds_left
            record(
                "indexing",
                phase=one.phase,
                done=done,
                total=total,
                documents=one.documents,
                documents_total=one.documents_total,
                kept=one.kept,
                seconds_left=None if left is None else round(left),
            )
        progress(one)

    return told


def notifying(notify: Callable[[str], None]) -> Callable[[str], None]:
    """Record what a person is told as well."""

    def notified(sentence: str) -> None:
        record("told", sentence=sentence)
        notify(sentence)

    return notified


def error(problem: BaseException) -> None:
    """Record an error: its message where it is one of ours, which quote nothing; else its place."""
    from qa.errors import CitationError, QaError, QuestionError

    facts: dict[str, object] = {"kind": type(problem).__name__}
    if isinstance(problem, QaError) and not isinstance(problem, CitationError | QuestionError):
        facts["message"] = str(problem)
    elif (trace := problem.__traceback__) is not None:
        while trace.tb_next is not None:
            trace = trace.tb_next
        facts["place"] = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    record("failed", level=40, **facts)
