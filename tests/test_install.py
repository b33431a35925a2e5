"""What a release holds, and which `qa` a command runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
BUILD = "import sys; from hatchling.build import {0} as build; print(build(sys.argv[1]))"


class Release(NamedTuple):
    """The names of the files in a wheel, and in a source distribution below its folder."""

    wheel: set[str]
    sdist: set[str]
    entry_points: str


@pytest.fixture(scope="module", name="release")
def _release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Give what is built of this tree; nothing is fetched for it."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    for kind in ("build_wheel", "build_sdist"):
        subprocess.run(
            [sys.executable, "-c", BUILD.format(kind), folder],
            cwd=REPOSITORY, check=True, capture_output=True,
        )  # fmt: skip
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [points] = [name for name in names if name.endswith("entry_points.txt")]
        entry_points = archive.read(points).decode()
    with tarfile.open(sdist) as tar:
        held = {one.name.partition("/")[2] for one in tar if one.isfile()}
    return Release(names, held, entry_points)


def test_a_wheel_holds_the_package_and_nothing_beside_it(release: Release) -> None:
    tops = {name.partition("/")[0] for name in release.wheel}
    assert {re.sub(r"^.*\.(?=dist-info$|data$)", "", top) for top in tops} == {
        *("qa", "dist-info", "data")
    }
    sources = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "qa").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in release.wheel if name.startswith("qa/")} == sources
    assert any(name.endswith("/graph.onnx") for name in sources)
    assert any(name.endswith("/passages.onnx") for name in sources)


def test_a_source_distribution_holds_what_tests_need_and_no_index_nor_workflow(
    release: Release,
) -> None:
    tops = {name.partition("/")[0] for name in release.sdist}
    assert tops == {
        *("qa", "tests", "corpus", "docs", "benchmarks", "pyproject.toml", "README.md", "LICENSE"),
        *("CHANGELOG.md", "CONTRIBUTING.md", "PKG-INFO", ".gitignore"),
    }
    inner = {part for name in release.sdist for part in name.split("/")}
    assert not inner & {"__pycache__", "index", ".ci", ".github", ".git", ".hypothesis"}
    assert {name for name in release.wheel if name.startswith("qa/")} == {
        name for name in release.sdist if name.startswith("qa/")
    }


def test_both_commands_run_the_same(release: Release) -> None:
    assert "qa = qa.cli:main" in release.entry_points.splitlines()
    assert f"{PROJECT['name']} = qa.cli:main" in release.entry_points.splitlines()


@pytest.fixture(name="theirs")
def _theirs(tmp_path: Path) -> Path:
    """Give a folder that holds a `qa` of its own, which says so when it is run or imported."""
    folder = tmp_path / "theirs"
    for name in ("qa", "numpy", "typer"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"print('the {name} of this folder')\n")
    (folder / "qa" / "__main__.py").write_text("")
    (folder / "notes").mkdir()
    (folder / "notes" / "tides.md").write_text("# Tides\n\nThe tide turns twice a day.\n", "utf-8")
    return folder


def script() -> str:
    """The program that pip makes of an entry point, as it stands in `bin`."""
    return "import sys; from qa.cli import main; sys.argv[0] = 'qa'; sys.exit(main())"


def asked_in(folder: Path, tmp_path: Path, *command: str) -> str:
    """Ask in a folder, with what is installed."""
    environment = {name: one for name, one in os.environ.items() if name != "PYTHONSAFEPATH"}
    environment |= {"QA_CACHE": str(tmp_path / "cache"), "QA_INDEX": str(tmp_path / "index")}
    # As an installed package, whose folder is searched last.
    environment["PYTHONPATH"] = os.pathsep.join(
        [*filter(None, [os.environ.get("PYTHONPATH")]), str(REPOSITORY)]
    )
    done = subprocess.run(
        [*command, "ask", "When does the tide turn?", "--corpus", "notes"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_command_is_ours_in_a_folder_with_a_qa_of_its_own(theirs: Path, tmp_path: Path) -> None:
    """A script's own folder is searched for modules, not the one that it is run in."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "qa-script").write_text(script())
    told = asked_in(theirs, tmp_path, sys.executable, str(place / "qa-script"))
    assert "turns twice a day" in told
    assert "of this folder" not in told


def test_python_m_takes_that_of_the_folder_unless_told_not_to(theirs: Path, tmp_path: Path) -> None:
    """Python puts the working directory first for `-m`; docs/limitations.md says so."""
    assert "the qa of this folder" in asked_in(theirs, tmp_path, sys.executable, "-m", "qa")
    told = asked_in(theirs, tmp_path, sys.executable, "-P", "-m", "qa")
    assert "turns twice a day" in told
    assert "of this folder" not in told


def test_so_does_the_process_that_reads_documents() -> None:
    from qa.reading.sandbox.client import COMMAND

    assert "-P" in COMMAND


@pytest.mark.parametrize("name", ["qa", "retrieval-qa"])
def test_the_scripts_that_are_installed_are_such(name: str) -> None:
    """Where they are; an environment may hold the package without them."""
    path = Path(sys.executable).with_name(name)
    if not path.is_file():
        pytest.skip(f"no {name} beside {sys.executable}")
    assert "from qa.cli import main" in path.read_text("utf-8")
