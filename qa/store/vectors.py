"""The dense accelerator: a FAISS file of passage vectors, and the ids of its rows.

The only module that imports faiss. A file is written beside, synced and renamed, never edited;
passages added since are scanned from the catalog by whoever searches.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.store.durable_files import Sealed, seal, sync
from qa.store.faiss_header import check_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Sealed", "VectorIndex", "VectorsDamagedError", "build", "is_whole"]

# From here on an inverted file is faster than scanning all (docs/decisions.md).
IVF_FROM = 200_000
_LISTS = 4096
_PROBE_SHARE = 8  # one list of this many is searched
_CHUNK = 20_000  # vectors in memory at once while building


class VectorsDamagedError(Exception):
    """The files can't be read; they can be made again from the catalog."""


def build(
    folder: Path,
    stem: str,
    vectors: Callable[[], Iterator[tuple[int, NDArray[np.float32]]]],
    count: int,
) -> Sealed:
    """Write `<stem>.faiss` and `<stem>.ids.npy` from `(id, vector [d])` in order of id.

    Args:
        folder: where to.
        stem: the files' name, not in use yet.
        vectors: gives them all, twice if need be (an inverted file is trained first).
        count: how many there are, at least one.
    """
    import faiss

    dimension = len(next(vectors())[1])

    if count >= IVF_FROM:
        index = faiss.index_factory(dimension, f"IVF{_LISTS},SQfp16", faiss.METRIC_INNER_PRODUCT)
        step = max(1, count // (_LISTS * 40))
        sample = [vector for n, (_, vector) in enumerate(vectors()) if n % step == 0]
        index.train(np.stack(sample))
    else:
        kind = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)
        index.is_trained = True
    ids: list[int] = []
    chunk: list[NDArray[np.float32]] = []
    for one, vector in vectors():
        ids.append(one)
        chunk.append(vector)
        if len(chunk) == _CHUNK:
            index.add(np.stack(chunk))
            chunk = []
    if chunk:
        index.add(np.stack(chunk))
    writes: dict[str, Callable[[Path], None]] = {
        f"{stem}.ids.npy": lambda path: np.save(path, np.array(ids, np.int64)),
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
    return Sealed(known.size, known.checksum, len(ids), ids[-1] if ids else 0)


def is_whole(folder: Path, stem: str, sealed: Sealed) -> bool:
    """Whether the files are those that were sealed."""
    try:
        known = seal(_files(folder, stem))
    except OSError:
        return False
    return (known.size, known.checksum) == (sealed.size, sealed.checksum)


class VectorIndex:
    """Opened files, and which of their rows are deleted."""

    def __init__(self, folder: Path, stem: str, sealed: Sealed, deleted_ids: Sequence[int]) -> None:
        """Open by mapping into memory: no more is read than a search touches.

        Raises:
            VectorsDamagedError: the files are not those that were sealed.
        """
        import faiss

        path = folder / f"{stem}.faiss"
        try:
            if not is_whole(folder, stem, sealed):
                raise VectorsDamagedError(f"{path} is not the file that was written")
            self._ids = np.load(folder / f"{stem}.ids.npy", mmap_mode="r", allow_pickle=False)
            if self._ids.dtype != np.int64 or self._ids.ndim != 1:
                raise VectorsDamagedError(f"{path} has invalid ids")
            check_header(path, rows=len(self._ids))
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (OSError, ValueError, RuntimeError) as error:
            raise VectorsDamagedError(str(error)) from error
        # The selector only points to the bitmap: both must live as long as this.
        live = ~np.isin(self._ids, deleted_ids) if len(deleted_ids) else None
        self._live = len(self._ids) if live is None else int(live.sum())
        self._selector, self._bitmap = _selection(live)

    def __len__(self) -> int:
        """Count the rows that are not deleted."""
        return self._live

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None = None
    ) -> list[int]:
        """The ids of the `k` passages nearest to `vector [d]`, nearest first.

        Args:
            vector: float32 `[d]`, unit length.
            k: how many at most.
            allowed: ids, ascending, that alone are searched; all live ones where it is None.
        """
        import faiss

        k = min(k, len(self._ids))
        if k < 1 or len(vector) != self._index.d:
            return []
        # The selector only points to the bitmap: both must live until the search is done.
        selector, _bitmap = self._selector, self._bitmap
        if allowed is not None:
            selector, _bitmap = _selection(np.isin(self._ids, allowed, assume_unique=True))
        options: dict[str, Any] = {"sel": selector} if selector is not None else {}
        kind: Any = faiss.SearchParameters
        if isinstance(self._index, faiss.IndexIVF):
            kind = faiss.SearchParametersIVF
            # The nearest of the allowed may lie in any list.
            share = _PROBE_SHARE if allowed is None else 1
            options["nprobe"] = max(1, self._index.nlist // share)
        parameters = kind(**options) if options else None
        with _one_thread():
            _, rows = self._index.search(vector[None, :], k, params=parameters)
        return [int(self._ids[row]) for row in rows[0] if 0 <= row < len(self._ids)]


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
