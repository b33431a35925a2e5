"""Models that are good choices, by what is needed of one: published figures, not measured here."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CHOICES", "SCORE", "Choice"]

SCORE = "nDCG@10 over the 15 English retrieval sets of BEIR"


class Choice(NamedTuple):
    """A model, and why one would take it.

    `megabytes` are those of its weights as published, `tokens` how many of a text it reads, `score`
    is `SCORE` in percent, and `source` where that was published.
    """

    need: str
    name: str
    megabytes: int
    tokens: int
    score: float
    source: str


_ARCTIC = "github.com/Snowflake-Labs/arctic-embed"
CHOICES = (
    Choice("default", "all-MiniLM-L6-v2", 91, 256, 41.95, _ARCTIC),
    Choice("small", "Snowflake/snowflake-arctic-embed-xs", 90, 512, 50.15, _ARCTIC),
    Choice("best", "Snowflake/snowflake-arctic-embed-l", 1340, 512, 55.98, _ARCTIC),
    Choice(
        *("long", "Alibaba-NLP/gte-modernbert-base", 298, 8192, 55.33),
        "huggingface.co/Alibaba-NLP/gte-modernbert-base",
    ),
    Choice(
        *("multilingual", "Snowflake/snowflake-arctic-embed-l-v2.0", 2270, 8192, 55.6),
        "huggingface.co/Snowflake/snowflake-arctic-embed-l-v2.0",
    ),
)
