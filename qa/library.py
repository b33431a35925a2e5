"""What an assistant tells of its index and of the documents themselves, beside its answers."""

from __future__ import annotations

import dataclasses
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from contextlib import ExitStack
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from qa.answering.asking import Asking
    from qa.citations.locate import Excerpt
    from qa.citations.verify import Verification
    from qa.contents import DocumentInfo, DocumentText, Heading, PageImage
    from qa.corpus import Corpus
    from qa.exporting.rows import Table
    from qa.place import MilvusPlace
    from qa.progress import Status
    from qa.reading.sandbox.client import Converter
    from qa.store.protocol import Store
    from qa.types import Answer

__all__ = ["Library"]


class Library:
    """The documents of an assistant: listed, opened and compared with what was cited."""

    _corpus: Corpus
    _place: Path | MilvusPlace  # of the index
    _held: ExitStack
    _index: Store
    _asking: Asking
    _drawing: Converter | None = None

    def _require_open(self) -> None:
        raise NotImplementedError

    @property
    def root(self) -> Path | None:
        """The folder that document ids are relative to; None where there are no files."""
        return self._corpus.root

    def status(self) -> Status:
        """Tell what is indexed, how far the corpus has moved on since, and what refresh runs.

        Raises:
            IndexMissingError: there is no index, and none is being made.
            CorpusNotFoundError: there is no corpus.
        """
        import time

        from qa.errors import IndexMissingError
        from qa.indexing.plan import nothing_yet, take_stock
        from qa.store.opening import moment

        self._require_open()
        running = self._index.running()
        try:
            with moment(self._place, self._corpus) as snapshot:
                found = take_stock(self._corpus, self._index, snapshot, time.time_ns())
        except IndexMissingError:
            if running is None:
                raise
            found = nothing_yet(self._corpus, self._index, time.time_ns())
        return dataclasses.replace(found, running=running)

    def documents(
        self, *, after: str | None = None, limit: int = 100, within: str | Iterable[str] = ()
    ) -> tuple[DocumentInfo, ...]:
        """The indexed documents, by id, a page at a time; files are not looked at.

        Args:
            after: the last id of the page before; the first page where it is None.
            limit: how many at most, from 1 to 1,000.
            within: patterns as in .gitignore of which a document's path must fit one.

        Raises:
            QuestionError: an argument makes no sense.
            IndexUnusableError: there is no index, or it can't be read.
        """
        from qa.answering.documents import listed
        from qa.store.opening import moment

        self._require_open()
        with moment(self._place, self._corpus) as snapshot:
            return listed(snapshot, after=after, limit=limit, within=within)

    def document(self, document: str) -> DocumentText:
        """The text of an indexed document, with its places and headings.

        It comes from the index where it was made from the file (no parser runs), else from the
        file; either way the file is the one that was indexed.

        Raises:
            UnknownDocumentError: no document with that id is indexed.
            UnreadableDocumentError: its file has changed or gone since it was indexed.
            IndexUnusableError: there is no index, or it can't be read.
        """
        from qa.answering.documents import opened
        from qa.store.opening import moment

        self._require_open()
        with moment(self._place, self._corpus) as snapshot:
            return opened(snapshot, self._corpus, document)

    def outline(self, document: str) -> tuple[Heading, ...]:
        """The headings of an indexed document, in order; those above its passages.

        Raises:
            UnknownDocumentError, UnreadableDocumentError, IndexUnusableError: see `document`.
        """
        return self.document(document).outline

    def read_bytes(self, document: str) -> bytes:
        """The file of an indexed document, as it was indexed; of an attachment, what holds it.

        Raises:
            UnknownDocumentError, UnreadableDocumentError, IndexUnusableError: see `document`.
        """
        from qa.answering.documents import file_of, row_of
        from qa.store.opening import moment

        self._require_open()
        with moment(self._place, self._corpus) as snapshot:
            row = row_of(snapshot, document)
        return file_of(self._corpus, row)

    def page_image(
        self, document: str, page: int, spans: Iterable[tuple[int, int]] = (), *, width: int = 1000
    ) -> PageImage:
        """A page of an indexed PDF as a picture, and where on it spans of its text stand.

        It is drawn in the process of parsers, with limits on time and memory; spans are found by
        their letters. A drawn page is of the file as it was indexed.

        Args:
            document: its id.
            page: from 1, as `Citation.page` has it.
            spans: `(start, end)` in characters of the text of `document()`; what of them stands on
                other pages is left out.
            width: of the picture in pixels, from 50 to 4,000; an unusually long page is smaller.

        Raises:
            CitationError: the document is not a PDF of its own, or it has no such page.
            QuestionError: another argument makes no sense.
            UnknownDocumentError, IndexUnusableError: see `document`.
            UnreadableDocumentError: see `document`; or the page can't be drawn.
        """
        from qa.answering.pages import drawn
        from qa.store.opening import moment

        self._require_open()
        with moment(self._place, self._corpus) as snapshot:
            converter = self._converter()
            return drawn(
                snapshot,
                self._corpus,
                converter,
                document,
                page=page,
                spans=list(spans),
                width=width,
            )

    def _converter(self) -> Converter:
        if self._drawing is None:
            from qa.reading.sandbox.client import Converter

            converter = self._drawing = Converter()
            self._held.callback(converter.close)
        return self._drawing

    def embed(self, question: str) -> NDArray[np.float32]:
        """The vector of a question, as the index's model makes it: float32 `[d]`, unit length.

        Raises:
            IndexUnusableError, ModelError: there is no index, or its model can't be loaded.
        """
        self._require_open()
        return self._asking.encoder().encode_question(question).vector

    def rows(self, what: str = "passages") -> Generator[dict[str, object]]:
        """The rows of what is indexed, of one moment, as they are iterated; nothing is refreshed.

        Args:
            what: "documents", "passages", "places" or "vectors"; docs/data.md has the columns of
                each. A vector is an array, float32 `[d]`.

        Raises:
            QuestionError: there is no such table.
            IndexUnusableError: there is no index, or it can't be read.
        """
        from qa.exporting.rows import check_table

        table = check_table(what)
        self._require_open()
        return self._rows(table)

    def _rows(self, table: Table) -> Generator[dict[str, object]]:
        from qa.exporting.rows import rows
        from qa.store.opening import moment

        with moment(self._place, self._corpus) as snapshot:
            yield from rows(snapshot, table)

    def export(
        self,
        file: str | os.PathLike[str],
        what: str = "passages",
        *,
        format: Literal["parquet", "arrow", "jsonl"] | None = None,  # noqa: A002 - as the command
    ) -> int:
        """Write the same rows to a file, which is there once it is whole; gives their number.

        Args:
            file: "-" is stdout.
            what: see `rows`.
            format: by default what the file's name ends in, else JSON lines.

        Raises:
            QuestionError: there is no such table or format.
            MissingExtraError: the format needs `pip install 'retrieval-qa[data]'`.
            StorageError: the file can't be written.
            IndexUnusableError: see `rows`.
        """
        from qa.exporting.export import export
        from qa.store.opening import moment

        self._require_open()
        with moment(self._place, self._corpus) as snapshot:
            return export(
                snapshot, os.fspath(file), what, wanted=format, corpus=self._corpus.location
            )

    def show(self, citation: str, *, context: int = 3) -> Excerpt:
        """The cited place with `context` lines before and after it, from the file.

        Raises:
            CitationError: the citation names no place in the corpus.
        """
        from qa.citations.locate import excerpt

        self._require_open()
        with closing(self._corpus.apart()) as corpus:
            return excerpt(corpus, citation, context=context)

    def verify(self, answer: Answer | Mapping[str, Any]) -> Verification:
        """Check every quote of an answer against the files as they are now.

        Args:
            answer: just given, or its `to_dict()` as it was saved.

        Raises:
            CitationError: it is not an answer.
        """
        from qa.citations.verify import verify

        self._require_open()
        with closing(self._corpus.apart()) as corpus:
            return verify(answer, corpus)
