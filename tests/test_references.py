"""What a row of the catalog refers to must be there: a missing row is damage, never an answer."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forging import forge
from qa.assistant import Assistant
from qa.errors import CatalogDamagedError, QaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qa.types import Answer

    Shown = list[tuple[str, str, float]]  # citation, quote and score of each passage

QUESTIONS = ["Who set foot on the Moon?", "What do whales eat?"]
FILTERS: list[dict[str, Any]] = [
    {},
    {"within": "*.html"},
    {"within": "**"},
    {"since": "2000-01-01"},
]

# Every table, and a row of it or all, by what refers to them: files by documents and problems,
# documents by passages and texts, passages by embeddings and the lexical index, terms by passages.
DELETIONS = [
    "DELETE FROM extract",
    "DELETE FROM extract WHERE document = (SELECT max(document) FROM extract)",
    "DELETE FROM document",
    "DELETE FROM document WHERE path = 'whales.html'",
    "DELETE FROM document WHERE path = 'moon.md'",
    "DELETE FROM file",
    "DELETE FROM file WHERE path = 'moon.md'",
    "DELETE FROM file WHERE path = 'broken.pdf'",
    "DELETE FROM problem",
    "DELETE FROM passage",
    "DELETE FROM passage WHERE id = (SELECT min(id) FROM passage)",
    "DELETE FROM passage WHERE id = (SELECT max(id) FROM passage)",
    "DELETE FROM passage WHERE document = (SELECT id FROM document WHERE path = 'whales.html')",
    "DELETE FROM term",
    "DELETE FROM token",
    "DELETE FROM meta",
    "DELETE FROM meta WHERE key = 'documents'",
    "DELETE FROM meta WHERE key = 'vectors'",
    "DELETE FROM dead",
    "DELETE FROM embedding",
    "DELETE FROM embedding WHERE passage = (SELECT min(passage) FROM embedding)",
    "DELETE FROM embedding WHERE passage = (SELECT max(passage) FROM embedding)",
    "INSERT INTO pending SELECT min(id) FROM passage",
    "UPDATE embedding SET number = number + 1000",
    "UPDATE embedding SET passage = passage + 1000",
    # Rows that damage moved: a key or a value of another row, or none.
    "UPDATE problem SET reason = X'00'",
    "UPDATE problem SET path = 'elsewhere.pdf'",
    "UPDATE problem SET file = 999",
    "UPDATE problem SET file = (SELECT id FROM file WHERE path = 'moon.md')",
    "UPDATE document SET file = 999 WHERE path = 'moon.md'",
    "UPDATE document SET day = '1999-01-01'",
    "UPDATE document SET path = 'x' || path",
    "UPDATE extract SET document = document + 100",
    "UPDATE passage SET document = 999 WHERE id = (SELECT min(id) FROM passage)",
]


@pytest.fixture(name="sound", scope="module")
def _sound(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, list[Shown]]:
    """Give a folder of a corpus and its index, with every kind of row, and what it answers."""
    folder = tmp_path_factory.mktemp("sound")
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "moon.md").write_text("# The Moon\n\nNeil Armstrong set foot on the Moon.\n")
    (corpus / "whales.html").write_text("<h1>Whales</h1><p>Blue whales eat krill.</p>")
    (corpus / "ships.html").write_text("<h1>Ships</h1><p>Ships carry salt and grain.</p>")
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    (corpus / "gone.txt").write_text("The chapel has a roof of slate.\n")
    with Assistant(corpus, folder / "index", cache=str(cache)) as assistant:
        assistant.refresh()
        (corpus / "gone.txt").unlink()
        (corpus / "bread.txt").write_text("Sourdough bread rises through wild yeast.\n")
        assistant.refresh()
        return folder, ask(assistant)


@pytest.fixture(name="damaged")
def _damaged(sound: tuple[Path, list[Shown]], tmp_path: Path, cache: Path) -> Iterator[Assistant]:
    """Give an assistant over a copy, which a test may damage before it asks."""
    shutil.copytree(sound[0], tmp_path, dirs_exist_ok=True)
    with Assistant(tmp_path / "corpus", tmp_path / "index", cache=str(cache)) as one:
        yield one


def change(index: Path, statement: str) -> int:
    with closing(sqlite3.connect(index / "catalog.sqlite")) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        count = db.execute(statement).rowcount
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count


def shown(answer: Answer) -> Shown:
    return [
        (str(one.citation), one.citation.quote, round(one.scores.fused, 6))
        for one in (answer.passages or answer.nearest)
    ]


def ask(assistant: Assistant) -> list[Shown]:
    return [
        shown(assistant.ask(question, k=50, refresh=False, **chosen))
        for question in QUESTIONS
        for chosen in FILTERS
    ]


@pytest.mark.parametrize("statement", DELETIONS)
def test_a_reference_that_leads_nowhere_is_reported_or_healed_and_never_an_answer(
    sound: tuple[Path, list[Shown]], tmp_path: Path, damaged: Assistant, statement: str
) -> None:
    _, expected = sound
    problems = damaged.status().problems
    assert change(tmp_path / "index", statement) > 0
    for refresh in (False, True):
        for number, question in enumerate(QUESTIONS):
            for at, chosen in enumerate(FILTERS):
                try:
                    answer = damaged.ask(question, k=50, refresh=refresh, **chosen)
                except CatalogDamagedError:
                    continue
                assert shown(answer) == expected[number * len(FILTERS) + at], chosen
    try:
        damaged.refresh()
        after = ask(damaged)
    except CatalogDamagedError:
        damaged.refresh(rebuild=True)
        after = ask(damaged)
    assert after == expected
    assert damaged.status().problems == problems


@pytest.mark.parametrize(
    "statement",
    [one for one in DELETIONS if "extract" in one or "FROM document" in one or "problem" in one],
)
def test_an_index_that_lacks_rows_is_not_called_unchanged(
    tmp_path: Path, damaged: Assistant, statement: str
) -> None:
    change(tmp_path / "index", statement)
    with pytest.raises(CatalogDamagedError):
        damaged.refresh()


def test_an_index_of_an_earlier_version_without_counts_is_taken_over(
    tmp_path: Path, damaged: Assistant
) -> None:
    forge(
        tmp_path / "index",
        "DELETE FROM meta WHERE key IN ('files', 'documents', 'problems')",
    )
    assert damaged.ask(QUESTIONS[0]).answered
    (tmp_path / "corpus" / "new.txt").write_text("The chapel is old.\n")
    done = damaged.refresh()
    assert (done.added, done.encoded) == (1, 1)
    change(tmp_path / "index", "DELETE FROM document WHERE path = 'new.txt'")
    with pytest.raises(CatalogDamagedError):
        damaged.refresh()


def test_vectors_are_not_reused_from_a_wrong_row(tmp_path: Path, damaged: Assistant) -> None:
    """An index of SQLite's that leads from a digest to another passage gives no vector."""
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        (moon, _), (whales, digest) = (
            db.execute(
                "SELECT passage.id, digest FROM passage JOIN document ON document.id = document"
                " WHERE path = ?",
                (path,),
            ).fetchone()
            for path in ("whales.html", "moon.md")
        )
        db.execute("UPDATE passage SET digest = ? WHERE id = ?", (b"x" * 16, whales))
        db.execute("UPDATE passage SET digest = ? WHERE id = ?", (digest, moon))
        db.commit()
    shutil.copy(tmp_path / "corpus" / "moon.md", tmp_path / "corpus" / "moon-too.md")
    answer = damaged.ask(QUESTIONS[0], threshold=0)
    by_path = {one.citation.document: one.scores.dense for one in answer.passages}
    assert by_path["moon.md"] == pytest.approx(by_path["moon-too.md"], abs=1e-6)


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=8),
    st.sampled_from(["", "moon.md", "moon.md/x", "broken.pdf", "../x", "a\x00b", "binary"]),
)


def test_a_problem_row_of_any_kind_is_an_error_of_ours_or_a_problem(
    sound: tuple[Path, list[Shown]], tmp_path: Path, cache: Path
) -> None:
    index = tmp_path / "index"

    @settings(max_examples=40)
    @given(st.sampled_from(["path", "file", "reason"]), VALUES)
    def holds(column: str, value: object) -> None:
        shutil.rmtree(index, ignore_errors=True)
        shutil.copytree(sound[0] / "index", index)
        with closing(sqlite3.connect(index / "catalog.sqlite")) as db:
            with suppress(sqlite3.IntegrityError):
                db.execute(f"UPDATE problem SET {column} = ?", (value,))
            db.commit()
        with Assistant(sound[0] / "corpus", index, cache=str(cache)) as assistant:
            for step in (assistant.status, lambda: assistant.ask(QUESTIONS[0]), assistant.refresh):
                with suppress(QaError):
                    found = step()
                    json.dumps(found.to_dict())

    holds()
