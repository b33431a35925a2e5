"""Models without a transformer: a token's embedding is a row of a table, wherever it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from qa.encoding.encoder import TokenIds

__all__ = ["TABLE", "StaticRuntime"]

TABLE = "table.npy"


class StaticRuntime:
    """A table of token embeddings, float32 `[tokens, d]`."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        self.table = table

    @classmethod
    def of(cls, folder: Path) -> StaticRuntime:
        """Open the table of an export; of its rows, those that are used are read."""
        return cls(np.load(folder / TABLE, mmap_mode="r", allow_pickle=False))

    def forward(self, texts: Iterable[TokenIds]) -> Iterator[NDArray[np.float32]]:
        """The token embeddings `[n, d]` of each text, in order."""
        for ids in texts:
            yield np.asarray(self.table[np.asarray(ids, np.int64)])

    def forward_batch(self, texts: Sequence[TokenIds]) -> list[NDArray[np.float32]]:
        """The same of a few texts."""
        return list(self.forward(texts))
