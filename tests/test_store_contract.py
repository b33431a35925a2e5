"""What every store promises: the same laws for the index in a folder and for that on Milvus."""

from __future__ import annotations

import os
import random
import threading
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from test_refresh import QUESTIONS, SENTENCES, assert_same, cited

from conftest import MILVUS
from crashing import contents
from milvus_lite_server import forget, is_installed, new_name, started
from qa.assistant import Assistant
from qa.errors import (
    EncoderMismatchError,
    FilterError,
    ForeignIndexError,
    IndexLockedError,
    IndexMissingError,
    UnknownDocumentError,
)
from qa.store.copying import copy_index
from qa.store.identity import Identity
from qa.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qa.place import MilvusPlace
    from qa.store.protocol import Snapshot, Store

needs_milvus = pytest.mark.skipif(
    not (MILVUS or is_installed()), reason="pip install 'retrieval-qa[milvus-test]'"
)
STORES = ["local", pytest.param("milvus", marks=needs_milvus)]


@dataclass
class Place:
    """Where the index of a test is: what an assistant takes, and what a store is opened by."""

    arguments: dict[str, Any]
    cache: Path

    def assistant(self, corpus: Path, **more: Any) -> Assistant:
        """Give another assistant of the index."""
        return Assistant(corpus, cache=str(self.cache), **{**self.arguments, **more})

    def place(self) -> Path | MilvusPlace:
        """Give what opens the index."""
        from qa.settings import Settings, override

        return override(Settings(), self.arguments).place()


@pytest.fixture(name="uri", scope="session")
def _uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server that runs as long as the tests."""
    if MILVUS:
        yield MILVUS
        return
    with started(tmp_path_factory.mktemp("milvus") / "data") as lite:
        yield lite.uri


@pytest.fixture(name="new_place")
def _new_place(tmp_path: Path, cache: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give a function that makes a place for an index of a kind."""
    names: list[tuple[str, str]] = []

    def make(kind: str) -> Place:
        name = new_name()
        if kind == "local":
            return Place({"index": tmp_path / name}, cache)
        uri = request.getfixturevalue("uri")
        names.append((uri, name))
        return Place({"index": name, "store": "milvus", "uri": uri}, cache)

    yield make
    for uri, name in names:
        forget(uri, name)


@pytest.fixture(name="place", params=STORES)
def _place(request: pytest.FixtureRequest, new_place: Any) -> Place:
    """Give a place for an index in each store."""
    found: Place = new_place(request.param)
    return found


@pytest.fixture(name="assistant")
def _assistant(place: Place, corpus: Path) -> Iterator[Assistant]:
    """Give an assistant over three small documents."""
    with place.assistant(corpus) as one:
        yield one


def ranking(assistant: Assistant, question: str, **more: Any) -> list[tuple[str, float]]:
    answer = assistant.ask(question, k=50, threshold=0, **more)
    return [(str(one.citation), one.scores.fused) for one in answer.passages]


def stored(snapshot: Snapshot) -> list[Any]:
    """Give all that is stored, as values that can be compared."""
    found: list[Any] = [snapshot.problems(), snapshot.calibration]
    for file in snapshot.files():
        found.append(tuple(file))
        for row in snapshot.documents_of(file.path):
            found.append((row.path, row.format, row.encoding, row.file, dict(row.metadata)))
            if not row.encoding:
                found.append(snapshot.extract(row.id))
            for one in snapshot.stored_passages(row.id):
                new = one.passage
                words = (new.terms.ids.tolist(), new.terms.counts.tolist(), new.terms.length)
                plain = replace(new, terms=None, tokens=None)  # type: ignore[arg-type]
                found.append((repr(plain), words, new.tokens.tolist(), one.embedding))
    return found


