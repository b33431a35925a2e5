"""Candidates: a text that stands in many places is ranked once and cited with all of them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ARTICLE
from qa import Assistant
from qa.answering import search
from qa.answering.filter import Filter, allowed_passages
from qa.citations.verify import read_claims
from qa.cli import formats, render
from qa.errors import CitationError
from qa.store import passages

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from random import Random

    from qa.answering.search import Ranked
    from qa.types import Answer

WHALES = "Blue whales are the largest animals that have ever lived on Earth."
QUESTION = "What is the largest animal?"
ALL = 50


def filed(folder: Path, texts: Iterable[tuple[str, str]]) -> Assistant:
    """Give an assistant over files of these texts."""
    for path, text in texts:
        (folder / "corpus" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "corpus" / path).write_text(text, "utf-8")
    return Assistant(corpus=folder / "corpus", index=folder / "index")


def copies(count: int, *, text: str = WHALES, name: str = "copy") -> list[tuple[str, str]]:
    return [(f"{name}-{n:03}.txt", f"{text}\n") for n in range(count)]


def places(answer: Answer) -> list[str]:
    """Give every place that an answer names."""
    found = answer.passages or answer.nearest
    return [str(place) for one in found for place in (one.citation, *one.also)]


def test_a_text_that_stands_in_three_files_is_cited_once_and_names_the_other_two(
    tmp_path: Path, cache: Path
) -> None:
    texts = [("c.txt", f"{WHALES}\n"), ("b/b.txt", f"\n\n{WHALES}\n"), ("a.txt", f"{WHALES}\n")]
    texts.append(("other.txt", "Whales are often hunted by people who live on islands.\n"))
    with filed(tmp_path, texts) as assistant:
        answer = assistant.ask(QUESTION, ALL, threshold=0)
        first, second = answer.passages
        assert str(first.citation) == "a.txt:1"
        assert [str(place) for place in first.also] == ["b/b.txt:3", "c.txt:1"]
        assert {place.quote for place in first.also} == {WHALES}
        assert str(second.citation) == "other.txt:1"
        assert not second.also


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"# Sea\n\n{WHALES}\n", f"# Land\n\n{WHALES}\n"),
        (f"{WHALES}\n", f"{WHALES.upper()}\n"),
        (f"{WHALES}\n", f"{WHALES.replace(' ', '  ')}\n"),
    ],
    ids=["headings", "case", "spaces"],
)
def test_what_differs_in_its_headings_or_in_a_character_is_not_the_same_text(
    one: str, other: str, tmp_path: Path, cache: Path
) -> None:
    with filed(tmp_path, [("a.md", one), ("b.md", other)]) as assistant:
        answer = assistant.ask(QUESTION, ALL, threshold=0)
        assert {passage.citation.document for passage in answer.passages} == {"a.md", "b.md"}
        assert not any(passage.also for passage in answer.passages)


def test_copies_that_outnumber_the_candidates_hide_nothing_behind_them(
    tmp_path: Path, cache: Path
) -> None:
    best = "The largest animal is the blue whale, which is the largest animal of all.\n"
    others = [
        ("island.txt", "Large animals are rare on small islands, and the largest animal is shy.\n"),
        ("zoo.txt", "The zoo keeps a hippo, which is not quite the largest animal.\n"),
    ]
    with filed(tmp_path, [*copies(150, text=best), *others]) as assistant:
        first, *rest = assistant.ask(QUESTION, ALL, threshold=0).passages
        assert str(first.citation) == "copy-000.txt:1"
        assert {one.citation.document for one in rest} == {"island.txt", "zoo.txt"}


def test_only_a_few_of_many_places_are_named_and_always_the_same(
    tmp_path: Path, cache: Path
) -> None:
    named = [f"copy-{n:03}.txt:1" for n in range(6)]
    with filed(tmp_path, copies(70)) as assistant:
        assert places(assistant.ask(QUESTION, ALL, threshold=0)) == named
        (tmp_path / "corpus" / "copy-000.txt").unlink()
        (tmp_path / "corpus" / "copy-000.txt").write_text(f"{WHALES}\n")  # has the last id now
        assert places(assistant.ask(QUESTION, ALL, threshold=0)) == named


def test_a_filter_lets_only_what_it_allows_be_cited_or_named(tmp_path: Path, cache: Path) -> None:
    texts = [(f"{folder}/{n}.txt", f"{WHALES}\n") for folder in ("in", "a") for n in range(3)]
    with filed(tmp_path, texts) as assistant:
        answer = assistant.ask(QUESTION, ALL, threshold=0, within="in/**")
        assert places(answer) == ["in/0.txt:1", "in/1.txt:1", "in/2.txt:1"]


@pytest.mark.parametrize("change", ["Nothing of it is left.\n", f" {WHALES}\n", None])
def test_no_place_is_named_whose_file_has_changed(
    change: str | None, tmp_path: Path, cache: Path
) -> None:
    with filed(tmp_path, copies(4)) as assistant:
        assistant.refresh()
        for name in ("copy-000.txt", "copy-002.txt"):
            path = tmp_path / "corpus" / name
            path.unlink() if change is None else path.write_text(change)
        answer = assistant.ask(QUESTION, ALL, threshold=0, refresh=False)
        assert places(answer) == ["copy-001.txt:1", "copy-003.txt:1"]
        assert not answer.notes  # the text is there, so nothing was left out


def test_where_every_copy_has_changed_the_passage_is_left_out_and_counted_once(
    tmp_path: Path, cache: Path
) -> None:
    with filed(tmp_path, copies(3)) as assistant:
        assistant.refresh()
        for path in (tmp_path / "corpus").iterdir():
            path.write_text("Nothing of it is left.\n")
        answer = assistant.ask(QUESTION, ALL, threshold=0, refresh=False)
        assert not answer.passages
        assert "1 passage left out" in "".join((answer.reason, *answer.notes))


def test_of_more_copies_than_are_brought_in_order_one_is_cited_all_the_same(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "COPIES", 2)
    with filed(tmp_path, copies(9)) as assistant:
        answer = assistant.ask(QUESTION, ALL, threshold=0)
        assert len(answer.passages) == 1
        assert len(places(answer)) in {2, 3}
        answer = assistant.ask(QUESTION, ALL, threshold=0, within="copy-008.txt")
        assert places(answer) == ["copy-008.txt:1"]


@pytest.mark.parametrize("digest", ["x''", "x'00'", "randomblob(32)"])
def test_digests_that_are_wrong_hide_no_passage_and_make_no_copies(
    digest: str, tmp_path: Path, cache: Path
) -> None:
    texts = [("a.txt", f"{WHALES}\n"), ("b.txt", "Whales are hunted.\n"), *copies(3)]
    with filed(tmp_path, texts) as assistant:
        assistant.refresh()
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        db.execute(f"UPDATE passage SET digest = {digest}")
        db.commit()
    with filed(tmp_path, ()) as assistant:
        answer = assistant.ask(QUESTION, ALL, threshold=0, refresh=False)
        assert {one.citation.quote for one in answer.passages} == {WHALES, "Whales are hunted."}
        for one in answer.passages:
            assert {place.quote for place in one.also} <= {one.citation.quote}


def test_twice_in_one_document_is_two_places(tmp_path: Path, cache: Path) -> None:
    text = "\n\n".join(f"# Part\n\n{WHALES}" for _ in range(2))
    with filed(tmp_path, [("a.md", f"{text}\n")]) as assistant:
        assert places(assistant.ask(QUESTION, ALL, threshold=0)) == ["a.md:3", "a.md:7"]


def test_a_person_and_a_program_are_told_of_the_other_places(tmp_path: Path, cache: Path) -> None:
    with filed(tmp_path, copies(3)) as assistant:
        answer = assistant.ask(QUESTION, ALL, threshold=0)
        assert "   also in copy-001.txt:1, copy-002.txt:1" in str(answer).splitlines()
        assert "; also in `copy-001.txt:1`; also in `copy-002.txt:1`" in formats.markdown(answer)
        saved = json.loads(json.dumps(answer.to_dict()))
        also = saved["passages"][0]["also"]
        assert [one["document"] for one in also] == ["copy-001.txt", "copy-002.txt"]
        assert assistant.verify(saved).holds
        (tmp_path / "corpus" / "copy-002.txt").write_text("Nothing of it is left.\n")
        assert not assistant.verify(saved).holds


def test_other_places_with_long_paths_stay_within_the_width(tmp_path: Path, cache: Path) -> None:
    with filed(tmp_path, copies(7, name=f"{'long' * 9}/{'name ' * 9}x")) as assistant:
        answer = assistant.ask(QUESTION, 1, threshold=0)
    lines = ["".join(part.text for part in line) for line in
             render.answer(answer, None, width=40, room=40, form="full")]  # fmt: skip
    named = [line for line in lines if line.startswith("   ")]
    assert all(len(line) <= 40 for line in named)
    assert "-005.txt:1" in "".join(named).replace(" ", "")


@pytest.mark.parametrize("also", [None, 1, "x", [1], [None], [{}]])
def test_an_answer_whose_other_places_are_not_citations_is_refused(
    also: object, tmp_path: Path, cache: Path
) -> None:
    with filed(tmp_path, copies(1)) as assistant:
        saved = assistant.ask(QUESTION, 1, threshold=0).to_dict()
    saved["passages"][0]["also"] = also
    with pytest.raises(CitationError, match="also"):
        read_claims(saved)
    del saved["passages"][0]["also"]  # as earlier versions wrote it
    assert read_claims(saved)


def test_other_places_change_nothing_in_scores_and_probability(tmp_path: Path, cache: Path) -> None:
    other = ("other.txt", "Whales are often hunted by people who live on islands.\n")
    with filed(tmp_path, [*copies(3), other]) as assistant:
        answer = assistant.ask(QUESTION, ALL, threshold=0)
        apart = [assistant.ask(QUESTION, 1, threshold=0, within=f"copy-00{n}.txt") for n in (1, 2)]
        for one in apart:
            assert asdict(one.passages[0].scores) == pytest.approx(
                asdict(answer.passages[0].scores), abs=1e-6
            )


@settings(max_examples=5)
@given(counts=st.lists(st.integers(1, 8), min_size=1, max_size=4), seed=st.randoms())
def test_each_text_is_ranked_once_in_whatever_order_its_copies_were_indexed(
    counts: list[int], seed: Random, cache: Path
) -> None:
    texts = [f"{WHALES} It is said {word} times a day.\n" for word in ("two", "six", "ten", "no")]
    pairs = [
        (f"{n}-{copy}.txt", text)
        for n, (count, text) in enumerate(zip(counts, texts, strict=False))
        for copy in range(count)
    ]
    found = []
    for _ in range(2):
        seed.shuffle(pairs)
        with TemporaryDirectory() as folder, Assistant(index=folder, documents=pairs) as assistant:
            answer = assistant.ask(QUESTION, ALL, threshold=0)
        quotes = [one.citation.quote for one in answer.passages]
        assert len(quotes) == len({*quotes}) == len({text for _, text in pairs})
        for one in answer.passages:
            assert {place.quote for place in one.also} <= {one.citation.quote}
            shown = [one.citation, *one.also]
            same = sorted(path for path, text in pairs if text.strip() == one.citation.quote)
            assert [place.document for place in shown] == same[: len(shown)]
            assert len(shown) == min(6, len(same))
        found.append([(str(one.citation), one.also, one.scores.fused) for one in answer.passages])
    assert found[0] == found[1]


def ranked(assistant: Assistant, question: str = QUESTION, within: str = "") -> list[Ranked]:
    """Give all candidates, best first; `within` names the one document that may answer."""
    assistant.refresh()
    index, models = assistant._index, assistant._models
    encoder = models.encoder(models.locate())
    encoded = encoder.encode_question(question)
    with index.snapshot(to_search=True) as snapshot:
        allowed = allowed_passages(Filter((within,)), snapshot) if within else None
        hits = search.search(snapshot, question, encoded, encoder.encode_now, allowed=allowed)
        return list(hits.ranked)


def long_document(parts: int) -> str:
    said = "The largest animal, of all the largest animals, is the largest animal of part"
    return "\n\n".join(f"## Part {n}\n\n{said} {n}." for n in range(parts))


def test_a_long_document_leaves_room_for_others(tmp_path: Path, cache: Path) -> None:
    texts = [("long.md", long_document(120)), ("zoo.txt", "The zoo keeps an old hippo.\n")]
    with filed(tmp_path, texts) as assistant:
        assert len(ranked(assistant)) == 121


def test_one_long_document_alone_is_not_searched_for_others(tmp_path: Path, cache: Path) -> None:
    with filed(tmp_path, [("long.md", long_document(120))]) as assistant:
        assert search.CANDIDATES <= len(ranked(assistant)) <= 2 * search.CANDIDATES


def test_a_filter_on_one_long_document_does_not_search_all_of_it(
    tmp_path: Path, cache: Path
) -> None:
    texts = [("long.md", long_document(250)), *copies(3)]
    with filed(tmp_path, texts) as assistant:
        everything = len(ranked(assistant))
        filtered = len(ranked(assistant, within="long.md"))
        assert filtered <= 2 * search.CANDIDATES < everything


def test_where_all_are_candidates_the_ranking_is_that_of_scoring_every_passage(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [("a.md", ARTICLE.read_text("utf-8")), *copies(3)]
    with filed(tmp_path, texts) as assistant:
        questions = ["When did Putin visit Pyongyang?", QUESTION, "of the", "zebra"]
        every = [[one.passage for one in ranked(assistant, each)] for each in questions]
        assert len({*map(len, every)}) == 1
        monkeypatch.setattr(search, "CANDIDATES", 1)  # and so few texts that it proposes more
        monkeypatch.setattr(search, "TEXTS", 10**6)
        monkeypatch.setattr(search, "MOST", 10**6)
        assert [[one.passage for one in ranked(assistant, each)] for each in questions] == every


@given(passages=st.integers(0, 10**9), more=st.integers(0, 10**9))
def test_more_passages_have_no_fewer_candidates_and_small_corpora_fifty(
    passages: int, more: int
) -> None:
    assert search.proposals(passages) <= search.proposals(passages + more)
    assert search.proposals(passages) <= max(search.CANDIDATES, passages)
    if passages <= search.SMALL:
        assert search.proposals(passages) == search.CANDIDATES
