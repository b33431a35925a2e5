"""The lexical accelerator: a tantivy index of passages by their stemmed terms.

It may hold passages that are gone from the catalog; whoever searches joins with the catalog.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

import tantivy

from qa.retrieval.terms import analyser

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["LexicalDamagedError", "LexicalIndex", "is_complete"]

_ANALYSER = "qa"
_ID, _TEXT = "id", "text"
_HEAP = 64 * 1024 * 1024  # bytes that the writer may use before it spills
_PARTS = ("fast", "fieldnorm", "idx", "pos", "store", "term")  # the files of a segment


class LexicalDamagedError(Exception):
    """The files can't be read; they can be made again from the catalog."""


@cache
def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field(_ID, indexed=True, fast=True)
    builder.add_text_field(_TEXT, tokenizer_name=_ANALYSER, index_option="freq")
    return builder.build()


class LexicalIndex:
    """A tantivy index in a folder of its own, or in memory."""

    def __init__(self, folder: Path | None) -> None:
        """Open the index, or make an empty one.

        Raises:
            LexicalDamagedError: the files are there but can't be read.
        """
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._index = tantivy.Index(_schema(), str(folder) if folder else None)
            self._index.register_tokenizer(_ANALYSER, analyser())
            # Reloading is ours to do; otherwise a thread watches the folder.
            self._index.config_reader("manual")
            self._searcher = self._index.searcher()
        except ValueError as error:
            raise LexicalDamagedError(str(error)) from error
        except BaseException as error:
            raise _unless_panic(error) from error

    @property
    def size(self) -> int:
        """How many passages it holds, those that are gone from the catalog included."""
        return self._searcher.num_docs

    def reload(self) -> None:
        """Take up what has been committed since."""
        self._index.reload()
        self._searcher = self._index.searcher()

    def search(self, terms: Sequence[str], k: int) -> list[int]:
        """Give the ids of at most `k` passages that hold any of the terms, best BM25 first.

        Raises:
            LexicalDamagedError: the files can't be read.
        """
        wanted = [
            (tantivy.Occur.Should, tantivy.Query.term_query(_schema(), _TEXT, term, "freq"))
            for term in dict.fromkeys(terms)
        ]
        if not wanted or k < 1:
            return []
        try:
            found = self._searcher.search(tantivy.Query.boolean_query(wanted), k, count=False)
            addresses = [address for _, address in found.hits]
            ids = self._searcher.fast_field_values(_ID, addresses)
            return [int(one) for one in ids if one is not None]
        except ValueError as error:
            raise LexicalDamagedError(str(error)) from error
        except BaseException as error:
            raise _unless_panic(error) from error

    def write(
        self,
        *,
        add: Iterable[tuple[int, str]],
        delete: Iterable[int] = (),
        delete_range: range = range(0),
    ) -> None:
        """Delete passages by id and by range of ids, add `(id, text)`, and commit.

        Raises:
            LexicalDamagedError: the files can't be read.
            OSError: the disk is full or refuses.
        """
        try:
            writer = self._index.writer(_HEAP, 1)
            try:
                for one in delete:
                    writer.delete_documents_by_term(_ID, one)
                if delete_range:
                    kind = tantivy.FieldType.Unsigned
                    ends = (delete_range.start, delete_range.stop - 1)
                    writer.delete_documents_by_query(
                        tantivy.Query.range_query(_schema(), _ID, kind, *ends)
                    )
                for one, text in add:
                    document = tantivy.Document()
                    document.add_unsigned(_ID, one)
                    document.add_text(_TEXT, text)
                    writer.add_document(document)
                writer.commit()
            finally:
                writer.wait_merging_threads()
            self.reload()
        except ValueError as error:
            # tantivy reports what the system does to it in words.
            if (code := re.search(r"os error (\d+)", str(error))) is not None:
                raise OSError(int(code[1]), str(error)) from error
            raise LexicalDamagedError(str(error)) from error
        except BaseException as error:
            raise _unless_panic(error) from error


def is_complete(folder: Path) -> bool:
    """Tell whether every segment's files are there; some are missed only when searching."""
    try:
        segments = json.loads((folder / "meta.json").read_text("utf-8"))["segments"]
        names = [str(segment["segment_id"]).replace("-", "") for segment in segments]
        there = {path.name for path in folder.iterdir()}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return all(f"{name}.{part}" in there for name in names for part in _PARTS)


def _unless_panic(error: BaseException) -> BaseException:
    """A panic in tantivy is an error like others; a keyboard interrupt is not."""
    if type(error).__name__ == "PanicException":
        return LexicalDamagedError(str(error))
    return error
