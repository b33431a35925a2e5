"""What a file of vectors must begin with, so that FAISS reads no size that a stranger made up.

FAISS believes its files: one that claims more rows than it holds is read beyond its end. Ours are
of one kind, whose header follows from the number of rows and the dimension, so it is compared
before FAISS opens the file.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_header"]

# `write_ScalarQuantizer` and `write_index_header` of faiss/impl/index_write.cpp, little-endian:
# kind; dimension, rows, two that are unused, is_trained, metric; quantizer type, range statistic
# and its argument, dimension, bytes a row, values learned (none); bytes of all rows.
_FLAT = struct.Struct("<4s iqqq?i iifQQQ Q")
_FLAT_KIND, _INVERTED_KIND = b"IxSQ", b"IwSq"
_UNUSED = 1 << 20
_INNER_PRODUCT, _FP16, _MIN_MAX = 0, 4, 0
_WIDEST = 65_536  # dimensions


def check_header(file: Path, *, rows: int) -> None:
    """Check that a file is one that `qa.store.vectors.build` can have written for so many rows.

    An inverted file (hundreds of thousands of rows) is checked by kind, dimension and rows only.

    Raises:
        ValueError: it is not.
        OSError: it can't be read.
    """
    with file.open("rb") as stream:
        head = stream.read(_FLAT.size)
    kind, dimension, count = struct.unpack_from("<4siq", head.ljust(16, b"\0"))
    if not (0 < dimension <= _WIDEST and count == rows):
        raise ValueError(f"{file} is not for {rows} rows")
    if kind == _INVERTED_KIND:
        return
    width = 2 * dimension  # bytes of a row in float16
    wanted = _FLAT.pack(
        _FLAT_KIND,
        *(dimension, rows, _UNUSED, _UNUSED, True, _INNER_PRODUCT),
        *(_FP16, _MIN_MAX, 0.0, dimension, width, 0),
        rows * width,
    )
    if head != wanted or file.stat().st_size != len(wanted) + rows * width:
        raise ValueError(f"{file} is not what qa writes")
