"""The modules of a SentenceTransformer: which can be used, and what they are made into."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.encoding.head import POOLINGS, Head
from qa.encoding.layers import ACTIVATIONS, Dense, LayerNorm, Normalize
from qa.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from qa.encoding.layers import Layer

__all__ = ["head_of", "needs_code", "require_known_modules", "unsupported"]

_FIRST = ("Transformer", "StaticEmbedding")
_LATER = ("Pooling", "Dense", "LayerNorm", "Normalize", "Dropout")
_THEIRS = "sentence_transformers."
_MEANS = {"mean", "mean_sqrt_len_tokens", "weightedmean"}
_VECTOR = "sentence_embedding"


def unsupported(name: str, why: str) -> ModelError:
    """Say of a model what of it can't be used, and what can."""
    return ModelError(
        f"{name} {why}",
        hint="A model is a Transformer with Pooling "
        f"({', '.join(POOLINGS)}), or a StaticEmbedding; Dense, LayerNorm and Normalize may "
        "follow. See docs/models.md.",
    )


def require_known_modules(name: str, folder: Path) -> None:
    """Refuse a model whose modules.json names what can't be used, before anything is loaded.

    Raises:
        ModelError: a module is of another package, so that its code would have to be run, or of
            a kind that is not supported.
    """
    modules: object = []
    with suppress(OSError, ValueError, RecursionError):  # sentence-transformers says it better
        modules = json.loads((folder / "modules.json").read_text("utf-8"))
    if not isinstance(modules, list):
        return
    for at, one in enumerate(modules):
        path = one.get("type") if isinstance(one, dict) else None
        if not isinstance(path, str):
            continue
        kind = path.rpartition(".")[2]
        if not path.startswith(_THEIRS):
            raise needs_code(name, f"its module {path}")
        if kind not in (_LATER if at else _FIRST):
            raise unsupported(name, f"has the module {kind}{'' if at else ' first'}")


def needs_code(name: str, what: str, *, setting: str = "model") -> ModelError:
    """Say of a model that it comes with code of its own, which is never run."""
    return ModelError(
        f"{name} needs code of its own to be run (trust_remote_code): {what}",
        hint="That is never done here, for a model may come from anybody. Set "
        f"`{setting}` (--{setting}) to one whose architecture is part of transformers; "
        "docs/models.md names some.",
    )


def head_of(model: Any, name: str) -> tuple[Head, bool]:  # noqa: ANN401 - untyped
    """What the modules of a SentenceTransformer after its first make of token embeddings.

    Returns:
        The head, and whether a prompt's tokens are pooled too.

    Raises:
        ModelError: they are not supported.
    """
    modules = list(model)
    kinds = [type(module).__name__ for module in modules]
    if kinds[:1] == ["StaticEmbedding"]:
        pooling, includes_prompt, rest = ("mean",), True, modules[1:]
    elif kinds[:2] == ["Transformer", "Pooling"]:
        mode = modules[1].pooling_mode
        pooling = (mode,) if isinstance(mode, str) else tuple(mode)
        if unknown := [one for one in pooling if one not in POOLINGS]:
            raise unsupported(name, f"pools by {unknown[0]}")
        includes_prompt, rest = bool(modules[1].include_prompt), modules[2:]
    else:
        raise unsupported(name, f"is built of {' + '.join(kinds) or 'nothing'}")
    layers = [_layer(module, name) for module in rest if type(module).__name__ != "Dropout"]
    while layers and isinstance(layers[-1], Normalize):  # all vectors are, in the end
        layers.pop()
    # Of tokens that were pooled otherwise, some say little of a sentence amid others.
    in_context = set(pooling) <= _MEANS
    return Head(pooling, tuple(layers), in_context=in_context), includes_prompt


def _layer(module: Any, name: str) -> Layer:  # noqa: ANN401 - untyped
    kind = type(module).__name__
    reads = getattr(module, "module_input_name", _VECTOR)
    if reads != _VECTOR or getattr(module, "module_output_name", _VECTOR) != _VECTOR:
        raise unsupported(name, f"has a {kind} that reads {reads}")
    if kind == "Normalize":
        return Normalize()
    if kind == "LayerNorm":
        return LayerNorm(_array(module.norm.weight), _array(module.norm.bias), module.norm.eps)
    if kind == "Dense":
        activation = type(module.activation_function).__name__
        is_exact = getattr(module.activation_function, "approximate", "none") == "none"
        if activation not in ACTIVATIONS or not is_exact:
            raise unsupported(name, f"has a Dense layer with the activation {activation}")
        bias = None if module.linear.bias is None else _array(module.linear.bias)
        return Dense(_array(module.linear.weight), bias, activation, _residual(module))
    raise unsupported(name, f"has the module {kind} after its pooling")


def _residual(module: Any) -> NDArray[np.float32] | None:  # noqa: ANN401 - untyped
    if not module.use_residual:
        return None
    if module.in_features == module.out_features:
        return np.eye(module.in_features, dtype=np.float32)
    return _array(module.residual.weight)


def _array(parameter: Any) -> NDArray[np.float32]:  # noqa: ANN401 - untyped
    return np.ascontiguousarray(parameter.detach().float().cpu().numpy(), np.float32)
