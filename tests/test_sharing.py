"""One writer at a time, many readers at any time; clocks that say what they like."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from qa.assistant import Assistant
from releasing import release
from sharing import ask_while_writing, write_together

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "Who set foot on the Moon?"
HOLDER = """
import sys, time, qa
reports = []
def hold(progress):
    reports.append(progress)
    if len(reports) == 2:  # the first comes before the lock is taken
        print("held", flush=True)
        time.sleep(600)
corpus, index = sys.argv[1:]
with qa.Assistant(corpus, index, progress=hold) as assistant:
    assistant.refresh()
"""


def test_readers_get_answers_of_one_state_while_a_writer_refreshes(
    tmp_path: Path, cache: Path
) -> None:
    """`tests/long/share.py` does it with 8 readers and 200 refreshes."""
    seen = ask_while_writing(tmp_path / "corpus", tmp_path / "index", cache, readers=2, rounds=20)
    assert seen["questions"] >= 2


def test_no_work_is_lost_of_writers_that_write_together(tmp_path: Path, cache: Path) -> None:
    write_together(tmp_path / "corpus", tmp_path / "index", cache, writers=2, rounds=6)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_writer_killed_while_it_holds_the_lock_holds_up_nobody(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    assistant.refresh()
    (corpus / "new.txt").write_text("Penguins live in the south.")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, corpus, tmp_path / "index"],
        env=os.environ | {"QA_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert assistant.ask(QUESTION, refresh=False).answered  # readers don't wait
        process.kill()
    with Assistant(corpus, tmp_path / "index", cache=str(cache), lock_timeout=0) as other:
        assert other.refresh().added == 1


def test_a_reader_follows_an_index_that_was_replaced_under_it(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    assistant.refresh()
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as reader:
        assert reader.ask(QUESTION, refresh=False).answered
        for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"):
            (tmp_path / "index" / name).unlink(missing_ok=True)
        release(assistant)
        (corpus / "moon.md").write_text("# Moon\n\nNobody ever set foot on it.\n")
        assistant.refresh()
        answer = reader.ask(QUESTION, refresh=False)
        assert "Nobody" in answer.passages[0].citation.quote


_YEAR = 365 * 86_400 * 10**9
TIMES = {
    "in 1970": 1,
    "a year ago": time.time_ns() - _YEAR,
    "in a year": time.time_ns() + _YEAR,
    "in 2200": 230 * _YEAR,
}


@pytest.mark.parametrize("before", TIMES)
@pytest.mark.parametrize("after", TIMES)
def test_a_change_is_seen_whatever_the_times_say(
    assistant: Assistant, corpus: Path, before: str, after: str
) -> None:
    bread = corpus / "bread.txt"
    os.utime(bread, ns=(TIMES[before], TIMES[before]))
    assistant.refresh()
    bread.write_text(bread.read_text().replace("ten", "six"))
    os.utime(bread, ns=(TIMES[after], TIMES[after]))
    assert assistant.refresh().changed == 1
    assert assistant.refresh().changed == 0


@pytest.mark.parametrize("ahead", [-_YEAR, -10_000_000_000, 10_000_000_000, _YEAR])
def test_a_change_is_seen_whatever_the_clock_says(
    assistant: Assistant, corpus: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """The clock of this program differs from that of the disk."""
    real = time.time_ns
    monkeypatch.setattr("qa.assistant.time.time_ns", lambda: real() + ahead)
    bread = corpus / "bread.txt"
    before = bread.stat()
    assistant.refresh()
    time.sleep(0.02)  # a tick of the disk's own clock
    bread.write_text(bread.read_text().replace("ten", "six"))
    os.utime(bread, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert assistant.refresh().changed == 1


def test_a_file_replaced_by_another_of_the_same_size_and_time_is_seen(
    assistant: Assistant, corpus: Path
) -> None:
    bread, other = corpus / "bread.txt", corpus / "other.tmp"
    other.write_text(bread.read_text().replace("ten", "six"))
    times = bread.stat()
    assistant.refresh()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(bread)
    assert assistant.refresh().changed == 1
