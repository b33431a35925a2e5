"""A cross-encoder reads question and passage together: exported once, run like the encoder."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qa.encoding.export import RERANKER, TOKENIZER
from qa.encoding.runtimes import open_graph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["OnnxReranker", "Reranker", "RerankerSpec", "Template", "load_exported_reranker"]


class Reranker(Protocol):
    """Scores passages for a question: higher is better.

    A score is the logarithm of the odds that a passage is relevant, as far as the model was
    trained to give that: its output before any activation function, or the difference of its two.
    `fingerprint` is that of its files, by which a calibration knows it.
    """

    fingerprint: str

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """A score for each passage; what is over the model's limit is not read."""


@dataclass(frozen=True, slots=True)
class Template:
    """The text around question and passage, where a model reads both as one text.

    `tail` has the tokens that follow the passage: they stay where a text is cut off, as they end
    with the one whose output is the score.
    """

    before: str
    between: str
    after: str
    tail: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RerankerSpec:
    """What an exported cross-encoder is and reads.

    Attributes:
        name: the model, as a person knows it.
        fingerprint: of its files.
        limit: of tokens; of a longer pair, the longer text is cut, or the end of a template's.
        prompt: what is put before the question.
        template: the text around both; None where the tokenizer joins them.
    """

    name: str
    fingerprint: str
    limit: int
    prompt: str = ""
    template: Template | None = None

    @classmethod
    def read(cls, folder: Path) -> RerankerSpec:
        """Read that of an export.

        Raises:
            OSError, ValueError, TypeError: it can't be, or is of an earlier version.
        """
        found = json.loads((folder / RERANKER).read_text("utf-8"))
        if (template := found.pop("template", None)) is not None:
            template = Template(**template | {"tail": tuple(template["tail"])})
        return cls(**found, template=template)

    def to_dict(self) -> dict[str, object]:
        """What `read` reads."""
        return asdict(self)


class OnnxReranker:
    """An exported cross-encoder, run by ONNX Runtime on one thread."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._spec = RerankerSpec.read(folder)
        self.fingerprint = self._spec.fingerprint
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        if self._spec.template is None:
            self._tokenizer.enable_truncation(self._spec.limit, strategy="longest_first")
        else:
            self._tokenizer.no_truncation()
        self._session = open_graph(folder)
        self._inputs = [one.name for one in self._session.get_inputs()]

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """A score for each passage; what is over the model's limit is not read."""
        return [self._one(question, passage) for passage in passages]

    def _one(self, question: str, passage: str) -> float:
        columns = self._columns(question, passage)
        feed = {name: np.array([columns[name]], np.int64) for name in self._inputs}
        return float(self._session.run(None, feed)[0][0, 0])

    def _columns(self, question: str, passage: str) -> dict[str, Sequence[int]]:
        template = self._spec.template
        if template is None:
            pair = self._tokenizer.encode(self._spec.prompt + question, passage)
            return {
                "input_ids": pair.ids,
                "attention_mask": pair.attention_mask,
                "token_type_ids": pair.type_ids,
            }
        text = f"{template.before}{question}{template.between}{passage}{template.after}"
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) > self._spec.limit:
            ids = [*ids[: self._spec.limit - len(template.tail)], *template.tail]
        return {
            "input_ids": ids,
            "attention_mask": [1] * len(ids),
            "token_type_ids": [0] * len(ids),
        }


def load_exported_reranker(folder: Path) -> OnnxReranker | None:
    """The cross-encoder of an export; None where there is none that is whole."""
    if not (folder / RERANKER).is_file():
        return None
    try:
        return OnnxReranker(folder)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it can be made again
        shutil.rmtree(folder, ignore_errors=True)
        return None
