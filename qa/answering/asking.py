"""Requests answered from an index that follows its corpus: when and how often that is looked at."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from qa.errors import (
    CatalogDamagedError,
    IndexLockedError,
    IndexMissingError,
    ReadOnlyIndexError,
    StorageError,
)
from qa.indexing.plan import checked_plan, coverage

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Protocol

    from qa.answering.request import Request
    from qa.citations.source import Headings
    from qa.corpus import Corpus
    from qa.encoding.encoder import EncodedQuestion, Encoder, Runtime
    from qa.encoding.loader import ModelLoader
    from qa.store.protocol import Store
    from qa.types import Answer, Refresh

    class Refreshing(Protocol):
        """Brings the index in line, unless another process writes and `unless` says to go on."""

        def __call__(self, *, unless: Callable[[], bool]) -> Refresh: ...

    Look = Callable[[], tuple[Refresh | None, str]]

__all__ = ["Asking"]

# An answer whose files change while it is made is made again this often, then without them.
_MAX_TRIES = 3
_PATIENCE = 1.0  # seconds that a question waits for another writer


class Asking:
    """Answers requests, each from one moment of the index."""

    def __init__(
        self,
        *,
        index: Store,
        corpus: Corpus,
        models: ModelLoader,
        headings: Headings,
        in_use: Callable[[], AbstractContextManager[None]],
        writing: threading.RLock,
        refresh: Refreshing,
        prior: float,
    ) -> None:
        """Take what answers.

        Args:
            index: what is searched.
            corpus: where the files are.
            models: loads the encoder that the index was made with.
            headings: of those files.
            in_use: held while index and corpus are used.
            writing: held by whoever writes the index.
            refresh: brings the index in line.
            prior: the share of questions that the corpus answers.
        """
        self._prior = prior
        self.trusted_until = 0.0  # on the monotonic clock: see `Settings.max_age`
        self.in_use = in_use
        self._index = index
        self._corpus = corpus
        self._models = models
        self._headings = headings
        self._writing = writing
        self._refresh = refresh

    def answer(
        self,
        request: Request,
        *,
        look: Look | None = None,
        lacking: Callable[[], str] | None = None,
        known: tuple[Encoder[Runtime], EncodedQuestion] | None = None,
    ) -> Answer:
        """Answer a request.

        Args:
            request: the question, checked.
            look: in place of the method of that name, at first.
            lacking: in place of the method of that name.
            known: what encodes the question, and what it gave, where that was done already.

        Raises:
            QuestionError: a filter lets no document pass.
            CorpusError, IndexUnusableError, ModelError: see `qa.answering.ask.find`.
        """
        from qa.answering.ask import find
        from qa.answering.concluding import conclude

        again: Look = partial(self.look, request.refresh_wait)
        for one in (look or again, *[again] * (_MAX_TRIES - 1)):
            is_trusted = request.refresh and time.monotonic() < self.trusted_until
            found = find(
                request,
                index=self._index,
                corpus=self._corpus,
                models=self._models,
                headings=self._headings,
                in_use=self.in_use,
                refresh=one,
                prior=self._prior,
                known=known,
            )
            is_trusted = is_trusted and found.refreshed is None
            if is_trusted and (found.dropped or not found.is_answer(request.threshold)):
                self.trusted_until = 0.0  # nothing is denied, and nothing left out, unchecked
            elif found.is_settled:
                break
        lacks = "" if found.refreshed else None
        if lacks is None and not is_trusted:
            is_in_doubt = found.pending or not found.is_answer(request.threshold)
            if request.refresh or is_in_doubt:
                lacks = (lacking or self.lacking)()
        return conclude(found, request, corpus=self._corpus.location, lacking=lacks)

    def encoder(self) -> Encoder[Runtime]:
        """The encoder that the index was made with, loaded."""
        if (loaded := self._models.loaded) is not None:
            return loaded  # without waiting for an answer that is under way
        from qa.answering.ask import encoder_of

        with self.in_use():
            return self._models.loaded or encoder_of(self._index, self._models)

    def look(self, wait: float | None = None) -> tuple[Refresh | None, str]:
        """Refresh; where only writing fails, what is indexed still answers, with a note.

        Nor is another writer waited for longer than a moment, once there is something to answer
        from; nor, where `wait` is not None, the refresh itself for more than so many seconds.
        """
        if time.monotonic() < self.trusted_until:
            return None, ""
        return self._refreshed() if wait is None else self._refreshed_behind(wait)

    def _refreshed_behind(self, wait: float) -> tuple[Refresh | None, str]:
        """Refresh in a thread of its own, which goes on when that takes longer."""
        until = time.monotonic() + wait
        if not self._writing.acquire(timeout=wait):  # there is no use in two of them
            if self._can_answer():
                return None, ""
            return self._refreshed()
        self._writing.release()
        from qa.answering.behind import begin

        behind = begin(self._refreshed, name="qa-refresh")
        patience = max(0.0, until - time.monotonic())
        while True:
            try:
                return behind.result(timeout=patience)
            except TimeoutError:
                if behind.done():
                    raise  # the refresh's own
                if self._can_answer():
                    return None, ""
                patience = _PATIENCE

    def _refreshed(self) -> tuple[Refresh | None, str]:
        while not self._writing.acquire(timeout=_PATIENCE):
            if self._can_answer():
                return None, ""
        try:
            with self.in_use():
                pass  # an assistant that was closed meanwhile writes nothing more
            return self._refresh(unless=self._can_answer), ""
        except (ReadOnlyIndexError, IndexLockedError, StorageError) as error:
            if not self._can_answer():
                raise
            is_locked = isinstance(error, IndexLockedError)
            return None, "" if is_locked else f"The index could not be refreshed: {error}."
        finally:
            self._writing.release()

    def _can_answer(self) -> bool:
        """Whether there is something to answer from."""
        try:
            with self._index.snapshot() as snapshot:
                return not snapshot.is_empty
        except (IndexMissingError, CatalogDamagedError):
            return False

    def lacking(self) -> str:
        """How much of the corpus the index lacks, in words; "" where it is in line."""
        with self.in_use(), self._index.snapshot() as snapshot:
            plan = checked_plan(self._corpus, snapshot.known_files(), time.time_ns())
            return coverage(
                plan,
                passages=snapshot.count_passages(),
                pending=snapshot.count_pending(),
                is_written=self._index.is_written(),
            )
