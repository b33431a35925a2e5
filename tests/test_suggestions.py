"""What is typed otherwise than qa has it: understood where it can be, else what to type."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from conftest import ARTICLE

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("ask x --kay 3", "Did you mean -k?"),
        ("ask x --top 3", "Did you mean -k?"),
        ("ask x --limit=3", "Did you mean -k?"),
        ("ask x -n 3", "Did you mean -k?"),
        ("ask x --json", "Did you mean --format json?"),
        ("ask x --output json", "Did you mean --format?"),
        ("ask x --filter reports", "Did you mean --in?"),
        ("ask x --author Adams", "Did you mean --where?"),
        ("ask x --verbose", "Did you mean --explain?"),
        ("ask x --after 2024", "Did you mean --since?"),
        ("ask x --folder y", "Did you mean --corpus?"),
        ("ask x --silent", "Did you mean --quiet?"),
        ("ask x --treshold 1", "Did you mean --threshold?"),
        ("ask x --no-refesh", "Did you mean --no-refresh?"),
        ("ask x --ALWAYS", "Did you mean --always?"),
        ("ask x --xyzzy", "All are listed by: qa ask --help"),
        ("index --force", "Did you mean --rebuild?"),
        ("index --workers 3", "Did you mean --jobs?"),
        ("index --gpu", "Did you mean --device cuda?"),
        ("index --where a=b", "It is an option of qa ask."),
        ("status --errors", "Did you mean --problems?"),
        ("corpora --delete", "Did you mean --remove?"),
        ("--corpus a ask who", "It goes after the command: qa ask --corpus a who"),
        ("--corpus=a ask who -k 2", "It goes after the command: qa ask --corpus=a who -k 2"),
        ("--explain ask who", "It goes after the command: qa ask --explain who"),
        ("--log-text -k 3 ask who", "It goes after the command: qa --log-text ask -k 3 who"),
        ("--corpus a", "It goes after the command: qa ask … --corpus …"),
        ("--json ask who", "Did you mean --format json, after the command?"),
        ("--verbose", "Did you mean --log-file FILE?"),
        ("search", "Did you mean: qa ask"),
        ("serach", "Did you mean: qa ask"),
        ("build", "Did you mean: qa index"),
        ("update", "Did you mean: qa index"),
        ("refresh", "Did you mean: qa index"),
        ("Index", "Did you mean: qa index"),
        ("stats", "Did you mean: qa status"),
        ("verfy", "Did you mean: qa verify"),
        ("help", "Did you mean: qa --help"),
        ("model perpare", "Did you mean: qa model prepare"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_was_meant(
    run: Run, typed: str, said: str
) -> None:
    status, out, err = run(*typed.split())
    assert status == 2
    assert not out
    assert said in " ".join(err.split())
    assert "Possible options" not in err


@pytest.mark.parametrize(
    "typed", ["--\x1b[31m", "--é", "--" + "x" * 20_000, "--=", "-\u202e", "--corpus\0", "---k"]
)
@pytest.mark.parametrize("before", [[], ["ask", "x"]])
def test_no_way_of_mistyping_breaks_it(run: Run, before: list[str], typed: str) -> None:
    status, out, err = run(*before, typed)
    assert status == 2
    assert not out
    assert "No such option" in err
    assert "\x1b" not in err
    assert "Internal error" not in err


def test_words_that_nobody_quoted_are_one_question(run: Run, tmp_path: Path) -> None:
    shutil.copytree(ARTICLE.parent, tmp_path / "corpus")
    typed = "ask Will Russia send -k 1 food or --format json medicine"
    status, out, _ = run(*typed.split())
    assert status == 0
    assert json.loads(out)["question"] == "Will Russia send food or medicine"
    assert run("ask", "", "")[0] == 2
    assert "empty" in run("ask", "")[2]


def test_a_folder_can_be_indexed_by_its_name_alone(run: Run, tmp_path: Path) -> None:
    shutil.copytree(ARTICLE.parent, tmp_path / "papers")
    status, out, _ = run("index", "papers")
    assert status == 0
    assert "1 added" in out
    assert "0 added" not in run("index", "--corpus", "papers")[1]
    assert "Nothing changed" in run("index", "--corpus", tmp_path / "papers")[1]
    status, _, err = run("index", "papers", "--corpus", "other")
    assert status == 2
    assert "both name a corpus" in err
    status, _, err = run("index", "nowhere")
    assert status == 2
    assert "nowhere" in err
