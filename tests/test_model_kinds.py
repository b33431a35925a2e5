"""Models of every kind: their vectors are those of sentence-transformers, with their prompts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import KINDS, SIZE, save

from qa.assistant import Assistant
from qa.encoding.encoder import PassageInput
from qa.encoding.export import write_graph
from qa.encoding.head import POOLINGS, Head
from qa.encoding.layers import Normalize
from qa.encoding.loader import load_encoder
from qa.encoding.model import locate
from qa.encoding.options import EncoderOptions, Prompts, options_of, prompts_of
from qa.encoding.own_graph import QUANTISED_COSINE, is_quantised
from qa.encoding.word_tokens import Tokenised
from qa.errors import EncoderMismatchError, ModelError, SettingsError
from qa.settings import Settings, load_settings
from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from conftest import Run
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


# --- through the public interface -------------------------------------------------------------

DOCUMENTS = {"whales.txt": TEXTS[3], "moon.txt": "Neil Armstrong set foot on the Moon in 1969."}


@pytest.mark.parametrize(
    "kind", ["bert, first token", "qwen3, last token", "gemma3, mean, dense twice", "static"]
)
def test_the_cosine_of_an_answer_is_that_of_sentence_transformers(
    kind: str, saved: Saved, cache: Path
) -> None:
    made = saved(kind)
    query, passage = made.prompts
    question = "Blue whales eat krill?"  # no word that could be taken for a misspelt one
    [asked] = made.expected([question], query)
    # With a device, passages are embedded in float32, which they are not everywhere else.
    with Assistant(documents=DOCUMENTS, model=made.folder, cache=cache, device="cpu") as assistant:
        answer = assistant.ask(question, threshold=0)
        assert answer.model == str(made.folder.resolve())
        assert len(answer.passages) == len(DOCUMENTS)
        for one in answer.passages:
            [vector] = made.expected([DOCUMENTS[one.citation.document]], passage)
            assert one.scores.dense == pytest.approx(float(asked @ vector), abs=0.001)


@pytest.mark.parametrize("kind", ["modernbert, first token", "static"])
def test_a_command_asks_with_a_model_of_its_own(
    kind: str, saved: Saved, corpus: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = saved(kind).folder
    given = ("--corpus", corpus)
    whatever = ("--threshold", "0", "--format", "json")
    status, out, err = run("ask", "Who eats krill?", *given, "--model", model, *whatever)
    assert status == 0, err
    assert json.loads(out)["model"] == str(model.resolve())
    assert json.loads(out)["passages"]
    monkeypatch.setenv("QA_MODEL", str(model))
    status, out, err = run("doctor", *given)
    assert "failed" not in out, out
    table = "a table of token embeddings"
    assert (table in out) == (kind == "static")


def test_models_of_other_kinds_need_no_torch_once_they_are_exported(
    saved: Saved, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    folders = [saved(kind).folder for kind in ("static", "gemma3, mean, dense twice")]
    for folder in folders:
        load_encoder(locate(str(folder), cache=cache), cache=cache)
    program = (
        "import sys, qa\n"
        "corpus, index, cache, *models = sys.argv[1:]\n"
        "for n, model in enumerate(models):\n"
        "    with qa.Assistant(corpus, f'{index}-{n}', cache=cache, model=model) as assistant:\n"
        "        assert assistant.ask('Who set foot on the Moon?', threshold=0).passages\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, corpus, tmp_path / "index", cache, *folders],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --- sentences --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bert, first token", "qwen3, last token"])
def test_a_sentence_that_is_pooled_by_one_token_is_a_text_of_its_own(
    kind: str, saved: Saved, cache: Path
) -> None:
    made = saved(kind)
    text, cut = TEXTS[3], TEXTS[3].index("Blue")
    spans = (Span(0, cut - 1), Span(cut, len(text)), Span(cut - 1, cut))
    [one] = encoder_of(made, cache).encode_now([PassageInput(text, spans)])
    parts = [text[start:end] for start, end in spans[:2]]
    assert cosines(one.sentences[:2], made.expected(parts, made.prompts[1])).min() > 0.99999
    assert cosines(one.vector[None], made.expected([text], made.prompts[1])).min() > 0.99999
    if kind.startswith("bert"):  # white space alone has no token
        assert np.array_equal(one.sentences[2], one.vector)


def test_a_space_before_a_sentence_does_not_take_its_first_word_away(
    saved: Saved, cache: Path
) -> None:
    """To this tokenizer the space before a word is part of its token."""
    encoder = encoder_of(saved("xlm-roberta, mean"), cache)
    text = "Whales sing. Bread rises. Whales sing."
    spans = (Span(0, 12), Span(13, 25), Span(26, 38))
    [one] = encoder.encode_now([PassageInput(text, spans)])
    prompt = encoder.spec.passage_prompt
    [tokens] = encoder.tokens.tokenise([prompt + text])
    [embeddings] = encoder.runtime.forward_batch([encoder.tokens.framed(tokens.ids).tolist()])
    for row, (start, end) in zip(one.sentences, spans, strict=True):
        inside = [
            encoder.tokens.lead + n
            for n, stop in enumerate(tokens.ends.tolist())
            if start < stop - len(prompt) <= end
        ]
        assert np.allclose(row, Head().text(embeddings[inside]), atol=1e-6)


@given(
    st.lists(st.sampled_from(sorted(POOLINGS)), min_size=1, max_size=3, unique=True),
    st.integers(1, 12),
    st.integers(0, 12),
    st.none() | st.integers(1, 8),
)
def test_a_sentence_that_is_all_of_a_text_has_its_vector(
    modes: list[str], count: int, first: int, kept: int | None
) -> None:
    made = np.random.default_rng(count).standard_normal((count, 8)).astype(np.float32)
    begins = np.arange(count, dtype=np.int64)
    text = Tokenised(np.zeros(count, np.uint32), begins, begins + 1)
    head = Head(tuple(modes), (Normalize(),), kept)
    spans = np.array([(0, count), (count, count + 5)], np.int64)
    passage, whole, empty = head.passage(made, text, spans, lead=0, first=min(first, count - 1))
    assert np.allclose(passage, head.text(made, first=min(first, count - 1)), atol=1e-6)
    assert np.allclose(whole, head.text(made), atol=1e-6)
    assert np.array_equal(empty, passage)
    assert np.isclose(np.linalg.norm(passage), 1, atol=1e-5)


def test_words_of_which_a_table_knows_none_have_no_vector_and_no_error(
    saved: Saved, cache: Path
) -> None:
    encoder = encoder_of(saved("static"), cache)
    assert not encoder.encode_question("").vector.any()
    [one] = encoder.encode_now([PassageInput("\x00", (Span(0, 1),))])
    assert np.isfinite(one.vector).all()


# --- settings ---------------------------------------------------------------------------------


def test_dimensions_that_are_cut_off_are_those_that_sentence_transformers_cuts_off(
    saved: Saved, cache: Path
) -> None:
    made = saved("gemma3, mean, dense twice")
    found = encoder_of(made, cache, truncate_dim=8).encode_question(TEXTS[0]).vector
    [expected] = made.reference.encode([TEXTS[0]], prompt=made.prompts[0], truncate_dim=8)
    assert cosines(found[None], expected[None]).min() > 0.99999
    with pytest.raises(ModelError, match="32 dimensions") as caught:
        encoder_of(made, cache, truncate_dim=SIZE + 1)
    assert "leave it out" in caught.value.hint


def test_prompts_that_are_set_go_before_those_of_the_model(saved: Saved, cache: Path) -> None:
    made = saved("nomic, mean")
    encoder = encoder_of(made, cache, query_prompt="", passage_prompt="a passage: ")
    assert cosines(
        encoder.encode_question(TEXTS[3]).vector[None], made.expected([TEXTS[3]], "")
    ).min() > 0.99999  # fmt: skip
    [one] = encoder.encode_now([PassageInput(TEXTS[3], ())])
    assert cosines(one.vector[None], made.expected([TEXTS[3]], "a passage: ")).min() > 0.99999


def test_a_prompt_must_leave_room_for_a_text(saved: Saved, cache: Path) -> None:
    with pytest.raises(ModelError, match="query_prompt has") as caught:
        encoder_of(saved("nomic, mean"), cache, query_prompt="search " * 200)
    assert "shorter" in caught.value.hint


def test_passages_are_as_short_as_they_are_set_to_be(saved: Saved, cache: Path) -> None:
    text = "The whale of the sea eats krill, and sings over great distances. " * 40
    model = saved("modernbert, first token").folder
    sizes = {}
    for limit in (32, None):
        with Assistant(
            documents={"a.txt": text}, model=model, cache=cache, max_tokens=limit
        ) as assistant:
            sizes[limit] = assistant.refresh().passages
    encoder = encoder_of(saved("modernbert, first token"), cache)
    [count] = encoder.tokens.count([text])
    assert encoder.spec.limit == 512  # of 8,192 that it reads
    assert sizes[None] >= count / 512
    assert sizes[32] >= count / 32


def test_what_passages_are_embedded_with_is_the_identity_of_an_index(
    saved: Saved, cache: Path, tmp_path: Path
) -> None:
    model = saved("static").folder
    plain = locate(str(model), cache=cache).fingerprint
    others = [
        locate(str(model), cache=cache, options=one).fingerprint
        for one in (
            EncoderOptions(passage_prompt="passage: "),
            EncoderOptions(truncate_dim=8),
            EncoderOptions(max_tokens=64),
        )
    ]
    assert len({plain, *others}) == 4
    # The prompt of questions changes no passage, and an empty one is none.
    asking = EncoderOptions(query_prompt="query: ", passage_prompt="")
    assert locate(str(model), cache=cache, options=asking).fingerprint == plain
    index = tmp_path / "index"
    with Assistant(documents=DOCUMENTS, index=index, model=model, cache=cache) as assistant:
        assistant.refresh()
    with (
        Assistant(
            documents=DOCUMENTS, index=index, model=model, cache=cache, truncate_dim=8
        ) as assistant,
        pytest.raises(EncoderMismatchError) as caught,
    ):
        assistant.ask("Who?")
    assert "truncate_dim" in caught.value.hint
    with Assistant(
        documents=DOCUMENTS, index=index, model=model, cache=cache, query_prompt="query: "
    ) as assistant:
        assert assistant.refresh().encoded == 0
        assert assistant.ask("Who?", threshold=0).passages


def test_an_index_of_the_default_model_stays_one_of_it(cache: Path) -> None:
    """Were this to change, everybody's documents would be embedded again."""
    fingerprint = "727baf9ce8720c5c61dc4c160e74b4d06034aa25a5b4a1dad9321b7593e49277"
    assert locate(None, cache=cache).fingerprint == fingerprint
    assert locate(None, cache=cache, options=options_of(Settings())).fingerprint == fingerprint


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"max_tokens": 31}, "max_tokens is 31"),
        ({"truncate_dim": 0}, "truncate_dim is 0"),
        ({"truncate_dim": "8"}, "truncate_dim is '8'"),
        ({"onnx": ""}, "onnx is empty"),
        ({"query_prompt": "\ud800"}, "not UTF-8"),
    ],
)
def test_settings_of_a_model_that_make_no_sense_are_refused(
    values: dict[str, Any], match: str
) -> None:
    with pytest.raises(SettingsError, match=match):
        Settings(**values)


