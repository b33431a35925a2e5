"""Many questions: `Assistant.ask_many`, `ask_async` many times at once, and `qa ask --batch`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from itertools import count, islice, pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import qa
from qa.cli.batch_lines import lines
from qa.corpus import FolderCorpus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run
    from qa.assistant import Assistant
    from qa.corpus import Scan

MOON, BREAD, WHALES = "Who set foot on the Moon?", "How long is bread kneaded?", "What eats krill?"
NOTHING = "What did the minister of finance say?"
SEVERAL = [MOON, BREAD, WHALES, NOTHING]


# --- the library ------------------------------------------------------------------------


def test_many_questions_are_answered_in_order_as_each_alone(assistant: Assistant) -> None:
    questions = [f"{one[:-1]}{' indeed' * n}?" for n in range(9) for one in SEVERAL]
    for question, one in zip(questions, assistant.ask_many(questions, k=2), strict=True):
        alone = assistant.ask(question, k=2)
        assert one.question == question
        assert [str(each.citation) for each in one.passages] == [
            str(each.citation) for each in alone.passages
        ]
        assert one.probability == pytest.approx(alone.probability, abs=1e-3)
        assert (one.answered, one.complete) == (alone.answered, alone.complete)


def test_a_question_may_have_arguments_of_its_own(assistant: Assistant) -> None:
    asked: list[str | dict[str, object]] = [
        {"question": MOON, "k": 1, "within": "*.md", "since": None},
        {"question": MOON, "threshold": 0},
        MOON,
    ]
    first, second, third = assistant.ask_many(asked, k=3, threshold=1, within="*.txt")
    assert [one.citation.document for one in first.nearest] == ["moon.md"]
    assert "moon.md" not in {one.citation.document for one in second.passages}
    assert second.answered
    assert not third.answered


def test_questions_are_taken_only_some_ahead_of_the_answers(assistant: Assistant) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for taken in count(1):  # noqa: B007 - what is counted
            yield MOON

    answers = assistant.ask_many(endless())
    assert taken == 0
    assert len(list(islice(answers, 3))) == 3
    assert taken <= 3 + 48
    answers.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("qa-ahead")]


def test_the_corpus_is_looked_at_once_for_many_questions(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.refresh()
    looks: list[float] = []
    scan = FolderCorpus.scan

    def looking(self: FolderCorpus) -> Scan:
        looks.append(time.monotonic())
        return scan(self)

    monkeypatch.setattr(FolderCorpus, "scan", looking)
    list(assistant.ask_many(SEVERAL * 15))
    assert looks
    assert all(later - one >= 1 for one, later in pairwise(looks))


def test_a_document_that_changes_meanwhile_is_not_cited_as_it_was(
    assistant: Assistant, corpus: Path
) -> None:
    answers = assistant.ask_many([MOON] * 40, k=1)
    assert "Neil Armstrong" in next(answers).passages[0].evidence.citation.quote
    (corpus / "moon.md").write_text("# The Moon\n\nGene Cernan set foot on it last.\n", "utf-8")
    for one in answers:
        assert "Cernan" in one.passages[0].evidence.citation.quote


def test_a_new_document_is_found_while_many_questions_are_answered(
    assistant: Assistant, corpus: Path
) -> None:
    answers = assistant.ask_many(NOTHING for _ in count())
    assert not next(answers).answered
    said = "The minister of finance said that taxes will fall.\n"
    (corpus / "minister.txt").write_text(said, "utf-8")
    until = time.monotonic() + 60
    while not next(answers).answered:
        assert time.monotonic() < until
        time.sleep(0.05)
    answers.close()


def test_a_question_that_cant_be_asked_is_refused_in_its_turn(assistant: Assistant) -> None:
    wrong: list[Any] = [MOON, "", BREAD, {"question": MOON, "nonsense": 1}, 5, {}, WHALES]
    came: list[object] = []
    for one in assistant.ask_many(
        wrong, refused=lambda number, error: came.append((number, str(error)))
    ):
        came.append(one.question)  # noqa: PERF401 - in between
    assert came == [
        MOON,
        (1, "The question is empty"),
        BREAD,
        (3, "A question has nothing called 'nonsense'"),
        (4, "The question is 5"),
        (5, "There is no question"),
        WHALES,
    ]


def test_unless_somebody_is_told_the_first_that_cant_be_asked_raises(assistant: Assistant) -> None:
    answers = assistant.ask_many([MOON, {"question": MOON, "within": "nowhere/**"}, MOON])
    assert next(answers).answered
    with pytest.raises(qa.FilterError, match="nowhere"):
        next(answers)


def test_an_argument_of_all_that_makes_no_sense_is_refused_at_once(assistant: Assistant) -> None:
    with pytest.raises(qa.QuestionError, match="k is 0"):
        assistant.ask_many([MOON], k=0)
    with pytest.raises(qa.FilterError, match="yesterday"):
        assistant.ask_many([MOON], since="yesterday")


def test_no_questions_make_no_index(assistant: Assistant, tmp_path: Path) -> None:
    assert list(assistant.ask_many([])) == []
    assert not (tmp_path / "index").exists()


def test_an_assistant_that_is_closed_meanwhile_answers_no_more(assistant: Assistant) -> None:
    answers = assistant.ask_many([MOON] * 100)
    next(answers)
    assistant.close()
    with pytest.raises(qa.ClosedError):
        list(answers)
    with pytest.raises(qa.ClosedError):
        assistant.ask_many([MOON])


def test_what_gives_the_questions_may_fail(assistant: Assistant) -> None:
    def failing() -> Iterator[str]:
        yield MOON
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(assistant.ask_many(failing()))
    assert assistant.ask(MOON).answered


def test_several_threads_may_ask_many_at_once(assistant: Assistant) -> None:
    found: list[list[str]] = []

    def ask() -> None:
        found.append([one.question for one in assistant.ask_many(SEVERAL * 5, refresh=False)])

    assistant.refresh()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert found == [SEVERAL * 5] * 4


def test_a_hundred_questions_awaited_at_once_use_threads_of_their_own(assistant: Assistant) -> None:
    most = 0

    async def ask() -> list[qa.Answer]:
        nonlocal most
        asked = asyncio.gather(*(assistant.ask_async(one) for one in SEVERAL * 25))
        while not asked.done():
            await asyncio.sleep(0.001)
            most = max(most, len(ours()))
        return await asked

    def ours() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one.name.startswith("qa-ask")]

    answers = asyncio.run(ask())
    assert [one.question for one in answers] == SEVERAL * 25
    assert 16 <= most <= 16 + (os.cpu_count() or 1)
    assistant.close()
    assert not ours()
    with pytest.raises(qa.ClosedError):
        asyncio.run(assistant.ask_async(MOON))


# --- the command line -------------------------------------------------------------------


@pytest.fixture(name="ask")
def _ask(corpus: Path, tmp_path: Path, run: Run) -> Any:
    """Give a function that asks the lines of a file: status, objects, stderr."""

    def ask(lines: bytes, *options: object) -> tuple[int, list[dict[str, Any]], str]:
        file = tmp_path / "lines"
        file.write_bytes(lines)
        status, out, err = run("ask", "--batch", file, "--corpus", corpus, *options)
        return status, [json.loads(line) for line in out.splitlines()], err

    return ask


def test_each_line_gets_its_answer_or_its_error_in_order(ask: Any) -> None:
    lines = [
        MOON.encode(),
        b"  ",
        b'{"question": "How long is bread kneaded?", "id": "b", "k": 1}\r',
        b'{"question": "Who?", "id": 7, "colour": "red"}',
        b"{nonsense",
        b"caf\xe9",
        b'{"question": "x", "id": 1.5}',
        b"[" * 5000,
        b'{"question": ' + b"[" * 100_000,
        b"x" * 1_000_001,
        b'{"id": null, "question": "Who set foot on the Moon?", "within": ["*.md"]}',
    ]
    status, found, err = ask(b"\xef\xbb\xbf" + b"\n".join(lines))
    assert status == 2
    assert [one["line"] for one in found] == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert [one.get("id") for one in found] == [None, "b", 7, *[None] * 7]
    kinds = ["answer", "answer", *["error"] * 4, "answer", "error", "error", "answer"]
    assert [one["schema"] for one in found] == [f"qa.{kind}/1" for kind in kinds]
    assert found[2]["error"] == "A question has nothing called 'colour'"
    assert "not UTF-8" in found[4]["error"]
    assert "longer than 1,000,000 bytes" in found[8]["error"]
    assert found[0]["question"] == MOON
    assert [one["citation"]["document"] for one in found[9]["passages"]] == ["moon.md", "moon.md"]
    assert "--" not in "".join(one.get("error", "") for one in found)
    assert not err or "Embedding" in err


@pytest.mark.parametrize(
    ("lines", "status"),
    [([], 0), ([""], 0), ([MOON], 0), ([MOON, NOTHING, BREAD], 1), ([MOON, NOTHING, "{"], 2)],
)
def test_the_exit_status_is_the_highest_of_all_lines(
    ask: Any, lines: list[str], status: int
) -> None:
    assert ask("\n".join(lines).encode())[0] == status


@given(
    lines=st.lists(
        st.one_of(
            st.binary(max_size=30).filter(lambda raw: b"\n" not in raw and b"\r" not in raw),
            st.dictionaries(
                st.sampled_from(
                    "question k within where since until threshold id explain refresh".split()
                ),
                st.recursive(
                    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: (
                        st.lists(inner, max_size=2)
                        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
                    ),
                    max_leaves=4,
                ),
            ).map(lambda one: json.dumps(one).encode()),
        ),
        max_size=12,
    )
)
@example(lines=[b'{"question": null}', b"{}", b"[]", b'{"question": {}}'])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_line_holds_it_gets_one_object(ask: Any, lines: list[bytes]) -> None:
    status, found, err = ask(b"\n".join(lines))
    assert "Internal error" not in err
    blank = {b"", b"\xef\xbb\xbf"}  # the second is a byte order mark
    numbers = [number for number, raw in enumerate(lines, 1) if raw.strip() not in blank]
    assert [one["line"] for one in found] == numbers
    assert status in ({0, 1, 2} if found else {0})
    assert all(("error" in one) != ("question" in one) for one in found)


def test_an_answer_of_a_batch_can_be_verified(ask: Any, run: Run, tmp_path: Path) -> None:
    _, [answer], _ = ask(MOON.encode())
    (tmp_path / "answer.json").write_text(json.dumps(answer), "utf-8")
    status, _, err = run("verify", tmp_path / "answer.json", "--corpus", tmp_path / "corpus")
    assert (status, err) == (0, "")


@pytest.mark.parametrize("options", [["Who?"], ["--format", "markdown"], ["-k", "0"]])
def test_options_that_make_no_sense_end_it_before_the_first_line(
    ask: Any, options: list[str]
) -> None:
    status, found, err = ask(MOON.encode(), *options)
    assert (status, found) == (2, [])
    assert err.startswith("qa: ")


@pytest.mark.parametrize("name", ["nowhere.txt", ".", "nul\0"])
def test_a_file_that_cant_be_read_is_named(run: Run, corpus: Path, name: str) -> None:
    status, out, err = run("ask", "--batch", name, "--corpus", corpus)
    assert (status, out) == (2, "")
    assert "can't be read" in err


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_lines_come_out_the_same_however_they_arrive(parts: list[bytes]) -> None:
    reading, writing = os.pipe()
    with closing(lines(reading, "-")) as arriving:
        came: list[bytes] = []
        for part in filter(None, parts):
            os.write(writing, part)
            came += next(arriving)
        os.close(writing)
        came += next(arriving)
    os.close(reading)
    assert came == b"".join(parts).split(b"\n")


@pytest.fixture(name="batch")
def _batch(assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path) -> Iterator[Any]:
    """Give a process that answers what is written to it; the index is there already."""
    assistant.refresh()
    command = [sys.executable, "-m", "qa", "ask", "--batch", "-", "-k", "1"]
    places = ["--corpus", str(corpus), "--index", str(tmp_path / "index")]
    one = subprocess.Popen(
        [*command, *places],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "QA_CACHE": str(cache)},
    )
    yield one
    one.kill()
    one.communicate()


def test_who_waits_for_an_answer_before_asking_on_gets_it(batch: Any, corpus: Path) -> None:
    for question in SEVERAL:
        batch.stdin.write(f"{question}\n".encode())
        batch.stdin.flush()
        assert json.loads(batch.stdout.readline())["question"] == question
    (corpus / "new.txt").write_text("The minister of finance said that taxes will fall.\n", "utf-8")
    batch.stdin.write(f"{NOTHING}\n".encode())
    batch.stdin.flush()
    assert json.loads(batch.stdout.readline())["answered"]
    out, err = batch.communicate(MOON.encode(), timeout=60)
    assert json.loads(out)["line"] == 6
    assert (batch.returncode, err) == (1, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_a_whole_line(batch: Any, number: int) -> None:
    feeding = threading.Thread(target=_feed, args=[batch.stdin], daemon=True)
    feeding.start()
    lines = [batch.stdout.readline() for _ in range(20)]
    batch.send_signal(number)
    lines += batch.stdout.readlines()
    assert batch.wait(30) == 128 + number
    assert [json.loads(line)["line"] for line in lines] == list(range(1, len(lines) + 1))
    assert b"Stopped." in batch.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_ends_it_while_it_waits_for_a_line(batch: Any) -> None:
    batch.stdin.write(f"{MOON}\n".encode())
    batch.stdin.flush()
    assert batch.stdout.readline()
    batch.send_signal(signal.SIGINT)
    assert batch.wait(30) == 130


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_ends_it_though_nobody_reads_the_line_that_it_writes(batch: Any) -> None:
    feeding = threading.Thread(target=_feed, args=[batch.stdin], daemon=True)
    feeding.start()
    assert batch.stdout.readline()
    time.sleep(3)  # until the pipe is full
    batch.send_signal(signal.SIGTERM)
    assert batch.wait(30) == 143


def test_when_its_reader_has_gone_it_ends_in_silence(batch: Any) -> None:
    feeding = threading.Thread(target=_feed, args=[batch.stdin], daemon=True)
    feeding.start()
    assert batch.stdout.readline()
    batch.stdout.close()
    assert batch.wait(60) == 0
    assert batch.stderr.read() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_answers_that_are_longer_than_a_screen_open_no_pager(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    import pty
    import termios

    assistant.refresh()
    (tmp_path / "lines").write_text("\n".join([MOON] * 3), "utf-8")
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (4, 40))
    command = [sys.executable, "-m", "qa", "ask", "--batch", str(tmp_path / "lines")]
    shown = b""
    with subprocess.Popen(
        [*command, "--corpus", str(corpus), "--index", str(tmp_path / "index")],
        stdin=follower,
        stdout=follower,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "QA_CACHE": str(cache), "PAGER": "echo a pager; cat"},
    ) as process:
        while shown.count(b"\n") < 3:
            shown += os.read(leader, 100_000)
        assert process.wait(60) == 0
    os.close(leader)
    os.close(follower)
    assert b"a pager" not in shown
    assert [json.loads(line)["line"] for line in shown.splitlines()] == [1, 2, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_on_a_terminal_it_is_said_how_far_it_is_and_then_no_more(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    import pty

    assistant.refresh()
    (tmp_path / "lines").write_text("\n".join([MOON] * 30), "utf-8")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "qa", "ask", "--batch", str(tmp_path / "lines")]
    done = subprocess.run(
        [*command, "--corpus", str(corpus), "--index", str(tmp_path / "index")],
        check=True,
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "QA_CACHE": str(cache)},
    )
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    os.close(follower)
    assert done.stdout.count(b"\n") == 30
    assert "30 lines asked" in shown
    assert "\n" not in shown
    assert not shown.rpartition("asked")[2].strip()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_endless_input_takes_no_more_memory(batch: Any) -> None:
    feeding = threading.Thread(target=_feed, args=[batch.stdin], daemon=True)
    feeding.start()

    def answered(lines: int) -> int:
        for _ in range(lines):
            assert batch.stdout.readline()
        with open(f"/proc/{batch.pid}/statm", "rb") as file:  # noqa: PTH123 - a number
            return int(file.read().split()[1]) * 4096

    before = answered(300)
    assert answered(600) < before + 30e6


def _feed(stream: Any) -> None:
    try:
        while True:
            stream.write(f"{MOON}\n".encode() * 100)
    except (OSError, ValueError):
        pass
