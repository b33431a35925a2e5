"""What a person may set of an encoder, and what its own files name where nothing is set."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from qa.settings import Settings

__all__ = ["EncoderOptions", "Prompts", "options_of", "prompts_of"]


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What is set of an encoder beside its model; see `qa.settings.Settings` for each.

    None leaves it to the model. A prompt of "" is none, whatever the model names.
    """

    query_prompt: str | None = None
    passage_prompt: str | None = None
    truncate_dim: int | None = None
    max_tokens: int | None = None
    onnx: str | None = None


def options_of(settings: Settings) -> EncoderOptions:
    """The options that the settings hold."""
    return EncoderOptions(
        query_prompt=settings.query_prompt,
        passage_prompt=settings.passage_prompt,
        truncate_dim=settings.truncate_dim,
        max_tokens=settings.max_tokens,
        onnx=settings.onnx,
    )


@dataclass(frozen=True, slots=True)
class Prompts:
    """What is put before a question and before a passage.

    `family` tells whose model cards ask for it, where the model's own files don't.
    """

    query: str = ""
    passage: str = ""
    family: str = ""


_WEB = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
)
_SEARCH = "Represent this sentence for searching relevant passages: "
# Families whose model cards ask for prompts, though some of their configurations name none. Each
# pattern is of a whole name, so that a model that was made of one of them, and might have been
# trained without, is not taken for it.
_FAMILIES: tuple[tuple[str, Prompts], ...] = (
    (
        r"multilingual-e5-large-instruct|e5-mistral-7b-instruct",
        Prompts(f"{_WEB} ", family="the model cards of intfloat's instruct models"),
    ),
    (
        r"(?:multilingual-)?e5-(?:small|base|large)(?:-v2|-unsupervised)?",
        Prompts("query: ", "passage: ", "the model cards of intfloat/e5 and multilingual-e5"),
    ),
    (
        r"bge-(?:small|base|large)-en(?:-v1\.5)?",
        Prompts(_SEARCH, family="the model cards of BAAI/bge"),
    ),
    (
        r"bge-(?:small|base|large)-zh(?:-v1\.5)?",
        Prompts("为这个句子生成表示以用于检索相关文章：", family="the model cards of BAAI/bge"),
    ),
    (
        r"gte-qwen2-(?:1\.5|7)b-instruct",
        Prompts(f"{_WEB} ", family="the model cards of Alibaba-NLP/gte-Qwen2"),
    ),
    (
        r"nomic-embed-text-v(?:1|1\.5|2-moe)(?:-unsupervised|-ablated)?",
        Prompts("search_query: ", "search_document: ", "the model cards of nomic-embed-text"),
    ),
    (
        r"snowflake-arctic-embed-(?:xs|s|m|l|m-long|m-v1\.5)",
        Prompts(_SEARCH, family="the model cards of Snowflake/snowflake-arctic-embed"),
    ),
    (
        r"snowflake-arctic-embed-[ml]-v2\.0",
        Prompts("query: ", family="the model cards of Snowflake/snowflake-arctic-embed-v2.0"),
    ),
    (
        r"qwen3-embedding-(?:0\.6|4|8)b",
        Prompts(_WEB, family="the model cards of Qwen/Qwen3-Embedding"),
    ),
    (
        r"embeddinggemma-300m(?:-qat-q[48]_0-unquantized)?",
        Prompts(
            "task: search result | query: ",
            "title: none | text: ",
            "the model card of google/embeddinggemma-300m",
        ),
    ),
)


def prompts_of(name: str, folder: Path) -> Prompts:
    """The prompts that a model's configuration names; else those of its family's model card.

    Args:
        name: of the model, on the hub or as a path.
        folder: of its files.
    """
    config = _json(folder / "config_sentence_transformers.json").get("prompts")
    named = config if isinstance(config, dict) else {}
    query = _first(named, "query")
    passage = _first(named, "document", "passage", "corpus")
    if query or passage:
        return Prompts(query, passage)
    original = _json(folder / "config.json").get("_name_or_path")
    for one in (name, original if isinstance(original, str) else ""):
        for part in _names(one):
            for pattern, prompts in _FAMILIES:
                if re.fullmatch(pattern, part.lower()):
                    return prompts
    return Prompts()


def _first(named: dict[str, object], *keys: str) -> str:
    """The first prompt under these names that is one."""
    found = (named.get(key) for key in keys)
    return next((one for one in found if isinstance(one, str) and one), "")


def _names(name: str) -> list[str]:
    """What a model may be called: the end of its path, or its name in a folder of the hub's."""
    parts = name.replace("\\", "/").rstrip("/").split("/")
    return [parts[-1], *(part.split("--")[-1] for part in parts if part.startswith("models--"))]


def _json(path: Path) -> dict[str, object]:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}
