"""The dense accelerator: segments, each a FAISS file of vectors and the numbers of its rows.

The only module that imports faiss. A file is written beside, synced and renamed, never edited;
embeddings added since are scanned from the catalog by whoever searches.
"""

from __future__ import annotations

import os
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.store.durable_files import Segment, seal, sync
from qa.store.faiss_header import check_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import faiss
    from numpy.typing import NDArray

__all__ = ["VectorSegment", "VectorsDamagedError", "build", "is_whole"]

# From here on an inverted file is worth its training (docs/decisions.md).
IVF_FROM = 131_072
_LISTS = 512
# One list of so many is searched. Where some passages alone are allowed, their nearest lie farther
# away; where they are few, anywhere.
_PROBE_SHARE = 8
_PROBE_SHARE_ALLOWED = 4
_FEW_ALLOWED = 8  # one row of more than so many
_CHUNK = 4_096  # vectors in memory at once while building, apart from the file's own


class VectorsDamagedError(Exception):
    """The files can't be read; they can be made again from the catalog."""


def build(
    folder: Path,
    stem: str,
    vectors: Callable[[], Iterator[tuple[int, int, NDArray[np.float32]]]],
    count: int,
    last: int,
) -> Segment:
    """Write `<stem>.faiss` and `<stem>.ids.npy` from `(number, passage, vector [d])` by number.

    Args:
        folder: where to.
        stem: the files' name, not in use yet.
        vectors: gives them all, twice if need be (an inverted file is trained first).
        count: how many there are, at least one.
        last: the number up to which no other can come any more.
    """
    import faiss

    dimension = len(next(vectors())[2])

    if count >= IVF_FROM:
        index = faiss.index_factory(dimension, f"IVF{_LISTS},SQfp16", faiss.METRIC_INNER_PRODUCT)
        index.train(_sample(vectors(), count))
    else:
        kind = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)
        index.is_trained = True
    rows = array("q")  # the number of each row, and its passage
    chunk: list[NDArray[np.float32]] = []
    for number, passage, vector in vectors():
        rows.extend((number, passage))
        chunk.append(vector)
        if len(chunk) == _CHUNK:
            index.add(np.stack(chunk))
            chunk = []
    if chunk:
        index.add(np.stack(chunk))
    writes: dict[str, Callable[[Path], None]] = {
        f"{stem}.ids.npy": lambda path: np.save(
            path, np.ascontiguousarray(np.frombuffer(rows, np.int64).reshape(-1, 2).T)
        ),
        f"{stem}.faiss": lambda path: faiss.write_index(index, str(path)),
    }
    for name, write in writes.items():
        beside = folder / f"new-{name}"
        try:
            write(beside)
        except RuntimeError as error:  # faiss reports what the disk does to it this way
            code = _system_error(str(error))
            raise OSError(code, str(error)) from error
        sync(beside)
        beside.replace(folder / name)
    known = seal(_files(folder, stem))
    return Segment(known.size, known.checksum, stem, len(rows) // 2, last)


def _sample(
    vectors: Iterator[tuple[int, int, NDArray[np.float32]]], count: int
) -> NDArray[np.float32]:
    """What the lists are learnt from: some forty vectors each, evenly from all."""
    step = max(1, count // (_LISTS * 40))
    return np.stack([vector for n, (*_, vector) in enumerate(vectors) if n % step == 0])


def is_whole(folder: Path, segment: Segment) -> bool:
    """Whether the files are those that were sealed."""
    try:
        known = seal(_files(folder, segment.stem))
    except OSError:
        return False
    return (known.size, known.checksum) == (segment.size, segment.checksum)


class VectorSegment:
    """Opened files, and which of their rows are dead."""

    def __init__(self, folder: Path, segment: Segment) -> None:
        """Open by mapping into memory: no more is read than a search touches.

        Raises:
            VectorsDamagedError: the files are not those that were sealed.
        """
        import faiss

        path = folder / f"{segment.stem}.faiss"
        try:
            if not is_whole(folder, segment):
                raise VectorsDamagedError(f"{path} is not the file that was written")
            rows = np.load(folder / f"{segment.stem}.ids.npy", mmap_mode="r", allow_pickle=False)
            if rows.dtype != np.int64 or rows.shape != (2, segment.rows):
                raise VectorsDamagedError(f"{path} has invalid ids")
            check_header(path, rows=segment.rows)
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (OSError, ValueError, RuntimeError) as error:
            raise VectorsDamagedError(str(error)) from error
        self._numbers, self._passages = rows
        # From the lowest id on, below the end: those of other segments need not be looked for.
        self._bounds = (rows[1].min(), rows[1].max() + 1) if segment.rows else (0, 0)
        self._live: NDArray[np.bool_] | None = None
        self.set_dead(np.empty(0, np.int64))

    def set_dead(self, numbers: NDArray[np.int64]) -> None:
        """Say which numbers, ascending, are gone; those of other segments may be among them."""
        live = None
        if len(numbers) and len(self._numbers):
            first, end = np.searchsorted(numbers, (self._numbers[0], self._numbers[-1] + 1))
            rows = np.searchsorted(self._numbers, numbers[first:end])
            rows = rows[self._numbers[rows] == numbers[first:end]]
            if len(rows):
                live = np.ones(len(self._numbers), np.bool_)
                live[rows] = False
        self._live = live
        self._count = len(self._numbers) if live is None else int(live.sum())
        self._selector, self._bitmap = _selection(live)

    def __len__(self) -> int:
        """Count the rows that are not dead."""
        return self._count

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[tuple[float, int]]:
        """The `k` passages nearest to `vector [d]` as `(inner product, id)`, nearest first.

        Args:
            vector: float32 `[d]`, unit length.
            k: how many at most.
            allowed: ids, ascending, that alone are searched; all live ones where it is None.
        """
        import faiss

        k = min(k, len(self._passages))
        if k < 1 or len(vector) != self._index.d:
            return []
        # The selector only points to the bitmap: both must live until the search is done.
        selector, _bitmap = self._selector, self._bitmap
        share = _PROBE_SHARE
        if allowed is not None:
            first, end = np.searchsorted(allowed, self._bounds)
            chosen = np.isin(self._passages, allowed[first:end], assume_unique=True)
            chosen = chosen if self._live is None else chosen & self._live
            selector, _bitmap = _selection(chosen)
            is_few = _FEW_ALLOWED * int(chosen.sum()) < len(chosen)
            share = 1 if is_few else _PROBE_SHARE_ALLOWED
        options: dict[str, Any] = {"sel": selector} if selector is not None else {}
        if not isinstance(self._index, faiss.IndexIVF):
            return self._nearest(vector, k, faiss.SearchParameters(**options))
        for probed in dict.fromkeys((share, 1)):  # all lists, where some don't hold enough
            options["nprobe"] = max(1, self._index.nlist // probed)
            found = self._nearest(vector, k, faiss.SearchParametersIVF(**options))
            if len(found) == k:
                break
        return found

    def _nearest(
        self, vector: NDArray[np.float32], k: int, parameters: faiss.SearchParameters
    ) -> list[tuple[float, int]]:
        with _one_thread():
            products, rows = self._index.search(vector[None, :], k, params=parameters)
        known = (rows[0] >= 0) & (rows[0] < len(self._passages))
        passages = self._passages[rows[0][known]]
        return list(zip(products[0][known].tolist(), passages.tolist(), strict=True))


def _selection(rows: NDArray[np.bool_] | None) -> tuple[object | None, NDArray[np.uint8]]:
    """What tells faiss which rows to look at, and the bitmap that it points to."""
    import faiss

    if rows is None:
        return None, np.empty(0, np.uint8)
    bitmap = np.packbits(rows, bitorder="little")
    return faiss.IDSelectorBitmap(len(bitmap), faiss.swig_ptr(bitmap)), bitmap


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenMP from starting threads, which would spin while this one does all the work.

    The setting is this thread's own; whoever else uses OpenMP in the process keeps theirs.
    """
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _files(folder: Path, stem: str) -> list[Path]:
    return [folder / f"{stem}.ids.npy", folder / f"{stem}.faiss"]


def _system_error(message: str) -> int:
    """Find the system's error in what faiss says; an I/O error where it says nothing."""
    import errno

    codes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)
    return next((code for code in codes if os.strerror(code) in message), errno.EIO)
