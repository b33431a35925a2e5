"""Filters on an index with a history: what may answer is what brute force says may answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from filtering import passes
from qa.answering.filter import allowed_passages, make_filter
from qa.assistant import Assistant
from qa.store.index import Index
from qa.words.terms import content_terms

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pytest
    from numpy.typing import NDArray

    from qa.encoding.encoder import Encoder, Runtime
    from qa.store.snapshot import Snapshot

QUESTION = "How many cranes has harbour 7?"
NAMES = ["d1.md", "d2.md", "d3.md", "deep/d4.md", "note.md", "deep/note.txt"]
PATTERNS = ["d*.md", "*.md", "note*", "deep/**", "deep/*.txt", "*"]
# What a document is next: so many passages long, or gone.
STEPS = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.none() | st.integers(1, 4), min_size=1),
    min_size=1,
    max_size=4,
)


def harbours(name: str, count: int) -> str:
    return "".join(
        f"# Part {number}\n\nHarbour {number} of {name} has {number + count} cranes.\n\n"
        for number in range(count)
    )


def assert_candidates_are_those_of_brute_force(
    snapshot: Snapshot, vector: NDArray[np.float32], within: str, k: int
) -> None:
    passages = dict(snapshot.vectors())
    chosen = make_filter(within, None, None, None)
    among = allowed_passages(chosen, snapshot)
    allowed = among.tolist()
    of = {one.id: one.document for one in snapshot.passages(list(passages))}
    paths = {number: row.path for number, row in snapshot.documents(of.values()).items()}
    assert allowed == sorted(one for one in passages if passes(chosen, paths[of[one]], "", {}))
    by_cosine = sorted(allowed, key=lambda one: -float(passages[one] @ vector))
    found = snapshot.dense_candidates(vector, k, among)
    assert set(found) <= set(allowed)
    least = float(passages[by_cosine[min(k, len(allowed)) - 1]] @ vector)
    closer = {one for one in allowed if float(passages[one] @ vector) > least + 1e-3}
    assert closer <= set(found)
    terms = content_terms(QUESTION)
    assert set(snapshot.lexical_candidates(terms, len(passages), among)) == {
        one for one in snapshot.lexical_candidates(terms, len(passages)) if one in set(allowed)
    }


def test_filtered_candidates_are_those_of_brute_force_whatever_the_history(
    tmp_path: Path,
    cache: Path,
    encoder: Encoder[Runtime],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Documents come, change and go; vectors are merged now and then, and not all of them."""
    monkeypatch.setattr("qa.store.transaction.UNMERGED", 5)
    corpus, index = tmp_path / "corpus", tmp_path / "index"
    (corpus / "deep").mkdir(parents=True)
    (corpus / "always.md").write_text(harbours("always", 2))
    with Assistant(corpus, index, cache=str(cache)) as assistant:
        assistant.refresh()
        vector = encoder.encode_question(QUESTION).vector

        @settings(max_examples=25)
        @given(STEPS, st.sampled_from(PATTERNS), st.sampled_from([1, 3, 50]))
        def holds(steps: list[dict[str, int | None]], within: str, k: int) -> None:
            for step in steps:
                for name, count in step.items():
                    if count is None:
                        (corpus / name).unlink(missing_ok=True)
                    else:
                        (corpus / name).write_text(harbours(name, count))
                assistant.refresh()
            store = Index(index, lock_timeout=1)
            with store.snapshot(to_search=True) as snapshot:
                documents = snapshot.described()
                assert "always.md" in documents.paths
                if make_filter(within, None, None, None).passing(documents).any():
                    assert_candidates_are_those_of_brute_force(snapshot, vector, within, k)
            store.close()

        holds()


def test_a_filter_that_leaves_out_what_is_not_merged_yet_answers(
    tmp_path: Path, cache: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(60):
        (corpus / f"d{number}.md").write_text(harbours(f"town {number}", 4))
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as assistant:
        assistant.refresh()
        (corpus / "note.md").write_text("A note on cheese.\n")
        assistant.refresh()
        answer = assistant.ask("How many cranes has harbour 2 of town 7?", within="d*.md")
        assert answer.answered
        assert answer.passages[0].citation.document == "d7.md"
        cheese = assistant.ask("What is the note about?", within="note.md", threshold=0)
        assert [str(one.citation) for one in cheese.passages] == ["note.md:1"]