def test_prompts_may_be_set_in_the_environment_and_to_nothing(tmp_path: Path) -> None:
    given = {"QA_QUERY_PROMPT": "query: ", "QA_PASSAGE_PROMPT": "", "QA_TRUNCATE_DIM": "256"}
    found = load_settings(folder=tmp_path, environment=given)
    assert options_of(found) == EncoderOptions("query: ", "", 256)


# --- prompts that families are known for ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "query", "passage"),
    [
        ("intfloat/multilingual-e5-small", "query: ", "passage: "),
        ("/models/E5-base-v2", "query: ", "passage: "),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", "query: ", ""),
        ("google/embeddinggemma-300m", "task: search result | query: ", "title: none | text: "),
        ("~/hub/models--intfloat--e5-small/snapshots/0a1b", "query: ", "passage: "),
        ("BAAI/bge-m3", "", ""),
        ("Alibaba-NLP/gte-modernbert-base", "", ""),
        ("someone/multilingual-e5-small-tuned", "", ""),
        ("sentence-transformers/all-mpnet-base-v2", "", ""),
    ],
)
def test_families_are_known_by_their_whole_name(
    name: str, query: str, passage: str, tmp_path: Path
) -> None:
    found = prompts_of(name, tmp_path)
    assert (found.query, found.passage) == (query, passage)
    assert bool(found.family) == bool(query)


