"""Models of every kind: their vectors are those of sentence-transformers, with their prompts."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache as once
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from qa.assistant import Assistant
from qa.encoding.encoder import PassageInput
from qa.encoding.loader import load_encoder
from qa.encoding.model import locate
from qa.encoding.options import EncoderOptions, Prompts, prompts_of
from qa.errors import EncoderMismatchError, ModelError, SettingsError
from qa.types import Span
from tiny_models import KINDS, PASSAGE, QUERY, SIZE, save

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from qa.encoding.encoder import Encoder, Runtime

    Saved = Callable[[str], "Made"]

TEXTS = [
    "Will Russia send food or medicine?",
    "x",
    "naïve café 日本語 😀 über straße",
    "Sourdough bread rises through wild yeast. Blue whales eat krill, and sing over distances.",
    "seven ships " * 12,
]


@dataclass(frozen=True)
class Made:
    """A model as it was saved, and as sentence-transformers loads it."""

    folder: Path
    reference: Any
    prompts: tuple[str, str]

    def expected(self, texts: Sequence[str], prompt: str) -> NDArray[np.float32]:
        """Give the vectors, by sentence-transformers."""
        found: NDArray[np.float32] = self.reference.encode(
            list(texts), prompt=prompt, normalize_embeddings=True, show_progress_bar=False
        )
        return found


@pytest.fixture(scope="module", name="saved")
def _saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    @once
    def made(kind: str) -> Made:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call] # untyped there
        folder = save(kind, tmp_path_factory.mktemp("models") / "model")
        named = KINDS[kind][2].get("prompts", {})
        prompts = named.get("query", ""), named.get("document", named.get("passage", ""))
        return Made(folder, SentenceTransformer(str(folder), device="cpu"), prompts)

    return made


def encoder_of(made: Made, cache: Path, **options: Any) -> Encoder[Runtime]:
    files = locate(str(made.folder), cache=cache, options=EncoderOptions(**options))
    told: list[str] = []
    encoder = load_encoder(files, cache=cache, notify=told.append)
    assert not any("slowly" in one for one in told), told
    return encoder


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths, np.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_of_every_kind_are_those_of_sentence_transformers(
    kind: str, saved: Saved, cache: Path
) -> None:
    made = saved(kind)
    encoder = encoder_of(made, cache)
    query, passage = made.prompts
    expected = made.expected(TEXTS, query)
    questions = np.array([one.vector for one in encoder.encode_questions(TEXTS)])
    assert cosines(questions, expected).min() > 0.99999
    alone = np.array([encoder.encode_question(one).vector for one in TEXTS])
    assert cosines(alone, expected).min() > 0.99999
    inputs = [PassageInput(text, (Span(0, len(text)),)) for text in TEXTS]
    passages = np.array([one.vector for one in encoder.encode_now(inputs)])
    assert cosines(passages, made.expected(TEXTS, passage)).min() > 0.99999
    assert questions.shape[1] == passages.shape[1] == encoder.spec.dimension
    # Vectors of random weights differ enough that a wrong one would be seen.
    assert np.abs(expected @ expected.T - np.eye(len(TEXTS))).max() < 0.999
    many = np.array([one.vector for one in encoder.encode_passages(inputs)])
    assert cosines(many, passages).min() > 0.99  # by the runtime of passages, in bfloat16 perhaps
