"""The fast path: the graph of a model, exported once, run by ONNX Runtime without torch."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.encoding.encoder import Encoder, EncoderSpec
from qa.encoding.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qa.encoding.reference import TorchRuntime

    Reference = Encoder[TorchRuntime]

__all__ = ["OnnxRuntime", "export", "load_exported"]

EXPORT_VERSION = 1
_GRAPH, _TOKENIZER, _SPEC = "graph.onnx", "tokenizer.json", "encoder.json"


class OnnxRuntime:
    """An exported graph, run by ONNX Runtime; each forward pass on one thread of its own."""

    def __init__(self, graph: Path, *, workers: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # One thread a pass, many passes at once: threads that wait for each other inside a pass
        # spin, and cost more CPU than they bring (docs/decisions.md).
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.workers = workers
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )

    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Give the token embeddings `[n, d]` of one text."""
        row = np.array([ids], np.int64)
        feed = {"input_ids": row, "attention_mask": np.ones_like(row)}
        embeddings: NDArray[np.float32] = self._session.run(None, feed)[0][0]
        return embeddings


def folder_of(cache: Path, fingerprint: str) -> Path:
    """Say where in `cache` the export of the model with this fingerprint belongs."""
    return cache / "encoders" / f"{fingerprint[:32]}-{EXPORT_VERSION}"


def load_exported(folder: Path, *, workers: int) -> Encoder[OnnxRuntime] | None:
    """Load an export, or give None where there is none that is whole."""
    try:
        spec = EncoderSpec(**json.loads((folder / _SPEC).read_text("utf-8")))
        tokens = Tokens((folder / _TOKENIZER).read_text("utf-8"))
        return Encoder(spec, tokens, OnnxRuntime(folder / _GRAPH, workers=workers))
    except FileNotFoundError:
        return None
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it can be made again
        shutil.rmtree(folder, ignore_errors=True)
        return None


def export(reference: Reference, folder: Path) -> bool:
    """Write the graph of a loaded model to `folder`; the folder appears whole or not at all.

    Returns:
        Whether it was written: a cache that can't be written, or a model that torch can't
        export, is no error; the reference goes on working.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    except OSError:
        return False
    try:
        _write_graph(reference.runtime.transformer, beside / _GRAPH)
        (beside / _TOKENIZER).write_text(reference.tokens.definition, "utf-8")
        (beside / _SPEC).write_text(json.dumps(asdict(reference.spec)), "utf-8")
        beside.replace(folder)
    except Exception:  # noqa: BLE001 - torch raises all kinds for what it can't export
        return folder.is_dir()  # another process may have been first
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return True


def _write_graph(transformer: Any, path: Path) -> None:  # noqa: ANN401 - transformers' base class
    import torch

    class TokenEmbeddings(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:  # noqa: ANN401
            out = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
            return out.last_hidden_state

    ids = torch.tensor([[101, 7592, 102]]) % transformer.config.vocab_size
    axes = {0: "batch", 1: "tokens"}
    names = ["input_ids", "attention_mask", "token_embeddings"]
    with warnings.catch_warnings(), suppress(AttributeError):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            TokenEmbeddings().eval(),
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=names[:2],
            output_names=names[2:],
            dynamic_axes=dict.fromkeys(names, axes),
            opset_version=17,
            dynamo=False,
        )
