"""The benchmarks: they can be run, and the tables of the docs are what they found."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from conftest import ARTICLE, REPOSITORY
from qa.assistant import Assistant

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))


def test_the_tables_in_the_documentation_are_those_that_were_measured() -> None:
    import tables

    for page, text in tables.pages().items():
        assert page.read_text("utf-8") == text, page


@pytest.mark.skipif(sys.platform == "win32", reason="waits as POSIX does")
def test_the_account_of_a_cold_question_takes_every_step(tmp_path: Path, cache: Path) -> None:
    import cold_account

    with Assistant(ARTICLE.parent, tmp_path / "index", cache=str(cache)) as one:
        one.refresh()
    paths = [str(ARTICLE.parent), str(tmp_path / "index"), str(cache)]
    told = cold_account.steps([*paths, cold_account.QUESTION], tmp_path)
    assert {"start Python", "import FAISS", cold_account.SECOND} <= set(told)
    assert all(seconds >= 0 for seconds in told.values())
