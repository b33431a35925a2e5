"""What stands on a transformer: pooling of its token embeddings, then layers (`layers.py`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qa.encoding.pooling import mean, passage_means, sentence_tokens, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from qa.encoding.layers import Layer
    from qa.encoding.word_tokens import Tokenised

__all__ = ["POOLINGS", "Head"]


def _weighted_mean(rows: NDArray[np.float32], at: NDArray[np.int64]) -> NDArray[np.float32]:
    """Later tokens weigh more: the n-th of the text n times as much as its first."""
    weights = (at + 1).astype(np.float32)
    return np.asarray(weights @ rows / weights.sum(), np.float32)


# Each takes token embeddings `[n, d]` and where they stand in the text, int64 `[n]`; n is above 0.
POOLINGS: dict[str, Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float32]]] = {
    "cls": lambda rows, _: rows[0],
    "max": lambda rows, _: rows.max(axis=0),
    "mean": lambda rows, _: rows.mean(axis=0, dtype=np.float32),
    "mean_sqrt_len_tokens": lambda rows, _: rows.sum(axis=0) / np.float32(math.sqrt(len(rows))),
    "weightedmean": _weighted_mean,
    "lasttoken": lambda rows, _: rows[-1],
}


@dataclass(frozen=True, slots=True)
class Head:
    """Token embeddings to unit vectors.

    Attributes:
        pooling: names in `POOLINGS`; of several, the results stand side by side.
        layers: through which the pooled vectors go, in order.
        truncate_dim: so many dimensions are kept, the first (Kusupati and others, Matryoshka
            Representation Learning, 2022); None keeps all.
        in_context: whether a sentence's vector is pooled of its tokens in the pass of the whole
            passage; else each sentence is a text of its own.
    """

    pooling: tuple[str, ...] = ("mean",)
    layers: tuple[Layer, ...] = ()
    truncate_dim: int | None = None
    in_context: bool = True

    @property
    def is_mean(self) -> bool:
        """Whether a vector is the mean of its tokens' embeddings, and nothing else."""
        return self.pooling == ("mean",) and not self.layers

    def cut(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The dimensions `[..., d]` that are kept."""
        return vectors if self.truncate_dim is None else vectors[..., : self.truncate_dim]

    def text(self, embeddings: NDArray[np.float32], *, first: int = 0) -> NDArray[np.float32]:
        """Pool a text: the embeddings `[n, d]` of its tokens from `first` on."""
        if self.is_mean and len(embeddings):
            return mean(self.cut(embeddings[first:] if first < len(embeddings) else embeddings))
        whole = np.arange(first, len(embeddings))
        return np.asarray(self._pooled(embeddings, [whole])[0])

    def passage(
        self,
        embeddings: NDArray[np.float32],
        text: Tokenised,
        spans: NDArray[np.int64],
        *,
        lead: int,
        first: int = 0,
    ) -> NDArray[np.float32]:
        """Pool a passage from its token `first` on, and the tokens of each of its sentences.

        Args:
            embeddings: `[n, d]`, special tokens included.
            text: the tokens of the text.
            spans: the characters of sentences, `[m, 2]`.
            lead: how many special tokens stand before those of the text.
            first: the first token of the passage's own; those of the sentences don't change.

        Returns:
            float32 `[m + 1, d]`, unit length, the passage first; a sentence without a token of its
            own (only characters that the tokenizer drops) gets the passage's vector.
        """
        if self.is_mean and not first and len(embeddings):
            return passage_means(self.cut(embeddings), text, spans, lead=lead)
        whole = np.arange(first, len(embeddings))
        parts = sentence_tokens(text, spans)
        return self._pooled(
            embeddings, [whole, *(part + lead if len(part) else whole for part in parts)]
        )

    def _pooled(
        self, embeddings: NDArray[np.float32], parts: Sequence[NDArray[np.int64]]
    ) -> NDArray[np.float32]:
        width = embeddings.shape[1]
        pooled = np.zeros((len(parts), len(self.pooling) * width), np.float32)
        for row, part in zip(pooled, parts, strict=True):
            at = part if len(part) else np.arange(len(embeddings))
            if len(at):  # a text of which a tokenizer without special tokens leaves nothing: zeros
                chosen = embeddings[at]
                row[:] = np.concatenate([POOLINGS[mode](chosen, at) for mode in self.pooling])
        for layer in self.layers:
            pooled = layer(pooled)
        return unit(self.cut(pooled))
