"""A question that waits for a refresh no longer than it was told to."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import qa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUESTION = "Who set foot on the Moon?"


class Held:
    """An assistant whose refreshes stop in the middle until they are let go on."""

    def __init__(self, corpus: Path, index: Path, cache: Path) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.assistant = qa.Assistant(
            corpus, index, cache=str(cache), progress=lambda _: self._hold()
        )

    def _hold(self) -> None:
        assert self.go_on.wait(60)


@pytest.fixture(name="held")
def _held(corpus: Path, tmp_path: Path, cache: Path) -> Iterator[Held]:
    one = Held(corpus, tmp_path / "index", cache)
    yield one
    one.go_on.set()
    one.assistant.close()


def test_it_answers_from_what_is_indexed_and_says_so_and_the_refresh_goes_on(
    held: Held, corpus: Path
) -> None:
    held.assistant.refresh()
    (corpus / "new.txt").write_text("Pete Conrad set foot on the Moon in November 1969.\n", "utf-8")
    held.go_on.clear()
    began = time.monotonic()
    answer = held.assistant.ask(QUESTION, refresh_wait=0.2, threshold=0)
    assert 0.2 <= time.monotonic() - began < 20
    assert {one.citation.document for one in answer.passages}.isdisjoint({"new.txt"})
    assert answer.complete is False
    assert "3 of 4 documents are indexed" in answer.notes[0]
    again = held.assistant.ask(QUESTION, refresh_wait=0, threshold=0)  # nor a second one
    assert again.complete is False
    held.go_on.set()
    later = held.assistant.ask(QUESTION, threshold=0)
    assert later.complete is True
    assert "new.txt" in {one.citation.document for one in later.passages}


def test_a_refresh_that_is_done_in_time_is_in_the_answer(held: Held) -> None:
    answer = held.assistant.ask(QUESTION, refresh_wait=60)
    assert answer.answered
    assert answer.complete is True
    assert not answer.notes


def test_an_index_that_is_not_there_yet_is_waited_for(held: Held) -> None:
    answer = held.assistant.ask(QUESTION, refresh_wait=0, threshold=0)
    assert answer.passages


def test_what_a_refresh_raises_in_time_is_raised(tmp_path: Path, cache: Path) -> None:
    with (
        qa.Assistant(tmp_path / "none", tmp_path / "index", cache=str(cache)) as one,
        pytest.raises(qa.CorpusNotFoundError),
    ):
        one.ask(QUESTION, refresh_wait=60)


def test_many_questions_wait_no_longer_either(held: Held, corpus: Path) -> None:
    held.assistant.refresh()
    (corpus / "new.txt").write_text("Pete Conrad set foot on the Moon in November 1969.\n", "utf-8")
    held.go_on.clear()
    answers = list(held.assistant.ask_many([QUESTION] * 3, refresh_wait=0.1, threshold=0))
    assert [one.complete for one in answers] == [False] * 3
    held.go_on.set()


@pytest.mark.parametrize("wait", [-1, "1", True, float("nan"), float("inf"), 10**30, [1]])
def test_a_time_that_makes_no_sense_is_refused(assistant: qa.Assistant, wait: Any) -> None:
    with pytest.raises(qa.QuestionError, match="refresh_wait is") as raised:
        assistant.ask(QUESTION, refresh_wait=wait)
    assert raised.value.hint
