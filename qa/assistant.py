"""The assistant: the one façade. Settings, a lock, and calls of what each module does."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qa.answering.asking import Asking
from qa.answering.request import make_request
from qa.citations.source import Headings
from qa.corpus import FolderCorpus, PairCorpus
from qa.encoding.loader import ModelLoader
from qa.errors import ClosedError, SettingsError
from qa.indexing.refresh import refresh
from qa.library import Library
from qa.logs import answers, indexing, notifying, refreshes
from qa.settings import Settings, override
from qa.store.opening import moment, open_store

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from datetime import date
    from typing import Self, Unpack

    from qa.answering.request import AskArguments
    from qa.answering.together import Together
    from qa.errors import QaError, QuestionError
    from qa.evaluation.questions import Question
    from qa.indexing.executor import Executors
    from qa.indexing.refresh import RefreshOptions
    from qa.progress import Progress
    from qa.ranking.calibration import Calibration
    from qa.settings import SettingsArguments
    from qa.types import Answer, Refresh

__all__ = ["Assistant"]


class Assistant(Library):
    """Answers questions from a corpus, with an index that follows it.

    >>> with Assistant("corpus", "index") as assistant:
    ...     answer = assistant.ask("Will Russia send food or medicine?")

    Args:
        corpus: a folder, or one file.
        index: the folder of the index; see `Settings.index` for the default. With `documents`
            and no index, a temporary one.
        documents: `(id, text)` pairs, or a mapping, to answer from instead of a corpus on disk.
        settings: everything else; `corpus`, `index` and the keyword arguments go before it.
        notify: is told, in a sentence, of what takes long or went wrong without harm.
        progress: is told how far a refresh is, at most ten times a second or so.
        **more: any field of `Settings`.

    Raises:
        SettingsError: an argument is unknown, of the wrong type or out of range.
    """

    def __init__(
        self,
        corpus: str | os.PathLike[str] | None = None,
        index: str | os.PathLike[str] | None = None,
        *,
        documents: PairCorpus | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        settings: Settings | None = None,
        notify: Callable[[str], None] = lambda _: None,
        progress: Callable[[Progress], None] | None = None,
        **more: Unpack[SettingsArguments],
    ) -> None:
        given = {k: v for k, v in (("corpus", corpus), ("index", index)) if v is not None}
        self.settings = override(Settings() if settings is None else settings, {**more, **given})
        self._notify = notifying(notify)
        self._progress = indexing(progress or (lambda _: None))
        self._held = ExitStack()
        self._is_closed = False
        self._pool: ThreadPoolExecutor | None = None
        self._together: Together | None = None
        self._lock = threading.RLock()  # of what answers; held for a moment at a time
        self._writing = threading.RLock()  # of who writes the index, as long as that takes
        self._place = self.settings.place()
        if documents is not None:
            if corpus is not None:
                raise SettingsError("corpus and documents are both given", hint="Give one of them.")
            self._corpus = documents if isinstance(documents, PairCorpus) else PairCorpus(documents)
            if self.settings.index is None and self.settings.store == "local":
                folder = tempfile.TemporaryDirectory(prefix="qa-", ignore_cleanup_errors=True)
                index = self._held.enter_context(folder)
                self.settings = dataclasses.replace(self.settings, index=index)
                self._place = Path(index)
        else:
            self._corpus = files = FolderCorpus(
                Path(self.settings.corpus),
                max_file_size=self.settings.max_file_size,
                ocr=self.settings.ocr,
                exclude=self.settings.index_path().absolute(),
                notify=self._notify if self.settings.fresh == "watch" else None,
            )
            self._held.callback(files.stop_watching)
        open_index = partial(
            open_store,
            self._place,
            self._corpus,
            lock_timeout=self.settings.lock_timeout,
            notify=self._notify,
        )
        self._index, self._writer = open_index(), open_index()
        self._models = ModelLoader(self.settings, self._notify)
        self._asking = Asking(
            index=self._index,
            corpus=self._corpus,
            models=self._models,
            headings=Headings(self._corpus),
            in_use=self._in_use,
            writing=self._writing,
            refresh=self._refresh,
            prior=self.settings.prior,
        )

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files, once what runs is done; a temporary index is deleted.

        After that, everything but this raises ClosedError.
        """
        with self._writing, self._lock:
            self._is_closed = True
            self._corpus.close()
            self._index.close()
            self._writer.close()
            self._models.close()
        self._held.close()  # without a lock: threads that wait for one end now

    def refresh(
        self, *, rebuild: bool = False, switch: bool = False, ray: str | None = None
    ) -> Refresh:
        """Bring the index in line with the corpus; only what changed is embedded.

        What is done is kept bit by bit, and can be asked for meanwhile: first the words of all
        documents, then their meaning.

        Args:
            rebuild: forget the index, whatever its state or model, and embed everything again.
            switch: where the settings name another model than the index's, embed everything with
                it in an index beside, which takes the place of this one once it is whole. This one
                answers until then and is kept, so that switching back embeds only what changed
                since; where this is stopped, the next one goes on.
            ray: the address of a Ray cluster whose workers read, split and embed what is to be, as
                "auto", "HOST:PORT" or "ray://HOST:PORT"; "local" starts one here (extra `ray`).

        Raises:
            CorpusError: there is no corpus, or nothing in it can be read (the index stays).
            IndexUnusableError: the index is locked, damaged, read-only or made for another
                corpus or by another model.
            ClusterError: there is no Ray cluster at the address, or none that can do the work.
        """
        from qa.indexing.on_ray.opening import on_ray

        executors = on_ray(ray, self.settings, notify=self._notify)
        return self._refresh_now(rebuild=rebuild, switch=switch, thorough=True, executors=executors)

    def follow(self) -> Generator[Refresh | QaError]:
        """Refresh, and again whenever documents change, for as long as this is iterated.

        Gives what was done each time that something was, or the error with which it failed: it is
        tried again, later and later, until it succeeds, which is given too. Unless Linux tells
        of changes (`fresh="watch"`), all files are looked at every two seconds or more rarely.

        Raises:
            CorpusError, IndexUnusableError: see `refresh`; of the first time alone.
        """
        from qa.indexing.following import follow

        return follow(self._refresh_now, self._corpus.told)

    @answers
    def ask(
        self,
        question: str,
        k: int | None = None,
        *,
        threshold: float | None = None,
        refresh: bool = True,
        refresh_wait: float | None = None,
        explain: bool = False,
        per_document: int | None = None,
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
            per_document: so many passages of a document at most before all others'; 0 for any.
            refresh: whether to bring the index in line with the corpus first, unless that was done
                less than `Settings.max_age` ago. Without it, passages of files that have changed
                since are left out of the answer, and the corpus is compared with the index only
                where there is no answer, or where passages are found by their words alone so far.
            refresh_wait: answer after so many seconds of that from what is indexed by then, which a
                note says, and go on with it behind; by default it is waited for. Where nothing is
                indexed yet, the first passages are.
            within: patterns as in .gitignore of which a document's path must fit one.
            where: what its metadata must be, as `{"author": "A. Adams"}`; `*` fits anything.
            since: the first day, as "2024-01-31", by its own date, else by its file's last change.
            until: the last day.

        Raises:
            QuestionError: it is empty, or a filter can't be read or lets no document pass.
            CorpusError, IndexUnusableError: see `refresh`.
        """
        request = make_request(
            question,
            k,
            threshold,
            settings=self.settings,
            refresh=refresh,
            refresh_wait=refresh_wait,
            explain=explain,
            per_document=per_document,
            within=within,
            where=where,
            since=since,
            until=until,
        )
        return self._asking.answer(request)

    async def ask_async(
        self, question: str, k: int | None = None, **options: Unpack[AskArguments]
    ) -> Answer:
        """Do what `ask` does without holding up the event loop; may be awaited many at once.

        With `refresh=False`, those that are awaited at once are embedded together, and whether the
        index lacks something is looked up once a second at most. Where the task is cancelled, an
        answer that is begun is still made, and then dropped.
        """
        import asyncio
        import contextvars

        if options.get("refresh", True):  # each may wait, and the others not for it
            ask = partial(contextvars.copy_context().run, self.ask, question, k, **options)
            with self._in_use():
                asked = asyncio.get_running_loop().run_in_executor(self._threads(), ask)
            return await asked
        request = make_request(question, k, settings=self.settings, **options)
        # Without the lock: the event loop would wait for an answer that is under way.
        return await asyncio.wrap_future(self._asked_together().ask(request))

    def ask_many(
        self,
        questions: Iterable[str | Mapping[str, object]],
        k: int | None = None,
        *,
        refused: Callable[[int, QuestionError], None] | None = None,
        **options: Unpack[AskArguments],
    ) -> Generator[Answer]:
        """Answer questions in their order, several embedded at a time, as answers are asked for.

        The corpus is compared with the index before the first answer, and again where that is
        more than a second ago, not for each question. A quote is read again from its file all the
        same, and a document that changes meanwhile is not cited as it was.

        Args:
            questions: each as text, or as a mapping: "question", and of the arguments of `ask`
                those that are others than here (k, threshold, explain, within, where, since,
                until). Up to 48 more are taken than answers.
            k: see `ask`.
            refused: is told of each question that can't be asked, by its number from 0, in its
                turn; the others are answered. By default the first one raises its error.
            **options: see `ask`.

        Raises:
            QuestionError: an argument makes no sense, or a question can't be asked.
            CorpusError, IndexUnusableError: see `refresh`.
        """
        from qa.answering.many import answer_many, requests_of

        self._require_open()
        requests = requests_of(questions, self.settings, {"k": k, **options})
        wait = options.get("refresh_wait")
        return answer_many(self._asking, requests, refused=refused, wait=wait)

    def calibrate(self, questions: Sequence[Question] | None) -> Calibration:
        """Fit the probability to questions of which some are marked unanswerable.

        Where they are few, the fit is drawn to what there is without it. It is kept in the index,
        for the encoder and the reranker that are used with it now, and goes with it when that is
        rebuilt. None forgets all of these.

        Raises:
            QuestionsError: there are too few of either kind.
            CorpusError, IndexUnusableError: see `refresh`.
        """
        self.refresh()
        from qa.evaluation.fitting import fit_to

        with moment(self._place, self._corpus) as snapshot:
            known = snapshot.identity, snapshot.calibration, snapshot.corpus_fit
        reranker = self._models.reranker() if questions is not None else None
        used = reranker.fingerprint if reranker is not None else ""
        fitted, kept = fit_to(questions, self, *known, reranker=used)
        with self._writing:
            self._require_open()
            with self._writer.transaction() as transaction:
                transaction.keep(calibration=kept)
        return fitted

    # --- how ----------------------------------------------------------------------------

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Hold the lock of an assistant that is open."""
        with self._lock:
            self._require_open()
            yield

    def _threads(self) -> ThreadPoolExecutor:
        """Threads of our own: asyncio's are few, and shared with all that a program awaits."""
        if self._pool is None:
            from qa.answering.many import threads

            self._pool = threads()
            self._held.callback(self._pool.shutdown)
        return self._pool

    def _asked_together(self) -> Together:
        if self._together is None:
            from qa.answering.together import Together

            with self._in_use():
                self._together = self._together or Together(self._asking)
                self._held.callback(self._together.close)
        return self._together

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedError("The assistant is closed", hint="Make another `qa.Assistant`.")

    def _refresh_now(self, *, switch: bool = False, **how: Unpack[RefreshOptions]) -> Refresh:
        started = time.monotonic()
        with self._writing:
            self._require_open()
            done = None
            if switch and self.settings.model and not how.get("rebuild"):
                done = self._switched(how.get("executors"))
            done = done or self._refresh(**how)
        return dataclasses.replace(done, seconds=time.monotonic() - started)

    def _switched(self, executors: Executors | None) -> Refresh | None:
        """Take an index by the model that the settings name; None where it is of that one."""
        from qa.indexing.switching import switch_model

        return switch_model(
            *(self._index, self._writer, self._corpus, self._models),
            progress=self._progress,
            notify=self._notify,
            jobs=self.settings.cores(),
            executors=executors,
        )

    @refreshes
    def _refresh(self, **how: Unpack[RefreshOptions]) -> Refresh:
        trusted_until = time.monotonic() + self.settings.max_age
        done = refresh(
            index=self._index,
            writer=self._writer,
            corpus=self._corpus,
            models=self._models,
            progress=self._progress,
            jobs=self.settings.cores(),
            **how,
        )
        self._asking.trusted_until = trusted_until
        return done
