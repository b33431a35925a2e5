"""The assistant: refresh, ask, status, show. Thin; what each does is in a module of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa.asking import check_question
from qa.binding import Binding
from qa.errors import (
    CatalogDamagedError,
    EmptyCorpusError,
    IndexLockedError,
    IndexMissingError,
    QuestionError,
    ReadOnlyIndexError,
    StorageError,
)
from qa.logs import answers, refreshes, telling
from qa.planning import make_plan, report
from qa.reading.corpus import FolderCorpus, PairCorpus
from qa.retrieval.calibration import DEFAULT, read_calibration
from qa.settings import Settings
from qa.store.catalog import Catalog
from qa.store.failures import storage_failures
from qa.types import Answer, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from qa.answering import Ranking
    from qa.citing import Excerpt
    from qa.encoding.encoder import EncodedQuestion, Encoder, Runtime
    from qa.evaluation.questions import Question
    from qa.planning import Plan
    from qa.reading.corpus import Corpus
    from qa.refresh import Progress
    from qa.retrieval.calibration import Calibration
    from qa.store.local import LocalStore
    from qa.types import CitedPassage, Refresh

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
        self._progress = progress or (lambda *_: None)
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
                exclude=self._folder,
            )
        self._binding = Binding(self.settings, self._corpus, self._folder, self._tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files; a temporary index is deleted."""
        with self._lock:
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

        Raises:
            QuestionError: it is empty, or longer than the encoder reads.
            CorpusError, IndexUnusableError: see `refresh`.
        """
        k = self.settings.k if k is None else k
        if k < 1:
            raise QuestionError(f"k is {k}", hint="Ask for at least 1 passage.")
        threshold = self.settings.threshold if threshold is None else threshold
        if not 0 <= threshold <= 1:
            raise QuestionError(f"The threshold is {threshold}", hint="It goes from 0 to 1.")
        check_question(question)
        notes: list[str] = []
        for attempt in range(_TRIES):
            with self._lock:
                refreshed = refresh and self._refresh_for_answer(notes)
                encoder = self._ready()
            encoded = encoder.encode_question(question)  # together with those of other threads
            with self._lock:
                ranking, passages, dropped, probability = self._passages(
                    question, encoder, encoded, k, explain=explain
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
        with storage_failures(self._folder):
            catalog = Catalog.open(self._folder)
            try:
                catalog.begin(write=False)
                self._binding.check_corpus(catalog)
                plan = make_plan(self._corpus, catalog, time.time_ns())
                seen = report(plan)
                return Status(
                    corpus=self._corpus.location,
                    index=str(self._folder.resolve()),
                    model=catalog.meta("model"),
                    documents=len(catalog.documents()),
                    passages=catalog.number("passages"),
                    size_bytes=sum(
                        path.stat().st_size for path in self._folder.rglob("*") if path.is_file()
                    ),
                    stale=seen.added + seen.changed + seen.removed,
                    left_out=seen.left_out,
                    problems=seen.problems,
                )
            finally:
                catalog.close()

    def show(self, citation: str, *, context: int = 3) -> Excerpt:
        """Give the cited place with `context` lines before and after it, from the file.

        Raises:
            CitationError: the citation names no place in the corpus.
        """
        from qa.citing import excerpt

        return excerpt(self._corpus, citation, context=context)

    # --- how ----------------------------------------------------------------------------

    @refreshes
    def _refresh(self, *, rebuild: bool = False) -> Refresh:
        now_ns = time.time_ns()
        store = self._opened()
        plan, changes, in_line = None, 0, False
        if not rebuild:
            with suppress(IndexMissingError), store.snapshot() as snapshot:
                self._binding.check_corpus(snapshot.catalog)
                changes = snapshot.catalog.number("changes")
                plan = self._plan(snapshot.catalog, now_ns)
                in_line = plan.is_empty and snapshot.is_sound()
        if plan is not None and in_line:
            if plan.touched:
                store.touch(plan.touched, now_ns)
            return report(plan)
        plan = plan or self._plan(None, now_ns)
        from qa.refresh import apply
        from qa.store.writing import Identity

        with store.writing(anew=rebuild) as writing:
            if not rebuild:
                self._binding.check_corpus(writing.catalog)
                if writing.catalog.number("changes") != changes:  # by another writer
                    plan = self._plan(writing.catalog, now_ns)
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
    ) -> tuple[Ranking, list[CitedPassage], int, float]:
        """Give the verified passages, how many were dropped as stale, and the probability."""
        from qa.answering import cite, rank, rerank

        with self._opened().snapshot() as snapshot:
            self._binding.check_corpus(snapshot.catalog)
            self._binding.locate(snapshot.catalog)
            if self._binding.encoder() is not encoder:  # by another model meanwhile
                encoder = self._binding.encoder()
                encoded = encoder.encode_question(question)
            ranking = rank(snapshot, question, encoded, explain=explain)
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
            passages = snapshot.catalog.number("passages")
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
        if not plan.scan.stamps:
            seen = report(plan)
            left_out = ", ".join(f"{count} {reason}" for reason, count in seen.left_out.items())
            raise EmptyCorpusError(
                f"{self._corpus.location or 'The corpus'} holds no documents that can be read"
                + (f" (left out: {left_out})" if left_out else "")
                + "".join(f" ({one.document}: {one.reason})" for one in seen.problems[:3]),
                hint="Put text or Markdown files there, or name another corpus with --corpus.",
            )
        return plan
