"""The assistant: refresh, ask, status, show. Thin; what each does is in a module of its own."""

from __future__ import annotations

import dataclasses
import json
import time
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from qa.answering.request import LONGEST_QUESTION, check_question
from qa.errors import (
    CatalogDamagedError,
    IndexLockedError,
    IndexMissingError,
    ReadOnlyIndexError,
    StorageError,
)
from qa.indexing.plan import (
    check_not_empty,
    coverage,
    make_plan,
    notes_on,
    report,
    take_stock,
)
from qa.lifetime import Lifetime
from qa.logs import answers, refreshes
from qa.ranking.calibration import DEFAULT
from qa.store.catalog import Catalog
from qa.store.failures import storage_failures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from typing import Unpack

    from qa.answering.filter import Filter
    from qa.answering.request import AskArguments
    from qa.answering.search import Found
    from qa.citations.locate import Excerpt
    from qa.citations.verify import Verification
    from qa.encoding.encoder import EncodedQuestion, Encoder, Runtime
    from qa.evaluation.questions import Question
    from qa.indexing.plan import Plan
    from qa.ranking.calibration import Calibration
    from qa.types import Answer, Refresh, Status

__all__ = ["Assistant"]

# An answer whose files change while it is made is made again this often, then without them.
_TRIES = 3


