"""sentence-transformers: the reference that every other runtime must agree with."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from qa.cores import usable_cores
from qa.encoding.encoder import Encoder, EncoderSpec, PassageInput
from qa.encoding.export import ENCODER, ExportError, export, export_table, first_line
from qa.encoding.modules import head_of, needs_code, require_known_modules, unsupported
from qa.encoding.own_graph import least_cosine
from qa.encoding.runtimes import OnnxRuntime
from qa.encoding.static import StaticRuntime
from qa.encoding.tokens import Tokens
from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from qa.encoding.encoder import Runtime, TokenIds
    from qa.encoding.model import ModelFiles

__all__ = ["PROBES", "TorchRuntime", "export_encoder", "load_reference", "loaded_safely"]

_BATCH = 64  # texts a pass, where torch computes on something larger than a processor
_MAX_TOKENS = 8192  # of models that name no limit
# Few words and many, and characters of which a tokenizer may make anything.
PROBES = (
    "Seven ships, laden with grain & salt, left the harbour at 6:30.",
    "Who?",
    "naïve café 日本語 😀 Ünïcödé — it’s 20 °C… [MASK] <s> \\n",
    "A first sentence about whales. A second one about bread, which is longer by some words. " * 3,
)
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
) -> Encoder[Runtime]:
    """Load a model through sentence-transformers (seconds: it imports torch).

    What is set of the model is left to `qa.encoding.loader`.

    Args:
        files: as `qa.encoding.model.locate` gives them.
        device: as torch names it; by default the best there is.
        threads: how many torch computes on; by default as many as this process has cores.

    Raises:
        ModelError: it can't be loaded, needs code of its own, or has modules that are not
            supported.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads or usable_cores())  # the command line starts with one
    require_known_modules(files.name, files.folder)
    model = loaded_safely(SentenceTransformer, files, setting="model", device=device).eval()
    head, pools_prompt = head_of(model, files.name)
    limit = min(model.max_seq_length or _MAX_TOKENS, _MAX_TOKENS)
    head = replace(head, truncate_dim=model.truncate_dim)
    with model.truncate_embeddings(None):
        dimension = int(model.get_embedding_dimension())
    spec = EncoderSpec(
        name=files.name,
        fingerprint=files.content,
        dimension=dimension,
        limit=int(limit),
        pools_prompt=pools_prompt,
    )
    encoder: Encoder[Runtime] = Encoder(
        spec, _tokens(model, files.name), _runtime(model, files.name), head=head
    )
    if device is None:
        _require_equal(encoder, model, files.name)
    return encoder


def _runtime(model: Any, name: str) -> TorchRuntime | StaticRuntime:  # noqa: ANN401 - untyped
    first = model[0]
    if type(first).__name__ == "StaticEmbedding":
        return StaticRuntime(first.embedding.weight.detach().float().cpu().numpy())
    if getattr(first, "module_output_name", "token_embeddings") != "token_embeddings":
        raise unsupported(name, f"has a Transformer that gives {first.module_output_name}")
    return TorchRuntime(first.auto_model.float())


def _tokens(model: Any, name: str) -> Tokens:  # noqa: ANN401 - untyped
    tokenizer = model.tokenizer
    if type(model[0]).__name__ == "StaticEmbedding":  # which adds no special tokens
        return Tokens(json.dumps(json.loads(tokenizer.to_str()) | {"post_processor": None}))
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise unsupported(name, "has no fast tokenizer (tokenizer.json)")
    return Tokens(tokenizer.backend_tokenizer.to_str())


def _require_equal(encoder: Encoder[Runtime], model: Any, name: str) -> None:  # noqa: ANN401
    """Refuse a model of which other vectors are made here than by sentence-transformers.

    Raises:
        ModelError: a module has a setting that is not known here, or is of a later version.
    """
    probes = _probes(encoder)
    expected = model.encode(probes, prompt="", show_progress_bar=False)
    for probe, vector in zip(probes, expected, strict=True):
        own = encoder.encode_question(probe).vector
        if not _cosine(own, np.asarray(vector, np.float32)) >= _MIN_COSINE:
            raise unsupported(name, "has modules that compute other than they are known to")


def _probes(encoder: Encoder[Runtime]) -> list[str]:
    """The probes that a model reads whole: of longer ones, each would be cut in its own way."""
    sizes = encoder.tokens.count(PROBES)
    return [one for one, size in zip(PROBES, sizes, strict=True) if size <= encoder.budget]


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The cosine of two vectors; 1 where both are zero."""
    product = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(one @ other) / product if product else float(np.array_equal(one, other))


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
        if "trust_remote_code" in str(error):
            raise needs_code(files.name, first_line(error), setting=setting) from error
        raise ModelError(
            f"{files.name} can't be loaded as a {model_class.__name__}: {first_line(error)}",
            hint=f"Set `{setting}` (--{setting}) to one that sentence-transformers can load.",
        ) from error


def _lowest_cosine(one: Encoder[Runtime], other: Encoder[Runtime]) -> float:
    """The lowest cosine of what two encoders make of a question, or a passage."""
    probes = _probes(one)
    passages = [PassageInput(probe, ()) for probe in probes]

    def vectors(encoder: Encoder[Runtime]) -> Iterator[NDArray[np.float32]]:
        yield from (found.vector for found in encoder.encode_questions(probes))
        yield from (found.vector for found in encoder.encode_now(passages))

    return min(_cosine(a, b) for a, b in zip(vectors(one), vectors(other), strict=True))


def export_encoder(
    reference: Encoder[Runtime], folder: Path, *, graph: Path | None = None
) -> float:
    """Write a loaded model to `folder`.

    Args:
        reference: as `load_reference` gives it.
        folder: see `qa.encoding.export.folder_of`.
        graph: one that the model comes with, to be used instead of an export of torch's.

    Returns:
        The lowest cosine of its vectors with the reference's, on a few texts.

    Raises:
        ExportError: see `qa.encoding.export.export`.
    """
    least = _MIN_COSINE if graph is None else least_cosine(graph)
    found = 1.0

    def check(exported: Path) -> None:
        nonlocal found
        made = Encoder(reference.spec, reference.tokens, OnnxRuntime(exported), head=reference.head)
        found = _lowest_cosine(reference, made)
        if not found >= least:
            raise ExportError(f"its graph gives other vectors (cosine {found:.5f})")

    if isinstance(reference.runtime, StaticRuntime):
        export_table(cast("Encoder[StaticRuntime]", reference), folder)
        return found
    export(
        cast("TorchRuntime", reference.runtime).transformer,
        folder,
        kind=ENCODER,
        spec=asdict(reference.spec),
        tokenizer=reference.tokens.definition,
        inputs=("input_ids", "attention_mask"),
        output="last_hidden_state",
        check=check,
        head=reference.head,
        graph=graph,
    )
    return found