def test_the_index_follows_what_is_added_changed_renamed_and_removed(
    assistant: Assistant, corpus: Path
) -> None:
    first = assistant.refresh()
    assert (first.added, first.encoded) == (3, first.passages)
    again = assistant.refresh()
    assert (again.added, again.changed, again.removed, again.unchanged) == (0, 0, 0, 3)
    moon = corpus / "moon.md"
    moon.write_text(moon.read_text().replace("July 1969", "the summer of 1969"))
    done = assistant.refresh()
    assert (done.changed, done.unchanged, done.encoded) == (1, 2, 1)
    assert "summer" in assistant.ask(QUESTIONS[0]).passages[0].citation.quote
    moon.rename(corpus / "luna.md")
    done = assistant.refresh()
    assert (done.added, done.removed, done.encoded) == (1, 1, 0)
    assert cited(assistant.ask(QUESTIONS[0]))[0] == "luna.md"
    (corpus / "luna.md").unlink()
    answer = assistant.ask(QUESTIONS[0])
    assert not answer.answered
    assert "luna.md" not in [one.citation.document for one in answer.nearest]


def test_incremental_equals_rebuilt_after_random_changes_in_any_order(
    place: Place, new_place: Any, corpus: Path
) -> None:
    chance = random.Random(5)  # noqa: S311 - repeatable
    with place.assistant(corpus) as one:
        for _ in range(4):
            for name in chance.sample([f"{n}.txt" for n in range(5)], 3):
                path = corpus / name
                if path.exists() and chance.random() < 0.4:
                    path.unlink()
                else:
                    path.write_text(" ".join(chance.sample(SENTENCES, 3)) + "\n")
            one.refresh()
        with new_place("local").assistant(corpus) as new:
            new.refresh()
            assert contents(one) == contents(new)
            assert_same(one, new)
            one.refresh(rebuild=True)
            assert contents(one) == contents(new)
            assert_same(one, new)


def test_what_the_documents_do_not_hold_is_not_answered(assistant: Assistant) -> None:
    answer = assistant.ask("Which orchestra recorded the symphony in Vienna?")
    assert not answer.answered
    assert "orchestra" in answer.reason
    assert answer.complete


def test_a_word_that_no_passage_has_is_searched_for_as_its_neighbour(assistant: Assistant) -> None:
    answer = assistant.ask("Who was Armstrogn?")
    assert dict(answer.corrected)["Armstrogn"] == "Armstrong"


def test_filters_choose_the_documents_that_may_answer(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "reports").mkdir(parents=True)
    for number in range(6):
        (folder / f"{number}.md").write_text(
            f"---\nauthor: Clerk {number % 2}\ndate: 2020-01-{1 + number:02}\n---\n"
            f"The harbour costs {number + 100} crowns.\n"
        )
    plain = folder / "reports" / "plain.txt"
    plain.write_text("The harbour costs nothing at all.\n")
    os.utime(plain, (1_500_000_000, 1_500_000_000))  # 2017-07-14
    with place.assistant(folder) as one:

        def documents(**filters: Any) -> set[str]:
            answer = one.ask("What does the harbour cost?", 50, threshold=0, **filters)
            return set(cited(answer))

        assert documents(within="reports/") == {"reports/plain.txt"}
        assert documents(where={"author": "clerk 1"}) == {"1.md", "3.md", "5.md"}
        assert documents(since="2020-01-05") == {"4.md", "5.md"}
        assert documents(until="2019-12-31") == {"reports/plain.txt"}
        assert documents(within="*.md", since="2020-01-03", until="2020-01-04") == {"2.md", "3.md"}
        with pytest.raises(FilterError, match="pattern"):
            documents(within="*.pdf")


