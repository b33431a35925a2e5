"""What an index is bound to: the corpus it was made from, and the model that made its vectors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from qa.errors import EncoderMismatchError, ForeignIndexError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.corpus import Corpus
    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.model import ModelFiles
    from qa.encoding.reranker import Reranker
    from qa.settings import Settings
    from qa.store.catalog import Catalog

__all__ = ["Binding", "check_encoder"]


class Binding:
    """Checks that an index goes with the corpus, and finds and loads the model it goes with."""

    def __init__(
        self, settings: Settings, corpus: Corpus, folder: Path, tell: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._corpus = corpus
        self._folder = folder
        self._tell = tell
        self._checked = ""
        self._name: str | None = None
        self._files: ModelFiles | None = None
        self._encoder: Encoder[Runtime] | None = None
        self._reranker: Reranker | None = None

    def corpus_location(self) -> str:
        """Give the corpus as seen from the index: both may be moved or copied together."""
        if not self._corpus.location:
            return ""
        try:
            return os.path.relpath(self._corpus.location, self._folder.resolve())
        except ValueError:  # on another drive
            return self._corpus.location

    def check_corpus(self, catalog: Catalog) -> None:
        """Refuse an index that was made for a corpus elsewhere, unless that one is gone.

        Raises:
            ForeignIndexError: it was.
        """
        known = catalog.meta("corpus")
        if not known or known == self._checked:
            return
        theirs = self._folder.resolve() / known
        other = theirs.exists() and theirs.resolve() != Path(self._corpus.location)
        if known != self.corpus_location() and other:
            raise ForeignIndexError(
                f"The index {self._folder} was made for the corpus {theirs.resolve()}",
                hint="Name another folder with --index, or replace it with `qa index --rebuild`.",
            )
        self._checked = known

    def locate(self, catalog: Catalog, *, anew: bool = False) -> ModelFiles:
        """Find the model: the one asked for, else the index's own; it must be the index's.

        Raises:
            ModelError: see `qa.encoding.model.locate`.
            EncoderMismatchError: the index was made with another one.
        """
        from qa.encoding.model import locate

        # An index from a stranger must not decide what is fetched, or which folder is read.
        asked_for = self._settings.model
        name = asked_for or (None if anew else catalog.meta("model") or None)
        files = self._files
        if files is None or self._encoder is None or self._name != name:
            cache = self._settings.cache_path()
            files = locate(name, cache=cache, trusted=asked_for is not None)
        if not anew:
            check_encoder(catalog, files.fingerprint, files.name)
        if self._encoder is not None and self._encoder.spec.fingerprint != files.fingerprint:
            self._encoder = None
        self._name, self._files = name, files
        return files

    @property
    def is_loaded(self) -> bool:
        """Tell whether `encoder` gives one at once."""
        return self._encoder is not None

    def encoder(self) -> Encoder[Runtime]:
        """Give the encoder of the model that was located last.

        Raises:
            ModelError: see `qa.encoding.loader.load_encoder`.
        """
        if self._encoder is None:
            from qa.encoding.loader import load_encoder
            from qa.encoding.model import locate

            self._encoder = load_encoder(
                self._files or locate(None, cache=self._settings.cache_path()),
                cache=self._settings.cache_path(),
                device=self._settings.device,
                tell=self._tell,
            )
        return self._encoder

    def reranker(self) -> Reranker | None:
        """Give the cross-encoder that the settings name, loaded; None where they name none.

        Raises:
            ModelError: see `qa.encoding.reranker.load_reranker`.
        """
        if self._reranker is None and self._settings.rerank is not None:
            from qa.encoding.model import locate
            from qa.encoding.reranker import load_reranker

            cache = self._settings.cache_path()
            files = locate(self._settings.rerank, cache=cache, setting="rerank")
            self._reranker = load_reranker(files, cache=cache, tell=self._tell)
        return self._reranker


def check_encoder(catalog: Catalog, fingerprint: str, model: str) -> None:
    """Refuse to mix vectors of different encoders.

    Raises:
        EncoderMismatchError: the index was made with another one.
    """
    known = catalog.meta("fingerprint")
    if known and known != fingerprint:
        theirs = catalog.meta("model")
        same = "another version of it" if theirs == model else model
        raise EncoderMismatchError(
            f"The index {catalog.folder} was made with {theirs}; this is {same}",
            hint="Ask with the model of the index (leave --model out), or embed all documents "
            "again with `qa index --rebuild`, naming the model with --model.",
        )
