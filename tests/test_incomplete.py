"""What isn't indexed is never denied: an answer from part of a corpus says so."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest
from fpdf import FPDF
from PIL import Image

from qa.assistant import Assistant
from qa.errors import CorpusNotFoundError, IndexMissingError
from qa.store.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

MOON = "Who set foot on the Moon?"
HARBOUR = "How many cranes has the harbour?"


def begin_first_index(folder: Path) -> None:
    """Leave an index as a first refresh has it that was interrupted, or is not done."""
    with Index(folder, lock_timeout=1).transaction():
        pass  # the tables are there, and nothing was committed


def test_an_interrupted_first_index_denies_nothing(corpus: Path, tmp_path: Path, run: Run) -> None:
    begin_first_index(tmp_path / "index")
    asked = ("ask", MOON, "--no-refresh", "--corpus", corpus, "--index", tmp_path / "index")
    status, out, _ = run(*asked)
    assert status == 2
    assert out.startswith("Can't tell yet: 0 of 3 documents are indexed; `qa index` does the rest.")
    assert "Probably not" not in out
    status, out, _ = run(*asked, "--format", "json")
    answer = json.loads(out)
    assert status == 2
    assert answer["complete"] is False
    assert answer["answered"] is False
    assert "0 of 3 documents" in answer["reason"]


def test_while_another_process_makes_the_first_index_an_answer_says_so(
    assistant: Assistant, tmp_path: Path
) -> None:
    with Index(tmp_path / "index", lock_timeout=1).transaction():
        answer = assistant.ask(MOON, refresh=False)
    assert answer.complete is False
    assert "the rest is being indexed" in answer.reason


def test_what_came_after_the_last_refresh_is_not_denied(assistant: Assistant, corpus: Path) -> None:
    assistant.refresh()
    denied = assistant.ask(HARBOUR, refresh=False)
    assert (denied.answered, denied.complete) == (False, True)
    (corpus / "harbour.md").write_text("The harbour has 42 cranes.\n")
    behind = assistant.ask(HARBOUR, refresh=False)
    assert (behind.answered, behind.complete) == (False, False)
    assert behind.reason.startswith("Can't tell yet: 3 of 4 documents are indexed;")
    found = assistant.ask(HARBOUR)
    assert (found.answered, found.complete) == (True, True)


def test_an_answer_without_a_look_at_the_corpus_does_not_claim_to_be_complete(
    assistant: Assistant,
) -> None:
    assistant.refresh()
    answer = assistant.ask(MOON, refresh=False)
    assert answer.answered
    assert answer.complete is None
    assert assistant.ask(MOON).complete is True


def test_where_all_candidates_are_stale_nothing_is_denied(
    assistant: Assistant, corpus: Path, run: Run, tmp_path: Path
) -> None:
    assistant.refresh()
    for path in corpus.rglob("*.*"):
        path.write_text(path.read_text() + "\nOne more line.\n")
    answer = assistant.ask(MOON, refresh=False)
    assert answer.complete is False
    assert "0 of 3 documents are indexed as they are now" in answer.reason
    assert any("left out" in note for note in answer.notes)
    asked = ("ask", MOON, "--no-refresh", "--corpus", corpus, "--index", tmp_path / "index")
    assert run(*asked)[0] == 2


def test_an_answer_from_part_of_a_corpus_is_given_with_a_note(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    assistant.refresh()
    (corpus / "harbour.md").write_text("The harbour has 42 cranes.\n")
    with (
        Index(tmp_path / "index", lock_timeout=1).transaction(),
        Assistant(corpus, tmp_path / "index", cache=str(cache), lock_timeout=0) as waiting,
    ):
        found = waiting.ask(MOON)
        denied = waiting.ask(HARBOUR)
    assert found.answered
    assert found.complete is False
    note = "3 of 4 documents are indexed; the rest is being indexed."
    assert note in found.notes
    assert denied.reason == f"Can't tell yet: {note}"


def test_a_corpus_that_is_gone_is_not_a_corpus_without_an_answer(
    assistant: Assistant, corpus: Path
) -> None:
    assistant.refresh()
    corpus.rename(corpus.with_name("elsewhere"))
    with pytest.raises(CorpusNotFoundError):
        assistant.ask(MOON, refresh=False)


def test_without_any_index_a_question_without_refresh_is_an_error(assistant: Assistant) -> None:
    with pytest.raises(IndexMissingError):
        assistant.ask(MOON, refresh=False)


@pytest.mark.parametrize("refresh", ["--refresh", "--no-refresh"])
def test_what_could_not_be_read_is_mentioned_with_every_answer(
    corpus: Path, tmp_path: Path, run: Run, refresh: str
) -> None:
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    (corpus / "data.json").write_text("{}")  # a format without a reader is no problem
    where = ("--corpus", corpus, "--index", tmp_path / "index")
    assert run("index", *where)[0] == 0
    for question, expected in ((MOON, 0), ("qwertz uiop", 1)):
        status, out, err = run("ask", question, refresh, *where)
        assert status == expected
        assert "1 file could not be read (qa status --problems)." in err
        assert "could not be read" not in out
        status, out, _ = run("ask", question, refresh, *where, "--format", "json")
        assert json.loads(out)["notes"] == ["1 file could not be read (qa status --problems)."]


def test_a_file_that_is_read_only_in_part_is_indexed_and_named(
    corpus: Path, tmp_path: Path, run: Run
) -> None:
    pdf = FPDF()
    pdf.set_font("helvetica")
    pdf.add_page()
    pdf.multi_cell(0, text="The harbour of Brattvik has forty-two cranes, all of them red.")
    pdf.add_page()
    pdf.image(Image.new("RGB", (300, 400), "gray"), x=0, y=0, w=210)
    (corpus / "harbour.pdf").write_bytes(bytes(pdf.output()))
    where = ("--corpus", corpus, "--index", tmp_path / "index")
    for _ in range(2):  # told again where nothing has changed
        status, out, err = run("ask", "How many cranes has the harbour of Brattvik?", *where)
        assert status == 0
        assert "\n1. harbour.pdf#page=1" in out
        assert "1 file could be read only in part (qa status --problems)." in err
    _, out, _ = run("status", "--problems", *where)
    assert re.match(r"harbour\.pdf: indexed, but .*1 of 2 pages", out)
    found = json.loads(run("index", *where, "--format", "json")[1])
    assert (found["unchanged"], found["problems"][0]["indexed"]) == (4, True)
    (corpus / "harbour.pdf").unlink()
    assert run("status", "--problems", *where)[1] != out
    run("index", *where)
    assert run("status", "--problems", *where)[1] == "Every document could be read.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_file_without_the_right_to_read_it_is_mentioned(
    corpus: Path, tmp_path: Path, cache: Path, as_user: Callable[[], None]
) -> None:
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as assistant:
        assistant.refresh()
        for path in [tmp_path / "index", *(tmp_path / "index").rglob("*")]:
            path.chmod(0o777)
        (corpus / "secret.txt").write_text("The harbour has 42 cranes.\n")
        (corpus / "secret.txt").chmod(0)
        as_user()
        answer = assistant.ask(HARBOUR)
    assert "1 file could not be read (qa status --problems)." in answer.notes


def test_a_question_of_any_length_is_asked_by_its_beginning(assistant: Assistant) -> None:
    long = MOON + " Tell me all of it, please." * 2000
    for question in (long[:3000], long, MOON + " " + "x" * 20_000, "x" * 20_000):
        answer = assistant.ask(question, threshold=0)
        assert answer.question == question
        assert answer.passages
        assert any(note.startswith("The question is longer than") for note in answer.notes)
    assert assistant.ask(long, threshold=0).passages[0].citation.document == "moon.md"
    assert not assistant.ask(MOON).notes
