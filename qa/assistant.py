"""The assistant: refresh, ask, status, show. Thin; what each does is in a module of its own."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa.errors import (
    CatalogDamagedError,
    EmptyCorpusError,
    ForeignIndexError,
    IndexLockedError,
    IndexMissingError,
    QuestionError,
    ReadOnlyIndexError,
    StorageError,
)
from qa.planning import make_plan, report
from qa.reading.corpus import FolderCorpus, PairCorpus
from qa.settings import Settings
from qa.store.catalog import Catalog
from qa.store.failures import storage_failures
from qa.types import Answer, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from qa.citing import Excerpt
    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.model import ModelFiles
    from qa.planning import Plan
    from qa.reading.corpus import Corpus
    from qa.refresh import Progress
    from qa.store.local import LocalStore
    from qa.types import CitedPassage, Refresh

__all__ = ["Assistant"]

# An answer whose files change while it is made is made again this often, then without them.
_TRIES = 3
LONGEST_QUESTION = 10_000  # characters; the encoder's own limit, in tokens, is checked as well


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
        documents: Iterable[tuple[str, str]] | None = None,
        settings: Settings | None = None,
        tell: Callable[[str], None] = lambda _: None,
        progress: Progress | None = None,
        **more: Any,  # noqa: ANN401 - checked by Settings
    ) -> None:
        given = {"corpus": corpus, "index": index}
        more |= {key: os.fspath(value) for key, value in given.items() if value is not None}
        self.settings = dataclasses.replace(settings or Settings(), **more)
        self._tell = tell
        self._progress = progress or (lambda *_: None)
        self._held = ExitStack()
        self._encoder: Encoder[Runtime] | None = None
        self._store: LocalStore | None = None
        self._lock = threading.RLock()
        self._folder = self.settings.index_path().absolute()
        self._corpus: Corpus
        if documents is not None:
            self._corpus = PairCorpus(documents)
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

    # --- what it does -------------------------------------------------------------------

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

    def ask(self, question: str, k: int | None = None, *, refresh: bool = True) -> Answer:
        """Answer a question with at most `k` cited passages, best first.

        Args:
            question: in plain language.
            k: by default `Settings.k`.
            refresh: whether to bring the index in line with the corpus first. Without it,
                passages of files that have changed since are left out of the answer.

        Raises:
            QuestionError: it is empty, or longer than the encoder reads.
            CorpusError, IndexUnusableError: see `refresh`.
        """
        k = self.settings.k if k is None else k
        if k < 1:
            raise QuestionError(f"k is {k}", hint="Ask for at least 1 passage.")
        _check_question(question)
        notes: list[str] = []
        with self._lock:
            for attempt in range(_TRIES):
                refreshed = refresh and self._refresh_for_answer(notes)
                passages, dropped = self._passages(question, k)
                if not dropped or not refreshed or attempt == _TRIES - 1:
                    break
            if dropped:
                notes.append(
                    f"{dropped} passage{'s' * (dropped > 1)} left out: the file has changed or "
                    "gone since it was indexed. Run `qa index`."
                )
            model = self._load().spec.name
        return Answer(question, bool(passages), tuple(passages), model, tuple(notes))

    async def ask_async(
        self, question: str, k: int | None = None, *, refresh: bool = True
    ) -> Answer:
        """Do what `ask` does without holding up the event loop; may be awaited many at once."""
        import asyncio

        return await asyncio.to_thread(self.ask, question, k, refresh=refresh)

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
                self._check_index(catalog)
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

    def _refresh(self, *, rebuild: bool = False) -> Refresh:
        now_ns = time.time_ns()
        store = self._opened()
        if not rebuild:
            try:
                with store.snapshot() as snapshot:
                    self._check_index(snapshot.catalog)
                    plan = make_plan(self._corpus, snapshot.catalog, now_ns)
                    self._check_corpus(plan)
                    in_line = plan.is_empty and snapshot.is_sound()
                if in_line:
                    if plan.touched:
                        store.touch(plan.touched, now_ns)
                    return report(plan)
            except IndexMissingError:
                self._check_corpus(make_plan(self._corpus, None, now_ns))
        else:
            self._check_corpus(make_plan(self._corpus, None, now_ns))
        from qa.refresh import apply
        from qa.store.writing import Identity

        with store.writing(anew=rebuild) as writing:
            catalog = None if rebuild else writing.catalog
            if catalog is not None:
                self._check_index(catalog)
            plan = make_plan(self._corpus, catalog, now_ns)
            self._check_corpus(plan)
            files = self._files(writing.catalog, anew=rebuild)
            return apply(
                plan,
                self._corpus,
                writing,
                self._load,
                identity=Identity(files.fingerprint, files.name, self._location()),
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

    def _passages(self, question: str, k: int) -> tuple[list[CitedPassage], int]:
        """Give the verified passages, and how many of the best were dropped as stale."""
        from qa.answering import cite, is_answered, rank

        with self._opened().snapshot() as snapshot:
            self._check_index(snapshot.catalog)
            self._files(snapshot.catalog)
            ranked = rank(snapshot, question, self._load().encode_question(question))
            if not ranked or not is_answered(ranked[0]):
                return [], 0
            found: list[CitedPassage] = []
            dropped = 0
            for start in range(0, len(ranked), k):
                cited = cite(snapshot, self._corpus, ranked[start : start + k])
                dropped += cited.count(None)
                found += [one for one in cited if one is not None]
                if len(found) >= k:
                    break
            return found[:k], dropped

    def _opened(self) -> LocalStore:
        if self._store is None:
            from qa.store.local import LocalStore

            timeout = self.settings.lock_timeout
            self._store = LocalStore(self._folder, lock_timeout=timeout, tell=self._tell)
        return self._store

    def _load(self) -> Encoder[Runtime]:
        if self._encoder is None:
            from qa.encoding.load import load_encoder

            cache = self.settings.cache_path()
            device = self.settings.device
            self._encoder = load_encoder(self._model, cache=cache, device=device, tell=self._tell)
        return self._encoder

    _model: str | None = None

    def _files(self, catalog: Catalog, *, anew: bool = False) -> ModelFiles:
        """Find the model: the one asked for, else the index's own; it must be the index's."""
        from qa.encoding.model import locate
        from qa.store.writing import check_encoder

        name = self.settings.model
        if name is None and not anew:
            name = catalog.meta("model") or None
        # An index from a stranger must not decide what is fetched.
        asked_for = self.settings.model is not None
        files = locate(name, cache=self.settings.cache_path(), fetch=asked_for)
        if not anew:
            check_encoder(catalog, files.fingerprint, files.name)
        if self._encoder is not None and self._encoder.spec.fingerprint != files.fingerprint:
            self._encoder = None
        self._model = name
        return files

    def _check_corpus(self, plan: Plan) -> None:
        if not plan.scan.stamps:
            seen = report(plan)
            left_out = ", ".join(f"{count} {reason}" for reason, count in seen.left_out.items())
            raise EmptyCorpusError(
                f"{self._corpus.location or 'The corpus'} holds no documents that can be read"
                + (f" (left out: {left_out})" if left_out else "")
                + "".join(f" ({one.document}: {one.reason})" for one in seen.problems[:3]),
                hint="Put text or Markdown files there, or name another corpus with --corpus.",
            )

    def _location(self) -> str:
        """Give the corpus as seen from the index: both may be moved or copied together."""
        if not self._corpus.location:
            return ""
        try:
            return os.path.relpath(self._corpus.location, self._folder.resolve())
        except ValueError:  # on another drive
            return self._corpus.location

    def _check_index(self, catalog: Catalog) -> None:
        """Refuse an index that was made for a corpus elsewhere, unless that one is gone."""
        known = catalog.meta("corpus")
        theirs = self._folder.resolve() / known
        other = theirs.exists() and theirs.resolve() != Path(self._corpus.location)
        if known and known != self._location() and other:
            raise ForeignIndexError(
                f"The index {self._folder} was made for the corpus {theirs.resolve()}",
                hint="Name another folder with --index, or replace it with `qa index --rebuild`.",
            )


def _check_question(question: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise QuestionError("The question is not UTF-8", hint="Check the terminal's encoding.")
    if not question.strip():
        raise QuestionError("The question is empty", hint='Ask like this: qa ask "Who …?"')
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(question):,} characters; at most {LONGEST_QUESTION:,} are read",
            hint="Ask a shorter question.",
        )
