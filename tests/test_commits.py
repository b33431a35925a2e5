"""A refresh commits as it goes: what is answered meanwhile, and kept when it is stopped."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crashing import contents
from forging import forge
from qa.assistant import Assistant
from qa.encoding.encoder import Encoder
from qa.errors import CatalogDamagedError, ForeignIndexError
from qa.indexing import apply
from qa.store import catalog, database, migration, segments
from qa.store.checks import check
from releasing import release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from qa.encoding.encoder import EncodedPassage, PassageInput, Runtime
    from qa.types import Answer

MOON = "Who set foot on the Moon?"
WHALES = "What do whales eat?"


class StoppedError(Exception):
    """A refresh that something ends."""


def shown(answer: Answer) -> list[tuple[str, str]]:
    return [(str(one.citation), one.citation.quote) for one in (answer.passages or answer.nearest)]


@pytest.fixture(name="stop_after")
def _stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Give a function after which embedding raises once so many passages are embedded."""
    usual = Encoder.encode_passages

    def stop_after(count: int) -> None:
        left = count

        def encode(
            self: Encoder[Runtime], inputs: Iterable[PassageInput]
        ) -> Iterator[EncodedPassage]:
            nonlocal left
            for one in usual(self, inputs):
                if not left:
                    raise StoppedError
                left -= 1
                yield one

        monkeypatch.setattr(Encoder, "encode_passages", encode)

    return stop_after


