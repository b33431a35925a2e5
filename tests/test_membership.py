"""What documents are filtered by is read once for each change, and each change is seen at once."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import weakref
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filtering import passes
from forging import forge
from qa.answering.filter import Filter, allowed_passages
from qa.assistant import Assistant
from qa.corpus import FolderCorpus
from qa.errors import CatalogDamagedError, FilterError, QaError
from qa.store.catalog import Catalog
from qa.store.index import Index
from qa.store.lexical import LexicalIndex
from qa.store.opening import moment

if TYPE_CHECKING:
    from pathlib import Path

# --- changes ----------------------------------------------------------------------------

NAMES = ["a.md", "b.md", "deep/a.md", "deep/er/c.md"]
DAYS = ["2019-12-31", "2020-01-01", "2024-06-01"]
# What a document is next: its author, its date, and the day of its file; or it is gone.
STATES = st.none() | st.tuples(
    st.sampled_from(["", "Alice", "Bob; Alice"]),
    st.sampled_from(["", *DAYS]),
    st.sampled_from(DAYS),
)
STEPS = st.lists(
    st.dictionaries(st.sampled_from(NAMES), STATES, min_size=1), min_size=1, max_size=5
)
FILTERS = st.builds(
    Filter,
    within=st.sampled_from([(), ("a*",), ("deep/",), ("deep/", "!deep/er"), ("a.md",)]),
    where=st.sampled_from([{}, {}, {"author": "alice"}, {"author": "b*"}]),
    since=st.sampled_from(["", "2020-01-01", "2024-01-01"]),
    until=st.sampled_from(["", "2019-12-31", "2020-01-01"]),
).filter(bool)


class Model:
    """A folder, and what its documents are filtered by."""

    def __init__(self, corpus: Path) -> None:
        """Begin with none of the documents that change."""
        self.corpus = corpus
        self.days = {"always.txt": "1970-01-01"}
        self.metadata: dict[str, dict[str, str]] = {"always.txt": {}}
        for name in NAMES:
            self.change(name, None)

    def change(self, name: str, state: tuple[str, str, str] | None) -> None:
        """Bring one document to its next state."""
        path = self.corpus / name
        self.metadata.pop(name, None)
        if state is None:
            path.unlink(missing_ok=True)
            return
        about = {key: one for key, one in zip(("author", "date"), state, strict=False) if one}
        above = "".join(["---\n", *(f"{key}: {one}\n" for key, one in about.items()), "---\n"])
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"The ferry of {name} sails at noon in {state}.\n"
        path.write_text(above * bool(about) + text, "utf-8")
        at = datetime.fromisoformat(f"{state[2]}T12:00:00+00:00").timestamp()
        os.utime(path, (at, at))
        self.metadata[name] = about
        self.days[name] = state[1] or state[2]

    def passing(self, chosen: Filter) -> set[str]:
        """The documents that pass."""
        return {
            name
            for name, about in self.metadata.items()
            if passes(chosen, name, self.days[name], about)
        }


def allowed_documents(index: Index, chosen: Filter) -> set[str]:
    with index.snapshot(to_search=True) as snapshot:
        try:
            allowed = allowed_passages(chosen, snapshot).tolist()
        except FilterError:
            return set()
        assert allowed == sorted(set(allowed))
        every = snapshot.documents(row.document for row in snapshot.passages(allowed))
        return {row.path for row in every.values()}


def asked_documents(assistant: Assistant, chosen: Filter) -> set[str]:
    filters: dict[str, Any] = {name: getattr(chosen, name) for name in chosen.__slots__}
    try:
        answer = assistant.ask("When does the ferry sail?", 50, **filters)
    except FilterError:
        return set()
    return {one.citation.document for one in answer.passages or answer.nearest}


def test_every_change_is_seen_by_the_next_filter_in_the_process_that_made_it_and_in_others(
    tmp_path: Path, cache: Path
) -> None:
    """Documents come, change, are touched and go; one reader has the index open all the time."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "always.txt").write_text("The ferry sails.\n")
    os.utime(corpus / "always.txt", (0, 0))
    with (
        Assistant(corpus, tmp_path / "index", cache=str(cache)) as assistant,
        closing(Index(tmp_path / "index")) as reader,
    ):

        @settings(max_examples=15)
        @given(STEPS, st.lists(FILTERS, min_size=1, max_size=3))
        def holds(steps: list[dict[str, Any]], filters: list[Filter]) -> None:
            model = Model(corpus)
            for step in steps:
                for name, state in step.items():
                    model.change(name, state)
                for chosen in filters:
                    expected = model.passing(chosen)
                    assert asked_documents(assistant, chosen) == expected
                    assert allowed_documents(reader, chosen) == expected

        holds()


