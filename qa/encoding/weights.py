"""The tensors of a safetensors file, where they stand in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["WEIGHTS", "Place", "mapped", "places"]

WEIGHTS = "model.safetensors"
# As in the format's description (github.com/huggingface/safetensors): the header's length, 8 bytes,
# then the header, of 100 MB at most, then the data.
_LENGTH = 8
_LONGEST = 100_000_000


class Place(NamedTuple):
    """Where a tensor stands: its shape, its first byte in the file, and how many there are."""

    shape: tuple[int, ...]
    offset: int
    length: int


def places(path: Path) -> dict[str, Place]:
    """Where each float32 tensor of a safetensors file stands.

    Raises:
        OSError: the file can't be read.
        ValueError: it is of another format.
    """
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH), "little")
        if length > _LONGEST:
            msg = f"{path} is no safetensors file"
            raise ValueError(msg)
        header = stream.read(length)
    try:
        return {
            name: Place(tuple(one["shape"]), _LENGTH + length + begin, end - begin)
            for name, one in json.loads(header).items()
            if name != "__metadata__" and one["dtype"] == "F32"
            for begin, end in [one["data_offsets"]]
        }
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        msg = f"{path} is no safetensors file"
        raise ValueError(msg) from error


def mapped(path: Path) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of a safetensors file, read from it only when they are used.

    They may be written to, since some libraries take nothing else: that stays in this process.

    Raises:
        OSError, ValueError: as for `places`.
    """
    data = np.memmap(path, np.uint8, "c")
    return {
        name: data[offset : offset + length].view("<f4").reshape(shape)
        for name, (shape, offset, length) in places(path).items()
    }
