"""sentence-transformers' cross-encoders: the reference of rerankers, and how they are exported."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from qa.encoding.export import RERANKER, ExportError, export, first_line
from qa.encoding.reference import loaded_safely
from qa.encoding.reranker import OnnxReranker, RerankerSpec, Template
from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from qa.encoding.model import ModelFiles

__all__ = ["TorchReranker", "export_reranker", "load_torch_reranker"]

# Of different lengths, as an exporter may take one that it sees for the only one; the longest is
# over what models with local attention see at a time.
_LONG = "Seven ships, laden with grain & salt, left the harbour at 6:30 on a grey morning. "
_PROBES = (
    ("Where are the ships?", "At sea."),
    ("When did they leave?", f"Ships > Departures\n{_LONG}"),
    ("What was the cargo of the seven ships that left in the morning?", _LONG * 12),
)
_MAX_OFF = 1e-3  # of a score, on the scale of log odds
_MAX_TOKENS = 8192  # where the model doesn't say, or says more
_HEADS = ("ForSequenceClassification", "ForCausalLM")
_MODULES = {"Transformer", "LogitScore", "Dense", "Pooling", "Normalize", "LayerNorm", "Dropout"}
_HINT = (
    "Set `rerank` (--rerank) to a cross-encoder: one with a single score, such as those of "
    "ms-marco, or with two, one of them called relevant."
)
_RELEVANT = {"relevant", "yes", "true", "positive", "match", "duplicate", "label_1", "1"}
_QUESTION, _PASSAGE = "question-7c1f", "passage-93ab"  # stand for them while a template is filled


class TorchReranker:
    """A cross-encoder run by sentence-transformers, where it can't be exported."""

    def __init__(self, model: Any, files: ModelFiles) -> None:  # noqa: ANN401 - untyped
        """Take a CrossEncoder and the files that it was loaded from.

        Raises:
            ModelError: it gives other than one score or two, of which one is that of relevance.
        """
        self.model = model
        self.name = files.name
        self.fingerprint = files.fingerprint
        self.relevant = _relevant(model, files.name)

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """A score for each passage; what is over the model's limit is not read."""
        import torch

        pairs = [(question, passage) for passage in passages]
        found = self.model.predict(
            pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False, batch_size=1
        )
        if self.relevant is None:
            return [float(score) for score in found]
        return [float(row[self.relevant] - row[1 - self.relevant]) for row in found]


def load_torch_reranker(files: ModelFiles) -> TorchReranker:
    """Load a cross-encoder through sentence-transformers (seconds: it imports torch).

    Raises:
        ModelError: it can't be loaded, is of another kind, or gives other than one score or two.
    """
    _require_head(files)
    from sentence_transformers import CrossEncoder

    model = loaded_safely(CrossEncoder, files, setting="rerank", device="cpu")
    model.float().eval()  # as it was trained in 16 bits, perhaps, which processors compute slowly
    shape = [type(module).__name__ for module in model]
    if not set(shape) <= _MODULES:
        raise ModelError(f"{files.name} is built of {' + '.join(shape)}", hint=_HINT)
    reranker = TorchReranker(model, files)
    question, passage = _PROBES[0]
    try:
        reranker.score(question, [passage])
    except Exception as error:
        raise ModelError(
            f"{files.name} can't score a pair: {first_line(error)}", hint=_HINT
        ) from error
    return reranker


def _require_head(files: ModelFiles) -> None:
    """Refuse what has no weights that score pairs: transformers would draw some at random."""
    kind = _json(files.folder / "config_sentence_transformers.json").get("model_type")
    if kind == "CrossEncoder":
        return
    found = _json(files.folder / "config.json").get("architectures")
    names = [str(one) for one in found] if isinstance(found, list) else []
    if not names:
        reason = "its config.json names no architecture"
        raise ModelError(f"{files.name} can't be loaded as a CrossEncoder: {reason}", hint=_HINT)
    if not any(one.endswith(_HEADS) for one in names):
        raise ModelError(f"{files.name} is a {names[0]}, which scores no pairs", hint=_HINT)


