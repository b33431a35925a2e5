"""Completion in the shells themselves: what Tab gives, with real bash, zsh and fish."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conftest import REPOSITORY
from typing_on import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells of POSIX")

COMPLETED = {
    "qa ver": "verify",
    "qa ask --thres": "--threshold",
    "qa ask who --fo": "--format",
    "qa ask --format mark": "markdown",
    "qa index --corpus no": "notes",
    "qa model pre": "prepare",
    "qa --vers": "--version",
}


@pytest.fixture(name="at_home")
def _at_home(tmp_path: Path) -> dict[str, str]:
    """Give an environment in which `qa` is this program, and a qa.toml that names a corpus."""
    program = tmp_path / "bin" / "qa"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m qa "$@"\n')
    program.chmod(0o755)
    (tmp_path / "qa.toml").write_text('[corpora.notes]\ncorpus = "my-notes"\n')
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    python = os.pathsep.join([str(REPOSITORY), os.environ["PYTHONPATH"]])
    return os.environ | {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": python, "TERM": "dumb"}


def wanted(shell: str) -> str:
    return shutil.which(shell) or pytest.skip(f"{shell} is not installed")


def script(shell: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "qa"], env=environment | {"_QA_COMPLETE": f"source_{shell}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout


def shown(shell: str, program: str, environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        [wanted(shell), "-c", program], env=environment, cwd=folder,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout


def test_bash_completes(tmp_path: Path, at_home: dict[str, str]) -> None:
    program = script("bash", at_home)
    for typed in COMPLETED:
        words = " ".join(f"'{word}'" for word in typed.split())
        program += (
            f"\nCOMP_WORDS=({words}); COMP_CWORD={typed.count(' ')}; COMPREPLY=()\n"
            '_qa_completion qa; echo "${COMPREPLY[*]}"\n'
        )
    assert shown("bash", program, at_home, tmp_path).split("\n")[:-1] == [*COMPLETED.values()]


def test_fish_completes(tmp_path: Path, at_home: dict[str, str]) -> None:
    program = script("fish", at_home) + "".join(f'\ncomplete -C "{one}"' for one in COMPLETED)
    found = shown("fish", program, at_home, tmp_path).splitlines()
    assert [line.partition("\t")[0] for line in found] == [*COMPLETED.values()]


def test_zsh_completes(tmp_path: Path, at_home: dict[str, str]) -> None:
    (tmp_path / "completion").write_text(script("zsh", at_home))
    set_up = "PS1='rea''dy> '; autoload -U compinit; compinit -u -D; source ./completion\n"
    talk = [("% " if os.geteuid() else "# ", set_up)]
    for typed, completed in COMPLETED.items():
        talk += [("ready> ", f"echo x; {typed}\t"), (completed, "\x15\n")]
    talk += [("ready> ", "exit\n")]
    status, shown = on_terminal(
        [wanted("zsh"), "-f", "-i"], *talk, cwd=tmp_path, environment=at_home
    )
    assert status == 0
    assert "not found" not in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_calls_this_program(shell: str, at_home: dict[str, str]) -> None:
    said = script(shell, at_home)
    assert f"_QA_COMPLETE=complete_{shell}" in said
    assert "qa" in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("toml", ["k = ", "ocr = true", '[corpora."$(touch x)`id`"]\ncorpus = "c"'])
def test_a_qa_toml_that_is_wrong_or_not_trusted_makes_completion_neither_fail_nor_run_anything(
    tmp_path: Path, at_home: dict[str, str], shell: str, toml: str
) -> None:
    (tmp_path / "qa.toml").write_text(toml)
    typed = "qa ask --corpus "
    given = {"_QA_COMPLETE": f"complete_{shell}", "COMP_WORDS": typed, "COMP_CWORD": "3"}
    given |= {"_TYPER_COMPLETE_ARGS": typed, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-m", "qa"], env=at_home | given, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr
    assert done.stdout.strip() in {"", "_files"}
