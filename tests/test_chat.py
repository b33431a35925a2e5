"""A session: what a line means, what it shows, and how it is left, in a real terminal."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import stat
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.cli.leaning import leaning
from qa.cli.session import COMMANDS, one_line, typed

if sys.platform == "win32":
    pytest.skip("terminals of POSIX", allow_module_level=True)

from talking import HANG, Talk, talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from conftest import Run

    Begin = Callable[..., AbstractContextManager[Talk]]

QUESTION = "Who set foot on the Moon?"
PROMPT = "qa>"


@pytest.fixture(name="begin")
def _begin(corpus: Path, tmp_path: Path, cache: Path) -> Begin:
    """Give what runs `qa` in a terminal, in the folder of the corpus."""

    def begin(*arguments: str, **options: Any) -> AbstractContextManager[Talk]:
        own = {"QA_CACHE": str(cache), "XDG_STATE_HOME": str(tmp_path / "state")}
        options["environment"] = own | options.get("environment", {})
        return talking(*arguments, folder=tmp_path, **options)

    return begin


@pytest.fixture(name="chat")
def _chat(begin: Begin, run: Run) -> Iterator[Talk]:
    """Give a session over three indexed documents, at its prompt."""
    run("index")
    with begin("chat") as talk:
        talk.wait_for(PROMPT)
        yield talk


def ask(talk: Talk, text: str, shown: str) -> None:
    talk.type(f"{text}\r")
    talk.wait_for(shown)
    talk.wait_for(PROMPT)


# --- the rule of follow-ups -------------------------------------------------------------

BEFORE = "How much rice was sent in 2022 by sea?"


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("and in 2023?", "How much rice was sent in 2023 by sea?"),
        ("And by air", "How much rice was sent in 2022 by air?"),
        ("what about in 2024?", "How much rice was sent in 2024 by sea?"),
        ("and what about in 2024?", "How much rice was sent in 2024 by sea?"),
        ("or to Japan?", "How much rice was sent in 2022 by sea to Japan?"),
        ("how about wheat?", "How much rice was sent in 2022 by sea, wheat?"),
        ("but without escort", "How much rice was sent in 2022 by sea without escort?"),
        ("and who sent it?", "and who sent it?"),
        ("What is android?", "What is android?"),
        ("and", "and"),
        ("andesite in 2023?", "andesite in 2023?"),
        ("And?", "And?"),
    ],
)
def test_a_follow_up_leans_on_the_question_before_by_the_rule(line: str, asked: str) -> None:
    assert leaning(line, BEFORE) == asked


def test_without_a_question_before_nothing_is_leant_on() -> None:
    assert leaning("and in 2023?", "") == "and in 2023?"
    assert leaning("and in 2023?", "?!") == "and in 2023?"


@given(st.text(), st.text())
def test_a_line_is_asked_as_it_is_or_all_of_its_words_are_in_what_is_asked(
    line: str, before: str
) -> None:
    asked = leaning(line, before)
    if asked != line:
        assert re.match(r"\s*(and|or|but|what|how)\b", line, re.IGNORECASE)
        rest = line.rsplit(maxsplit=1)[-1].strip(" \t\r\n?!.,;:…")
        assert rest in asked
        assert asked.endswith("?")


@given(st.text(alphabet="abc in of to ?", min_size=1), st.text(alphabet="xyz in of to", min_size=1))
def test_what_stands_before_the_phrase_stays(before: str, rest: str) -> None:
    asked = leaning(f"and in {rest}", before)
    assert asked == f"and in {rest}" or "in" in asked.split() or "in?" in asked.split()


# --- what a line is ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "command", "rest"),
    [
        (":open 2", "open", "2"),
        ("  :OPEN   2 ", "open", "2"),
        (":quit", "quit", ""),
        (":) who is that?", "", ":) who is that?"),
        (": what?", "", ": what?"),
        ("::open", "", "::open"),
        (":open 2\nand more", "", ":open 2 and more"),
        ("Who set\n\tfoot\r\non the\x1b[31m Moon?\x07", "", "Who set foot on the [31m Moon?"),
        ("", "", ""),
    ],
)
def test_a_command_is_a_colon_and_a_letter_on_one_line(line: str, command: str, rest: str) -> None:
    found = typed(line)
    assert (found.command, found.rest) == (command, rest)


@given(st.text())
def test_a_question_has_no_control_characters_and_is_one_line(text: str) -> None:
    line = one_line(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f]", line)
    assert one_line(line) == line


def test_completion_offers_commands_results_documents_folders_and_keys() -> None:
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from qa.cli.prompting import Completions

    known = SimpleNamespace(
        names=("bread.txt", "deep/whales.txt", "evil\x1b[2J.txt"),
        keys={"author": ("A. Adams", "B"), "title": ("Bread",)},
    )
    completions = Completions(known, lambda: ["moon.md:7", "bread.txt:3"])  # type: ignore[arg-type]

    def offered(text: str) -> list[str]:
        found = completions.get_completions(Document(text), CompleteEvent())
        return [text[: len(text) + one.start_position] + one.text for one in found]

    assert offered(":o") == [":open "]
    assert len(offered(":")) == len(COMMANDS)
    assert offered(":open ") == [":open 1", ":open 2"]
    assert offered(":show moon") == [":show moon.md:7"]
    assert offered(":in de") == [":in deep/**", ":in deep/whales.txt"]
    assert offered(":where a") == [":where author="]
    assert offered(":where author=A") == [":where author=A. Adams"]
    assert offered("What is in whal") == ["What is in deep/whales.txt"]
    assert offered("What is in evil") == []
    assert offered("") == []
    assert offered(":nonsense x") == []


# --- a session in a terminal ------------------------------------------------------------


def test_a_question_is_answered_and_the_next_one_too(chat: Talk) -> None:
    ask(chat, QUESTION, "Neil Armstrong")
    ask(chat, "How large are blue whales?", "whales.txt:1")
    ask(chat, "and in the deep?", "Asked: How large are blue whales in the deep?")
    chat.type("\x04")
    assert chat.wait_for_end() == 0


@pytest.mark.usefixtures("corpus")
def test_qa_alone_on_a_terminal_begins_a_session(begin: Begin) -> None:
    with begin() as talk:
        talk.wait_for(PROMPT)
        ask(talk, QUESTION, "Neil Armstrong")  # nothing was indexed before
        talk.type(":quit\r")
        assert talk.wait_for_end() == 0


@pytest.mark.usefixtures("corpus")
def test_qa_alone_in_a_pipe_shows_the_help_as_ever(run: Run) -> None:
    status, out, err = run()
    assert status == 2
    assert "Usage: qa" in out + err
    status, _, err = run("chat")
    assert status == 2
    assert "needs a terminal" in err


@pytest.mark.usefixtures("corpus")
def test_a_question_in_the_place_of_a_command_is_asked(run: Run) -> None:
    status, out, _ = run(QUESTION)
    assert status == 0
    assert "moon.md:7" in out
    assert run("--log-file", "log", QUESTION, "-k", "1")[1].count("moon.md:") == 1
    status, _, err = run("whos")
    assert status == 2
    assert "whos" in err


def test_results_are_shown_opened_explained_and_copied_by_their_number(
    begin: Begin, run: Run, tmp_path: Path
) -> None:
    run("index")
    editor = tmp_path / "vim"
    editor.write_text("#!/bin/sh\necho EDITED $1 $2\n")
    editor.chmod(0o755)
    with begin("chat", environment={"EDITOR": str(editor)}) as talk:
        talk.wait_for(PROMPT)
        ask(talk, ":show 1", "Nothing was asked yet")
        ask(talk, QUESTION, "Neil Armstrong")
        ask(talk, ":open 1", f"EDITED +7 {tmp_path}")
        ask(talk, ":open deep/whales.txt:1", "EDITED +1")
        ask(talk, ":show 1", "## Landing")
        ask(talk, ":why 1", "nearest in meaning: ")
        ask(talk, ":more", "There are no more results")
        ask(talk, ":copy 1", "Copied result 1")
        copied = re.findall("\x1b]52;c;(.*?)\x07", talk.sent)
        assert base64.b64decode(copied[0]).decode() == (
            "Neil Armstrong set foot on it in July 1969.\n(moon.md:7)\n"
        )


def test_what_can_not_be_done_is_said_and_the_session_goes_on(chat: Talk) -> None:
    ask(chat, QUESTION, "Neil Armstrong")
    for line, said in {
        ":opne 1": "Did you mean :open?",
        ":xyzzy": ":help lists all",
        ":w": "Did you mean :why or :where?",
        ":open 99": "There is no result 99",
        ":show 0": "There is no result 0",
        ":show \u00b2": "names no document",
        ":open nowhere.md:3": "names no document",
        ":k 0": "It goes from 1 to 1000",
        ":k x": "It goes from 1 to 1000",
        ":where author": "is not a condition",
        ":since soon": "2024-01-31",
    }.items():
        ask(chat, line, said)
    ask(chat, QUESTION, "Neil Armstrong")


def test_filters_and_k_hold_until_they_are_taken_back(chat: Talk) -> None:
    ask(chat, ":in deep/**", "From now on: in deep/** · k 5")
    ask(chat, "What is large?", "whales.txt:1")
    ask(chat, ":in nowhere/**", "From now on")
    ask(chat, QUESTION, "No indexed document matches")
    ask(chat, ":in", "From now on: k 5")
    ask(chat, ":k 1", "From now on: k 1")
    ask(chat, QUESTION, "Neil Armstrong")
    ask(chat, ":more", "2. ")
    ask(chat, ":help", ":copy N")


def test_a_paste_of_several_lines_is_one_question(chat: Talk) -> None:
    chat.type("\x1b[200~Who set\nfoot\r\non the Moon?\n\x1b[201~")
    ask(chat, "", "Neil Armstrong")


def test_a_paste_that_would_drive_the_terminal_is_shown_and_not_obeyed(chat: Talk) -> None:
    ask(chat, "\x1b[200~Who set foot \x1b]0;owned\x07 on \x1b[2J the Moon?\x1b[201~", "Armstrong")
    assert "\x1b]0;owned" not in chat.sent


def test_a_question_of_100_000_characters_is_answered(chat: Talk) -> None:
    chat.type(f"\x1b[200~{QUESTION} {'whales sing ' * 8333}\x1b[201~")
    ask(chat, "", "The question is longer than")
    ask(chat, QUESTION, "Neil Armstrong")


def test_ctrl_c_clears_the_line(chat: Talk) -> None:
    chat.type("nonsense that is not asked")
    chat.wait_for("asked")
    chat.type("\x03")
    chat.wait_for(PROMPT)
    ask(chat, QUESTION, "Neil Armstrong")
    assert "Probably not" not in chat.sent


def test_ctrl_c_stops_waiting_for_the_first_index_and_the_session_goes_on(
    begin: Begin, run: Run, corpus: Path
) -> None:
    for number in range(300):
        text = f"# Chapter {number}\n\n" + f"Whale {number} sings song {number}. " * 200
        (corpus / f"{number}.md").write_text(text, "utf-8")
    with begin("chat") as talk:
        talk.wait_for(PROMPT)
        talk.type(f"{QUESTION}\r")
        talk.wait_for(" of ")  # Reading 3 of 303 documents
        talk.type("\x03")
        talk.wait_for(PROMPT)
        started = time.monotonic()
        talk.type("\x04")
        assert talk.wait_for_end() == 0
        assert time.monotonic() - started < HANG / 2  # it does not wait for the index
    assert run("status")[0] == 0


def test_ctrl_c_again_and_again_never_ends_a_session(chat: Talk) -> None:
    for _ in range(5):
        chat.type(f"{QUESTION}\r")
        chat.type("\x03" * 3)
        chat.read(0.2)
    chat.type("\x15")
    ask(chat, ":k 3", "From now on: k 3")
    chat.type("\x04")
    assert chat.wait_for_end() == 0
    assert "Traceback" not in chat.sent


def test_a_shell_asks_then_shows_and_opens_by_number(
    begin: Begin, run: Run, tmp_path: Path
) -> None:
    run("index")
    editor = tmp_path / "nano"
    editor.write_text("#!/bin/sh\necho EDITED $1 $2\n")
    editor.chmod(0o755)
    qa = f"{sys.executable} -m qa"
    with begin(program=["/bin/sh"], environment={"VISUAL": str(editor)}) as shell:
        for command, shown in (
            (f"{qa} open 1", "no last answer in this terminal"),
            (f"{qa} '{QUESTION}'", "Neil Armstrong"),
            (f"{qa} open 1", f"EDITED +7 {tmp_path}/corpus/moon.md"),
            (f"{qa} show 1 | cat", "Neil Armstrong"),
            (f"{qa} open 1 < /dev/null", "needs a terminal"),
            (f"echo {QUESTION[:-1]} | {qa} ask - | cat", "Neil Armstrong"),
        ):
            shell.type(f"{command}\r")
            shell.wait_for(shown)


def test_a_document_that_is_deleted_or_changed_is_told_of(chat: Talk, corpus: Path) -> None:
    ask(chat, QUESTION, "Neil Armstrong")
    (corpus / "moon.md").write_text("# The Moon\n\nIt is made of cheese.\n\n" * 9, "utf-8")
    ask(chat, ":show 1", "has changed since")
    (corpus / "moon.md").unlink()
    ask(chat, ":open 1", "can't be read")
    ask(chat, ":show 1", "names no document")
    ask(chat, "How large are blue whales?", "whales.txt:1")


def test_a_document_that_is_added_is_found_without_asking_for_it(chat: Talk, corpus: Path) -> None:
    ask(chat, QUESTION, "Neil Armstrong")
    (corpus / "mars.md").write_text("The rover Perseverance landed in Jezero crater.\n", "utf-8")
    chat.read(5)
    ask(chat, "Which rover landed in Jezero crater?", "mars.md:1")


def test_what_was_typed_is_remembered_for_the_user_alone(
    begin: Begin, run: Run, tmp_path: Path
) -> None:
    run("index")
    with begin("chat") as talk:
        talk.wait_for(PROMPT)
        ask(talk, QUESTION, "Neil Armstrong")
        ask(talk, " a secret question?", "Probably not")
        talk.type("\x04")
        talk.wait_for_end()
    file = tmp_path / "state" / "retrieval-qa" / "history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert QUESTION in file.read_text()
    assert "secret" not in file.read_text()
    with begin("chat") as talk:
        talk.wait_for(PROMPT)
        talk.type("\x1b[A")
        talk.wait_for("Moon?")
        talk.type("\x15\x04")


def test_nothing_is_remembered_without_a_history(begin: Begin, run: Run, tmp_path: Path) -> None:
    run("index")
    with begin("chat", "--no-history") as talk:
        talk.wait_for(PROMPT)
        ask(talk, QUESTION, "Neil Armstrong")
        talk.type("\x04")
        talk.wait_for_end()
    assert not (tmp_path / "state" / "retrieval-qa" / "history").exists()


def test_a_history_that_can_not_be_used_does_not_keep_a_session_from_beginning(
    begin: Begin, run: Run, tmp_path: Path
) -> None:
    run("index")
    folder = tmp_path / "state" / "retrieval-qa"
    (folder / "history").mkdir(parents=True)
    with begin("chat") as talk:
        talk.wait_for(PROMPT)
        ask(talk, QUESTION, "Neil Armstrong")


def test_a_long_history_is_cut_where_a_line_begins(tmp_path: Path) -> None:
    from qa.cli.prompting import history

    file = tmp_path / "private" / "history"
    file.parent.mkdir()
    file.write_text("".join(f"\n# 2026-01-01\n+question {n}\n" for n in range(60_000)))
    lines = list(history(file).load_history_strings())
    assert lines[0] == "question 59999"
    assert 1000 < len(lines) < 20_000
    assert all(re.fullmatch(r"question \d+", line) for line in lines)


def test_a_terminal_that_is_gone_ends_the_session(chat: Talk, run: Run) -> None:
    ask(chat, QUESTION, "Neil Armstrong")
    chat.child.ptyproc.fileobj.close()  # as when its window is closed
    end = time.monotonic() + HANG
    while chat.child.isalive() and time.monotonic() < end:
        time.sleep(0.05)
    assert not chat.child.isalive()
    assert run("status")[0] == 0


@pytest.mark.parametrize("moment", ["at the prompt", "while it answers"])
def test_a_session_that_is_terminated_leaves_the_terminal_as_it_was(
    chat: Talk, run: Run, moment: str
) -> None:
    import termios

    ask(chat, QUESTION, "Neil Armstrong")
    echo = termios.ECHO | termios.ICANON
    chat.read(0.3)
    assert termios.tcgetattr(chat.child.child_fd)[3] & echo == 0
    if moment == "while it answers":
        chat.type(f"{QUESTION}\r")
    os.kill(chat.child.pid, signal.SIGTERM)
    with contextlib.suppress(termios.error):  # gone, with the last that had it open
        end = time.monotonic() + HANG
        while termios.tcgetattr(chat.child.child_fd)[3] & echo != echo:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert chat.wait_for_end() == 128 + signal.SIGTERM
    assert "Traceback" not in chat.sent
    assert run("status")[0] == 0


@pytest.mark.parametrize("width", [20, 50, 120])
def test_a_session_fits_terminals_of_any_width(begin: Begin, run: Run, width: int) -> None:
    run("index")
    with begin("chat", width=width) as talk:
        talk.wait_for(PROMPT)
        ask(talk, QUESTION, "Armstrong")
        ask(talk, ":help", "quit")
        talk.type("\x04")
        assert talk.wait_for_end() == 0


def test_without_colour_none_is_sent(begin: Begin, run: Run) -> None:
    run("index")
    with begin("chat", environment={"NO_COLOR": "1"}) as talk:
        talk.wait_for(PROMPT)
        ask(talk, QUESTION, "Neil Armstrong")
        ask(talk, ":why 1", "nearest in meaning")
        colours = re.findall("\x1b\\[([0-9;]*)m", talk.sent)
        assert not [one for one in colours if re.search(r"\b(3[0-7]|38|4[0-7]|9[0-7])\b", one)]


def test_a_dumb_terminal_is_asked_and_answered_in_plain_text(begin: Begin, run: Run) -> None:
    run("index")
    with begin("chat", environment={"TERM": "dumb"}) as talk:
        talk.wait_for(PROMPT)
        ask(talk, QUESTION, "Neil Armstrong")
        talk.type("\x04")
        assert talk.wait_for_end() == 0
        assert "\x1b" not in talk.sent


def test_a_corpus_that_is_not_there_is_told_of_and_the_session_goes_on(
    begin: Begin, corpus: Path
) -> None:
    corpus.rename(corpus.with_name("elsewhere"))
    with begin("chat") as talk:
        talk.wait_for(PROMPT)
        talk.wait_for("There is no corpus")  # below the prompt, before anything is asked
        before = len(talk.sent)
        ask(talk, QUESTION, "qa: There is no corpus")
        assert talk.sent[before:].count("There is no corpus at") <= 2  # and below it again
        talk.type("\x04")
        assert talk.wait_for_end() == 0


def test_the_session_is_imported_where_it_is_used_only(run: Run, corpus: Path) -> None:
    import subprocess

    run("index")
    program = (
        "import sys; sys.argv[0] = 'qa'\n"
        "from qa.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code, left.code\n"
        "heavy = {'prompt_toolkit', 'qa.cli.chat', 'qa.cli.session', 'qa.cli.viewers', "
        "'qa.cli.open', 'qa.cli.show', 'qa.cli.eval'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "ask", QUESTION], cwd=corpus.parent,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
