"""What an assistant holds from its making to its end, and that it lets go of it."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from qa.binding import Binding
from qa.citations.source import Headings
from qa.corpus import FolderCorpus, PairCorpus
from qa.errors import ClosedError, SettingsError
from qa.logs import indexing, telling
from qa.settings import Settings, override

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self, Unpack

    from qa.corpus import Corpus
    from qa.indexing.refresh import Progress
    from qa.settings import SettingsArguments
    from qa.store.local import LocalStore

__all__ = ["Lifetime"]


class Lifetime:
    """The base of `Assistant`, which see: settings, corpus, index folder, store and model."""

    def __init__(
        self,
        corpus: str | os.PathLike[str] | None = None,
        index: str | os.PathLike[str] | None = None,
        *,
        documents: PairCorpus | Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        settings: Settings | None = None,
        tell: Callable[[str], None] = lambda _: None,
        progress: Progress | None = None,
        **more: Unpack[SettingsArguments],
    ) -> None:
        given = {"corpus": corpus, "index": index}
        given = {key: value for key, value in given.items() if value is not None}
        self.settings = override(Settings() if settings is None else settings, {**more, **given})
        self._tell = telling(tell)
        self._progress = indexing(progress or (lambda *_: None))
        self._held = ExitStack()
        self._store: LocalStore | None = None
        self._is_closed = False
        self._lock = threading.RLock()
        self._folder = self.settings.index_path().absolute()
        self._corpus: Corpus
        if documents is not None:
            if corpus is not None:
                raise SettingsError("corpus and documents are both given", hint="Give one of them.")
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
        self._headings = Headings(self._corpus)

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files, once what runs is done; a temporary index is deleted.

        After that, everything but this raises ClosedError.
        """
        with self._lock:
            self._is_closed = True
            self._corpus.close()
            if self._store is not None:
                self._store.close()
            self._store = None
            self._held.close()

    @property
    def root(self) -> Path | None:
        """The folder that document ids are relative to; None where there are no files."""
        return self._corpus.root

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedError("The assistant is closed", hint="Make another `qa.Assistant`.")

    def _opened(self) -> LocalStore:
        self._require_open()
        if self._store is None:
            from qa.store.local import LocalStore

            timeout = self.settings.lock_timeout
            self._store = LocalStore(self._folder, lock_timeout=timeout, tell=self._tell)
        return self._store
