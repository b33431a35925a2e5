"""Strings that have broken other programs, as documents, file names, questions and citations.

The list is github.com/minimaxir/big-list-of-naughty-strings; `QA_FORMATS` names the folder that
holds it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conftest import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

LIST = FORMATS / "big-list-of-naughty-strings" / "blns.json"
pytestmark = pytest.mark.skipif(
    not LIST.is_file(), reason="needs QA_FORMATS, a folder with the naughty strings"
)
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(name="strings", scope="module")
def _strings() -> list[str]:
    """Give the strings, and each of them several times over."""
    return list(json.loads(LIST.read_text("utf-8")))


@pytest.fixture(name="naughty")
def _naughty(tmp_path: Path, strings: list[str]) -> Path:
    """Give a corpus of them: each a document, as Markdown and as text, and a name where it can."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for n, text in enumerate(strings):
        (folder / f"{n}.md").write_text(f"# {text}\n\n{text} {text}\n", "utf-8")
        (folder / f"{n}.txt").write_text(f"{text}\n\nIt says {text}, that is all.\n", "utf-8")
        if "/" not in text and "\0" not in text and 0 < len(text.encode()) < 250:
            (folder / f"{n} {text}").write_text("A name.\n", "utf-8")
    return folder


def _fine(done: tuple[int, str, str], statuses: tuple[int, ...] = (0, 1)) -> None:
    status, out, err = done
    assert status in statuses, err
    assert "Traceback" not in err
    assert "defect" not in err
    assert not _OBEYED.search(out + err)


@pytest.mark.timeout(1800)
def test_no_naughty_string_breaks_a_command(run: Run, naughty: Path, strings: list[str]) -> None:
    _fine(run("index"), (0,))
    _fine(run("status"), (0,))
    for text in strings:
        _fine(run("ask", "--no-refresh", "--explain", "--", text), (0, 1, 2))
        _fine(run("show", "--", text), (0, 2))
    for n, text in enumerate(strings):
        if (naughty / f"{n}.md").is_file():
            _fine(run("show", "--", f"{n}.md:1-{text[:40]}"), (0, 2))
    for form in ("json", "markdown"):
        for text in strings[::5]:
            _fine(run("ask", "--no-refresh", "--always", "--format", form, "--", text), (0, 1, 2))


def test_nor_does_it_from_a_shell(naughty: Path, tmp_path: Path, strings: list[str]) -> None:
    (naughty / "one.txt").write_text("One document.\n")
    for text in [text for text in strings if "\0" not in text][::40]:
        done = subprocess.run(
            [sys.executable, "-m", "qa", "ask", "--corpus", str(naughty / "one.txt"),
             "--index", str(tmp_path / "small"), "--", text],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key != "QA_FORMATS"},
        )  # fmt: skip
        assert done.returncode in {0, 1, 2}, done.stderr
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr
