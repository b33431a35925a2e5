"""A cross-encoder that reads question and passage together: exported once, run like the encoder."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from qa.encoding.export import RERANKER, TOKENIZER, ExportError, export
from qa.encoding.reference import loaded_safely
from qa.encoding.runtimes import open_graph
from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qa.encoding.model import ModelFiles

__all__ = [
    "OnnxReranker",
    "Reranker",
    "TorchReranker",
    "export_reranker",
    "load_exported_reranker",
    "load_torch_reranker",
]

_PROBE = ("Where are the ships?", "Seven ships, laden with grain & salt, left the harbour at 6:30.")
_MAX_OFF = 1e-3
_MAX_TOKENS = 512  # where the model doesn't say


class Reranker(Protocol):
    """Scores passages for a question: higher is better, on the model's own scale."""

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """A score for each passage; what is over the model's limit is not read."""


class OnnxReranker:
    """An exported cross-encoder, run by ONNX Runtime on one thread."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        spec = json.loads((folder / RERANKER).read_text("utf-8"))
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.enable_truncation(int(spec["limit"]), strategy="only_second")
        self._tokenizer.no_padding()
        self._inputs = list(spec["inputs"])
        self._session = open_graph(folder)

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """A score for each passage; what is over the model's limit is not read."""
        return [self._one(question, passage) for passage in passages]

    def _one(self, question: str, passage: str) -> float:
        encoding = self._tokenizer.encode(question, passage)
        columns = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feed = {name: np.array([columns[name]], np.int64) for name in self._inputs}
        return float(self._session.run(None, feed)[0][0, 0])


class TorchReranker:
    """A cross-encoder run by sentence-transformers, where it can't be exported."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - sentence-transformers is untyped
        self.model = model

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """A score for each passage; what is over the model's limit is not read."""
        import torch

        pairs = [(question, passage) for passage in passages]
        found = self.model.predict(
            pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False
        )
        return [float(score) for score in found]


def load_exported_reranker(folder: Path) -> OnnxReranker | None:
    """The cross-encoder of an export; None where there is none that is whole."""
    if not (folder / RERANKER).is_file():
        return None
    try:
        return OnnxReranker(folder)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it can be made again
        shutil.rmtree(folder, ignore_errors=True)
        return None


def load_torch_reranker(files: ModelFiles) -> TorchReranker:
    """Load a cross-encoder through sentence-transformers (seconds: it imports torch).

    Raises:
        ModelError: it can't be loaded, or gives more than one score.
    """
    from sentence_transformers import CrossEncoder

    model = loaded_safely(CrossEncoder, files, setting="rerank", device="cpu")
    if model.model.config.num_labels != 1:
        raise ModelError(
            f"{files.name} gives {model.model.config.num_labels} scores, where one is needed",
            hint="Set `rerank` (--rerank) to a cross-encoder with a single score, such as the "
            "ms-marco ones.",
        )
    return TorchReranker(model)


def export_reranker(reference: TorchReranker, folder: Path) -> None:
    """Write a loaded cross-encoder to `folder`.

    Raises:
        ExportError: see `qa.encoding.export.export`.
    """
    model = reference.model
    known = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [name for name in known if name in model.tokenizer.model_input_names]

    def check(exported: Path) -> None:
        [expected] = reference.score(_PROBE[0], _PROBE[1:])
        [found] = OnnxReranker(exported).score(_PROBE[0], _PROBE[1:])
        if not abs(found - expected) <= _MAX_OFF:
            raise ExportError(f"the exported graph gives {found:.4f} for {expected:.4f}")

    renamed = hasattr(model, "max_seq_length")
    limit = model.max_seq_length if renamed else model.max_length
    export(
        model.model.eval(),
        folder,
        kind=RERANKER,
        spec={"limit": min(int(limit or _MAX_TOKENS), _MAX_TOKENS), "inputs": inputs},
        tokenizer=model.tokenizer.backend_tokenizer.to_str(),
        inputs=inputs,
        output="logits",
        check=check,
    )
