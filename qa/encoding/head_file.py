"""The head of an exported model on disk; where there is none, it is the mean and nothing more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.encoding.head import Head

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from qa.encoding.layers import Layer

__all__ = ["read_head", "write_head"]

_HEAD, _WEIGHTS = "head.json", "head.npz"


def write_head(head: Head, folder: Path) -> None:
    """Write a head into the folder of an export."""
    if head == Head():
        return
    weights: dict[str, NDArray[np.float32]] = {}
    layers = []
    for n, layer in enumerate(head.layers):
        described: dict[str, object] = {"kind": type(layer).__name__}
        for key in layer.__slots__:
            value = getattr(layer, key)
            if isinstance(value, np.ndarray):
                weights[f"{n}.{key}"] = value
            else:
                described[key] = value
        layers.append(described)
    if weights:
        np.savez(folder / _WEIGHTS, allow_pickle=False, **weights)
    text = json.dumps(
        {
            "pooling": head.pooling,
            "layers": layers,
            "truncate_dim": head.truncate_dim,
            "in_context": head.in_context,
        }
    )
    (folder / _HEAD).write_text(text, "utf-8")


def read_head(folder: Path) -> Head:
    """The head of an export.

    Raises:
        OSError, ValueError, TypeError, KeyError: it is damaged.
    """
    try:
        text = (folder / _HEAD).read_text("utf-8")
    except FileNotFoundError:
        return Head()
    found = json.loads(text)
    weights: dict[str, NDArray[np.float32]] = {}
    if (folder / _WEIGHTS).is_file():
        with (
            (folder / _WEIGHTS).open("rb") as stream,  # numpy leaves a damaged file open
            np.load(stream, allow_pickle=False) as stored,
        ):
            weights = dict(stored)
    layers = [_layer(n, dict(one), weights) for n, one in enumerate(found.pop("layers"))]
    return Head(tuple(found.pop("pooling")), tuple(layers), **found)


def _layer(n: int, described: dict[str, Any], weights: dict[str, NDArray[np.float32]]) -> Layer:
    from qa.encoding.layers import Dense, LayerNorm, Normalize

    own = {key.partition(".")[2]: one for key, one in weights.items() if key.startswith(f"{n}.")}
    kinds = {"Dense": Dense, "LayerNorm": LayerNorm, "Normalize": Normalize}
    made: Layer = kinds[described.pop("kind")](**described, **own)
    return made
