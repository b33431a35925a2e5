"""An index kept in line with a corpus that changes, for as long as somebody wants that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qa.errors import (
    ClosedError,
    CorpusError,
    EmptyCorpusError,
    IndexLockedError,
    QaError,
    StorageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Protocol

    from qa.types import Problem, Refresh

    class Refreshing(Protocol):
        """See `qa.indexing.refresh.refresh`."""

        def __call__(self, *, thorough: bool) -> Refresh: ...


__all__ = ["follow"]

_QUIET = 0.3  # seconds without another change, after which what changed is taken up
_PATIENCE = 3.0  # seconds after which it is taken up though changes go on
_UNWATCHED = 2.0  # seconds between two looks where changes are not told of
_SHARE = 20  # and so many times what a look took
_GONE = 1.0  # seconds between two looks for a corpus that is not there
_LONGEST = 30.0  # seconds between two tries to write
_ANYWAY = 10.0  # seconds after which there is a look, whatever was told: the index may be gone
_YOUNG = 2.5  # seconds after which the times of a file that has just changed can be trusted
_SLICE = 1.0  # seconds that are waited for a change at once


def follow(
    refresh: Refreshing,
    told: Callable[[float], int | None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Refresh | QaError]:
    """Refresh now, and again whenever something changes; without end.

    Gives what each refresh did, or why it failed and will be tried again; not those after which
    nothing is different.

    Args:
        refresh: brings the index in line; the first time it is `thorough`.
        told: waits so many seconds for a change at most; gives how much was told of since the
            last look, or None at once where nothing is told of.
        sleep: waits so many seconds.
        clock: gives seconds.

    Raises:
        QaError: the first refresh failed, by more than a lock or an empty corpus.
    """
    failed, pause, is_first, has_changed = False, 0.0, True, True
    problems: tuple[Problem, ...] = ()
    while True:
        started = clock()
        try:
            done = refresh(thorough=is_first)
        except ClosedError:
            raise
        except (QaError, OSError) as error:
            if is_first and not isinstance(error, EmptyCorpusError | IndexLockedError):
                raise
            yield error if isinstance(error, QaError) else StorageError(f"{error}")
            is_there = not isinstance(error, CorpusError)
            pause = min(_LONGEST, max(_GONE, 2 * pause)) if is_there else _GONE
            is_first, failed = False, True
            sleep(pause)
            continue
        took = clock() - started
        was_first, is_first, pause = is_first, False, 0.0
        had_changed, has_changed = has_changed, bool(done.added or done.changed or done.removed)
        if is_news := has_changed or was_first or failed or done.problems != problems:
            yield done  # who takes it may look at the corpus, which takes what was told of
        failed, problems = False, done.problems
        if not was_first:  # what changed during the first, which takes long, is looked for at once
            unwatched = max(_UNWATCHED, 0 if has_changed else _SHARE * took)
            wait = _YOUNG if is_news or had_changed else _ANYWAY
            _wait(told, wait, unwatched, sleep, clock)


def _wait(
    told: Callable[[float], int | None],
    seconds: float,
    unwatched: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    """Wait until something has changed and it is quiet again, or so many seconds."""
    until = clock() + seconds
    while (left := until - clock()) > 0:
        seen = told(min(left, _SLICE))
        if seen is None:
            sleep(unwatched)
            return
        if seen:
            latest = clock() + _PATIENCE
            while clock() < latest:
                sleep(_QUIET)
                if (now := told(0)) == seen:
                    return
                seen = now
            return
