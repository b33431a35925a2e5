"""Another model for an index: the old one answers until the new one is whole, and can come back."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from forging import forge
from qa.assistant import Assistant
from qa.errors import CatalogDamagedError
from qa.store.copying import copy
from qa.store.identity import Identity
from qa.store.index import Index
from qa.store.kept import kept_indexes
from qa.store.opening import moment

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

QUESTION = "Who set foot on the Moon?"


def test_another_model_takes_the_place_of_the_first_and_the_first_comes_back(
    run: Run, corpus: Path, tmp_path: Path, cache: Path, other: Path
) -> None:
    assert run("index")[0] == 0
    with Assistant(corpus, tmp_path / "index", cache=cache) as assistant:
        before = assistant.ask(QUESTION)
    status, out, err = run("index", "--model", other)
    assert status == 0
    assert out.startswith("3 added")
    assert f"will be embedded again with {other}: less than a minute" in err
    assert "`qa index --model all-MiniLM-L6-v2` goes back to it" in err
    with Assistant(corpus, tmp_path / "index", cache=cache) as assistant:
        after = assistant.ask(QUESTION)
        assert (after.model, after.complete) == (str(other), True)
        assert after.passages == before.passages  # the same weights
        assert assistant.refresh().unchanged == 3
    kept = kept_indexes(tmp_path / "index")
    assert [one.model for one in kept] == ["all-MiniLM-L6-v2"]
    (corpus / "new.txt").write_text("Tea is made of leaves.")
    status, out, err = run("index", "--model", "all-MiniLM-L6-v2")
    assert (status, out.split(" in ")[0]) == (0, "1 added; 3 unchanged. 1 of 1 passage embedded")
    assert "will be embedded again" not in err
    assert [one.model for one in kept_indexes(tmp_path / "index")] == [str(other)]
    assert run("doctor")[0] == 0


def test_the_old_model_answers_until_the_new_index_is_whole(
    corpus: Path, tmp_path: Path, cache: Path, other: Path
) -> None:
    index = tmp_path / "index"
    with Assistant(corpus, index, cache=cache) as assistant:
        assistant.refresh()
    answers = []

    def ask(_: object) -> None:
        with Assistant(corpus, index, cache=cache) as reader:
            answers.append(reader.ask(QUESTION, refresh=False))

    with Assistant(corpus, index, cache=cache, model=other, progress=ask) as assistant:
        assistant.refresh(switch=True)
    assert {answer.model for answer in answers} == {"all-MiniLM-L6-v2"}
    assert all(answer.answered for answer in answers)


def test_a_switch_that_was_stopped_goes_on_from_what_was_done(
    corpus: Path, tmp_path: Path, cache: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    with Assistant(corpus, index, cache=cache) as assistant:
        assistant.refresh()
        before = assistant.ask(QUESTION)

    class StoppedError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StoppedError

    with Assistant(corpus, index, cache=cache, model=other) as assistant:
        with monkeypatch.context() as patch:
            patch.setattr("qa.indexing.switching.copy", stop)
            with pytest.raises(StoppedError):
                assistant.refresh(switch=True)
        with Assistant(corpus, index, cache=cache) as reader:
            assert reader.ask(QUESTION) == before
        assert assistant.refresh(switch=True).encoded == 0
        assert assistant.ask(QUESTION).model == str(other)


def test_only_a_model_that_was_named_is_switched_to(
    run: Run, corpus: Path, tmp_path: Path, other: Path
) -> None:
    assert run("index")[0] == 0
    forge(tmp_path / "index", "UPDATE meta SET value = 'f' WHERE key = 'fingerprint'")
    (corpus / "new.txt").write_text("Tea is made of leaves.")
    status, _, err = run("index")
    assert status == 2
    assert "made with all-MiniLM-L6-v2; this is another version of it" in err
    assert "qa index --model NAME" in err
    status, _, err = run("ask", QUESTION, "--model", other)
    assert status == 2  # a question embeds no corpus again


def rows(index: Path) -> dict[str, list[tuple[object, ...]]]:
    """Give all that an index holds, without the numbers of its rows."""
    queries = {
        "files": "SELECT path, sha256, size, mtime_ns, ctime_ns, inode, seen_ns FROM file",
        "documents": "SELECT path, format, encoding, metadata, day, text FROM document"
        " LEFT JOIN extract ON document = id",
        "problems": "SELECT path, reason FROM problem",
        "passages": "SELECT path, start, end, length, terms, counts, tokens, headings, places,"
        " context, text, spans, digest, vector, sentences FROM passage"
        " JOIN document ON document.id = document LEFT JOIN embedding ON passage = passage.id",
        "terms": "SELECT * FROM term",
        "tokens": "SELECT * FROM token",
    }
    connection = sqlite3.connect(index / "catalog.sqlite")
    try:
        return {
            name: sorted(connection.execute(query).fetchall(), key=repr)
            for name, query in queries.items()
        }
    finally:
        connection.close()


def copied(source: Path, target: Path) -> None:
    """Copy an index to another folder."""
    writer = Index(target)
    with moment(source) as snapshot, writer.transaction() as transaction:
        transaction.begin(Identity("fingerprint", "model", ""), rebuild=True)
        copy(snapshot, transaction)
    writer.close()


def test_a_copy_holds_what_was_copied_bit_for_bit(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    (corpus / "same.txt").write_text((corpus / "bread.txt").read_text())
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    (corpus / "page.html").write_text("<title>Tea</title><h1>Leaves</h1><p>Tea is of leaves.</p>")
    (corpus / "table.csv").write_text("name,year\nMoon,1969\n")
    with Assistant(corpus, tmp_path / "index", cache=cache) as assistant:
        assistant.refresh()
    copied(tmp_path / "index", tmp_path / "copy")
    before, after = rows(tmp_path / "index"), rows(tmp_path / "copy")
    assert before == after
    assert before["problems"]


def test_what_is_damaged_is_not_copied(corpus: Path, tmp_path: Path, cache: Path) -> None:
    with Assistant(corpus, tmp_path / "index", cache=cache) as assistant:
        assistant.refresh()
    connection = sqlite3.connect(tmp_path / "index" / "catalog.sqlite")
    with connection:
        connection.execute("UPDATE embedding SET sentences = x'00' WHERE passage = 2")
    connection.close()
    with pytest.raises(CatalogDamagedError):
        copied(tmp_path / "index", tmp_path / "copy")
