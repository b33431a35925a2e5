"""Models of many kinds with a few thousand random weights, saved as their makers save real ones.

No other weights than the default model's can be had without a network; but what is read from a
model's files, and computed with them, is the same for few weights as for many.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["KINDS", "save"]

SIZE = 32  # dimensions of a token's embedding
VOCABULARY = 600
QUERY, PASSAGE = "search query: ", "search passage: "
_TEXTS = [
    "Will Russia send food or medicine? Neil Armstrong set foot on the Moon in July 1969.",
    "Sourdough bread rises through wild yeast. Blue whales eat krill and sing over distances.",
    "search_query: search_document: query: passage: title: none | text: Instruct: given a question",
    "naïve café 日本語 über straße; seven ships, laden with grain & salt, left at 6:30.",
]


@cache
def _tokenizer(kind: str) -> tuple[str, dict[str, str]]:
    """Give the definition of a tokenizer and its special tokens, of the kind a family has."""
    if kind == "wordpiece":  # BERT
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
        names |= {"sep_token": "[SEP]", "mask_token": "[MASK]"}
        made = Tokenizer(models.WordPiece(unk_token=names["unk_token"]))
        made.normalizer = normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(
            vocab_size=VOCABULARY, special_tokens=list(names.values()), show_progress=False
        )
        frame = "[CLS] $A [SEP]"
    elif kind == "unigram":  # XLM-RoBERTa, T5
        names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>"}
        names |= {"unk_token": "<unk>", "mask_token": "<mask>"}
        made = Tokenizer(models.Unigram())
        made.normalizer = normalizers.NFKC()
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=VOCABULARY,
            special_tokens=list(names.values()),
            unk_token=names["unk_token"],
            show_progress=False,
        )
        frame = "<s> $A </s>"
    else:  # bytes: RoBERTa, ModernBERT, Qwen, and most decoders
        names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>"}
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=list(names.values()),
            show_progress=False,
        )
        frame = "$A </s>" if kind == "decoder" else "<s> $A </s>"
    made.train_from_iterator(_TEXTS, trainer)
    special: Any = [(name, made.token_to_id(name)) for name in frame.split() if name != "$A"]
    made.post_processor = processors.TemplateProcessing(single=frame, special_tokens=special)
    return made.to_str(), names


def _transformer(
    folder: Path, model: Any, tokenizer: str, *, limit: int = 128, side: str = "right"
) -> Any:
    """Give the Transformer module of a model and a tokenizer, by way of saved files."""
    import torch
    from sentence_transformers.sentence_transformer.modules import Transformer
    from transformers import PreTrainedTokenizerFast

    definition, names = _tokenizer(tokenizer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # untyped there
        tokenizer_object=Tokenizer.from_str(definition),
        model_max_length=limit,
        padding_side=side,
        **names,
    )
    for weights in model.parameters():  # larger than a maker starts with: texts are to differ
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=0.3)
    source = folder.with_name(f"{folder.name}-source")
    model.save_pretrained(source)
    fast.save_pretrained(source)
    return Transformer(str(source))


def _small(config: type, **more: Any) -> Any:
    """Give a configuration of two small layers."""
    usual = {
        "vocab_size": VOCABULARY,
        "hidden_size": SIZE,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 160,
    }
    return config(**(usual | more))


def _bert(folder: Path) -> Any:
    from transformers import BertConfig, BertModel

    return _transformer(folder, BertModel(_small(BertConfig)), "wordpiece")


def _xlm_roberta(folder: Path) -> Any:
    from transformers import XLMRobertaConfig, XLMRobertaModel

    config = _small(XLMRobertaConfig, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    return _transformer(folder, XLMRobertaModel(config), "unigram")


def _roberta(folder: Path) -> Any:
    from transformers import RobertaConfig, RobertaModel

    config = _small(RobertaConfig, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    return _transformer(folder, RobertaModel(config), "bytes")


def _mpnet(folder: Path) -> Any:
    from transformers import MPNetConfig, MPNetModel

    return _transformer(folder, MPNetModel(_small(MPNetConfig)), "wordpiece")


def _distilbert(folder: Path) -> Any:
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(
        vocab_size=VOCABULARY,
        dim=SIZE,
        n_layers=2,
        n_heads=4,
        hidden_dim=48,
        max_position_embeddings=160,
    )
    return _transformer(folder, DistilBertModel(config), "wordpiece")


def _modernbert(folder: Path) -> Any:
    from transformers import ModernBertConfig, ModernBertModel

    config = _small(
        ModernBertConfig,
        max_position_embeddings=8192,
        local_attention=16,
        global_attn_every_n_layers=2,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        cls_token_id=0,
        sep_token_id=2,
    )
    return _transformer(folder, ModernBertModel(config), "bytes", limit=8192)


def _nomic(folder: Path) -> Any:
    from transformers import NomicBertConfig, NomicBertModel

    return _transformer(folder, NomicBertModel(_small(NomicBertConfig)), "wordpiece")


def _eurobert(folder: Path) -> Any:
    from transformers import EuroBertConfig, EuroBertModel

    config = _small(EuroBertConfig, num_key_value_heads=2, pad_token_id=1)
    return _transformer(folder, EuroBertModel(config), "bytes")


def _deberta(folder: Path) -> Any:
    from transformers import DebertaV2Config, DebertaV2Model

    config = _small(DebertaV2Config, relative_attention=True, pos_att_type=["p2c", "c2p"])
    return _transformer(folder, DebertaV2Model(config), "wordpiece")


def _t5(folder: Path) -> Any:
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=VOCABULARY, d_model=SIZE, d_kv=8, d_ff=48, num_layers=2, num_heads=4
    )
    return _transformer(folder, T5EncoderModel(config), "unigram")


def _qwen3(folder: Path) -> Any:
    from transformers import Qwen3Config, Qwen3Model

    config = _small(Qwen3Config, num_key_value_heads=2, head_dim=8, tie_word_embeddings=True)
    return _transformer(folder, Qwen3Model(config), "decoder", side="left")


def _mistral(folder: Path) -> Any:
    from transformers import MistralConfig, MistralModel

    config = _small(MistralConfig, num_key_value_heads=2, head_dim=8, sliding_window=64)
    return _transformer(folder, MistralModel(config), "decoder", side="left")


def _gemma3(folder: Path) -> Any:
    from transformers import Gemma3TextConfig, Gemma3TextModel

    config = _small(
        Gemma3TextConfig,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=64,
        use_bidirectional_attention=True,
    )
    return _transformer(folder, Gemma3TextModel(config), "bytes")


def _static(_: Path) -> Any:
    import torch
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    made = Tokenizer.from_str(_tokenizer("wordpiece")[0])
    return StaticEmbedding(made, embedding_weights=torch.randn(made.get_vocab_size(), SIZE))


def _pooled(mode: str | Sequence[str], **more: Any) -> list[Any]:
    from sentence_transformers.sentence_transformer.modules import Pooling

    return [Pooling(SIZE, mode if isinstance(mode, str) else tuple(mode), **more)]


def _normalized() -> list[Any]:
    from sentence_transformers.sentence_transformer.modules import Normalize

    return [Normalize()]


def _dense(size: int, out: int, activation: str = "Identity", **more: Any) -> list[Any]:
    import torch
    from sentence_transformers.sentence_transformer.modules import Dense

    return [Dense(size, out, activation_function=getattr(torch.nn, activation)(), **more)]


def _layer_norm() -> list[Any]:
    import torch
    from sentence_transformers.sentence_transformer.modules import LayerNorm

    made = LayerNorm(SIZE)
    torch.nn.init.normal_(made.norm.weight)
    torch.nn.init.normal_(made.norm.bias)
    return [made]


_ASYMMETRIC = {"prompts": {"query": QUERY, "document": PASSAGE}}

# Of each kind: the first module, those after it, and what its configuration names.
KINDS: dict[str, tuple[Callable[[Path], Any], Callable[[], list[Any]], dict[str, Any]]] = {
    "bert, mean": (_bert, lambda: _pooled("mean"), {}),
    "bert, first token": (_bert, lambda: _pooled("cls") + _normalized(), {}),
    "bert, largest and mean": (_bert, lambda: _pooled(["max", "mean"]), {}),
    "bert, mean, layer norm": (_bert, lambda: _pooled("mean") + _layer_norm(), {}),
    "bert, mean, cut short": (
        _bert,
        lambda: _pooled("mean") + _normalized(),
        {"truncate_dim": 16},
    ),
    "bert, mean without the prompt": (
        _bert,
        lambda: _pooled("mean", include_prompt=False),
        _ASYMMETRIC,
    ),
    "bert, first token without the prompt": (
        _bert,
        lambda: _pooled("cls", include_prompt=False),
        _ASYMMETRIC,
    ),
    "xlm-roberta, mean": (
        _xlm_roberta,
        lambda: _pooled("mean") + _normalized(),
        {"prompts": {"query": "query: ", "passage": "passage: "}},
    ),
    "roberta, weighted mean": (_roberta, lambda: _pooled("weightedmean"), {}),
    "roberta, weighted mean without the prompt": (
        _roberta,
        lambda: _pooled("weightedmean", include_prompt=False),
        _ASYMMETRIC,
    ),
    "mpnet, mean by the root of the length": (
        _mpnet,
        lambda: _pooled("mean_sqrt_len_tokens"),
        {},
    ),
    "distilbert, largest": (_distilbert, lambda: _pooled("max"), {}),
    "modernbert, first token": (_modernbert, lambda: _pooled("cls"), _ASYMMETRIC),
    "nomic, mean": (_nomic, lambda: _pooled("mean"), _ASYMMETRIC),
    "eurobert, mean": (_eurobert, lambda: _pooled("mean"), {}),
    "deberta, first token": (_deberta, lambda: _pooled("cls"), {}),
    "t5, mean, dense": (
        _t5,
        lambda: _pooled("mean") + _dense(SIZE, 24, bias=False) + _normalized(),
        {},
    ),
    "qwen3, last token": (
        _qwen3,
        lambda: _pooled("lasttoken") + _normalized(),
        {"prompts": {"query": "Instruct: given a question\nQuery:", "document": ""}},
    ),
    "mistral, last token": (_mistral, lambda: _pooled("lasttoken"), {}),
    "gemma3, mean, dense twice": (
        _gemma3,
        lambda: (
            _pooled("mean")
            + _dense(SIZE, 64, bias=False)
            + _dense(64, SIZE, "Tanh", use_residual=True)
            + _normalized()
        ),
        {"prompts": {"query": "task: search result | query: ", "document": "title: none | text: "}},
    ),
    "static": (_static, _normalized, {}),
}


def save(kind: str, folder: Path) -> Path:
    """Save a model of a kind, the same each time, and give its folder."""
    import torch
    from sentence_transformers import SentenceTransformer

    first, rest, named = KINDS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = SentenceTransformer(modules=[first(folder), *rest()], device="cpu")
    model.save(str(folder), create_model_card=False)
    config = folder / "config_sentence_transformers.json"
    known = json.loads(config.read_text("utf-8"))
    config.write_text(json.dumps({**known, "prompts": {}, **named}), "utf-8")
    return folder
