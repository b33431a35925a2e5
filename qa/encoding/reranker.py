"""A cross-encoder that reads question and passage together: exported once, run like the encoder."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from qa.encoding.export import ExportError, first_line, make_beside
from qa.encoding.runtimes import open_graph, optimise_graph
from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qa.encoding.model import ModelFiles

__all__ = ["Reranker", "load_reranker"]

EXPORT_VERSION = 1
_TOKENIZER, _SPEC = "tokenizer.json", "reranker.json"
_PROBE = ("Where are the ships?", "Seven ships, laden with grain & salt, left the harbour at 6:30.")
_MOST_OFF = 1e-3
_LONGEST = 512  # tokens, where the model doesn't say


class Reranker(Protocol):
    """Scores passages for a question: higher is better, on the model's own scale."""

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Give a score for each passage; what is over the model's limit is not read."""


def load_reranker(
    files: ModelFiles, *, cache: Path, tell: Callable[[str], None] = lambda _: None
) -> Reranker:
    """Load a cross-encoder with one output; the first time it is exported into `cache`.

    Raises:
        ModelError: it can't be loaded, or is of another kind.
    """
    folder = cache / "rerankers" / f"{files.fingerprint[:32]}-{EXPORT_VERSION}"
    if not (folder / _SPEC).is_file():
        tell(f"Preparing {files.name}: once per model, some seconds …")
        model = _load_torch(files)
        try:
            _export(model, folder)
        except ExportError as error:
            tell(f"{files.name} could not be exported, so it works slowly: {error}")
            return TorchReranker(model)
    return OnnxReranker(folder)


class OnnxReranker:
    """An exported cross-encoder, run by ONNX Runtime on one thread."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        spec = json.loads((folder / _SPEC).read_text("utf-8"))
        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokenizer.enable_truncation(int(spec["limit"]), strategy="only_second")
        self._tokenizer.no_padding()
        self._inputs = list(spec["inputs"])
        self._session = open_graph(folder)

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Give a score for each passage; what is over the model's limit is not read."""
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
        self._model = model

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Give a score for each passage; what is over the model's limit is not read."""
        import torch

        pairs = [(question, passage) for passage in passages]
        found = self._model.predict(
            pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False
        )
        return [float(one) for one in found]


def _load_torch(files: ModelFiles) -> Any:  # noqa: ANN401 - sentence-transformers is untyped
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call] # untyped there
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    try:
        model: Any = CrossEncoder(
            str(files.folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:
        raise ModelError(
            f"{files.name} can't be loaded as a cross-encoder: {first_line(error)}",
            hint="Set `rerank` (--rerank) to a model that sentence-transformers can load as one.",
        ) from error
    if model.model.config.num_labels != 1:
        raise ModelError(
            f"{files.name} gives {model.model.config.num_labels} scores, where one is needed",
            hint="Set `rerank` (--rerank) to a cross-encoder with a single score, such as the "
            "ms-marco ones.",
        )
    return model


def _export(model: Any, folder: Path) -> None:  # noqa: ANN401 - sentence-transformers is untyped
    beside = make_beside(folder)
    try:
        known = ("input_ids", "attention_mask", "token_type_ids")
        inputs = [one for one in known if one in model.tokenizer.model_input_names]
        _write_graph(model.model.eval(), beside / "raw.onnx", inputs)
        optimise_graph(beside / "raw.onnx", beside)
        (beside / "raw.onnx").unlink()
        (beside / _TOKENIZER).write_text(model.tokenizer.backend_tokenizer.to_str(), "utf-8")
        limit = min(int(model.max_length or _LONGEST), _LONGEST)
        (beside / _SPEC).write_text(json.dumps({"limit": limit, "inputs": inputs}), "utf-8")
        [expected] = TorchReranker(model).score(_PROBE[0], _PROBE[1:])
        [found] = OnnxReranker(beside).score(_PROBE[0], _PROBE[1:])
        if not abs(found - expected) <= _MOST_OFF:
            raise ExportError(f"the exported graph gives {found:.4f} for {expected:.4f}")
        beside.replace(folder)
    except Exception as error:
        if not (folder / _SPEC).is_file():  # else another process was first
            raise ExportError(first_line(error)) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_graph(model: Any, path: Path, inputs: list[str]) -> None:  # noqa: ANN401 - untyped
    import torch

    class Scores(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *columns: torch.Tensor) -> Any:  # noqa: ANN401 - as above
            return self.model(**dict(zip(inputs, columns, strict=True))).logits

    ids = torch.tensor([[1, 2, 3, 4]]) % int(model.config.vocab_size)
    columns = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    columns["token_type_ids"] = torch.zeros_like(ids)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Scores().eval(),
            tuple(columns[name] for name in inputs),
            str(path),
            input_names=inputs,
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in inputs},
            opset_version=17,
            dynamo=False,
        )
