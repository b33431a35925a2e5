"""Exporting a model of either kind: its graph, written once, so that torch is not needed again.

An export is a folder in the cache, named by the fingerprint of the model's files: the graph, the
tokenizer, and a file that says what they are.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.encoding.encoder import Encoder, EncoderSpec
from qa.encoding.head import Head
from qa.encoding.head_file import read_head, write_head
from qa.encoding.runtimes import (
    FastestRuntime,
    OnnxRuntime,
    optimise_graph,
    write_passage_graph,
)
from qa.encoding.static import TABLE, StaticRuntime
from qa.encoding.tokens import Tokens
from qa.unfinished import dropped_if_stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from qa.encoding.encoder import Runtime

__all__ = [
    "ENCODER",
    "RERANKER",
    "TOKENIZER",
    "ExportError",
    "appearing",
    "export",
    "export_table",
    "first_line",
    "folder_of",
    "load_exported",
    "question_runtime",
    "read_spec",
    "write_graph",
]

# The files that say what an export is: written last, so that what has one is whole.
ENCODER, RERANKER = "encoder.json", "reranker.json"
TOKENIZER = "tokenizer.json"
_PLACES = {ENCODER: ("encoders", 2), RERANKER: ("rerankers", 1)}  # folder in the cache, version


class ExportError(Exception):
    """The model can't be exported, or not there."""


def first_line(error: Exception) -> str:
    """What an error of another library says, as far as one line goes."""
    return next(iter(str(error).strip().splitlines()), "no reason was given")


def folder_of(cache: Path, fingerprint: str, kind: str = ENCODER) -> Path:
    """The place in `cache` of the export of the model with this fingerprint."""
    name, version = _PLACES[kind]
    return cache / name / f"{fingerprint[:32]}-{version}"


