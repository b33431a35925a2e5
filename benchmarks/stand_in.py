"""A stand-in for the model's forward pass on passages: a table of one vector a token.

The vector is what the model makes of the token alone, less where the token is frequent, mapped by
the matrix that brings the means of passages nearest to the model's own vectors. So questions go
through the real model, and what is near to them is about what would be: measured on passages that
the matrix was not fitted to (`Fitted`).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qa.encoding.encoder import Encoder, PassageInput
from qa.encoding.pooling import unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from qa.assistant import Assistant
    from qa.encoding.encoder import Runtime, TokenIds

_BATCH = 64
_RARE = 1e-3  # the frequency at which a token counts half
_RIDGE = 0.1  # of the mean variance, added to each: few texts must not be learnt by heart


@dataclass(frozen=True, slots=True)
class Fitted:
    """The table, float32 `[tokens, d]`, and how good it is on texts that it was not fitted to.

    `cosine` is the mean to the model's vectors; `nearest_10` the share of the ten passages nearest
    to each of these texts by the model's vectors that are among the ten by the table's.
    """

    table: NDArray[np.float32]
    fitted_to: int
    cosine: float
    nearest_10: float

    def told(self) -> dict[str, float]:
        """All but the table."""
        return {key: getattr(self, key) for key in ("fitted_to", "cosine", "nearest_10")}


def fit(encoder: Encoder[Runtime], texts: Sequence[str]) -> Fitted:
    """Make the table from texts, none over the limit; every fifth is kept to judge it by."""
    vocabulary = len(json.loads(encoder.tokens.definition)["model"]["vocab"])
    first, last = encoder.tokens.encode("").ids
    alone: list[NDArray[np.float32]] = []
    for start in range(0, vocabulary, _BATCH):
        tokens = range(start, min(start + _BATCH, vocabulary))
        passes = encoder.runtime.forward_batch([[first, token, last] for token in tokens])
        alone += [one.mean(axis=0) for one in passes]
    ids = [encoder.tokens.framed(one.ids) for one in encoder.tokens.tokenise(texts)]
    encoded = encoder.encode_passages(PassageInput(text, ()) for text in texts)
    real = np.stack([one.vector for one in encoded])
    seen = np.bincount(np.concatenate(ids), minlength=vocabulary)
    weights = _RARE / (_RARE + seen / seen.sum())
    vectors = np.stack(alone)
    vectors = (vectors - vectors.mean(axis=0)) * weights[:, None]
    means = np.stack([vectors[one].mean(axis=0) for one in ids])
    judged = np.arange(len(texts)) % 5 == 0
    known, wanted = means[~judged], real[~judged]
    variance = known.T @ known
    variance += np.eye(len(variance)) * _RIDGE * np.trace(variance) / len(variance)
    matrix = np.linalg.solve(variance, known.T @ wanted)
    made = unit(np.asarray(means[judged] @ matrix, np.float32))
    return Fitted(
        np.asarray(vectors @ matrix, np.float32),
        int((~judged).sum()),
        round(float((made * real[judged]).sum(axis=1).mean()), 3),
        round(_same_nearest(made, real[judged]), 3),
    )


def _same_nearest(made: NDArray[np.float32], real: NDArray[np.float32]) -> float:
    """Give the share of each one's ten nearest others that are the same by both."""
    nearest = []
    for vectors in (made, real):
        cosines = vectors @ vectors.T
        np.fill_diagonal(cosines, -1)
        nearest.append(np.argsort(-cosines, axis=1)[:, :10])
    return float(np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(*nearest, strict=True)]))


class StandIn:
    """Gives each token its vector of the table; `cpu_s` counts what that took."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        """Take the table."""
        self._table = table
        self.cpu_s = 0.0

    def forward(self, texts: Iterable[TokenIds]) -> Iterator[NDArray[np.float32]]:
        """Give the vectors `[n, d]` of each text's tokens, in order."""
        for ids in texts:
            started = time.thread_time()
            found = self._table[ids]
            self.cpu_s += time.thread_time() - started
            yield found


def put_in(assistant: Assistant, table: NDArray[np.float32]) -> StandIn:
    """Let an assistant embed passages with the stand-in, and questions with the real model."""
    models = assistant._models  # noqa: SLF001 - what is replaced is the one thing not measured
    real = models.encoder(models.locate())
    runtime = StandIn(table)
    models.loaded = Encoder(real.spec, real.tokens, real.runtime, passages=runtime)
    return runtime