def test_what_another_process_indexed_is_seen_by_the_next_question(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    def elsewhere() -> None:
        folders = ["--corpus", str(corpus), "--index", str(tmp_path / "i")]
        environment = os.environ | {"QA_CACHE": str(cache)}
        command = [sys.executable, "-m", "qa", "index", "-q", *folders]
        subprocess.run(command, check=True, env=environment, capture_output=True)

    def found(**filters: Any) -> set[str]:
        answer = assistant.ask("What rises through wild yeast?", 50, refresh=False, **filters)
        return {one.citation.document for one in answer.passages or answer.nearest}

    elsewhere()
    with Assistant(corpus, tmp_path / "i", cache=str(cache)) as assistant:
        assert found(within="*.txt") == {"bread.txt", "deep/whales.txt"}
        (corpus / "bread.txt").unlink()
        (corpus / "yeast.txt").write_text("Yeast is a fungus.\n")
        elsewhere()
        assert found(within="*.txt") == {"yeast.txt", "deep/whales.txt"}


def test_the_day_of_a_file_that_was_touched_is_seen_though_the_index_did_not_change(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    assistant.refresh()
    os.utime(corpus / "bread.txt", (1_000_000_000, 1_000_000_000))
    stamps = FolderCorpus(corpus, max_file_size=999).scan().stamps

    def days(catalog: Catalog) -> list[bytes]:
        catalog.begin(write=False)
        found: list[bytes] = catalog.membership.described().days.tolist()
        catalog.rollback()
        return found

    with closing(Catalog.open(tmp_path / "index")) as catalog:
        assert b"2001-09-09" not in days(catalog)
        with closing(Index(tmp_path / "index")) as writer:
            writer.tidy({"bread.txt": stamps["bread.txt"]}, 0, listing="")
        assert b"2001-09-09" in days(catalog)


def test_what_was_read_is_kept_while_nothing_changes_and_let_go_of_with_the_index(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    assistant.refresh()
    index = Index(tmp_path / "index")
    with index.snapshot() as snapshot:
        first = snapshot.described()
    with index.snapshot() as snapshot:
        assert snapshot.described() is first
    (corpus / "new.txt").write_text("A new one.\n")
    assistant.refresh()
    with index.snapshot() as snapshot:
        second = snapshot.described()
        assert (len(first), len(second)) == (3, 4)
    gone = weakref.ref(first), weakref.ref(second)
    gc.disable()
    try:
        index.close()
        del first, second, snapshot
        assert [one() for one in gone] == [None, None]
    finally:
        gc.enable()


# --- what a stranger or damage makes of it ----------------------------------------------


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Give the folder of an index of three documents with four passages each."""
    folder = tmp_path_factory.mktemp("built")
    corpus = folder / "corpus"
    corpus.mkdir()
    for name in "abc":
        parts = [f"# Part {n}\n\nHarbour {n} of {name} has cranes.\n" for n in range(4)]
        about = f"---\nauthor: {name}\ndate: 2020-01-01\n---\n"
        (corpus / f"{name}.md").write_text(about + "\n".join(parts))
    with Assistant(corpus, folder / "index", cache=str(cache)) as assistant:
        assistant.refresh()
    return folder / "index"


@pytest.fixture(name="made")
def _made(built: Path, tmp_path: Path) -> Path:
    """Give a copy of it, to be changed."""
    return shutil.copytree(built, tmp_path / "made")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE passage SET document = 3 WHERE id = (SELECT min(id) FROM passage)",
        "UPDATE passage SET document = 1 WHERE id = (SELECT max(id) FROM passage)",
        "UPDATE passage SET document = 1 + id % 3",
        "UPDATE passage SET document = 4 - document",
        "UPDATE passage SET document = 2",
        "UPDATE passage SET id = id + 4000000000000000000 WHERE document = 2",
        "UPDATE passage SET id = id * 1000",
    ],
)
def test_passages_that_are_not_numbered_in_a_row_are_found_all_the_same(
    made: Path, change: str
) -> None:
    forge(made, change)
    with closing(sqlite3.connect(made / "catalog.sqlite")) as db:
        of = db.execute("SELECT id, document FROM passage ORDER BY id").fetchall()
    with moment(made) as snapshot:
        for chosen in range(8):
            passing = np.array([bool(chosen & 1 << n) for n in range(3)])
            expected = [one for one, document in of if passing[document - 1]]
            assert snapshot.described()
            assert snapshot.passages_of(passing).tolist() == expected


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE passage SET document = 1.5 WHERE document = 1",
        "UPDATE passage SET document = 'one' WHERE document = 1",
        "UPDATE passage SET document = X'01' WHERE document = 1",
        "UPDATE passage SET document = -1 WHERE document = 1",
        "UPDATE passage SET document = 9223372036854775807 WHERE document = 1",
        "UPDATE passage SET id = -id WHERE document = 1",
        "UPDATE document SET metadata = '[]' WHERE id = 1",
        "UPDATE document SET metadata = '{},{}' WHERE id = 1",
        "UPDATE document SET metadata = '{}]' WHERE id = 1",
        "UPDATE document SET metadata = '' WHERE id = 1",
        "UPDATE document SET metadata = X'7B7D' WHERE id = 1",
        "UPDATE document SET metadata = replace(hex(zeroblob(50000)), '00', '[') WHERE id = 1",
        "UPDATE document SET metadata = '{\"date\": 2021}' WHERE id = 1",
        "UPDATE document SET path = X'FF' WHERE id = 1",
        "UPDATE document SET day = 20200101 WHERE id = 1",
        "UPDATE document SET day = '2020-01-01-and-more' WHERE id = 1",
    ],
)
def test_forged_rows_are_reported_by_every_question_that_reads_them(
    made: Path, change: str
) -> None:
    forge(made, change)
    chosen = Filter(where={"author": "*"}, since="2000-01-01")
    with closing(Index(made)) as index:
        for _ in range(2):
            with index.snapshot() as snapshot, pytest.raises(CatalogDamagedError):
                allowed_passages(chosen, snapshot)


def test_metadata_that_is_not_text_is_filtered_as_it_is_shown(made: Path) -> None:
    forge(made, """UPDATE document SET metadata = '{"author": 5, "x": [1]}', day = ''""")
    with moment(made) as snapshot:
        assert len(allowed_passages(Filter(where={"author": "5"}), snapshot)) == 12
        assert len(allowed_passages(Filter(where={"x": "[[]1]"}), snapshot)) == 12
        with pytest.raises(FilterError) as caught:
            allowed_passages(Filter(where={"author": "6"}), snapshot)
        assert "5 (3)" in caught.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
COLUMNS = st.one_of(
    st.tuples(st.just("metadata"), JSON.map(json.dumps)),
    st.tuples(st.just("metadata"), st.text('{}[],:"a1 \\', max_size=6) | st.binary(max_size=4)),
    st.tuples(
        st.sampled_from(["day", "path", "file", "metadata"]),
        st.integers(-(2**63), 2**63 - 1)
        | st.floats()
        | st.text(max_size=3)
        | st.binary(max_size=3),
    ),
)


def test_any_value_in_what_is_filtered_by_is_an_error_of_ours_or_passes_or_does_not(
    made: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"

    @settings(max_examples=60)
    @given(COLUMNS, FILTERS)
    def holds(changed: tuple[str, Any], chosen: Filter) -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(made, copy)
        column, value = changed
        with closing(sqlite3.connect(copy / "catalog.sqlite")) as db:
            try:
                db.execute(f"UPDATE document SET {column} = ? WHERE id = 2", (value,))
            except sqlite3.IntegrityError:
                return
            db.commit()
        forge(copy, "")
        try:
            with moment(copy) as snapshot:
                allowed_passages(chosen, snapshot)
        except QaError as error:
            str(error).encode()

    holds()


# --- words ------------------------------------------------------------------------------

WORDS = st.lists(st.sampled_from(["ferri", "noon", "crane", "gull"]), max_size=6)


@pytest.mark.parametrize("dearer", [0, 3, 10**6], ids=["by id", "either", "wider and wider"])
def test_the_best_of_the_allowed_are_those_of_all_that_are_allowed(
    dearer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.store.lexical._DEARER", dearer)

    @settings(max_examples=60)
    @given(st.lists(WORDS, min_size=1, max_size=60), st.data())
    def holds(texts: list[list[str]], data: st.DataObject) -> None:
        ids = [2**40 * (n % 3) + n + 1 for n in range(len(texts))]
        index = LexicalIndex(None)
        index.write(add=zip(ids, texts, strict=True))
        terms = data.draw(st.sampled_from([["ferri"], ["ferri", "noon"], ["gull", "none"], []]))
        allowed = sorted(data.draw(st.sets(st.sampled_from(ids))))
        k = data.draw(st.integers(1, 70))
        every = [one for one in index.search(terms, len(ids)) if one in set(allowed)]
        found = index.search(terms, k, np.array(allowed, np.int64))
        assert found == every[:k]

    holds()


def test_few_allowed_among_many_that_fit_better_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    index = LexicalIndex(None)
    index.write(add=((n, ["ferri"] * (20 if n % 100 else 1) + [f"x{n}"]) for n in range(1, 4001)))
    few = np.arange(100, 4001, 100)
    for dearer in (0, 3, 10**6):
        monkeypatch.setattr("qa.store.lexical._DEARER", dearer)
        assert sorted(index.search(["ferri"], 50, few)) == few.tolist()
        assert sorted(index.search(["ferri"], 5, few)) == sorted(index.search(["ferri"], 5, few))
        assert len(index.search(["ferri"], 5, few)) == 5