def read_spec(folder: Path) -> EncoderSpec | None:
    """What encoder an export is; None where there is none that is whole."""
    try:
        return EncoderSpec(**json.loads((folder / ENCODER).read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def export_table(encoder: Encoder[StaticRuntime], folder: Path) -> None:
    """Write a model that is a table of token embeddings to `folder`.

    Raises:
        ExportError: the folder can't be written.
    """
    with appearing(folder, ENCODER) as beside:
        np.save(beside / TABLE, encoder.runtime.table, allow_pickle=False)
        write_head(encoder.head, beside)
        (beside / TOKENIZER).write_text(encoder.tokens.definition, "utf-8")
        (beside / ENCODER).write_text(json.dumps(asdict(encoder.spec)), "utf-8")


def question_runtime(folder: Path, *, weights: Path | None = None) -> Runtime:
    """What runs the graphs, or looks up the table, of a folder for questions.

    Raises:
        Exception: they are damaged, as their library says it.
    """
    if (folder / TABLE).is_file():
        return StaticRuntime.of(folder)
    return OnnxRuntime(folder, weights=weights)


def load_exported(folder: Path, *, workers: int | None = None) -> Encoder[Runtime] | None:
    """The encoder of an export; None where there is none that is whole.

    `workers` is how many cores embed passages; by default all that this process may use.
    """
    spec = read_spec(folder)
    if spec is None:
        return None
    try:
        tokens = Tokens((folder / TOKENIZER).read_text("utf-8"))
        questions = question_runtime(folder)
        fast = (
            None
            if isinstance(questions, StaticRuntime)
            else FastestRuntime(folder, workers=workers)
        )
        return Encoder(spec, tokens, questions, passages=fast, head=read_head(folder))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it can be made again
        shutil.rmtree(folder, ignore_errors=True)
        return None


def export(
    model: Any,  # noqa: ANN401 - transformers' base class
    folder: Path,
    *,
    kind: str,
    spec: Mapping[str, object],
    tokenizer: str,
    inputs: Sequence[str],
    output: str,
    check: Callable[[Path], None],
    head: Head | None = None,
    graph: Path | None = None,
) -> None:
    """Write a model to `folder`, which appears whole or not at all.

    Args:
        model: a transformer, loaded by torch.
        folder: see `folder_of`.
        kind: `ENCODER` or `RERANKER`.
        spec: what the export is, to be read back.
        tokenizer: the text of its `tokenizer.json`.
        inputs: see `write_graph`.
        output: see `write_graph`.
        check: compares the graph in a folder with the model; raises ExportError.
        head: what makes vectors of its token embeddings, where that is not their mean alone.
        graph: one that the model comes with, to be taken instead of an export of torch's.

    Raises:
        ExportError: torch can't export the model, the folder can't be written, or the exported
            graph gives other numbers.
    """
    with appearing(folder, kind) as beside:
        if graph is not None:
            optimise_graph(graph, beside)
        else:
            raw = beside / "raw" / "graph.onnx"  # torch puts more than 2 GB in files beside it
            raw.parent.mkdir()
            write_graph(model, raw, inputs=inputs, output=output)
            optimise_graph(raw, beside)
            if kind == ENCODER:
                write_passage_graph(raw, beside)
            shutil.rmtree(raw.parent)
        write_head(head or Head(), beside)
        (beside / TOKENIZER).write_text(tokenizer, "utf-8")
        (beside / kind).write_text(json.dumps(spec), "utf-8")
        check(beside)


@contextmanager
def appearing(folder: Path, last: str) -> Iterator[Path]:
    """An empty folder that becomes `folder` once all is done; `last` tells that one is whole."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        # It was made for this account alone, but a cache may be shared.
        beside.chmod(folder.parent.stat().st_mode & 0o777)
    except OSError as error:
        raise ExportError(f"{folder.parent} can't be written ({error.strerror})") from error
    try:
        with dropped_if_stopped(lambda: shutil.rmtree(beside, ignore_errors=True)):
            yield beside
        beside.replace(folder)
    except Exception as error:
        if not (folder / last).is_file():  # else another process was first
            raise ExportError(first_line(error)) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _both_ways(config: Any, mask: Any) -> dict[str, Any]:  # noqa: ANN401 - untyped
    """The masks of a Gemma that reads in both directions, for a mask `[texts, tokens]` of padding.

    It would make the same by `torch.vmap`, which can't be exported.
    """
    import torch

    real = mask[:, None, None, :].bool().expand(-1, -1, mask.shape[1], -1)
    at = torch.arange(mask.shape[1], device=mask.device)
    near = (at[:, None] - at[None, :]).abs() < config.sliding_window
    return {"full_attention": real, "sliding_attention": real & near}


def write_graph(
    model: Any,  # noqa: ANN401 - transformers' base class
    path: Path,
    *,
    inputs: Sequence[str],
    output: str,
) -> None:
    """Write the graph of a transformer as ONNX.

    Args:
        model: the transformer.
        path: of the file.
        inputs: some of `input_ids`, `attention_mask` and `token_type_ids`, `[texts, tokens]` each.
        output: which of its outputs the graph gives: `last_hidden_state` (token embeddings) or
            `logits` (a score for each text).
    """
    import torch

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *columns: torch.Tensor) -> Any:  # noqa: ANN401 - as above
            given: dict[str, Any] = dict(zip(inputs, columns, strict=True))
            if getattr(model.config, "use_bidirectional_attention", False):
                given["attention_mask"] = _both_ways(model.config, given["attention_mask"])
            return getattr(self.model(**given), output)

    ids = torch.tensor([[1, 2, 3, 4]]) % int(model.config.get_text_config().vocab_size)
    columns = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    columns["token_type_ids"] = torch.zeros_like(ids)
    device = next(model.parameters()).device
    axes = {name: {0: "batch", 1: "tokens"} for name in inputs}
    if output == "last_hidden_state":
        axes[output] = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Graph().eval(),
            tuple(columns[name].to(device) for name in inputs),
            str(path),
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
