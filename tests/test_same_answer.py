"""The same answer: it follows from what the corpus holds now, however the index came to be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.assistant import Assistant

if TYPE_CHECKING:
    from pathlib import Path

QUESTIONS = ["What froze in 1867?", "copper and heat", "Who paid forty crowns for the mill?"]
TEXTS = [
    "The harbour froze in 1867. Nobody went out.",
    "Copper conducts heat well.",
    "# Copper\n\nCopper conducts heat well. It is dear.",
    "A fox crossed the road twice.",
    "She paid 40 crowns for the mill. The miller froze.",
    "Rain fell on the chapel roof.",
]
NAMES = ["a.md", "b.txt", "c.md", "d.txt", "e.md"]
# What a document is next: one of the texts, or gone.
STEPS = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from(TEXTS), min_size=1),
    min_size=1,
    max_size=5,
)


def answers(assistant: Assistant) -> list[list[tuple[str, float]]]:
    """Give places and scores."""
    asked = [assistant.ask(one, k=50, threshold=0, refresh=False) for one in QUESTIONS]
    return [[(str(one.citation), one.scores.fused) for one in each.passages] for each in asked]


def assert_same(one: Assistant, other: Assistant) -> None:
    for left, right in zip(answers(one), answers(other), strict=True):
        assert [place for place, _ in left] == [place for place, _ in right]
        assert [score for _, score in left] == pytest.approx([s for _, s in right], abs=1e-6)


def test_an_index_that_grew_equals_one_built_at_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever came, changed and went in whatever order; vectors are merged now and then."""
    monkeypatch.setattr("qa.store.transaction.UNMERGED", 3)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "always.txt").write_text("There is always one document.")
    with (
        Assistant(corpus, tmp_path / "grown", cache=str(cache)) as grown,
        Assistant(corpus, tmp_path / "anew", cache=str(cache)) as anew,
    ):

        @settings(max_examples=15)
        @given(STEPS)
        def follows_from_the_corpus(steps: list[dict[str, str | None]]) -> None:
            for step in steps:
                for name, text in step.items():
                    if text is None:
                        (corpus / name).unlink(missing_ok=True)
                    else:
                        (corpus / name).write_text(text)
                grown.refresh()
            anew.refresh(rebuild=True)
            assert_same(grown, anew)

        follows_from_the_corpus()


def test_the_order_of_documents_changes_nothing(cache: Path) -> None:
    pairs = list(zip(NAMES, TEXTS, strict=False))
    with (
        Assistant(documents=pairs, cache=str(cache)) as one,
        Assistant(documents=reversed(pairs), cache=str(cache)) as other,
    ):
        one.refresh()
        other.refresh()
        assert_same(one, other)


def test_one_thread_or_eight_give_the_same_index(
    corpus: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in zip(NAMES, TEXTS, strict=False):
        (corpus / name).write_text(text)
    made = []
    for threads in (1, 8):
        monkeypatch.setattr(os, "cpu_count", lambda threads=threads: threads)
        assistant = Assistant(corpus, tmp_path / str(threads), cache=str(cache))
        assistant.refresh()
        made.append(assistant)
    assert_same(*made)
    for assistant in made:
        assistant.close()
