"""Exporting a model: its graph, written once, so that torch is not needed again."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.encoding.encoder import Encoder, EncoderSpec
from qa.encoding.runtimes import (
    GRAPH,
    FastestRuntime,
    OnnxRuntime,
    optimise_graph,
    write_passage_graph,
)
from qa.encoding.tokens import Tokens

if TYPE_CHECKING:
    from qa.encoding.encoder import Runtime
    from qa.encoding.reference import TorchRuntime

__all__ = [
    "ExportError",
    "export",
    "first_line",
    "folder_of",
    "load_exported",
    "make_beside",
    "read_spec",
    "write_graph",
]

EXPORT_VERSION = 2
_TOKENIZER, _SPEC = "tokenizer.json", "encoder.json"
_PROBE = "Seven ships, laden with grain & salt, left the harbour at 6:30."
_LEAST_COSINE = 0.99999


class ExportError(Exception):
    """The model can't be exported, or not there."""


def first_line(error: Exception) -> str:
    """Give what an error of another library says, as far as one line goes."""
    return next(iter(str(error).strip().splitlines()), "no reason was given")


def folder_of(cache: Path, fingerprint: str) -> Path:
    """Say where in `cache` the export of the model with this fingerprint belongs."""
    return cache / "encoders" / f"{fingerprint[:32]}-{EXPORT_VERSION}"


def read_spec(folder: Path) -> EncoderSpec | None:
    """Read what encoder an export is; None where there is none that is whole."""
    try:
        return EncoderSpec(**json.loads((folder / _SPEC).read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def load_exported(folder: Path, *, workers: int) -> Encoder[Runtime] | None:
    """Load an export, or give None where there is none that is whole."""
    spec = read_spec(folder)
    if spec is None:
        return None
    try:
        tokens = Tokens((folder / _TOKENIZER).read_text("utf-8"))
        questions = OnnxRuntime(folder)
        return Encoder(spec, tokens, questions, passages=FastestRuntime(folder, workers=workers))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it can be made again
        shutil.rmtree(folder, ignore_errors=True)
        return None


def export(reference: Encoder[TorchRuntime], folder: Path) -> None:
    """Write the graph of a loaded model to `folder`, which appears whole or not at all.

    Raises:
        ExportError: torch can't export the model, the folder can't be written, or the exported
            graph gives other vectors.
    """
    beside = make_beside(folder)
    try:
        raw = beside / "raw.onnx"
        write_graph(reference.runtime.transformer, raw)
        optimise_graph(raw, beside)
        write_passage_graph(raw, beside)
        raw.unlink()
        (beside / _TOKENIZER).write_text(reference.tokens.definition, "utf-8")
        (beside / _SPEC).write_text(json.dumps(asdict(reference.spec)), "utf-8")
        _check(reference, beside)
        beside.replace(folder)
    except Exception as error:
        if not (folder / GRAPH).is_file():  # else another process was first
            raise ExportError(first_line(error)) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def make_beside(folder: Path) -> Path:
    """Make an empty folder beside one, to be renamed to it once it is whole.

    Raises:
        ExportError: it can't be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        # It was made for this account alone, but a cache may be shared.
        beside.chmod(folder.parent.stat().st_mode & 0o777)
    except OSError as error:
        raise ExportError(f"{folder.parent} can't be written ({error.strerror})") from error
    return beside


def _check(reference: Encoder[TorchRuntime], folder: Path) -> None:
    vector = reference.encode_question(_PROBE).vector
    ids = reference.tokens.encode(reference.spec.question_prompt + _PROBE).ids
    pooled = next(OnnxRuntime(folder).forward([ids])).mean(axis=0)
    cosine = float(vector @ pooled / np.linalg.norm(pooled))
    if not cosine >= _LEAST_COSINE:
        raise ExportError(f"the exported graph gives other vectors (cosine {cosine:.5f})")


def write_graph(transformer: Any, path: Path) -> None:  # noqa: ANN401 - transformers' base class
    """Write the graph of a transformer, from token ids to token embeddings, as ONNX."""
    import torch

    class TokenEmbeddings(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:  # noqa: ANN401 - as above
            out = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
            return out.last_hidden_state

    ids = torch.tensor([[1, 2, 3, 4]]) % int(transformer.config.vocab_size)
    axes = {0: "batch", 1: "tokens"}
    names = ["input_ids", "attention_mask", "token_embeddings"]
    device = next(transformer.parameters()).device
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            TokenEmbeddings().eval(),
            (ids.to(device), torch.ones_like(ids).to(device)),
            str(path),
            input_names=names[:2],
            output_names=names[2:],
            dynamic_axes=dict.fromkeys(names, axes),
            opset_version=17,
            dynamo=False,
        )
