"""Texts that arrive while another is being computed are computed together, in one pass."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MicroBatcher"]

MAX_TEXTS = 16  # texts of a pass: more bring little, and all wait for the last
# Shorter texts are padded to the longest of a pass: by more tokens, that costs more than a pass.
_PADDING = 16


class MicroBatcher:
    """Serves many threads with few passes.

    Short texts take the time that reading the weights takes, so that eight of them together
    cost a third of what they cost one by one (docs/decisions.md). Nobody waits for company:
    whoever finds no pass running starts one, with all who came meanwhile.
    """

    def __init__(
        self, compute: Callable[[Sequence[Sequence[int]]], list[NDArray[np.float32]]]
    ) -> None:
        """Take what computes several texts in one pass."""
        self._compute = compute
        self._waiting: list[tuple[Sequence[int], Future[NDArray[np.float32]]]] = []
        self._arriving = threading.Lock()
        self._running = threading.Lock()

    def __call__(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The token embeddings `[n, d]` of a text of `n` token ids."""
        [found] = self.of_several([ids])
        return found

    def of_several(self, texts: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """The same of each of several texts."""
        mine: list[Future[NDArray[np.float32]]] = [Future() for _ in texts]
        with self._arriving:
            self._waiting += zip(texts, mine, strict=True)
        for one in mine:
            while not one.done():
                with self._running:
                    if not one.done():
                        self._run()
        return [one.result() for one in mine]

    def _run(self) -> None:
        with self._arriving:
            length = len(self._waiting[0][0])  # nobody is passed over for ever
            alike = [abs(len(ids) - length) <= _PADDING for ids, _ in self._waiting]
            taken = list(compress(self._waiting, alike))[:MAX_TEXTS]
            ours = {id(one) for _, one in taken}
            self._waiting = [each for each in self._waiting if id(each[1]) not in ours]
        try:
            found = self._compute([ids for ids, _ in taken])
        except BaseException as error:  # noqa: BLE001 - each of them learns what happened
            for _, one in taken:
                one.set_exception(error)
        else:
            for (_, one), embeddings in zip(taken, found, strict=True):
                one.set_result(embeddings)