def test_a_text_that_stands_in_several_places_is_cited_with_all(
    place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text("The ferry sails at noon.\n")
    with place.assistant(folder) as one:
        done = one.refresh()
        assert (done.passages, done.encoded) == (3, 1)
        [passage] = one.ask("When does the ferry sail?").passages
        assert passage.citation.document == "a.txt"
        assert [other.document for other in passage.also] == ["b.txt", "c.txt"]
        [passage] = one.ask("When does the ferry sail?", within="c.txt").passages
        assert passage.citation.document == "c.txt"


def test_what_waits_for_its_embedding_is_found_by_its_words_and_embedded_later(
    place: Place, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qa.indexing.apply

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with place.assistant(corpus) as one:
        with monkeypatch.context() as patch:
            patch.setattr(qa.indexing.apply, "embed_pending", stop)
            patch.setattr(qa.indexing.apply, "_WORDS_FIRST", 1)
            with pytest.raises(KeyboardInterrupt):
                one.refresh()
        assert one.status().pending == 4
        answer = one.ask("Who set foot on the Moon?", refresh=False)
        assert answer.passages[0].citation.document == "moon.md"
        assert not answer.complete
        (corpus / "bread.txt").unlink()
        done = one.refresh()
        assert (done.removed, done.encoded) == (1, 3)
        assert one.status().pending == 0
        assert one.ask("Who set foot on the Moon?").complete


def test_a_change_that_raises_is_undone_as_far_as_it_was_not_committed(
    assistant: Assistant, place: Place, corpus: Path
) -> None:
    assistant.refresh()
    before = contents(assistant)
    with closing(open_store(place.place())) as store:
        with pytest.raises(ZeroDivisionError):
            break_off(store)
        assert contents(assistant) == before
    (corpus / "bread.txt").unlink()
    assert assistant.refresh().removed == 1
    assert_same_as_new(assistant, place, corpus)


def break_off(store: Store) -> None:
    """Begin a change and fail."""
    with store.transaction() as transaction:
        transaction.begin(transaction.identity, rebuild=False)
        transaction.drop_file("moon.md")
        transaction.open_file("half.txt", "", (1, 1, 1, 1), 1)
        raise ZeroDivisionError


def assert_same_as_new(assistant: Assistant, place: Place, corpus: Path) -> None:
    """Compare an index with one that is made anew, counts of words too."""
    with Assistant(corpus, cache=str(place.cache), index=corpus.parent / new_name()) as new:
        new.refresh()
        assert contents(assistant) == contents(new)
        assert_same(assistant, new)


def test_an_index_of_another_corpus_is_refused(
    assistant: Assistant, place: Place, tmp_path: Path
) -> None:
    assistant.refresh()
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("Something else entirely.\n")
    with place.assistant(other) as one, pytest.raises(ForeignIndexError, match="corpus"):
        one.ask(QUESTIONS[0])


def test_vectors_of_another_model_are_refused(assistant: Assistant, place: Place) -> None:
    assistant.refresh()
    with (
        closing(open_store(place.place())) as store,
        pytest.raises(EncoderMismatchError, match="MiniLM"),
        store.transaction() as transaction,
    ):
        transaction.begin(Identity("0" * 64, "another", ""), rebuild=False)


def test_without_an_index_a_question_without_refresh_is_an_error(assistant: Assistant) -> None:
    with pytest.raises(IndexMissingError):
        assistant.ask(QUESTIONS[0], refresh=False)


def test_of_two_writers_one_is_refused_or_waits_and_neither_is_lost(
    assistant: Assistant, place: Place, corpus: Path
) -> None:
    assistant.refresh()
    (corpus / "new.txt").write_text("Penguins live in the south. They can't fly.\n")
    done: list[int] = []
    with closing(open_store(place.place())) as store:
        with store.transaction() as transaction:
            with place.assistant(corpus, lock_timeout=0.0) as hasty:
                with pytest.raises(IndexLockedError):
                    hasty.refresh()
                assert hasty.ask(QUESTIONS[0]).passages  # from what there is
            waiting = threading.Thread(target=lambda: done.append(assistant.refresh().added))
            waiting.start()
            transaction.keep(calibration="")
        waiting.join(60)
    assert done == [1]
    assert cited(assistant.ask("Where do penguins live?"))[0] == "new.txt"


def test_a_moment_stays_as_it_is_while_others_write(
    assistant: Assistant, place: Place, corpus: Path
) -> None:
    assistant.refresh()
    with closing(open_store(place.place())) as store, store.snapshot() as before:
        kept = stored(before)
        (corpus / "moon.md").write_text("# The Moon\n\nNobody but Neil set foot on it.\n")
        (corpus / "bread.txt").unlink()
        assistant.refresh()
        assert stored(before) == kept
    with closing(open_store(place.place())) as store, store.snapshot() as after:
        assert stored(after) != kept
        assert after.count_documents() == 2


def test_documents_are_listed_and_opened_as_they_were_indexed(
    assistant: Assistant, corpus: Path
) -> None:
    (corpus / "a 'quoted' \"ünïcode\" name.md").write_text("# Näme\n\nA fox crossed the road.\n")
    (corpus / "page.html").write_text("<h1>Ferries</h1><p>The ferry sails at noon.</p>")
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    done = assistant.refresh()
    assert [one.document for one in done.problems] == ["broken.pdf"]
    assert [one.document for one in assistant.status().problems] == ["broken.pdf"]
    listed = assistant.documents()
    assert [one.id for one in listed] == sorted(one.id for one in listed)
    assert len(listed) == 5
    assert [one.id for one in assistant.documents(after=listed[1].id, limit=2)] == [
        one.id for one in listed[2:4]
    ]
    assert "sails at noon" in assistant.document("page.html").text
    assert assistant.outline("moon.md")[1].title == "Landing"
    with pytest.raises(UnknownDocumentError):
        assistant.document("nothing.txt")
    answer = assistant.ask("What crossed the road?", refresh=False)
    assert cited(answer)[0].startswith("a 'quoted'")
    assert "could not be read" in " ".join(answer.notes)


def test_what_was_calibrated_is_kept(assistant: Assistant, place: Place) -> None:
    assistant.refresh()
    with closing(open_store(place.place())) as store:
        with store.transaction() as transaction:
            transaction.keep(calibration='{"a": 1}')
        with store.snapshot() as snapshot:
            assert snapshot.calibration == '{"a": 1}'
            assert snapshot.identity.model


@pytest.mark.parametrize("source", STORES)
@pytest.mark.parametrize("target", STORES)
def test_a_copy_holds_what_was_copied_bit_for_bit(
    source: str, target: str, new_place: Any, corpus: Path
) -> None:
    one, other = new_place(source), new_place(target)
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (corpus / "page.html").write_text("<h1>Ferries</h1><p>The ferry sails at noon.</p>")
    with one.assistant(corpus) as assistant:
        assistant.refresh()
    stores: list[Store] = [open_store(one.place()), open_store(other.place())]
    assert copy_index(*stores) == 5
    with stores[0].snapshot() as left, stores[1].snapshot() as right:
        assert stored(left) == stored(right)
    for store in stores:
        store.close()
    with one.assistant(corpus) as assistant, other.assistant(corpus) as copied:
        assert copied.refresh().encoded == 0
        assert_same(assistant, copied)


@needs_milvus
def test_both_stores_give_the_same_answer(new_place: Any, tmp_path: Path) -> None:
    chance = random.Random(2)  # noqa: S311 - repeatable
    subjects = ["harbour", "fox", "treaty", "chapel", "copper mine", "lighthouse", "ferry"]
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(60):
        subject = chance.choice(subjects)
        (folder / f"{number:02}.md").write_text(
            f"---\nauthor: Clerk {number % 3}\n---\n# About the {subject}\n\n"
            f"The {subject} was opened in {1800 + number}. {chance.choice(SENTENCES)}\n\n"
            f"## Costs\n\nIn year {number} the {subject} cost {number * 13} crowns.\n"
        )
    with new_place("local").assistant(folder) as one, new_place("milvus").assistant(folder) as two:
        one.refresh()
        two.refresh()
        for question in (
            "When was the lighthouse opened?",
            "What did the copper mine cost in year 7?",
            "Which treaty did nobody sign?",
            "lighthouze chapel",
            "How do penguins breed?",
        ):
            for more in ({}, {"where": {"author": "clerk 1"}}, {"per_document": 1}):
                left = one.ask(question, 10, explain=True, **more)
                right = two.ask(question, 10, explain=True, **more)
                assert left.answered == right.answered
                assert left.probability == pytest.approx(right.probability, abs=1e-6)
                assert left.to_dict()["passages"] == right.to_dict()["passages"]
                assert (left.reason, left.corrected) == (right.reason, right.corrected)