class Assistant(Lifetime):
    """Answers questions from a corpus, with an index that follows it.

    >>> with Assistant("corpus", "index") as assistant:
    ...     answer = assistant.ask("Will Russia send food or medicine?")

    Args:
        corpus: a folder, or one file.
        index: the folder of the index; see `Settings.index` for the default. With `documents`
            and no index, a temporary one.
        documents: `(id, text)` pairs, or a mapping, to answer from instead of a corpus on disk.
        settings: everything else; `corpus`, `index` and the keyword arguments go before it.
        tell: is told, in a sentence, of what takes long or went wrong without harm.
        progress: is told of each document indexed.
        **more: any field of `Settings`.

    Raises:
        SettingsError: an argument is unknown, of the wrong type or out of range.
    """

    def refresh(self, *, rebuild: bool = False) -> Refresh:
        """Bring the index in line with the corpus; only what changed is embedded.

        Args:
            rebuild: forget the index, whatever its state or model, and embed everything anew.

        Raises:
            CorpusError: there is no corpus, or nothing in it can be read (the index stays).
            IndexUnusableError: the index is locked, damaged, read-only or made for another
                corpus or by another model.
        """
        started = time.monotonic()
        with self._lock:
            done = self._refresh(rebuild=rebuild, thorough=True)
        return dataclasses.replace(done, seconds=time.monotonic() - started)

    @answers
    def ask(
        self,
        question: str,
        k: int | None = None,
        *,
        threshold: float | None = None,
        refresh: bool = True,
        explain: bool = False,
        within: str | Iterable[str] = (),
        where: Mapping[str, str] | None = None,
        since: str | date | None = None,
        until: str | date | None = None,
    ) -> Answer:
        """Answer a question with at most `k` cited passages, best first, or abstain.

        Args:
            question: in plain language.
            k: by default `Settings.k`.
            threshold: abstain where the probability of an answer is lower; by default
                `Settings.threshold`; 0 never abstains as long as there is a passage.
            explain: whether to say what each passage's score is made of.
            refresh: whether to bring the index in line with the corpus first. Without it,
                passages of files that have changed since are left out of the answer, and the
                corpus is compared with the index only where there is no answer.
            within: patterns as in .gitignore of which a document's path must fit one.
            where: what its metadata must be, as `{"author": "A. Adams"}`; `*` fits anything.
            since: the first day, as "2024-01-31", by its own date, else by its file's last change.
            until: the last day.

        Raises:
            QuestionError: it is empty, or a filter can't be read or lets no document pass.
            CorpusError, IndexUnusableError: see `refresh`.
        """
        k = self.settings.k if k is None else k
        threshold = self.settings.threshold if threshold is None else threshold
        check_question(question, k, threshold, refresh=refresh, explain=explain)
        chosen = None
        if within or where or since or until:
            from qa.answering.filter import make_filter

            chosen = make_filter(within, where, since, until)
        notes: list[str] = []
        for attempt in range(_TRIES):
            with self._lock:
                refreshed = self._refresh_for_answer(notes) if refresh else None
                encoder = self._ready()
            # Together with those of other threads.
            encoded = encoder.encode_question(question[:LONGEST_QUESTION])
            with self._lock:
                found = self._find(question, encoder, encoded, k, explain=explain, chosen=chosen)
            if not found.dropped or refreshed is None or attempt == _TRIES - 1:
                break
        from qa.answering.search import conclude, note_on_length

        problems = found.problems if refreshed is None else refreshed.problems
        lacking = "" if refreshed else None
        if lacking is None and (refresh or not found.is_answer(threshold)):
            lacking = self._lacking()
        return conclude(
            found,
            question=question,
            threshold=threshold,
            lacking=lacking,
            corpus=self._corpus.location,
            notes=[*notes, *note_on_length(found, question), *notes_on(problems)],
        )

    async def ask_async(
        self, question: str, k: int | None = None, **options: Unpack[AskArguments]
    ) -> Answer:
        """Do what `ask` does without holding up the event loop; may be awaited many at once.

        Where the task is cancelled, the answer is still made, in its thread, and then dropped.
        """
        import asyncio

        return await asyncio.to_thread(self.ask, question, k, **options)

    def calibrate(self, questions: Sequence[Question] | None) -> Calibration:
        """Fit the probability to questions of which some are marked unanswerable.

        The fit is drawn to the default where there are few; it is kept in the index, and goes
        with it when that is made anew. None goes back to the default.

        Raises:
            QuestionsError: there are too few of either kind.
            CorpusError, IndexUnusableError: see `refresh`.
        """
        self.refresh()
        fitted, kept = DEFAULT, ""
        if questions is not None:
            from qa.evaluation.evaluate import evaluate
            from qa.evaluation.fitting import fit_own

            fitted = fit_own(evaluate(self, questions))
            kept = json.dumps(dataclasses.asdict(fitted))
        with self._lock, self._opened().writing() as writing:
            writing.keep(calibration=kept)
        return fitted

    def status(self) -> Status:
        """Tell what is indexed, and how far the corpus has moved on since.

        Raises:
            IndexMissingError: there is no index.
            CorpusNotFoundError: there is no corpus.
        """
        self._require_open()
        with storage_failures(self._folder), closing(Catalog.open(self._folder)) as catalog:
            catalog.begin(write=False)
            self._binding.check_corpus(catalog)
            return take_stock(self._corpus, catalog, time.time_ns())

    def show(self, citation: str, *, context: int = 3) -> Excerpt:
        """Give the cited place with `context` lines before and after it, from the file.

        Raises:
            CitationError: the citation names no place in the corpus.
        """
        from qa.citations.locate import excerpt

        self._require_open()
        with closing(self._corpus):
            return excerpt(self._corpus, citation, context=context)

    def verify(self, answer: Answer | Mapping[str, Any]) -> Verification:
        """Check every quote of an answer against the files as they are now.

        Args:
            answer: just given, or its `to_dict()` as it was saved.

        Raises:
            CitationError: it is not an answer.
        """
        from qa.citations.verify import verify

        self._require_open()
        with closing(self._corpus):
            return verify(answer, self._corpus)

    # --- how ----------------------------------------------------------------------------

    @refreshes
    def _refresh(self, *, rebuild: bool = False, thorough: bool = False) -> Refresh:
        now_ns = time.time_ns()
        store = self._opened()
        plan, changes, in_line, is_tidy = None, 0, False, True
        if not rebuild:
            with suppress(IndexMissingError), store.snapshot() as snapshot:
                self._binding.check_corpus(snapshot.catalog)
                changes = snapshot.catalog.number("changes")
                plan = self._plan(snapshot.catalog, now_ns)
                if thorough:
                    snapshot.check_references()
                in_line = plan.is_empty and snapshot.is_sound()
                is_tidy = snapshot.is_tidy()
        if plan is not None and in_line:
            if plan.touched or not is_tidy:
                store.tidy(plan.touched, now_ns)
            return report(plan)
        plan = plan or self._plan(None, now_ns)
        from qa.indexing.refresh import apply
        from qa.store.writing import Identity

        with closing(self._corpus), store.writing(anew=rebuild) as writing:
            if not rebuild:
                self._binding.check_corpus(writing.catalog)
                if writing.catalog.number("changes") != changes:  # by another writer
                    plan = self._plan(writing.catalog, now_ns)
                    if plan.is_empty:
                        return report(plan)
            files = self._binding.locate(writing.catalog, anew=rebuild)
            return apply(
                plan,
                self._corpus,
                writing,
                self._binding.encoder,
                identity=Identity(files.fingerprint, files.name, self._binding.corpus_location()),
                now_ns=now_ns,
                anew=rebuild,
                progress=self._progress,
            )

    def _refresh_for_answer(self, notes: list[str]) -> Refresh | None:
        """Refresh; where only writing fails, an older index still answers, with a note."""
        try:
            return self._refresh()
        except (ReadOnlyIndexError, IndexLockedError, StorageError) as error:
            try:
                with self._opened().snapshot() as snapshot:
                    if snapshot.is_empty:
                        raise
            except (IndexMissingError, CatalogDamagedError):
                raise error from None
            notes.append(f"The index could not be refreshed: {error}.")
            return None

    def _ready(self) -> Encoder[Runtime]:
        """Give the encoder of the index, loaded."""
        if not self._binding.is_loaded:
            with self._opened().snapshot() as snapshot:
                self._binding.check_corpus(snapshot.catalog)
                self._binding.locate(snapshot.catalog)
        return self._binding.encoder()

    def _find(
        self,
        question: str,
        encoder: Encoder[Runtime],
        encoded: EncodedQuestion,
        k: int,
        *,
        explain: bool,
        chosen: Filter | None,
    ) -> Found:
        """Give the verified passages of one moment of the index."""
        from qa.answering.search import find

        with self._opened().snapshot(to_search=True) as snapshot:
            self._binding.check_corpus(snapshot.catalog)
            self._binding.locate(snapshot.catalog)
            if self._binding.encoder() is not encoder:  # by another model meanwhile
                encoder = self._binding.encoder()
                encoded = encoder.encode_question(question[:LONGEST_QUESTION])
            return find(
                snapshot,
                self._corpus,
                question,
                encoded,
                k,
                model=encoder.spec.name,
                headings=self._headings,
                chosen=chosen,
                reranker=self._binding.reranker(),
                explain=partial(encoder.word_shares, vector=encoded.vector) if explain else None,
            )

    def _lacking(self) -> str:
        """Say how much of the corpus the index lacks; "" where it is in line."""
        store = self._opened()
        with store.snapshot() as snapshot:
            plan = self._plan(snapshot.catalog, time.time_ns())
        return coverage(plan, is_written=store.is_written())

    def _plan(self, catalog: Catalog | None, now_ns: int) -> Plan:
        """Compare the corpus with the catalog; refuse a corpus without documents."""
        plan = make_plan(self._corpus, catalog, now_ns)
        check_not_empty(plan, self._corpus.location)
        return plan
