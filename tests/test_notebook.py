"""The notebook runs from top to bottom and writes what is shown in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"
# All code cells in one namespace, as a kernel has it; what each writes goes to a line of its own.
RUN = """
import contextlib, io, json, sys
names = {"__name__": "__main__"}
for number, code in enumerate(json.load(open(sys.argv[1], encoding="utf-8"))):
    with contextlib.redirect_stdout(io.StringIO()) as written:
        exec(compile(code, f"cell {number}", "exec"), names)
    print(json.dumps(written.getvalue()))
print(json.dumps(len(names["plt"].get_fignums())))
"""


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return [one for one in found if one["cell_type"] == "code"]


def test_every_cell_runs_and_writes_what_is_shown(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("matplotlib")
    shutil.copytree(REPOSITORY / "corpus", tmp_path / "corpus")
    caches = tmp_path / "caches"
    caches.mkdir()
    (caches / "retrieval-qa").symlink_to(cache)
    code = tmp_path / "cells.json"
    code.write_text(json.dumps(["".join(one["source"]) for one in cells()]), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(code)],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "Agg", "XDG_CACHE_HOME": str(caches)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *written, figures = map(json.loads, done.stdout.splitlines())
    shown = ["".join(text for one in cell["outputs"] for text in one["text"]) for cell in cells()]
    assert written == shown
    assert figures == 2


def test_it_is_a_notebook_of_the_current_form_run_once_and_in_order() -> None:
    book = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    ids = [one["id"] for one in book["cells"]]
    assert len(set(ids)) == len(ids)
    counted = [one["execution_count"] for one in cells()]
    assert counted == list(range(1, len(counted) + 1))
    assert any(one["outputs"] for one in cells())
