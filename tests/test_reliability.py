"""Reliability: what can go wrong with the index folder, tried."""

from __future__ import annotations

import os
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest

from killing import kill_writers
from qa.assistant import Assistant
from qa.errors import (
    CatalogDamagedError,
    ForeignIndexError,
    IndexLockedError,
    IndexMissingError,
    QaError,
    StorageError,
)
from releasing import release

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "Who set foot on the Moon?"
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def test_a_damaged_catalog_is_reported_and_can_be_rebuilt(
    assistant: Assistant, tmp_path: Path
) -> None:
    assistant.ask(QUESTION)
    release(assistant)
    catalog = tmp_path / "index" / "catalog.sqlite"
    size = catalog.stat().st_size
    catalog.write_bytes(catalog.read_bytes()[:100] + b"\xee" * (size - 100))
    with pytest.raises(CatalogDamagedError) as raised:
        assistant.ask(QUESTION)
    assert "qa index --rebuild" in raised.value.hint
    assert assistant.refresh(rebuild=True).added == 3
    assert assistant.ask(QUESTION).answered


def test_a_file_that_is_no_database_is_reported(assistant: Assistant, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "catalog.sqlite").write_text("hello, I am a text file " * 100)
    with pytest.raises(CatalogDamagedError):
        assistant.ask(QUESTION)


def test_another_programs_database_is_never_touched(assistant: Assistant, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    path = tmp_path / "index" / "catalog.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(ForeignIndexError):
        assistant.ask(QUESTION)
    with pytest.raises(ForeignIndexError):
        assistant.refresh(rebuild=True)
    assert path.read_bytes() == before


def test_an_index_of_another_format_version_is_named_and_rebuilt_on_request(
    assistant: Assistant, tmp_path: Path
) -> None:
    assistant.refresh()
    release(assistant)
    with sqlite3.connect(tmp_path / "index" / "catalog.sqlite") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(ForeignIndexError, match="999"):
        assistant.ask(QUESTION)
    assert assistant.refresh(rebuild=True).added == 3


def test_a_missing_index_is_named_where_it_may_not_be_made(assistant: Assistant) -> None:
    with pytest.raises(IndexMissingError):
        assistant.ask(QUESTION, refresh=False)
    with pytest.raises(IndexMissingError):
        assistant.status()


@posix
def test_a_full_disk_leaves_the_old_index(assistant: Assistant, corpus: Path) -> None:
    """A limit on the size of files stands for the end of the disk."""
    import resource

    assistant.refresh()
    (corpus / "big.md").write_text("\n\n".join(f"Number {n} is a number." * 12 for n in range(300)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(StorageError) as raised:
            assistant.refresh()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.hint
    assert assistant.ask(QUESTION, refresh=False).answered
    assert assistant.refresh().added == 1


def test_a_second_writer_waits_says_so_and_gives_up(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    from filelock import FileLock

    assistant.refresh()
    told: list[str] = []
    (corpus / "new.txt").write_text("Penguins live in the south.")
    with (
        FileLock(tmp_path / "index" / "writer.lock"),
        Assistant(
            corpus, tmp_path / "index", cache=str(cache), lock_timeout=0.2, notify=told.append
        ) as other,
    ):
        with pytest.raises(IndexLockedError) as raised:
            other.refresh()
        assert "--lock-timeout" in raised.value.hint
        assert any("waiting" in one for one in told)
        answer = other.ask(QUESTION)
        assert answer.answered
        assert not answer.complete
        assert "3 of 4 documents are indexed; the rest is being indexed." in answer.notes


def test_readers_see_one_state_while_a_writer_changes_it(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    assistant.refresh()
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as reader:
        reader.ask(QUESTION)
        store = reader._index
        with store.snapshot() as before:
            (corpus / "moon.md").write_text("# Moon\n\nNobody ever set foot on it.\n")
            assistant.refresh()
            paths = {row.path for row in before.documents([1, 2, 3]).values()}
            assert paths == {"moon.md", "bread.txt", "deep/whales.txt"}
            assert before.changes == 1
        assert "Nobody" in reader.ask(QUESTION).passages[0].citation.quote


@posix
@pytest.mark.usefixtures("encoder")
def test_a_kill_at_any_instant_leaves_each_document_old_or_new(tmp_path: Path, cache: Path) -> None:
    """Kill -9 15 times; `tests/long/kill.py` does it more often."""
    outcomes = kill_writers(tmp_path / "corpus", tmp_path / "index", cache, times=15, seed=3)
    assert outcomes["old"] + outcomes["new"] + outcomes["between"] == 15
    assert outcomes["between"]
    assert outcomes["with files left"]


@pytest.mark.parametrize("question", ["", "   \n\t ", "half \ud83d of a pair"])
def test_a_question_that_can_not_be_asked_is_refused(assistant: Assistant, question: str) -> None:
    with pytest.raises(QaError) as raised:
        assistant.ask(question)
    assert raised.value.hint


@pytest.mark.parametrize(
    "question",
    ["C++:", '"', "AND OR NOT", "path:", "*", "a OR (b", "\x00\x1b[31m", "the of and", "[red]x[/]",
     "' OR 1=1; --", "😀", "日本語", "x" * 5000],
)  # fmt: skip
def test_an_odd_question_is_only_a_question(assistant: Assistant, question: str) -> None:
    assert assistant.ask(question).question == question


def test_the_index_folder_may_not_be_a_file(corpus: Path, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "index").write_text("")
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as one, pytest.raises(QaError):
        one.ask(QUESTION)


def test_no_index_holds_a_pickle(assistant: Assistant, tmp_path: Path) -> None:
    assistant.refresh()
    for path in (tmp_path / "index").rglob("*"):
        if path.is_file():
            assert not path.read_bytes().startswith(b"\x80\x04"), path
    assert os.listdir(tmp_path / "index")  # noqa: PTH208
