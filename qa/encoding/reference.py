"""sentence-transformers: the reference that every other runtime must agree with."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.cores import usable_cores
from qa.encoding.encoder import Encoder, EncoderSpec
from qa.encoding.export import ENCODER, ExportError, export, first_line
from qa.encoding.runtimes import OnnxRuntime
from qa.encoding.tokens import Tokens
from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from qa.encoding.encoder import TokenIds
    from qa.encoding.model import ModelFiles

__all__ = ["TorchRuntime", "export_encoder", "load_reference", "loaded_safely"]

_BATCH = 64  # texts a pass, where torch computes on something larger than a processor
_MAX_TOKENS = 8192  # of models that name no limit
_PROBE = "Seven ships, laden with grain & salt, left the harbour at 6:30."
_MIN_COSINE = 0.99999


class TorchRuntime:
    """The transformer of a SentenceTransformer, run by torch, on its own threads."""

    def __init__(self, transformer: Any) -> None:  # noqa: ANN401 - sentence-transformers is untyped
        self.transformer = transformer

    def forward(self, texts: Iterable[TokenIds]) -> Iterator[NDArray[np.float32]]:
        """The token embeddings `[n, d]` of each text, in order."""
        import torch

        device = next(self.transformer.parameters()).device
        rest = iter(texts)
        while batch := list(islice(rest, 1 if device.type == "cpu" else _BATCH)):
            sizes = [len(ids) for ids in batch]
            rows = torch.zeros((len(batch), max(sizes)), dtype=torch.long)
            mask = torch.zeros_like(rows)
            for n, ids in enumerate(batch):
                rows[n, : sizes[n]] = torch.tensor(list(ids))
                mask[n, : sizes[n]] = 1
            with torch.inference_mode():
                out = self.transformer(input_ids=rows.to(device), attention_mask=mask.to(device))
            found = out.last_hidden_state.float().cpu().numpy()
            for n, size in enumerate(sizes):
                yield np.asarray(found[n, :size], np.float32)

    def forward_batch(self, texts: Sequence[TokenIds]) -> list[NDArray[np.float32]]:
        """The same of a few texts."""
        return list(self.forward(texts))


def load_reference(
    files: ModelFiles, *, device: str | None = None, threads: int | None = None
) -> Encoder[TorchRuntime]:
    """Load a model through sentence-transformers (seconds: it imports torch).

    Args:
        files: as `qa.encoding.model.locate` gives them.
        device: as torch names it; by default the best there is.
        threads: how many torch computes on; by default as many as this process has cores.

    Raises:
        ModelError: it can't be loaded, or isn't a transformer with mean pooling.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads or usable_cores())  # the command line starts with one
    model = loaded_safely(SentenceTransformer, files, setting="model", device=device)
    _require_mean_pooling(model, files.name)
    limit = model.max_seq_length or _MAX_TOKENS
    prompts = {key: prompt or "" for key, prompt in (model.prompts or {}).items()}
    spec = EncoderSpec(
        name=files.name,
        fingerprint=files.fingerprint,
        dimension=int(model[1].embedding_dimension),
        limit=min(int(limit), _MAX_TOKENS),
        question_prompt=prompts.get("query", ""),
        passage_prompt=prompts.get("document", prompts.get("passage", "")),
    )
    tokenizer = model.tokenizer.backend_tokenizer
    return Encoder(spec, Tokens(tokenizer.to_str()), TorchRuntime(model[0].auto_model.eval()))


def loaded_safely(
    model_class: Callable[..., Any], files: ModelFiles, *, setting: str, device: str | None
) -> Any:  # noqa: ANN401 - sentence-transformers is untyped
    """A model of a class of sentence-transformers, from its files alone and without its code.

    Args:
        model_class: the class.
        files: as `qa.encoding.model.locate` gives them.
        setting: which of the settings names it, for what an error says to do.
        device: as torch names it; by default the best there is.

    Raises:
        ModelError: it can't be loaded.
    """
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call] # untyped there
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    try:
        return model_class(
            str(files.folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:
        raise ModelError(
            f"{files.name} can't be loaded as a {model_class.__name__}: {first_line(error)}",
            hint=f"Set `{setting}` (--{setting}) to one that sentence-transformers can load.",
        ) from error


def export_encoder(reference: Encoder[TorchRuntime], folder: Path) -> None:
    """Write a loaded model to `folder`.

    Raises:
        ExportError: see `qa.encoding.export.export`.
    """

    def check(exported: Path) -> None:
        vector = reference.encode_question(_PROBE).vector
        ids = reference.tokens.encode(reference.spec.question_prompt + _PROBE).ids
        pooled = next(OnnxRuntime(exported).forward([ids])).mean(axis=0)
        cosine = float(vector @ pooled / np.linalg.norm(pooled))
        if not cosine >= _MIN_COSINE:
            raise ExportError(f"the exported graph gives other vectors (cosine {cosine:.5f})")

    export(
        reference.runtime.transformer,
        folder,
        kind=ENCODER,
        spec=asdict(reference.spec),
        tokenizer=reference.tokens.definition,
        inputs=("input_ids", "attention_mask"),
        output="last_hidden_state",
        check=check,
    )


def _require_mean_pooling(model: Any, name: str) -> None:  # noqa: ANN401 - untyped
    shape = [type(module).__name__ for module in model]
    pooled = getattr(model[1], "pooling_mode", None) if len(shape) > 1 else None
    plain = shape[:1] == ["Transformer"] and set(shape[2:]) <= {"Normalize"}
    fast = hasattr(getattr(model, "tokenizer", None), "backend_tokenizer")
    if not (plain and pooled in {"mean", ("mean",)} and fast):
        raise ModelError(
            f"{name} is built of {' + '.join(shape) or 'nothing'} (pooling: {pooled})",
            hint="Only models with mean pooling and a fast tokenizer are supported: their "
            "sentence vectors come from the same forward pass.",
        )