@pytest.fixture(name="often")
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit after each document, and after each passage."""
    monkeypatch.setattr(apply, "COMMIT_PASSAGES", 1)


@pytest.mark.usefixtures("often")
def test_what_was_committed_is_kept_and_only_the_rest_is_done_next(
    assistant: Assistant, stop_after: Callable[[int], None]
) -> None:
    stop_after(2)
    with pytest.raises(StoppedError):
        assistant.refresh()
    kept = contents(assistant)[0]
    assert set(kept) == {"moon.md", "bread.txt", "deep/whales.txt"}  # words go first
    with assistant._index.snapshot() as now:
        total = now.count_passages()
        assert now.count_pending() == total - 2
    stop_after(1000)
    done = assistant.refresh()
    assert (done.added, done.changed, done.unchanged, done.encoded) == (0, 0, 3, total - 2)
    assert contents(assistant)[0] == kept
    assert assistant.refresh().encoded == 0


@pytest.mark.usefixtures("often")
def test_what_is_found_by_its_words_alone_answers_as_it_will_when_it_is_embedded(
    assistant: Assistant, stop_after: Callable[[int], None]
) -> None:
    stop_after(0)
    with pytest.raises(StoppedError):
        assistant.refresh()
    early = assistant.ask(MOON, refresh=False)
    assert early.answered
    assert early.complete is False
    assert any("by their words alone" in note for note in early.notes)
    denied = assistant.ask("How do I repair a bicycle?", refresh=False)
    assert denied.reason.startswith("Can't tell yet: 3 of 3 documents are indexed, ")
    filtered = assistant.ask(WHALES, refresh=False, within="deep/**")
    assert filtered.passages[0].citation.document == "deep/whales.txt"
    stop_after(1000)
    late = assistant.ask(MOON)
    assert late.complete is True
    assert shown(late)[0] == shown(early)[0]
    assert late.passages[0].scores.fused == pytest.approx(early.passages[0].scores.fused, abs=0.02)


@pytest.mark.usefixtures("often")
def test_the_files_that_changed_last_come_first(
    assistant: Assistant, corpus: Path, stop_after: Callable[[int], None]
) -> None:
    for age, name in enumerate(["deep/whales.txt", "moon.md", "bread.txt"]):
        os.utime(corpus / name, (1e9 - age, 1e9 - age))
    stop_after(1)
    with pytest.raises(StoppedError):
        assistant.refresh()
    with assistant._index.snapshot() as now:
        [first] = [one for one, _ in now.vectors()]
        [row] = now.passages([first])
        assert now.documents([row.document])[row.document].path == "deep/whales.txt"
    # What changes now goes before what is left over.
    (corpus / "new.txt").write_text("Penguins live in the south.\n")
    stop_after(1)
    with pytest.raises(StoppedError):
        assistant.refresh()
    with assistant._index.snapshot() as now:
        [_, second] = [one for one, _ in now.vectors()]
        assert now.passages([second])[0].text == "Penguins live in the south."


def test_the_same_program_is_answered_while_it_refreshes(
    assistant: Assistant, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.refresh()
    (corpus / "harbour.md").write_text("The harbour has 42 cranes.\n")
    reached, go_on = threading.Event(), threading.Event()
    usual = Encoder.encode_passages

    def held(self: Encoder[Runtime], inputs: Iterable[PassageInput]) -> Iterator[EncodedPassage]:
        reached.set()
        assert go_on.wait(60)
        return usual(self, inputs)

    monkeypatch.setattr(Encoder, "encode_passages", held)
    writer = threading.Thread(target=assistant.refresh)
    writer.start()
    try:
        assert reached.wait(60)
        for refresh in (False, True):
            answer = assistant.ask(MOON, refresh=refresh)
            assert answer.answered
            assert answer.complete is (False if refresh else None)
        assert assistant.status().documents == 3
        assert assistant.show("moon.md:1").citation
    finally:
        go_on.set()
        writer.join()
    assert assistant.ask("How many cranes has the harbour?").answered


def test_a_whole_index_is_built_again_bit_by_bit(
    assistant: Assistant, stop_after: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.refresh()
    before = contents(assistant)
    monkeypatch.setattr(apply, "COMMIT_PASSAGES", 1)
    stop_after(1)
    with pytest.raises(StoppedError):
        assistant.refresh(rebuild=True)
    assert assistant.ask(MOON, refresh=False).complete is False
    stop_after(1000)
    assistant.refresh()
    assert contents(assistant) == before


def test_equal_texts_are_embedded_once_whichever_commit_they_are_in(
    assistant: Assistant, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (corpus / f"{name}.txt").write_text("The harbour has 42 cranes.\n")
    monkeypatch.setattr(apply, "COMMIT_PASSAGES", 1)
    done = assistant.refresh()
    assert done.encoded == done.passages - 2


def copies_of_two_texts(number: int) -> str:
    texts = [
        f"The {thing} of the harbour {'lifts and turns ' * 20}." for thing in ("crane", "gate")
    ]
    return "\n\n".join(texts * number)


def test_a_text_is_embedded_once_however_many_passages_hold_it(
    assistant: Assistant, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (corpus / "moon.md", corpus / "bread.txt", corpus / "deep" / "whales.txt"):
        path.unlink()
    (corpus / "a.txt").write_text(copies_of_two_texts(100))
    monkeypatch.setattr(apply, "_BATCH", 3)
    done = assistant.refresh()
    assert (done.passages, done.encoded) == (200, 2)


def test_passages_of_the_same_text_are_not_compared_each_with_each(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = database.connect_to_write
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    def counting(path: Path) -> sqlite3.Connection:
        connection = usual(path)
        connection.set_progress_handler(count, 100)
        return connection

    monkeypatch.setattr(catalog, "connect_to_write", counting)
    found = []
    for number in (50, 400):
        steps = 0
        pairs = [("a.txt", copies_of_two_texts(number))]
        with Assistant(documents=pairs, index=tmp_path / str(number), cache=str(cache)) as one:
            assert one.refresh().passages == 2 * number
        found.append(steps)
    assert found[1] < 12 * found[0]  # eight times as many passages; each with each: 64


def to_format_3(index: Path) -> None:
    """Write the catalog of a closed index as the version before kept it."""
    with closing(sqlite3.connect(index / "catalog.sqlite")) as db:
        db.create_function("qa_check", -1, check)
        db.executescript(
            "DROP INDEX passage_document; DROP INDEX passage_digest;"
            "ALTER TABLE passage RENAME TO words;"
        )
        db.executescript(
            migration.BEFORE
            + "CREATE INDEX passage_document ON passage (document);"
            + "CREATE INDEX passage_digest ON passage (digest);"
        )
        db.executescript(
            "INSERT INTO passage SELECT id, document, start, vector, vector_sum,"
            " qa_check(id, document, start, sentences, length, terms, counts, tokens), sentences,"
            " length, terms, counts, tokens, end, headings, places, context, text, spans, digest,"
            " cited_sum FROM words JOIN embedding ON passage = id;"
            "DROP TABLE words; DROP TABLE embedding; DROP TABLE pending; DROP TABLE dead;"
            "CREATE TABLE dead (id INTEGER PRIMARY KEY);"
            "UPDATE meta SET value = '{\"stem\": \"vectors-1\"}' WHERE key = 'vectors';"
            "DELETE FROM meta WHERE key IN ('pending', 'next_number', 'segments');"
            "PRAGMA user_version = 3;"
        )
    with closing(sqlite3.connect(index / "catalog.sqlite")) as db:
        db.executescript("PRAGMA journal_mode = WAL")
    forge(index, "SELECT 1")


def test_an_index_of_the_version_before_is_taken_over_without_embedding(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    assistant.refresh()
    expected, before = shown(assistant.ask(MOON)), contents(assistant)
    release(assistant)
    to_format_3(tmp_path / "index")
    told: list[str] = []
    with Assistant(corpus, tmp_path / "index", cache=str(cache), notify=told.append) as later:
        with pytest.raises(ForeignIndexError, match="earlier version") as raised:
            later.ask(MOON, refresh=False)
        assert "`qa index`" in raised.value.hint
        done = later.refresh()
        assert (done.added, done.changed, done.unchanged, done.encoded) == (0, 0, 3, 0)
        assert any("Taking over" in one for one in told)
        assert contents(later) == before
        assert shown(later.ask(MOON)) == expected
        (corpus / "new.txt").write_text("Penguins live in the south.\n")
        assert later.refresh().encoded == 1


def test_a_damaged_index_of_the_version_before_is_not_taken_over(
    assistant: Assistant, tmp_path: Path
) -> None:
    assistant.refresh()
    release(assistant)
    to_format_3(tmp_path / "index")
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        db.execute("UPDATE passage SET text = 'x' WHERE id = 2")
        db.commit()
    with pytest.raises(CatalogDamagedError):
        assistant.refresh()
    with pytest.raises(ForeignIndexError, match="earlier version"):  # it is as it was
        assistant.ask(MOON, refresh=False)
    assert assistant.refresh(rebuild=True).added == 3


@given(st.lists(st.integers(1, segments.FULL), max_size=40))
def test_segments_are_merged_until_they_are_few(added: list[int]) -> None:
    rows: list[int] = []
    for more in added:
        rows.append(more)
        first = segments.first_to_merge(rows)
        if first is not None:
            rows[first:] = segments.chunks(sum(rows[first:]))
        assert any(one >= segments.SMALL for one in rows[-segments.MANY :]) or len(rows) < 8
    first = segments.first_to_merge_at_rest(rows, [0] * len(rows))
    total = sum(rows)
    if first is not None:
        rows[first:] = segments.chunks(sum(rows[first:]))
    assert sum(rows) == total
    assert sum(one < segments.FULL // 2 for one in rows) <= segments.MANY


@settings(max_examples=30)
@given(st.integers(0, 5 * segments.FULL))
def test_what_is_merged_is_cut_into_full_segments(count: int) -> None:
    found = segments.chunks(count)
    assert sum(found) == count
    assert all(one == segments.FULL for one in found[:-1])
    assert all(0 < one <= segments.FULL for one in found)
