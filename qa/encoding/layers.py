"""Layers that models have on what was pooled; most have none, so questions don't import this."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qa.encoding.pooling import unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["ACTIVATIONS", "Dense", "Layer", "LayerNorm", "Normalize"]


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)


def _gelu(values: NDArray[np.float32]) -> NDArray[np.float32]:
    erf = np.vectorize(math.erf, otypes=[np.float32])
    return np.asarray(values * (1 + erf(values / math.sqrt(2))) / 2, np.float32)


# By their names in torch.nn.
ACTIVATIONS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "Identity": lambda values: values,
    "Tanh": np.tanh,
    "ReLU": lambda values: np.maximum(values, 0),
    "Sigmoid": _sigmoid,
    "GELU": _gelu,
}


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A linear map `[out, in]`, an activation, and what is added of the input to the result."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None = None
    activation: str = "Identity"
    residual: NDArray[np.float32] | None = None

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map `[m, in]` to `[m, out]`."""
        linear = vectors @ self.weight.T
        if self.bias is not None:
            linear += self.bias
        found = ACTIVATIONS[self.activation](linear)
        return found if self.residual is None else found + vectors @ self.residual.T


@dataclass(frozen=True, slots=True, eq=False)
class LayerNorm:
    """Each vector less its mean, by its deviation; then scaled and shifted by dimension."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    epsilon: float = 1e-5

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map `[m, d]` to `[m, d]`."""
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return np.asarray(centred / deviation * self.weight + self.bias, np.float32)


@dataclass(frozen=True, slots=True)
class Normalize:
    """Each vector to unit length."""

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map `[m, d]` to `[m, d]`."""
        return unit(vectors)


Layer = Dense | LayerNorm | Normalize
