"""Saved answers, checked later against the files as they are then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.errors import CitationError
from qa.reading.corpus import PairCorpus
from qa.verifying import Checked, Verdict, verify

if TYPE_CHECKING:
    from pathlib import Path

    from qa.assistant import Assistant

QUESTION = "Who set foot on the Moon?"


@pytest.fixture(name="saved")
def _saved(assistant: Assistant) -> dict[str, Any]:
    """Give an answer as it comes back from a file."""
    answer = assistant.ask(QUESTION, k=1)
    assert answer.answered
    loaded: dict[str, Any] = json.loads(json.dumps(answer.to_dict()))
    return loaded


def verdicts(assistant: Assistant, saved: dict[str, Any]) -> set[str]:
    return {one.verdict.value for one in assistant.verify(saved).quotes}


def test_an_answer_just_given_is_verified(assistant: Assistant) -> None:
    verification = assistant.verify(assistant.ask(QUESTION))
    assert verification.holds
    assert {one.verdict for one in verification.quotes} == {Verdict.VERIFIED}


def test_a_quote_with_text_before_it_has_moved_and_its_new_place_is_given(
    assistant: Assistant, saved: dict[str, Any], corpus: Path
) -> None:
    file = corpus / "moon.md"
    file.write_text("# News\n\nNothing new.\n\n" + file.read_text("utf-8"), "utf-8")
    verification = assistant.verify(saved)
    assert verification.holds
    text = file.read_text("utf-8")
    for one in verification.quotes:
        assert one.verdict is Verdict.MOVED
        assert one.now is not None
        assert text[one.now.start : one.now.end] == one.quote
        assert one.now.start_line > 4


def test_the_same_words_in_other_lines_have_moved(
    assistant: Assistant, saved: dict[str, Any], corpus: Path
) -> None:
    file = corpus / "moon.md"
    file.write_text(file.read_text("utf-8").replace("set foot on it", "set foot\non it"), "utf-8")
    assert verdicts(assistant, saved) == {"moved"}


def test_other_words_have_drifted_and_the_difference_is_shown(
    assistant: Assistant, saved: dict[str, Any], corpus: Path
) -> None:
    file = corpus / "moon.md"
    file.write_text(file.read_text("utf-8").replace("July 1969", "August 1971"), "utf-8")
    verification = assistant.verify(saved)
    assert not verification.holds
    drifted = [one for one in verification.quotes if one.verdict is Verdict.DRIFTED]
    assert drifted
    assert all("[-July 1969.-] {+August 1971.+}" in one.difference for one in drifted)


def test_a_file_that_is_gone_leaves_its_quotes_unresolvable(
    assistant: Assistant, saved: dict[str, Any], corpus: Path
) -> None:
    (corpus / "moon.md").unlink()
    verification = assistant.verify(saved)
    assert not verification.holds
    assert {one.verdict for one in verification.quotes} == {Verdict.UNRESOLVABLE}
    assert all(one.reason for one in verification.quotes)


def test_an_abstention_is_checked_by_what_came_nearest(assistant: Assistant) -> None:
    answer = assistant.ask("Who won the football cup in 1966?")
    assert not answer.answered
    assert assistant.verify(answer).holds


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other/1"},
        {"passages": None},
        {"passages": [{}]},
        {"passages": [{"citation": {"document": 3}, "evidence": {"citation": {}}}]},
    ],
)
def test_what_is_no_saved_answer_is_refused(
    assistant: Assistant, saved: dict[str, Any], change: dict[str, Any]
) -> None:
    with pytest.raises(CitationError, match="no saved answer"):
        assistant.verify(saved | change)


def test_a_forged_answer_reads_nothing_outside_the_corpus(
    assistant: Assistant, saved: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("The password is swordfish.")
    citation = saved["passages"][0]["citation"]
    citation |= {"document": "../secret.txt", "file": "../secret.txt", "quote": "The password is x"}
    (forged,) = [one for one in assistant.verify(saved).quotes if "secret" in one.citation]
    assert forged.verdict is Verdict.UNRESOLVABLE
    assert "swordfish" not in json.dumps(assistant.verify(saved).to_dict())


WORDS = st.lists(st.sampled_from("the moon orbits earth and shines.".split()), max_size=30)


@settings(max_examples=60)
@given(WORDS, WORDS, WORDS, st.integers(0, 200))
def test_a_quote_is_verified_or_moved_exactly_where_its_words_still_stand(
    before: list[str], quote: list[str], after: list[str], start: int
) -> None:
    text = " ".join([*before, "|", *quote, "|", *after])
    claimed = "\n".join(quote)
    citation = {"document": "a", "file": "a", "quote": claimed, "start": start, "start_line": 1}
    passage = {"citation": citation, "evidence": {"citation": citation}}
    saved = {"schema": "qa.answer/1", "question": "?", "passages": [passage], "nearest": []}
    (checked,) = verify(saved, PairCorpus([("a", text)])).quotes
    if claimed == text[start : start + len(claimed)]:
        assert checked.verdict is Verdict.VERIFIED
    else:
        assert checked.verdict is (Verdict.MOVED if quote else Verdict.DRIFTED)
    if checked.now is not None:
        assert text[checked.now.start : checked.now.end] == checked.now.quote
    if checked.verdict is Verdict.MOVED:
        assert checked.now is not None
        assert checked.now.quote.split() == quote


def check(quote: str, text: str, *, start: int = 0) -> Checked:
    """Check one quote against a text."""
    citation = {"document": "a", "file": "a", "quote": quote, "start": start, "start_line": 1}
    passage = {"citation": citation, "evidence": {"citation": citation}}
    saved = {"schema": "qa.answer/1", "question": "?", "passages": [passage], "nearest": []}
    (checked,) = verify(saved, PairCorpus([("a", text)])).quotes
    return checked


@pytest.mark.parametrize(("start", "expected"), [(9, 5), (14, 16), (2, 0), (99, 16)])
def test_words_at_several_places_have_moved_to_the_one_next_to_the_old(
    start: int, expected: int
) -> None:
    now = check("a b", "a b, a b, xx yy a b", start=start).now
    assert now is not None
    assert now.start == expected


@pytest.mark.parametrize(
    ("quote", "text", "nearest"),
    [
        ("one two three", "zero one two 3 four", "one two 3"),
        ("one two three", "one one one one two 3", "one two 3"),
        ("a a b", "a x a a c b", "a a c"),
        ("one two three", "3 two", "3 two"),
        ("a b c d e f g h i j", "a b c x", "a b c x"),
        ("a b c d e f g h i j", "a b x y", None),
        ("one three", "three x three y one thre", "one thre"),
        ("one three", "x y", None),
        ("one three", "", None),
    ],
)
def test_a_drifted_quote_is_shown_beside_the_run_of_words_that_shares_most_with_it(
    quote: str, text: str, nearest: str | None
) -> None:
    checked = check(quote, text)
    assert checked.verdict is Verdict.DRIFTED
    assert (checked.now.quote if checked.now else None) == nearest


def test_what_is_shown_beside_a_drifted_quote_is_the_most_alike_of_twenty_equal_runs() -> None:
    for before, nearest in ((9, "king Olav"), (10, "king x")):  # two runs share "king" with each
        checked = check("king Olaf", "y " + "king x y " * before + "king Olav")
        assert checked.now is not None
        assert checked.now.quote == nearest


def test_a_difference_keeps_the_common_words_and_marks_each_change() -> None:
    now = "one 2 three four five six extra seven"
    shown = check("one two three four gone five six seven", now).difference
    assert shown == "one [-two-] {+2+} three four [-gone-] five six {+extra+} seven"
    assert check("gone words", "other").difference == "[-gone words-]"


def test_an_answer_with_a_quote_that_moved_and_one_that_did_not_holds() -> None:
    first, second = (
        {"document": "a", "file": "a", "quote": quote, "start": 0, "start_line": 1}
        for quote in ("one two", "three")
    )
    passage = {"citation": first, "evidence": {"citation": second}}
    saved = {"schema": "qa.answer/1", "question": "?", "passages": [passage] * 2, "nearest": []}
    found = verify(saved, PairCorpus([("a", "one two three")])).to_dict()
    assert (found["schema"], found["question"], found["holds"]) == ("qa.verification/1", "?", True)
    assert [one["verdict"] for one in found["quotes"]] == ["verified", "moved"]
    assert [(one["difference"], one["reason"]) for one in found["quotes"]] == [("", "")] * 2
    assert not verify(saved, PairCorpus([("a", "other")])).holds
    for times in (1, 3):  # a quote that is given more than once is checked once
        repeated = saved | {"passages": [passage] * times}
        assert len(verify(repeated, PairCorpus([("a", "one two three")])).quotes) == 2


def test_words_inside_other_words_are_not_the_quote() -> None:
    citation = {"document": "a", "file": "a", "quote": "art one", "start": 0, "start_line": 1}
    passage = {"citation": citation, "evidence": {"citation": citation}}
    saved = {"schema": "qa.answer/1", "question": "?", "passages": [passage], "nearest": []}
    (checked,) = verify(saved, PairCorpus([("a", "He starts. She may start ones.")])).quotes
    assert checked.verdict is Verdict.DRIFTED