def _json(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _relevant(model: Any, name: str) -> int | None:  # noqa: ANN401 - untyped
    """Which of two outputs is for what is relevant; None where there is one output."""
    count = int(model.num_labels)
    if count == 1:
        return None
    labels = {int(key): str(label) for key, label in (model.config.id2label or {}).items()}
    found = [key for key, label in labels.items() if label.strip().lower() in _RELEVANT]
    if count != 2 or len(found) != 1 or found[0] not in (0, 1):
        listed = ", ".join(labels.get(key, str(key)) for key in range(min(count, 5)))
        raise ModelError(f"{name} gives {count} scores: {listed}", hint=_HINT)
    return found[0]


def export_reranker(reference: TorchReranker, folder: Path) -> None:
    """Write a loaded cross-encoder to `folder`.

    Raises:
        ExportError: see `qa.encoding.export.export`.
    """
    import torch

    model, relevant = reference.model, reference.relevant
    try:
        template = _template(model)
        tokenizer = str(model.tokenizer.backend_tokenizer.to_str())
    except Exception as error:  # a tokenizer in Python, or a template that takes other messages
        raise ExportError(first_line(error)) from error
    known = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [name for name in known if name in model.tokenizer.model_input_names]

    class Scoring(torch.nn.Module):
        """All modules of a cross-encoder as one; gives log odds `[n, 1]`."""

        def __init__(self) -> None:
            super().__init__()
            self.chain = model
            self.config = model.config

        def forward(self, **columns: torch.Tensor) -> SimpleNamespace:
            kind = "text" if template is None else "message"
            found = self.chain({**columns, "modality": kind, "logits_to_keep": 1})["scores"]
            if relevant is not None:
                found = found[:, relevant : relevant + 1] - found[:, 1 - relevant : 2 - relevant]
            return SimpleNamespace(logits=found)

    def check(exported: Path) -> None:
        graph = OnnxReranker(exported)
        for question, passage in _PROBES:
            [expected] = reference.score(question, [passage])
            [found] = graph.score(question, [passage])
            if not abs(found - expected) <= _MAX_OFF * max(1.0, abs(expected)):
                raise ExportError(f"the exported graph gives {found:.4f} for {expected:.4f}")

    spec = RerankerSpec(
        name=reference.name,
        fingerprint=reference.fingerprint,
        limit=min(int(model.max_seq_length or _MAX_TOKENS), _MAX_TOKENS),
        prompt=_prompt(model),
        template=template,
    )
    export(
        Scoring(),
        folder,
        kind=RERANKER,
        spec=spec.to_dict(),
        tokenizer=tokenizer,
        inputs=inputs,
        output="logits",
        check=check,
    )


def _prompt(model: Any) -> str:  # noqa: ANN401 - untyped
    """What a model's own configuration has put before each question, or as its instruction."""
    return str((model.prompts or {}).get(model.default_prompt_name) or "")


def _template(model: Any) -> Template | None:  # noqa: ANN401 - untyped
    """The text around question and passage; None where the tokenizer joins them.

    Raises:
        ExportError: they don't stand in it once each, in this order.
    """
    transformer, tokenizer = model[0], model.tokenizer
    if "message" not in transformer.modality_config:
        return None
    is_flat = transformer.input_formatter.message_format == "flat"
    options = (transformer.processing_kwargs or {}).get("chat_template", {})

    def filled(question: str, passage: str) -> str:
        texts = {"system": _prompt(model), "query": question, "document": passage}
        messages = [
            {"role": role, "content": text if is_flat else [{"type": "text", "text": text}]}
            for role, text in texts.items()
            if text
        ]
        return str(tokenizer.apply_chat_template(messages, tokenize=False, **options))

    def ids(passage: str) -> list[int]:
        text = filled("?", passage)
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    pieces = re.split(f"{_QUESTION}|{_PASSAGE}", whole := filled(_QUESTION, _PASSAGE))
    if len(pieces) != 3 or whole.index(_QUESTION) > whole.index(_PASSAGE):
        raise ExportError("its template has question and passage in other places")
    tail: list[int] = []
    for one, other in zip(reversed(ids("0")), reversed(ids("1 2 3 4")), strict=False):
        if one != other:
            break
        tail.insert(0, one)
    before, between, after = pieces
    return Template(before, between, after, tuple(tail))
