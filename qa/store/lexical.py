"""The lexical accelerator: a tantivy index of passages by their terms.

It is given terms, not text. A folder of it is never changed once the catalog names it: the next one
is made beside, of links to the files that stay the same and of new ones.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tantivy

from qa.store.durable_files import sync, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["LexicalDamagedError", "LexicalIndex", "build", "files_of", "grow", "open_index"]

_ANALYSER = "qa"
_ID, _TEXT = "id", "text"
_HEAP = 64 * 1024 * 1024  # bytes that the writer may use before it spills
_META = "meta.json"  # names the segments
_PARTS = ("fast", "fieldnorm", "idx", "pos", "store", "term")  # the files of a segment


# So many times the passages that hold enough of the allowed, if these stand evenly, are asked for;
# where that does not do, more and more.
_SPARE = 2
_WIDER = 8
_DEARER = 3  # passages that are found in the time that it takes to look one up by its id


class LexicalDamagedError(Exception):
    """The files can't be read; they can be made again from the catalog."""


@cache
def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field(_ID, indexed=True, fast=True)
    builder.add_text_field(_TEXT, tokenizer_name=_ANALYSER, index_option="freq")
    return builder.build()


@cache
def _analyser() -> tantivy.TextAnalyzer:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()


class LexicalIndex:
    """A tantivy index, opened."""

    def __init__(self, folder: Path | None) -> None:
        """Open the index in a folder, or make an empty one there; None means in memory.

        Raises:
            LexicalDamagedError: the files are there but can't be read.
        """
        with _failures():
            self._index = tantivy.Index(_schema(), str(folder) if folder else None)
            self._index.register_tokenizer(_ANALYSER, _analyser())
            # Reloading is ours to do; otherwise a thread watches the folder.
            self._index.config_reader("manual")
            self._searcher = self._index.searcher()

    def __len__(self) -> int:
        """Count the passages."""
        return int(self._searcher.num_docs)

    def search(
        self, terms: Sequence[str], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of at most `k` passages that hold any of the terms, best BM25 first.

        Where `allowed` is not None, its ids (ascending) alone are searched.

        Raises:
            LexicalDamagedError: the files can't be read.
        """
        wanted = [
            (tantivy.Occur.Should, tantivy.Query.term_query(_schema(), _TEXT, term, "freq"))
            for term in dict.fromkeys(terms)
        ]
        if not wanted or k < 1 or (allowed is not None and not len(allowed)):
            return []
        query = tantivy.Query.boolean_query(wanted)
        with _failures():
            if allowed is None:
                return self._best(query, k)
            wider = max(k, _SPARE * k * len(self) // len(allowed))
            while wider < _DEARER * len(allowed):
                # One over 2^63, which no writer of ours wrote, becomes negative: none is allowed.
                found = np.array(self._best(query, wider), np.uint64).astype(np.int64)
                near = allowed[np.searchsorted(allowed[:-1], found)]  # or the last, if none is
                passing: list[int] = found[near == found][:k].tolist()
                if len(passing) == k or len(found) < wider:
                    return passing
                wider *= _WIDER
            among = tantivy.Query.term_set_query(_schema(), _ID, allowed.tolist())
            query = query.and_must_match(tantivy.Query.const_score_query(among, 0))
            return self._best(query, k)

    def like(self, term: str, k: int) -> list[int]:
        """The ids of at most `k` passages with a term within one edit of a term.

        Raises:
            LexicalDamagedError: the files can't be read.
        """
        with _failures():
            query = tantivy.Query.fuzzy_term_query(
                _schema(), _TEXT, term, distance=1, transposition_cost_one=True, prefix=False
            )
            return self._best(query, k)

    def _best(self, query: tantivy.Query, k: int) -> list[int]:
        """The ids of the `k` best for a query."""
        found = self._searcher.search(query, k, count=False)
        ids = self._searcher.fast_field_values(_ID, [address for _, address in found.hits])
        return [int(one) for one in ids if one is not None]

    def write(
        self, *, add: Iterable[tuple[int, Sequence[str]]], delete: Iterable[int] = ()
    ) -> None:
        """Delete passages by id, add `(id, terms)`, and commit.

        Raises:
            LexicalDamagedError: the files can't be read.
            OSError: the disk is full or refuses.
        """
        with _failures():
            writer = self._index.writer(_HEAP, 1)
            try:
                for one in delete:  # by query: by term, tantivy 0.27 passes over numbers
                    query = tantivy.Query.term_query(_schema(), _ID, one)
                    writer.delete_documents_by_query(query)
                for one, terms in add:
                    document = tantivy.Document()
                    document.add_unsigned(_ID, one)
                    document.add_text(_TEXT, " ".join(terms))
                    writer.add_document(document)
                writer.commit()
            finally:
                writer.wait_merging_threads()
            self._index.reload()
            self._searcher = self._index.searcher()


def open_index(folder: Path) -> LexicalIndex:
    """Open the index in a folder for searching, whether or not that folder can be written.

    Raises:
        LexicalDamagedError: the files can't be read.
        OSError: the system refuses.
    """
    try:
        return LexicalIndex(folder)
    except OSError:  # tantivy locks a file of its own in the folder even to read
        with _links_to(folder) as beside:
            return LexicalIndex(beside)


@contextmanager
def _links_to(folder: Path) -> Iterator[Path]:
    """A temporary folder of links to the files: once these are open, it may go."""
    beside = Path(tempfile.mkdtemp(prefix="qa-"))
    try:
        for path in files_of(folder):
            (beside / path.name).symlink_to(path.absolute())
        yield beside
    finally:
        for _ in range(2):  # a thread of tantivy's may put its lock there meanwhile
            shutil.rmtree(beside, ignore_errors=True)


def build(folder: Path, passages: Iterable[tuple[int, Sequence[str]]]) -> int:
    """Make a folder of `(id, terms)`; gives how many passages it holds.

    Raises:
        OSError: the disk is full or refuses.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of a writer that did not finish
    folder.mkdir()
    return _fill(folder, (), passages)


def grow(
    old: Path, folder: Path, *, delete: Iterable[int], add: Iterable[tuple[int, Sequence[str]]]
) -> int:
    """Make a folder that holds what `old` holds, changed; gives how many passages that are.

    Raises:
        LexicalDamagedError: the old files can't be read.
        OSError: the disk is full or refuses.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in files_of(old):
        try:
            os.link(path, folder / path.name)
        except OSError:  # a file system without links
            shutil.copyfile(path, folder / path.name)
            sync(folder / path.name)
    return _fill(folder, delete, add)


def files_of(folder: Path) -> list[Path]:
    """List the files that searching needs, from what `meta.json` names.

    Raises:
        LexicalDamagedError: it can't be read.
    """
    try:
        segments = json.loads((folder / _META).read_text("utf-8"))["segments"]
        names = [_META]
        for segment in segments:
            name = str(segment["segment_id"]).replace("-", "")
            names += [f"{name}.{part}" for part in _PARTS]
            if segment["deletes"]:
                names.append(f"{name}.{segment['deletes']['opstamp']:d}.del")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise LexicalDamagedError(f"{folder / _META} can't be read ({error})") from error
    if not all(_NAME.fullmatch(name) for name in names):
        raise LexicalDamagedError(f"{folder / _META} names files that are not tantivy's")
    return [folder / name for name in names]


_NAME = re.compile(rf"{re.escape(_META)}|[0-9a-f]{{32}}\.(?:{'|'.join(_PARTS)}|\d+\.del)")


def _fill(folder: Path, delete: Iterable[int], add: Iterable[tuple[int, Sequence[str]]]) -> int:
    index = LexicalIndex(folder)
    index.write(delete=delete, add=add)
    # tantivy makes it for this account alone; the folder tells what others may read.
    (folder / _META).chmod(folder.stat().st_mode & 0o666)
    needed = set(files_of(folder))
    for path in folder.iterdir():
        if path not in needed:  # merged into others, or a lock
            path.unlink()
    sync_folder(folder)
    return len(index)


@contextmanager
def _failures() -> Iterator[None]:
    """Tell apart what the disk does to tantivy and what is wrong with its files."""
    try:
        yield
    except ValueError as error:
        # tantivy reports what the system does to it in words.
        if (code := re.search(r"(?:os error |Os \{ code: )(\d+)", str(error))) is not None:
            raise OSError(int(code[1]), str(error)) from error
        raise LexicalDamagedError(str(error)) from error
    except BaseException as error:
        # A panic in tantivy is an error like others; a keyboard interrupt is not.
        if type(error).__name__ == "PanicException":
            raise LexicalDamagedError(str(error)) from error
        raise
