"""What of a question is asked, which of its words are names, and how misspelt ones are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.assistant import Assistant
from qa.errors import SettingsError
from qa.words.languages import language
from qa.words.questions import asked, explained, is_one_edit, names

if TYPE_CHECKING:
    from pathlib import Path

# --- what is asked -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "is_asked"),
    [
        ("Who signed the pact?", "Who signed the pact?"),
        ("Could you please tell me who signed the pact?", "who signed the pact?"),
        ("I'd like to know more about this: who signed?", "who signed?"),
        ("I’d like papers on boundary layers", "boundary layers"),
        ("According to the text, who signed?", "who signed?"),
        ("Who signed, according to the documents?", "Who signed"),
        ("Please tell me about sanctions, please.", "sanctions"),
        ("Good morning! Can you tell me who signed? Thank you.", "who signed?"),
        ("Tell me", "Tell me"),
        ("Please", "Please"),
        ("Pleasure boats", "Pleasure boats"),
        ("What does the report say about the text?", "What does the report say about the text?"),
        ("Tell me, please", "Tell me, please"),
    ],
)
def test_phrases_of_request_are_no_part_of_what_is_asked(question: str, is_asked: str) -> None:
    begin, end = asked(question)
    assert question[begin:end] == is_asked


@given(st.text())
def test_what_is_asked_is_a_slice_with_a_word_where_the_question_has_one(question: str) -> None:
    begin, end = asked(question)
    assert 0 <= begin <= end <= len(question)
    assert any(map(str.isalnum, question)) <= any(map(str.isalnum, question[begin:end]))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("space", [" ", ", ", " .", "\n", "please ", "some any "])
def test_a_question_of_hardly_anything_but_space_does_not_take_its_square(space: str) -> None:
    question = f"I'd like{space * 50_000} to know who signed{space * 50_000}?"
    begin, end = asked(question)
    assert "who signed" in question[begin:end]


# --- names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Who is Kim Jong-un?", ["Kim", "Jong-un"]),
        ("What happened in 1991?", ["1991"]),
        ("Russia signed. Who else?", []),
        ("Does NASA use GPT-4?", ["NASA"]),
        ("who signed?", []),
        ("“Who” signed?", []),
    ],
)
def test_names_are_capitalised_inside_a_sentence_or_of_digits_alone(
    question: str, found: list[str]
) -> None:
    assert names(question) == found


def test_an_acronym_and_what_it_stands_for_explain_each_other() -> None:
    assert explained(["US"], "What does the US say?", ["The United States said no."]) == {"US"}
    assert explained(["U.S"], "What does the U.S say?", ["The United States said no."]) == {"U.S"}
    states = "What do the United States say?"
    assert explained(["United", "States"], states, ["the US says"]) == {"United", "States"}
    assert not explained(["UK"], "What does the UK say?", ["The United States said no."])
    assert not explained(["us"], "What does it tell us?", ["the unit stated"])


# --- spelling ----------------------------------------------------------------------------

LETTERS = st.text("abcde", min_size=1, max_size=8)


@given(LETTERS, st.data())
def test_each_single_edit_is_one(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcdef"))
    swapped = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
    for other in (
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
        swapped,
    ):
        assert is_one_edit(word, other) is (word != other)
        assert is_one_edit(other, word) is (word != other)


@given(LETTERS, LETTERS)
def test_whether_an_edit_parts_two_words_does_not_depend_on_their_order(a: str, b: str) -> None:
    assert is_one_edit(a, b) is is_one_edit(b, a)


def test_two_edits_are_not_one() -> None:
    assert not is_one_edit("russia", "prusia")
    assert not is_one_edit("abcd", "badc")
    assert not is_one_edit("abc", "abcde")


def test_a_misspelt_word_is_searched_for_as_the_documents_have_it(
    assistant: Assistant,
) -> None:
    answer = assistant.ask("Who set fot on the Moonn?")
    assert answer.passages[0].citation.document == "moon.md"
    assert ("fot", "foot") in answer.corrected
    assert any("searched for “foot”" in note for note in answer.notes)


def test_an_ending_that_is_misspelt_is_found_though_the_stemmer_left_it(
    assistant: Assistant, corpus: Path
) -> None:
    (corpus / "air.txt").write_text("The distribution of pressures is even on a slender body.\n")
    answer = assistant.ask("What is the distributoin of presures?")
    assert answer.corrected == (("distributoin", "distribution"), ("presures", "pressures"))


def test_a_misspelt_small_word_is_no_content(assistant: Assistant) -> None:
    answer = assistant.ask("Wich man set foot on the Moon wiht boots?")
    assert answer.corrected == (("Wich", "which"), ("wiht", "with"))


@pytest.mark.parametrize(
    "question",
    [
        "Who set foot on the Moon?",  # nothing is misspelt
        "Who set good on the Moon?",  # "good" is a word, though no document has it
        "Who set MONN on the Moon?",  # an acronym is none either
        "What happened in 1968?",  # a number is never taken for another
        "Who set xylophonnes on the Moon?",  # nothing is near
    ],
)
def test_what_is_no_misspelling_is_left_as_it_is(assistant: Assistant, question: str) -> None:
    assert assistant.ask(question).corrected == ()


def test_a_misspelt_word_is_looked_for_only_among_what_is_indexed(
    assistant: Assistant, corpus: Path
) -> None:
    assert assistant.ask("Where is the harbbour?").corrected == ()
    (corpus / "harbour.txt").write_text("The harbour has nine cranes.\n")
    answer = assistant.ask("Where is the harbbour?")
    assert answer.corrected == (("harbbour", "harbour"),)
    assert answer.passages[0].citation.document == "harbour.txt"


# --- languages ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "spoken"),
    [
        ("Wer hat den Pakt unterzeichnet?", "German"),
        ("Qui a signé le pacte et pourquoi ?", "French"),
        ("¿Quién firmó el pacto y por qué?", "Spanish"),
        ("Chi ha firmato il patto?", "Italian"),
        ("Quem assinou o pacto e por que não?", "Portuguese"),
        ("Wie heeft het verdrag getekend?", "Dutch"),
        ("Who signed the pact?", ""),
        ("Is it on the Rue de la Paix?", ""),
        ("Who wrote Die Zauberflöte?", ""),
        ("pact", ""),
        ("", ""),
    ],
)
def test_a_language_is_told_by_its_small_words(question: str, spoken: str) -> None:
    assert language(question) == spoken


def test_an_abstention_says_that_the_question_is_in_another_language(
    assistant: Assistant,
) -> None:
    answer = assistant.ask("Wer hat das Rezept für die Suppe von der Oma?")
    assert not answer.answered
    assert "The question looks German; all-MiniLM-L6-v2 reads English." in answer.reason


# --- what the answer says of it ----------------------------------------------------------


def test_a_name_that_stands_nowhere_lowers_the_probability_much(assistant: Assistant) -> None:
    known = assistant.ask("Did Neil Armstrong set foot on the Moon?", threshold=0)
    unknown = assistant.ask("Did Zbigniew Quintero set foot on the Moon?", threshold=0)
    assert unknown.probability < 0.5 * known.probability


def test_the_verdict_follows_the_probability_and_denies_nothing_unsearched(
    assistant: Assistant,
) -> None:
    sure = assistant.ask("Who set foot on the Moon?")
    assert (sure.answered, sure.verdict) == (True, "answered")
    foreign = assistant.ask("Which quarks make up a proton?")
    assert (foreign.answered, foreign.verdict) == (False, "not in these documents")
    assert foreign.to_dict()["verdict"] == foreign.verdict
    refused = assistant.ask("Who set foot on the Moon?", threshold=1)
    assert (refused.answered, refused.verdict) == (False, "unsure")


def test_an_expected_share_of_answerable_questions_moves_the_probability(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    assistant.refresh()
    found = []
    for prior in (0.1, 0.9):
        with Assistant(corpus, tmp_path / "index", cache=cache, prior=prior) as one:
            found.append(one.ask("Where do whales live?", threshold=0).probability)
    assert found[0] < found[1]


@pytest.mark.parametrize("prior", [0, 1, -1, 2, float("nan"), "0.5", True])
def test_a_prior_that_is_no_share_is_refused(prior: object) -> None:
    with pytest.raises(SettingsError, match="prior"):
        Assistant(prior=prior)  # type: ignore[arg-type]
