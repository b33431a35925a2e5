"""Filters: which documents a question is asked of, decided before anything is ranked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filtering import described, passes, passing_of
from qa.answering.filter import Filter
from qa.errors import FilterError, QuestionError
from qa.reading.dates import day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from qa.assistant import Assistant

QUESTION = "What does the harbour cost?"
ROWS = 260  # more than are scored without asking the retrievers


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Assistant]:
    """Give an assistant over many notes, of which a few differ by folder, author and date."""
    from qa.assistant import Assistant

    folder = tmp_path_factory.mktemp("library")
    for number in range(ROWS):
        path = folder / "notes" / f"{number:03}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"---\nauthor: Clerk {number % 7}\ndate: 2020-01-{1 + number % 28:02}\n---\n"
            f"The harbour costs {number + 100} crowns in the year of account {number}.\n",
            "utf-8",
        )
    (folder / "reports" / "deep").mkdir(parents=True)
    (folder / "reports" / "deep" / "far.md").write_text(
        "---\nAuthor: Alice Adams; Bob Brown\ndate: 2024-03-05T10:00:00Z\nlanguage: en\n---\n"
        "Gulls nest on the roof of the town hall and nobody minds.\n",
        "utf-8",
    )
    plain = folder / "reports" / "plain.txt"
    plain.write_text("The ferry sails at noon.\n", "utf-8")
    os.utime(plain, (1_500_000_000, 1_500_000_000))  # 2017-07-14
    with Assistant(folder, tmp_path_factory.mktemp("index"), cache=str(cache)) as one:
        one.refresh()
        yield one


def documents(assistant: Assistant, k: int = 5, **filters: Any) -> set[str]:
    answer = assistant.ask(QUESTION, k, threshold=0, refresh=False, **filters)
    return {one.citation.document for one in answer.passages}


def test_a_filter_that_few_documents_pass_gives_them_though_others_fit_better(
    library: Assistant,
) -> None:
    assert documents(library, within="reports/**") == {"reports/deep/far.md", "reports/plain.txt"}


def test_a_filter_that_many_pass_fills_the_list_with_the_best_of_them(library: Assistant) -> None:
    every = documents(library, k=10, within="notes/*.md")
    assert len(every) == 10
    assert every == documents(library, k=10, since="2020-01-01", until="2020-12-31")


@pytest.mark.parametrize("wanted", ["alice adams", "Bob Brown", "alice*", "Alice Adams; Bob Brown"])
def test_metadata_fits_as_a_whole_or_in_one_of_its_parts(library: Assistant, wanted: str) -> None:
    assert documents(library, where={"author": wanted}) == {"reports/deep/far.md"}


def test_all_conditions_must_hold(library: Assistant) -> None:
    found = documents(library, k=300, where={"author": "clerk 3"}, within="notes/00*")
    assert found == {"notes/003.md"}
    with pytest.raises(FilterError, match="all filters at once"):
        documents(library, where={"author": "Alice Adams"}, within="notes/**")


def test_a_document_without_a_date_has_that_of_its_file(library: Assistant) -> None:
    assert documents(library, until="2018-01-01") == {"reports/plain.txt"}
    assert documents(library, since="2024-03-05") == {"reports/deep/far.md"}


@pytest.mark.parametrize(
    ("filters", "message", "hint"),
    [
        ({"within": "nowhere/**"}, "pattern 'nowhere/**'", ".md (261), .txt (1)"),
        ({"within": "*.pfd", "where": {"author": "Alice Adams"}}, "'*.pfd'", ".md"),
        ({"where": {"autor": "Bob"}}, "metadata 'autor'", "Did you mean 'author'?"),
        ({"where": {"author": "Nobody"}}, "author=Nobody", "Clerk"),
        ({"since": "2094-01-01"}, "2094-01-01 or later", "2024-03-05"),
        ({"until": "1914-01-01"}, "1914-01-01 or earlier", "2017"),
    ],
)
def test_a_filter_that_no_document_passes_is_refused_and_says_what_there_is(
    library: Assistant, filters: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(FilterError) as caught:
        library.ask(QUESTION, refresh=False, **filters)
    assert message in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "filters", [{"since": "yesterday"}, {"until": "2024-13-01"}, {"within": ["a/**", "\\"]}]
)
def test_a_filter_that_makes_no_sense_is_refused(
    library: Assistant, filters: dict[str, str]
) -> None:
    with pytest.raises(QuestionError):
        library.ask(QUESTION, refresh=False, **filters)  # type: ignore[arg-type]


def test_what_is_asked_of_a_filtered_corpus_is_what_a_corpus_of_just_those_would_answer(
    library: Assistant, tmp_path: Path, cache: Path
) -> None:
    from qa.assistant import Assistant

    assert library.root is not None
    with Assistant(library.root / "reports", tmp_path / "index", cache=str(cache)) as alone:
        best = alone.ask("When does the ferry sail?").passages[0]
    answer = library.ask("When does the ferry sail?", refresh=False, within="reports/")
    assert answer.passages[0].citation.quote == best.citation.quote


# --- laws -------------------------------------------------------------------------------

PARTS = st.sampled_from(["a", "b", "ab", "x.md", "y.md", "c.txt", "A", ".", ""])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
DAYS = st.sampled_from(["", "0999-12-31", "2019-12-31", "2020-01-01", "2020-02-29", "2024-06-01"])
NAMES = st.sampled_from(["", "Alice", "alice", "ALICE ", "Bob", "B,b", "ß", "SS", " ", ";", "a*"])
METADATA = st.dictionaries(
    st.sampled_from(["author", "tags", "Author"]),
    st.lists(NAMES, max_size=3).map("; ".join) | NAMES,
)
DOCUMENTS = st.lists(st.tuples(PATHS, DAYS, METADATA), max_size=12)
PATTERNS = st.sampled_from(
    ["a", "a/", "/a", "a/**", "**/b", "*.md", "!*.md", "!a/b", "*", "?", "b/*.md", "!b", "x.*"]
)
FILTERS = st.builds(
    Filter,
    within=st.lists(PATTERNS, max_size=3).map(tuple),
    where=st.dictionaries(
        st.sampled_from(["author", "AUTHOR", "tags", "none"]),
        st.sampled_from(["alice", "A*", "b", "*", "?", "ss", "", "[ab]*", "b,b", "a[*]"]),
        max_size=2,
    ),
    since=DAYS,
    until=DAYS,
)


@settings(max_examples=400)
@given(DOCUMENTS, st.lists(FILTERS, min_size=1, max_size=3), st.randoms())
def test_a_document_passes_as_it_does_alone_whatever_stands_beside_it(
    rows: list[tuple[str, str, dict[str, str]]], filters: list[Filter], chance: Random
) -> None:
    expected = [[passes(one, *row) for row in rows] for one in filters]
    order = chance.sample(range(len(rows)), len(rows))
    for at in (range(len(rows)), order):
        paths, days, metadata = zip(*(rows[n] for n in at), strict=True) if rows else ((), (), ())
        documents = described(paths, days, metadata)
        for one, each in [*zip(filters, expected, strict=True)] * 2:
            assert one.passing(documents).tolist() == [each[n] for n in at]


def test_an_empty_filter_lets_everything_pass() -> None:
    assert not Filter()
    assert passing_of(Filter(), ["a/x.md", "c.txt"]) == ["a/x.md", "c.txt"]
    assert passing_of(Filter(), []) == []


@given(st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=9), st.data())
def test_what_was_made_is_kept_for_the_last_few_and_made_again_else(
    keys: list[str], data: st.DataObject
) -> None:
    documents = described(["a.md"], metadata=[{key: f"value of {key}" for key in "abcdefghij"}])
    for key in data.draw(st.lists(st.sampled_from([*keys, "z"]), max_size=60)):
        assert list(documents.values(key).numbers) == [f"value of {key}"] * (key != "z")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T23:59:59+02:00", "2024-01-31"),
        ("2024-1-3", "2024-01-03"),
        ("2024-02", "2024-02-01"),
        ("1966", "1966-01-01"),
        ("D:20240131120000+01'00'", "2024-01-31"),
        ("20240131", "2024-01-31"),
        ("Wed, 31 Jan 2024 10:00:00 +0100", "2024-01-31"),
        ("2024-02-30", ""),
        ("soon", ""),
        ("", ""),
    ],
)
def test_days_are_read_in_the_ways_that_files_write_them(written: str, expected: str) -> None:
    assert day(written) == expected


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_days(text: str) -> None:
    assert day(text) == "" or len(day(text)) == 10
