"""Vectors on a plane: by principal components, or by UMAP where that is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import numpy as np

from qa.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Layout", "on_plane", "principal_axes"]

Layout = Literal["auto", "pca", "umap"]
_LEAST_FOR_UMAP = 16  # passages; its neighbourhoods have fifteen


def on_plane(
    vectors: NDArray[np.float32], others: NDArray[np.float32], layout: Layout = "auto"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place vectors so that near ones are near as far as two dimensions allow.

    Args:
        vectors: of unit length, `[n, d]`; what the plane is laid through.
        others: `[m, d]`, placed on the same plane without moving it.
        layout: "pca" is exact and global; "umap" keeps neighbourhoods; "auto" takes UMAP where it
            is installed and there are enough vectors.

    Returns:
        The places `[n, 2]` and `[m, 2]`, in no particular unit.

    Raises:
        MissingExtraError: UMAP is asked for and not installed.
    """
    has_umap = find_spec("umap") is not None
    if layout == "umap" and not has_umap:
        raise MissingExtraError("`--layout umap`", "umap")
    if layout == "umap" or (layout == "auto" and has_umap and len(vectors) >= _LEAST_FOR_UMAP):
        from umap import UMAP

        mapper = UMAP(metric="cosine", random_state=0).fit(vectors)
        placed = mapper.transform(others) if len(others) else np.empty((0, 2))
        return np.asarray(mapper.embedding_, np.float64), np.asarray(placed, np.float64)
    centre, axes = principal_axes(vectors)
    return (vectors - centre) @ axes.T, (others - centre) @ axes.T


def principal_axes(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean `[d]` and the two directions `[2, d]` in which vectors differ most.

    Of each direction the largest entry is positive, so that the same vectors give the same plane.
    """
    centre = vectors.mean(axis=0, dtype=np.float64)
    _, _, found = np.linalg.svd(vectors - centre, full_matrices=False)
    axes = np.zeros((2, vectors.shape[1]))
    axes[: len(found[:2])] = found[:2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1)
    return centre, axes * np.where(largest < 0, -1, 1)
