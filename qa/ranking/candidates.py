"""Candidates: the passages that a retriever proposed, as arrays that scoring works on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Candidates", "Ragged"]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of different lengths, end to end: row `n` is `values[starts[n] : ends[n]]`."""

    values: NDArray[np.generic]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.generic], lengths: NDArray[np.integer]) -> Ragged:
        """Take the values of all rows, in order, and each row's length.

        Raises:
            ValueError: the lengths don't add up to the number of values.
        """
        ends = np.cumsum(lengths, dtype=np.int64)
        if (int(ends[-1]) if len(ends) else 0) != len(values):
            raise ValueError("rows and their lengths don't fit")
        return cls(values, ends - np.asarray(lengths, np.int64), ends)

    def __len__(self) -> int:
        return len(self.starts)

    def count(self, marked: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count the marks in each row: `[m, values]` to `[m, rows]`."""
        rows, (lines, width) = len(self), marked.shape
        row = np.repeat(np.arange(rows), self.ends - self.starts)
        line, at = np.divmod(np.flatnonzero(marked), max(1, width))  # marks are few
        counts = np.bincount(line * rows + row[at], minlength=lines * rows)
        return counts.reshape(lines, rows)


@dataclass(frozen=True, slots=True)
class Candidates:
    """`n` passages with all that their scores are made from.

    Args:
        ids: of the passages.
        documents: the path of each one's document.
        vectors: float32 `[n, d]`, unit length.
        sentences: how many each passage has, at least one, int64 `[n]`.
        sentence_codes: int8 `[s, d]`, all sentences of all passages, each a unit vector when
            multiplied by its `sentence_scales`, float32 `[s]`.
        terms: ids of content terms, int64, a row a passage.
        parts: the same terms, a row for each passage's context, then for each of its sentences.
        lengths: of the passages in terms, stop words included, int64 `[n]`.
        tokens: ids of the encoder's tokens, uint32, a row a passage.
    """

    ids: Sequence[int]
    documents: Sequence[str]
    vectors: NDArray[np.float32]
    sentences: NDArray[np.int64]
    sentence_codes: NDArray[np.int8]
    sentence_scales: NDArray[np.float32]
    terms: Ragged
    parts: Ragged
    lengths: NDArray[np.int64]
    tokens: Ragged

    def __len__(self) -> int:
        return len(self.ids)

    def with_terms(self, names: Mapping[int, int]) -> Candidates:
        """The same with other names for some terms: each that is a key becomes its value."""
        if not names:
            return self
        values = self.terms.values.copy()
        for term, name in names.items():
            values[self.terms.values == term] = name
        return replace(
            self,
            terms=replace(self.terms, values=values),
            parts=replace(self.parts, values=values),
        )

    @property
    def first_sentences(self) -> NDArray[np.int64]:
        """The number of each candidate's first sentence, among all, int64 `[n]`."""
        return np.asarray(np.cumsum(self.sentences) - self.sentences)
