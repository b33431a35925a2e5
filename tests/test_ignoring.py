"""Patterns of ignore files and of `--in`: they fit what git says, and none hangs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from filtering import described, passing_of
from qa.answering.filter import Filter, make_filter
from qa.corpus import FolderCorpus
from qa.corpus.ignoring import parse, verdict
from qa.errors import QuestionError

if TYPE_CHECKING:
    from pathlib import Path

HANG = pytest.mark.timeout(30)


def fits(pattern: str, path: str, *, is_folder: bool = False) -> bool | None:
    found = parse(pattern)
    return verdict([found], path, is_folder=is_folder) if found else None


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a", "a b/a b/c/a", "ab ba a.a"),
        ("/a", "a", "b/a"),
        ("b/a", "b/a", "a c/b/a b/a/c"),
        ("*.log", ".log a.log b/a.log a\nb.log", "a.log.txt a.logs a.log\n"),
        ("a/**", "a/b a/b/c", "a b/a/b"),
        ("**/a", "a b/a b/c/a", "ab b/ba"),
        ("a/**/b", "a/b a/c/b a/c/d/b a/c\nd/b", "ab a/cb b"),
        ("**/a/**/b/**/c", "a/b/c x/a/x/b/x/c a/a/b/b/c", "a/c/b a/c b/a/c"),
        ("**", "a a/b", ""),
        ("a**b", "ab axb", "a/b ax/b"),
        ("a?c", "abc a日c", "ac a/c abbc"),
        ("[a-c]x", "ax bx cx", "dx -x x"),
        ("[!a-c]x", "dx -x", "ax x b/x"),
        ("a[^b]c", "aac", "abc a/c"),
        ("[]-]x", "]x -x", "[x"),
        (r"[\]a]x", "]x ax", r"\x"),
        ("[[:digit:][:upper:]_]x", "1x Ax _x", "ax :x dx"),
        ("[z-a]x", "zx", "ax -x bx"),
        ("x[a/b]y", "xay xby", "x/y"),
        (r"\#a", "#a", r"\#a"),
        (r"\!a", "!a", "a"),
        (r"a\*", "a*", r"ab a\*"),
        ("a  ", "a", "a__"),
        ("(a|b)+.$", "(a|b)+.$", "a"),
        ("naïve*", "naïves", "naive"),
    ],
)
def test_a_pattern_fits_what_git_says(pattern: str, yes: str, no: str) -> None:
    assert [one for one in yes.split(" ") if one and not fits(pattern, one)] == []
    assert [one for one in no.split(" ") if one and fits(pattern, one)] == []


def test_a_space_at_the_end_counts_where_it_is_escaped() -> None:
    assert fits("a\\  ", "a ")
    assert not fits("a\\  ", "a")
    assert parse("a\\\\ ") is not None
    assert fits("a\\\\ ", "a\\")


def test_a_pattern_that_ends_in_a_slash_is_for_folders() -> None:
    for pattern in ("a/", "/a/", "**/a/", "*/"):
        assert fits(pattern, "a", is_folder=True)
        assert not fits(pattern, "a")
    assert not fits("a/**", "a", is_folder=True)


@pytest.mark.parametrize(
    "line", ["", " ", "#a", "!", "/", "!/", "\\", "a\\", "a/\\", "[", "[a", "[]", "[!]", "[[:no:]]"]
)
def test_what_is_not_a_pattern_fits_nothing(line: str) -> None:
    assert parse(line) is None


# A `**` that is not alone between slashes is left out: of `a**/b`, git matches the letters before
# the first star apart from the rest, and then takes the stars to be alone.
_SEGMENTS = st.one_of(
    st.just("**"),
    st.lists(
        st.sampled_from(
            [*"ab*?-", ".a", "[a-b]", "[!a]", "[^b.]", "[]a]", "[[:alpha:]]", "[b-a]", "\\*", "\\["]
        ),
        min_size=1,
        max_size=4,
    )
    .map("".join)
    .filter(lambda one: "**" not in one),
)
_LINES = st.tuples(
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(_SEGMENTS, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "", "/", " ", "\r"]),
).map("".join)
_PATHS = st.lists(
    st.sampled_from(["a", "b", "ab", "ba", "abb", "[b", "*", "-", "a.a"]), min_size=1, max_size=4
).map("/".join)
_DIFFERS = re.compile(r"^!|\[[!^]|\[:|\[b-a\]|\*\*/$")


# Where that library differs from git: what a set that excludes fits, kinds of characters, ranges
# that end before they begin, and the files of a folder of which `folder/**/` ignores the folders.
@settings(max_examples=300)
@given(_LINES.filter(lambda one: not _DIFFERS.search(one)), _PATHS)
def test_patterns_fit_what_another_implementation_says(pattern: str, path: str) -> None:
    told = GitIgnoreSpec.from_lines([pattern]).match_file(path)
    pattern = pattern.removesuffix("\r")
    assert passing_of(make_filter(pattern, None, None, None), [path]) == [path] * told


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_corpus_leaves_out_what_git_ignores(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = _tree(tmp_path_factory)
    lines = data.draw(st.lists(_LINES, min_size=1, max_size=4))
    below = data.draw(st.lists(_LINES, max_size=2))
    (root / ".gitignore").write_text("\n".join(lines), "utf-8")
    (root / "a" / ".gitignore").write_text("\n".join(below), "utf-8")
    files = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    files = [one for one in files if not one.startswith(".git") and "/.git" not in one]
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],  # noqa: S607
        cwd=root, input="\0".join(files), capture_output=True, text=True, check=False,
        env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    ignored = set(done.stdout.split("\0")) - {""}
    stamps = FolderCorpus(root, max_file_size=99).scan().stamps
    assert set(stamps) == set(files) - ignored, (lines, below)


_MADE: list[Path] = []


def _tree(factory: pytest.TempPathFactory) -> Path:
    if not _MADE:
        root = factory.mktemp("tree")
        subprocess.run(["git", "init", "-q", root], check=True)  # noqa: S607
        for folder in ("", "a", "b", "a/a", "a/b", "a/b/ab", "b/a", "b/a/b"):
            (root / folder).mkdir(exist_ok=True)
            for name in ("aa", "a.b", "bb", "*-", "[b"):
                (root / folder / name).write_text("x")
        _MADE.append(root)
    return _MADE[0]


# --- time -------------------------------------------------------------------------------

HOSTILE = [
    "*a" * 30 + "*b",
    "**/" * 500 + "b",
    "**/*a*a/" * 300 + "b",
    "a*/**/" * 100 + "*b*c",
    "*" * 5000 + "b",
    "?*" * 100 + "b",
    "[[:" * 20_000,
    "[" + "[:a" * 10_000 + "]",
    "*[!b]*" * 500 + "b",
    "/" * 60_000,
    "\\" * 60_000,
    " " * 60_000 + "x",
]


@HANG
@pytest.mark.parametrize("pattern", HOSTILE, ids=range(len(HOSTILE)))
def test_no_pattern_hangs(tmp_path: Path, pattern: str) -> None:
    names = ["a" * 200, "a" * 99 + ".b" * 50, "[[:a" * 50]
    for name in names:
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text(pattern)
    assert not FolderCorpus(tmp_path, max_file_size=9).scan().unreadable
    paths = ["a/" * 1000 + "a" * 200, "/".join(names * 10)]
    if parse(pattern) is not None:
        passing_of(make_filter(pattern, None, None, None), paths)


@HANG
def test_no_wanted_value_hangs() -> None:
    documents = described(["a.md"], metadata=[{"author": "a" * 2000}])
    for wanted in ("*a" * 500 + "*b", "?*" * 1000 + "b", "*" * 5000 + "b", "[" * 5000):
        assert not Filter(where={"author": wanted}).passing(documents).any()


# --- `--in` -----------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["", "[a", "[", "#draft", "!", "a\\"])
def test_what_is_not_a_pattern_is_refused_after_in(pattern: str) -> None:
    with pytest.raises(QuestionError, match="not a path pattern") as caught:
        make_filter(["a", pattern], None, None, None)
    assert "reports/**" in caught.value.hint


@pytest.mark.parametrize(
    ("patterns", "inside"),
    [
        (["reports"], "reports/a.md reports/old/b.md x/reports/c.pdf"),
        (["reports/"], "reports/a.md reports/old/b.md x/reports/c.pdf"),
        (["/reports/**"], "reports/a.md reports/old/b.md"),
        (["reports", "!old"], "reports/a.md x/reports/c.pdf"),
        (["reports/**", "!reports/old/**"], "reports/a.md"),
        (["*.pdf", "b.md"], "reports/old/b.md x/reports/c.pdf"),
        (["[r-z]*/"], "reports/a.md reports/old/b.md x/reports/c.pdf"),
        (["[z-a]"], ""),
    ],
)
def test_in_takes_what_lies_in_a_folder_that_fits(patterns: list[str], inside: str) -> None:
    paths = ["reports/a.md", "reports/old/b.md", "x/reports/c.pdf", "d.txt"]
    assert passing_of(make_filter(patterns, None, None, None), paths) == inside.split()


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows refuses")
def test_a_folder_whose_content_is_ignored_can_keep_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b\nc").mkdir()
    for name in ("a/keep.txt", "a/b.txt", "b\nc/x.log"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("/a/**\n!/a/keep.txt\n**/x.log\n")
    assert list(FolderCorpus(tmp_path, max_file_size=9).scan().stamps) == ["a/keep.txt"]
