"""The assistant: refresh, ask, status, show. Thin; what each does is in a module of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import threading
import time
from contextlib import ExitStack, closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa.asking import check_question
from qa.binding import Binding
from qa.errors import (
    CatalogDamagedError,
    IndexLockedError,
    IndexMissingError,
    ReadOnlyIndexError,
    StorageError,
)
from qa.logs import answers, indexing, refreshes, telling
from qa.planning import check_not_empty, make_plan, report, take_stock
from qa.reading.corpus import FolderCorpus, PairCorpus
from qa.retrieval.calibration import DEFAULT, read_calibration
from qa.settings import Settings
from qa.store.catalog import Catalog
from qa.store.failures import storage_failures
from qa.types import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Self

    from qa.answering import Ranking
    from qa.citing import Excerpt
    from qa.encoding.encoder import EncodedQuestion, Encoder, Runtime
    from qa.evaluation.questions import Question
    from qa.filtering import Filter
    from qa.planning import Plan
    from qa.reading.corpus import Corpus
    from qa.refresh import Progress
    from qa.retrieval.calibration import Calibration
    from qa.store.local import LocalStore
    from qa.types import CitedPassage, Refresh, Status
    from qa.verifying import Verification

__all__ = ["Assistant"]

# An answer whose files change while it is made is made again this often, then without them.
_TRIES = 3


class Assistant:
    """Answers questions from a corpus, with an index that follows it.

    >>> with Assistant("corpus", "index") as assistant:
    ...     answer = assistant.ask("Will Russia send food or medicine?")

    Args:
        corpus: a folder, or one file.
        index: the folder of the index; see `Settings.index` for the default. With `documents`
            and no index, a temporary one.
        documents: `(id, text)` pairs to answer from, instead of a corpus on disk.
        settings: everything else; `corpus`, `index` and the keyword arguments go before it.
        tell: is told, in a sentence, of what takes long or went wrong without harm.
        progress: is told of each document indexed.
        **more: any field of `Settings`.
    """

    def __init__(
        self,
        corpus: str | os.PathLike[str] | None = None,
        index: str | os.PathLike[str] | None = None,
        *,
        documents: PairCorpus | Iterable[tuple[str, str]] | None = None,
        settings: Settings | None = None,
        tell: Callable[[str], None] = lambda _: None,
        progress: Progress | None = None,
        **more: Any,  # noqa: ANN401 - checked by Settings
    ) -> None:
        given = {"corpus": corpus, "index": index}
        more |= {key: os.fspath(value) for key, value in given.items() if value is not None}
        self.settings = dataclasses.replace(settings or Settings(), **more)
        self._tell = telling(tell)
        self._progress = indexing(progress or (lambda *_: None))
        self._held = ExitStack()
        self._store: LocalStore | None = None
        self._lock = threading.RLock()
        self._folder = self.settings.index_path().absolute()
        self._corpus: Corpus
        if documents is not None:
            pairs = documents if isinstance(documents, PairCorpus) else PairCorpus(documents)
            self._corpus = pairs
            if self.settings.index is None:
                folder = tempfile.TemporaryDirectory(prefix="qa-", ignore_cleanup_errors=True)
                index = self._held.enter_context(folder)
                self.settings = dataclasses.replace(self.settings, index=index)
                self._folder = Path(index)
        else:
            self._corpus = FolderCorpus(
                Path(self.settings.corpus),
                max_file_size=self.settings.max_file_size,
                ocr=self.settings.ocr,
                exclude=self._folder,
            )
        self._binding = Binding(self.settings, self._corpus, self._folder, self._tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files; a temporary index is deleted."""
        with self._lock:
            self._corpus.close()
            if self._store is not None:
                self._store.close()
            self._store = None
            self._held.close()

    @property
    def root(self) -> Path | None:
        """The folder that document ids are relative to; None where there are no files."""
        return self._corpus.root

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
            done = self._refresh(rebuild=rebuild)
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
        since: str | None = None,
        until: str | None = None,
    ) -> Answer:
        """Answer a question with at most `k` cited passages, best first, or abstain.

        Args:
            question: in plain language.
            k: by default `Settings.k`.
            threshold: abstain where the probability of an answer is lower; by default
                `Settings.threshold`; 0 never abstains as long as there is a passage.
            explain: whether to say what each passage's score is made of.
            refresh: whether to bring the index in line with the corpus first. Without it,
                passages of files that have changed since are left out of the answer.
            within: patterns as in .gitignore of which a document's path must fit one.
            where: what its metadata must be, as `{"author": "A. Adams"}`; `*` fits anything.
            since: the first day, as "2024-01-31", by its own date, else by its file's last change.
            until: the last day.

        Raises:
            QuestionError: it is empty, or longer than the encoder reads; or a filter that is none.
            CorpusError, IndexUnusableError: see `refresh`.
        """
        k = self.settings.k if k is None else k
        threshold = self.settings.threshold if threshold is None else threshold
        check_question(question, k, threshold)
        chosen = None
        if within or where or since or until:
            from qa.filtering import make_filter

            chosen = make_filter(within, where, since, until)
        notes: list[str] = []
        for attempt in range(_TRIES):
            with self._lock:
                refreshed = refresh and self._refresh_for_answer(notes)
                encoder = self._ready()
            encoded = encoder.encode_question(question)  # together with those of other threads
            with self._lock:
                ranking, passages, dropped, probability = self._passages(
                    question, encoder, encoded, k, explain=explain, chosen=chosen
                )
            if not dropped or not refreshed or attempt == _TRIES - 1:
                break
        if dropped:
            notes.append(
                f"{dropped} passage{'s' * (dropped > 1)} left out: the file has changed or "
                "gone since it was indexed. Run `qa index`."
            )
        from qa.answering import why_not

        answered = bool(passages) and probability >= threshold
        return Answer(
            question=question,
            answered=answered,
            probability=probability,
            passages=tuple(passages) if answered else (),
            nearest=() if answered else tuple(passages),
            reason="" if answered else why_not(ranking, probability, threshold),
            model=encoder.spec.name,
            corpus=self._corpus.location,
            notes=tuple(notes),
        )

    async def ask_async(self, question: str, k: int | None = None, **options: Any) -> Answer:  # noqa: ANN401 - those of `ask`
        """Do what `ask` does without holding up the event loop; may be awaited many at once."""
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
        with storage_failures(self._folder), closing(Catalog.open(self._folder)) as catalog:
            catalog.begin(write=False)
            self._binding.check_corpus(catalog)
            return take_stock(self._corpus, catalog, time.time_ns())

    def show(self, citation: str, *, context: int = 3) -> Excerpt:
        """Give the cited place with `context` lines before and after it, from the file.

        Raises:
            CitationError: the citation names no place in the corpus.
        """
        from qa.citing import excerpt

        with closing(self._corpus):
            return excerpt(self._corpus, citation, context=context)

    def verify(self, answer: Answer | Mapping[str, Any]) -> Verification:
        """Check every quote of an answer against the files as they are now.

        Args:
            answer: just given, or its `to_dict()` as it was saved.

        Raises:
            CitationError: it is no answer.
        """
        from qa.verifying import verify

        with closing(self._corpus):
            return verify(answer, self._corpus)

    # --- how ----------------------------------------------------------------------------

    @refreshes
    def _refresh(self, *, rebuild: bool = False) -> Refresh:
        now_ns = time.time_ns()
        store = self._opened()
        plan, changes, in_line, is_tidy = None, 0, False, True
        if not rebuild:
            with suppress(IndexMissingError), store.snapshot() as snapshot:
                self._binding.check_corpus(snapshot.catalog)
                changes = snapshot.catalog.number("changes")
                plan = self._plan(snapshot.catalog, now_ns)
                in_line = plan.is_empty and snapshot.is_sound()
                is_tidy = snapshot.is_tidy()
        if plan is not None and in_line:
            if plan.touched or not is_tidy:
                store.tidy(plan.touched, now_ns)
            return report(plan)
        plan = plan or self._plan(None, now_ns)
        from qa.refresh import apply
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

    def _refresh_for_answer(self, notes: list[str]) -> bool:
        """Refresh; where only writing fails, an older index still answers, with a note."""
        try:
            self._refresh()
        except (ReadOnlyIndexError, IndexLockedError, StorageError) as error:
            try:
                with self._opened().snapshot() as snapshot:
                    if snapshot.is_empty:
                        raise
            except (IndexMissingError, CatalogDamagedError):
                raise error from None
            notes.append(f"The index could not be refreshed: {error}.")
            return False
        return True

    def _ready(self) -> Encoder[Runtime]:
        """Give the encoder of the index, loaded."""
        if not self._binding.is_loaded:
            with self._opened().snapshot() as snapshot:
                self._binding.check_corpus(snapshot.catalog)
                self._binding.locate(snapshot.catalog)
        return self._binding.encoder()

    def _passages(
        self,
        question: str,
        encoder: Encoder[Runtime],
        encoded: EncodedQuestion,
        k: int,
        *,
        explain: bool,
        chosen: Filter | None,
    ) -> tuple[Ranking, list[CitedPassage], int, float]:
        """Give the verified passages, how many were dropped as stale, and the probability."""
        from qa.answering import cite, rank, rerank

        with self._opened().snapshot(to_search=True) as snapshot:
            self._binding.check_corpus(snapshot.catalog)
            self._binding.locate(snapshot.catalog)
            if self._binding.encoder() is not encoder:  # by another model meanwhile
                encoder = self._binding.encoder()
                encoded = encoder.encode_question(question)
            allowed = snapshot.allowed(chosen) if chosen else None
            ranking = rank(snapshot, question, encoded, allowed=allowed, explain=explain)
            ranked = ranking.ranked
            if (reranker := self._binding.reranker()) is not None:
                ranked = rerank(snapshot, question, ranked, reranker)
            shares = partial(encoder.word_shares, vector=encoded.vector) if explain else None
            found: list[CitedPassage] = []
            dropped = 0
            while len(found) < k and (portion := list(islice(ranked, k - len(found)))):
                cited = cite(snapshot, self._corpus, question, portion, explain=shares)
                dropped += cited.count(None)
                found += [one for one in cited if one is not None]
            calibration = read_calibration(snapshot.catalog.meta("calibration"))
            passages = snapshot.catalog.number("passages") if allowed is None else len(allowed)
        probability = calibration.probability(found[0].scores, passages) if found else 0.0
        return ranking, found, dropped, probability

    def _opened(self) -> LocalStore:
        if self._store is None:
            from qa.store.local import LocalStore

            timeout = self.settings.lock_timeout
            self._store = LocalStore(self._folder, lock_timeout=timeout, tell=self._tell)
        return self._store

    def _plan(self, catalog: Catalog | None, now_ns: int) -> Plan:
        """Compare the corpus with the catalog; refuse a corpus without documents."""
        plan = make_plan(self._corpus, catalog, now_ns)
        check_not_empty(plan, self._corpus.location)
        return plan