def test_what_a_configuration_says_goes_before_what_the_family_is_known_for(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config_sentence_transformers.json"
    config.write_text(json.dumps({"prompts": {"query": "Q: ", "passage": "P: ", "other": "O: "}}))
    assert prompts_of("intfloat/e5-small", tmp_path) == Prompts("Q: ", "P: ")
    for damaged in ("{", "[]", '{"prompts": 3}', '{"prompts": {"query": 1}}', "\x00"):
        config.write_text(damaged)
        assert prompts_of("intfloat/e5-small", tmp_path).query == "query: "
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": "BAAI/bge-base-en"}))
    config.unlink()
    assert prompts_of("/models/mine", tmp_path).query.startswith("Represent this")


# --- what is refused --------------------------------------------------------------------------


@pytest.fixture(name="copied")
def _copied(saved: Saved, tmp_path: Path) -> Path:
    """Give a copy of a model, to be changed."""
    return Path(shutil.copytree(saved("bert, first token").folder, tmp_path / "copied"))


def refusal(folder: Path, cache: Path, **options: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_encoder(
            locate(str(folder), cache=cache, options=EncoderOptions(**options)), cache=cache
        )
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("at", "module", "match"),
    [
        (1, "custom_st.Pooling", "trust_remote_code"),
        (0, "sentence_transformers.models.CLIPModel", "module CLIPModel first"),
        (1, "sentence_transformers.models.CNN", "module CNN"),
        (1, "sentence_transformers.models.WordWeights", "module WordWeights"),
        (0, "sentence_transformers.models.Router", "module Router first"),
    ],
)
def test_modules_that_can_not_be_used_are_named_before_torch_is_imported(
    copied: Path, cache: Path, at: int, module: str, match: str
) -> None:
    file = copied / "modules.json"
    modules = json.loads(file.read_text())
    modules[at]["type"] = module
    file.write_text(json.dumps(modules))
    error = refusal(copied, cache)
    assert match in str(error)
    assert "docs/models.md" in error.hint


def test_an_architecture_that_needs_code_of_its_own_is_refused_in_a_line(
    copied: Path, cache: Path
) -> None:
    config = json.loads((copied / "config.json").read_text())
    config |= {"model_type": "new", "auto_map": {"AutoConfig": "new.Config", "AutoModel": "new.M"}}
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "new.py").write_text("raise SystemExit('code was run')")
    assert "trust_remote_code" in str(refusal(copied, cache))


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"activation_function": "torch.nn.modules.activation.Softsign"}, "activation Softsign"),
        ({"module_input_name": "token_embeddings"}, "reads token_embeddings"),
    ],
)
def test_layers_that_are_not_known_are_named(
    saved: Saved, tmp_path: Path, cache: Path, changed: dict[str, str], match: str
) -> None:
    folder = Path(shutil.copytree(saved("t5, mean, dense").folder, tmp_path / "copied"))
    [file] = folder.glob("2_*/config.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
    assert match in str(refusal(folder, cache))


# --- graphs -----------------------------------------------------------------------------------


def with_own_graph(folder: Path, source: Path | None = None) -> Path:
    """Give a model a graph of its own, made of it, or of another."""
    from sentence_transformers import SentenceTransformer

    graph = folder / "onnx" / "model.onnx"
    graph.parent.mkdir(exist_ok=True)
    model = SentenceTransformer(str(source or folder), device="cpu")
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    write_graph(model[0].auto_model, graph, inputs=inputs, output="last_hidden_state")
    return graph


def test_a_graph_of_the_models_own_may_be_used_and_is_compared_first(
    copied: Path, saved: Saved, cache: Path
) -> None:
    with_own_graph(copied)
    made = Made(copied, saved("bert, first token").reference, ("", ""))
    encoder = encoder_of(made, cache, onnx="onnx/model.onnx")
    found = np.array([one.vector for one in encoder.encode_questions(TEXTS)])
    assert cosines(found, made.expected(TEXTS, "")).min() > 0.99999
    plain = locate(str(copied), cache=cache)
    assert encoder.spec.fingerprint != plain.fingerprint
    with_own_graph(copied, saved("nomic, mean").folder)
    error = refusal(copied, cache, onnx="onnx/model.onnx")
    assert "other vectors (cosine" in str(error)
    assert "Leave `onnx` out" in error.hint


def test_a_graph_of_rounded_weights_is_used_where_it_is_asked_for(
    copied: Path, saved: Saved, cache: Path
) -> None:
    from onnxruntime.quantization import quantize_dynamic

    rounded = "onnx/model_quint8.onnx"
    graph = with_own_graph(copied)
    quantize_dynamic(graph, copied / rounded)
    assert is_quantised(copied / rounded)
    assert not is_quantised(graph)
    told: list[str] = []
    files = locate(str(copied), cache=cache, options=EncoderOptions(onnx=rounded))
    encoder = load_encoder(files, cache=cache, notify=told.append)
    assert any("cosine of 0.9" in one for one in told)
    found = np.array([one.vector for one in encoder.encode_questions(TEXTS)])
    reference = saved("bert, first token")
    assert cosines(found, reference.expected(TEXTS, "")).min() > QUANTISED_COSINE - 0.02


@pytest.mark.parametrize(
    "graph", ["onnx/none.onnx", "../model.onnx", "/etc/hosts", "config.json\0"]
)
def test_a_graph_that_is_not_in_the_models_folder_is_not_there(
    copied: Path, cache: Path, graph: str
) -> None:
    assert "has no graph" in str(refusal(copied, cache, onnx=graph))


def test_a_damaged_graph_is_told_in_one_line(copied: Path, cache: Path) -> None:
    (copied / "onnx").mkdir()
    (copied / "onnx" / "model.onnx").write_bytes(b"\x08\x07none")
    assert "can't be used" in str(refusal(copied, cache, onnx="onnx/model.onnx"))


@pytest.mark.parametrize("has_graph", [True, False])
def test_where_torch_can_not_export_a_model_its_own_graph_is_used_else_torch(
    copied: Path,
    saved: Saved,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_graph: object,
) -> None:
    if has_graph:
        with_own_graph(copied)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr("qa.encoding.export.write_graph", fail)
    told: list[str] = []
    (copied / "note.txt").write_text(str(has_graph))  # another model than the other tests'
    encoder = load_encoder(locate(str(copied), cache=cache), cache=cache, notify=told.append)
    assert ("its own onnx/model.onnx is used" in told[-1]) == bool(has_graph)
    assert ("works slowly: no such operator" in told[-1]) == (not has_graph)
    expected = saved("bert, first token").expected(TEXTS, "")
    found = np.array([one.vector for one in encoder.encode_questions(TEXTS)])
    assert cosines(found, expected).min() > 0.99999


@pytest.mark.parametrize(
    ("kind", "file"),
    [("static", "table.npy"), ("t5, mean, dense", "head.npz"), ("t5, mean, dense", "head.json")],
)
def test_a_damaged_export_of_another_kind_is_made_again(
    kind: str, file: str, saved: Saved, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    made = saved(kind)
    before = encoder_of(made, cache).encode_question("x").vector
    [damaged] = cache.glob(f"encoders/*/{file}")
    damaged.write_bytes(damaged.read_bytes()[:20])
    after = encoder_of(made, cache).encode_question("x").vector
    assert cosines(before[None], after[None]).min() > 0.99999
