"""Logs: what is done, how long it took, what failed; nobody's text unless it is asked for."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run
    from qa.assistant import Assistant

QUESTION = "Who set foot on the Moon, asks Wilhelmina?"


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    """Undo what a command sets in this process."""
    yield
    for name in ("qa", "qa.text"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


def texts(corpus: Path) -> set[str]:
    """Give the words of the question and the documents that no name or message has."""
    written = " ".join(path.read_text() for path in corpus.rglob("*") if path.is_file())
    words = set(re.findall(r"\w{5,}", f"{QUESTION} {written}"))
    return {word for word in words if word.lower() not in {"bread", "whales", "passages"}}


@pytest.mark.usefixtures("cache")
def test_a_log_says_what_was_done_and_no_text(run: Run, corpus: Path, tmp_path: Path) -> None:
    (corpus / "bad.txt").write_bytes(b"\x00\x01\x02binary")
    log = tmp_path / "qa.log"
    assert run("--log-file", log, "ask", QUESTION)[0] == 0
    assert run("--log-file", log, "ask", QUESTION, "--explain", "--format", "json")[0] == 0
    assert run("--log-file", log, "ask", "")[0] == 2
    assert run("--log-file", log, "show", "Wilhelmina:3")[0] == 2
    assert run("--log-file", log, "ask", QUESTION, "--model", "nowhere")[0] == 2
    written = log.read_text("utf-8")
    lines = written.splitlines()
    assert sum(" answered question=" in line for line in lines) == 2
    assert re.search(r"refreshed added=3 .*encoded=\d.*seconds=\d", written)
    assert 'started command="ask"' in written
    assert 'failed kind="QuestionError"' in written
    assert 'failed kind="ModelError" message="There is no model' in written
    assert not [word for word in texts(corpus) if word in written]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ [A-Z]+ ", one) for one in lines)


@pytest.mark.usefixtures("corpus", "cache")
def test_text_is_logged_where_it_is_asked_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "qa.log"
    monkeypatch.setenv("QA_LOG", str(log))
    assert run("ask", QUESTION)[0] == 0
    assert "Wilhelmina" not in log.read_text()
    monkeypatch.setenv("QA_LOG_TEXT", "1")
    assert run("ask", QUESTION)[0] == 0
    assert f"asked={json.dumps(QUESTION)}" in log.read_text()
    assert "Neil Armstrong" in log.read_text()


@pytest.mark.usefixtures("cache")
def test_no_name_of_a_file_begins_a_line_of_its_own(run: Run, tmp_path: Path, corpus: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no such names")
    (corpus / "moon.md").rename(corpus / "x\n2026-01-01 ERROR forged \x1b[31m.md")
    log = tmp_path / "qa.log"
    assert run("--log-file", log, "ask", QUESTION)[0] == 0
    assert not re.search(r"^2026-01-01 ERROR|\x1b", log.read_text(), re.MULTILINE)
    assert "ERROR forged" in log.read_text()


@pytest.mark.usefixtures("corpus")
def test_a_log_that_can_not_be_written_is_said_with_status_2(run: Run, tmp_path: Path) -> None:
    status, _, err = run("--log-file", tmp_path / "no" / "qa.log", "status")
    assert status == 2
    assert "--log-file" in err


def test_a_program_hears_the_same_through_logging(
    assistant: Assistant, caplog: pytest.LogCaptureFixture, corpus: Path
) -> None:
    with caplog.at_level(logging.DEBUG):  # a root that takes everything gets no text either
        assistant.ask(QUESTION)
    said = [one.getMessage() for one in caplog.records if one.name.startswith("qa")]
    assert any(one.startswith("answered question=") for one in said)
    assert not [word for word in texts(corpus) if word in " ".join(said)]
    with caplog.at_level(logging.INFO, logger="qa.text"):
        assistant.ask(QUESTION)
    assert "Wilhelmina" in caplog.text


def test_logging_is_not_imported_for_nobody() -> None:
    program = "import sys; import qa.logs; qa.logs.record('x'); print('logging' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_where_nobody_listens_nothing_is_written(corpus: Path, tmp_path: Path, cache: Path) -> None:
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    environment = os.environ | {"QA_CACHE": str(cache), "QA_INDEX": str(tmp_path / "index")}
    program = (
        "import logging, sys; from qa.cli import main; sys.argv = ['qa', *sys.argv[1:]]; main()"
    )
    for command, status in ((["index"], 0), (["ask", " "], 2)):
        done = subprocess.run(
            [sys.executable, "-c", program, *command, "--corpus", corpus],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status
        assert "not read" not in done.stderr
        assert "failed" not in done.stderr
