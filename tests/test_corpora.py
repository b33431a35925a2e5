"""Many corpora: named in qa.toml, asked as one, listed, and cleared of indexes that lost theirs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import ARTICLE
from qa.answering.fusing import standings
from qa.errors import SettingsError
from qa.settings import load_settings
from typing_on import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

QUESTION = "Will Russia send food or medicine?"
MOON = "Who set foot on the Moon?"


@pytest.fixture(name="two")
def _two(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder whose qa.toml names two corpora, `notes` and `papers`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    corpus.rename(tmp_path / "my-notes")
    (tmp_path / "my-papers").mkdir()
    (tmp_path / "my-papers" / ARTICLE.name).write_bytes(ARTICLE.read_bytes())
    (tmp_path / "qa.toml").write_text(
        '[corpora.notes]\ncorpus = "my-notes"\nindex = "notes-index"\n'
        '[corpora.papers]\ncorpus = "my-papers"\n'
    )
    return tmp_path


# --- names ------------------------------------------------------------------------------


@pytest.mark.usefixtures("two")
def test_a_corpus_can_be_asked_by_its_name(run: Run, tmp_path: Path) -> None:
    status, out, err = run("ask", MOON, "--corpus", "notes", "--format", "json")
    assert status == 0, err
    assert json.loads(out)["corpus"] == str(tmp_path / "my-notes")
    assert json.loads(out)["passages"][0]["corpus"] == ""
    assert (tmp_path / "notes-index" / "catalog.sqlite").exists()
    assert "corpus    " + str(tmp_path / "my-notes") in run("status", "--corpus", "notes")[1]


def test_a_name_goes_before_a_folder_of_that_name_and_says_how_to_mean_the_folder(
    run: Run, two: Path
) -> None:
    (two / "notes").mkdir()
    (two / "notes" / "a.txt").write_text("The folder that is called notes has bread in it.")
    status, out, err = run("ask", MOON, "--corpus", "notes", "--format", "json")
    assert status == 0
    assert json.loads(out)["corpus"] == str(two / "my-notes")
    assert "for what is here, write ./notes" in err
    status, out, err = run("ask", "What is in notes?", "--corpus", "./notes", "--format", "json")
    assert json.loads(out)["corpus"] == str(two / "notes")
    assert "name of a corpus" not in err


def test_a_name_that_is_its_own_folder_is_no_collision(run: Run, two: Path) -> None:
    (two / "qa.toml").write_text('[corpora.my-notes]\ncorpus = "my-notes"\nindex = "i"\n')
    status, _, err = run("ask", MOON, "--corpus", "my-notes")
    assert status == 0
    assert "name of a corpus" not in err
    assert (two / "i").is_dir()


def test_a_name_can_be_the_usual_corpus_and_an_argument_names_its_index(two: Path) -> None:
    text = (two / "qa.toml").read_text()
    (two / "qa.toml").write_text('corpus = "notes"\nindex = "unused"\n' + text)
    usual = load_settings(folder=two, environment={})
    assert (usual.corpus, usual.index) == (str(two / "my-notes"), str(two / "notes-index"))
    other = load_settings({"corpus": "papers"}, folder=two, environment={})
    assert (other.corpus, other.index) == (str(two / "my-papers"), None)
    given = load_settings({"corpus": "papers", "index": "i"}, folder=two, environment={})
    assert given.index == "i"
    named = load_settings(folder=two, environment={"QA_CORPUS": "papers"})
    assert named.corpus == str(two / "my-papers")


def test_a_name_that_nobody_gave_is_a_folder_that_is_not_there(run: Run, two: Path) -> None:
    status, _, err = run("ask", MOON, "--corpus", "nots")
    assert status == 2
    assert "There is nothing at nots; qa.toml names: notes, papers" in err
    assert "qa.toml names: notes, papers" in run("ask", MOON)[2]
    assert "qa.toml names" not in run("ask", MOON, "--corpus", "my-notes")[2]
    assert "qa.toml names" not in run("ask", MOON, "--corpus", "nots", "-q")[2]


# --- several ----------------------------------------------------------------------------


def test_several_are_asked_as_one_and_each_passage_says_whose_it_is(run: Run, two: Path) -> None:
    several = ("--corpus", "notes", "--corpus", "papers")
    for question, name in ((MOON, "notes"), (QUESTION, "papers")):
        status, out, err = run("ask", question, *several, "--format", "json")
        assert status == 0, err
        answer = json.loads(out)
        best = answer["passages"][0]
        assert best["corpus"] == name
        assert best["citation"]["document"].startswith(f"my-{name}/")
        assert answer["corpus"] == str(two)
        raw = (two / best["citation"]["file"]).read_bytes()
        quote = raw[best["citation"]["start_byte"] : best["citation"]["end_byte"]].decode()
        assert quote == best["citation"]["quote"]
        alone = json.loads(run("ask", question, "--corpus", name, "--format", "json")[1])
        assert answer["probability"] == alone["probability"]
        assert len(answer["passages"]) <= 5
        (two / "answer.json").write_text(out, "utf-8")
        status, out, _ = run("verify", "answer.json")
        assert status == 0, out
    assert f"1. my-papers/{ARTICLE.name}:42-44" in run("ask", QUESTION, *several)[1]


def test_where_none_answers_the_closest_of_all_are_shown_with_each_reason(
    run: Run, two: Path
) -> None:
    several = ("--corpus", "notes", "--corpus", "./my-papers", "--corpus", "notes")
    status, out, _ = run("ask", "qwertz uiop asdfgh", *several, "--format", "json")
    assert status == 1
    answer = json.loads(out)
    assert not answer["passages"]
    assert {one["corpus"] for one in answer["nearest"]} == {"notes", "./my-papers"}
    assert "notes: The documents don't mention" in answer["reason"]
    assert "./my-papers: The documents don't mention" in answer["reason"]


def test_a_filter_need_let_a_document_pass_in_one_of_them_only(run: Run, two: Path) -> None:
    (two / "my-papers" / "a.md").write_text("---\nauthor: Adams\n---\n\nThe Moon is far away.\n")
    several = ("--corpus", "notes", "--corpus", "papers")
    status, out, err = run("ask", "How far is the Moon?", *several, "--where", "author=Adams",
                           "--always")  # fmt: skip
    assert status in {0, 1}, err
    assert "my-papers/a.md" in out
    assert "notes was left out: No indexed document has metadata 'author'" in err
    status, _, err = run("ask", "How far is the Moon?", *several, "--where", "author=Nobody")
    assert status == 2
    assert "author" in err


def test_a_passage_that_two_corpora_have_comes_once(run: Run, two: Path) -> None:
    several = ("--corpus", ".", "--corpus", "./my-notes", "-k", 10, "--always")
    _, out, _ = run("ask", MOON, *several, "--format", "json")
    found = json.loads(out)
    places = [
        (one["citation"]["document"], one["citation"]["start"])
        for one in found["passages"] or found["nearest"]
    ]
    assert len(set(places)) == len(places)
    assert ("my-notes/moon.md", places[0][1]) == places[0]


def test_an_index_can_not_be_that_of_several(run: Run, two: Path) -> None:
    several = ("--corpus", "notes", "--corpus", "papers")
    status, _, err = run("ask", MOON, *several, "--index", "i")
    assert status == 2
    assert "--index is of one corpus" in err


scores = st.lists(st.floats(-1, 2), min_size=1, max_size=8)


@given(probability=st.floats(0, 1), found=scores)
@example(probability=0.0, found=[5e-324, 1.0])
def test_standings_keep_the_order_of_a_corpus_and_begin_with_its_probability(
    probability: float, found: list[float]
) -> None:
    stood = standings(probability, found)
    assert stood[0] == probability
    assert stood == sorted(stood, reverse=True)
    assert all(0 <= one <= probability for one in stood)


# --- qa corpora -------------------------------------------------------------------------


def test_corpora_lists_names_sizes_and_freshness(run: Run, two: Path) -> None:
    run("index", "--corpus", "notes")
    (two / "my-notes" / "new.txt").write_text("Something new.")
    status, out, _ = run("corpora")
    assert status == 0
    assert f"notes  {two / 'my-notes'}" in out
    assert "3 documents, " in out
    assert "1 document changed since" in out
    assert "not indexed yet" in out
    listed = json.loads(run("corpora", "--format", "json")[1])
    assert listed["schema"] == "qa.corpora/1"
    by_name = {one["name"]: one for one in listed["known"]}
    assert by_name["notes"]["stale"] == 1
    assert by_name["papers"]["problem"] == "not indexed yet"
    described = (ARTICLE.parent.parent / "docs" / "json.md").read_text("utf-8")
    assert not [key for key in (*by_name["notes"], *listed) if f"`{key}`" not in described]


def indexes(two: Path) -> list[Path]:
    return sorted((two / "data").glob("retrieval-qa/indexes/*"))


def test_an_index_that_lost_its_corpus_is_told_and_removed_only_when_said(
    run: Run, two: Path
) -> None:
    run("index", "--corpus", "papers")
    (two / "drive" / "gone").mkdir(parents=True)
    (two / "drive" / "gone" / "a.txt").write_text("It was here.")
    run("index", "--corpus", "drive/gone")
    [lost] = [one for one in indexes(two) if one.name.startswith("gone-")]
    assert "without a corpus" not in run("corpora")[1]
    (two / "drive" / "gone" / "a.txt").unlink()
    (two / "drive" / "gone").rmdir()
    (two / "drive").rmdir()
    status, out, _ = run("corpora")
    assert status == 0
    assert "1 index folder without a corpus" in out
    assert str(two / "drive" / "gone") in out
    assert "is a drive not mounted?" in out
    assert "qa corpora --remove" in out
    status, out, err = run("corpora", "--remove")
    assert status == 2
    assert str(lost) in out
    assert "--yes" in err
    assert lost.exists()
    (lost.parent / ".removed-other-0123456789ab").mkdir()  # by a removal that was killed
    status, _, err = run("corpora", "--remove", "--yes")
    assert status == 0
    assert f"Removed {lost}" in err
    assert not list(lost.parent.glob(".removed-*"))
    assert not lost.exists()
    assert [one.name.partition("-")[0] for one in indexes(two)] == ["my"]
    assert run("corpora", "--remove", "--yes")[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_what_is_not_surely_an_index_that_lost_its_corpus_is_never_removed(
    run: Run, two: Path
) -> None:
    run("index", "--corpus", "papers")
    shelf = indexes(two)[0].parent
    (shelf / "keep").mkdir()  # not named as ours are
    (shelf / "keep" / "letter.txt").write_text("dear")
    (shelf / "mine-0123456789ab").mkdir()  # not an index
    (shelf / "mine-0123456789ab" / "letter.txt").write_text("dear")
    (two / "elsewhere").mkdir()
    (shelf / "link-0123456789ab").symlink_to(two / "elsewhere")
    damaged = shelf / "damaged-0123456789ab"
    damaged.mkdir()
    (damaged / "catalog.sqlite").write_bytes(b"x" * 5000)
    (shelf / "file-0123456789ab").write_text("x")
    before = {one for one in shelf.rglob("*") if "sqlite-" not in one.name}
    status, out, _ = run("corpora", "--remove", "--yes")
    assert status == 0
    assert str(damaged) in out
    assert {one for one in shelf.rglob("*") if "sqlite-" not in one.name} == before


def test_an_index_that_is_being_written_is_not_removed(run: Run, two: Path) -> None:
    from filelock import FileLock

    (two / "gone").mkdir()
    (two / "gone" / "a.txt").write_text("It was here.")
    run("index", "--corpus", "gone")
    [lost] = indexes(two)
    (two / "gone").rename(two / "moved")
    with FileLock(lost / "writer.lock"):
        status, _, err = run("corpora", "--remove", "--yes")
    assert status == 2
    assert "is writing" in err
    assert lost.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_corpus_that_may_not_be_looked_at_is_not_lost(two: Path, as_user: object) -> None:
    from qa.corpora import is_lost

    (two / "closed" / "corpus").mkdir(parents=True)
    (two / "closed").chmod(0)
    as_user()  # type: ignore[operator]
    assert not is_lost(str(two / "closed" / "corpus"))
    assert is_lost(str(two / "not there"))
    assert not is_lost("a\0b")
    assert not is_lost("x" * 100_000)


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
@pytest.mark.parametrize("typed", ["y", "n"])
def test_on_a_terminal_the_removal_is_asked_for(
    run: Run, two: Path, cache: Path, typed: str
) -> None:
    (two / "gone").mkdir()
    (two / "gone" / "a.txt").write_text("It was here.")
    run("index", "--corpus", "gone")
    [lost] = indexes(two)
    (two / "gone").rename(two / "moved")
    status, shown = on_terminal(
        [sys.executable, "-m", "qa", "corpora", "--remove"],
        ("[y/N]", f"{typed}\n"),
        cwd=two,
        environment=os.environ | {"QA_CACHE": str(cache)},
    )
    assert status == 0
    assert "without a corpus" in shown
    assert ("Nothing was removed" in shown) is (typed == "n")
    assert lost.exists() is (typed == "n")


def test_without_any_corpus_it_says_so(run: Run, tmp_path: Path) -> None:
    assert "No corpus has a name or an index" in run("corpora")[1]
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "letter.txt").write_text("not an index")
    assert "No corpus has a name or an index" in run("corpora")[1]


def test_the_usual_corpus_is_listed_once_it_is_indexed(run: Run, corpus: Path) -> None:
    run("index")
    assert run("corpora")[1].startswith(f"{corpus}\n  3 documents, ")


def test_a_qa_toml_that_is_wrong_is_an_error_here_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "qa.toml").write_text("corpora = 3")
    status, _, err = run("corpora")
    assert status == 2
    assert "corpora is not a table" in err
    with pytest.raises(SettingsError):
        load_settings({"corpus": "x"}, folder=tmp_path, environment={})
