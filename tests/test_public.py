"""The public face: names, laziness, and the README's promises."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import qa
from conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

README = (REPOSITORY / "README.md").read_text("utf-8")


def test_all_is_sorted_and_every_name_is_there() -> None:
    assert list(qa.__all__) == sorted(qa.__all__)
    assert dir(qa) == list(qa.__all__)
    for name in qa.__all__:
        assert getattr(qa, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        qa.nonsense  # noqa: B018


def test_importing_qa_imports_nothing_heavy() -> None:
    program = "import sys, qa; print([m for m in sys.modules if m.startswith('qa.')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_library_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    [shown] = re.findall(r"It prints:\n\n```\n(.*?)```", README, re.DOTALL)
    assert len(example.splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus").symlink_to(REPOSITORY / "corpus")
    example = example.replace('"index"', f'"index", cache={str(cache)!r}')
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own README
    assert capsys.readouterr().out == shown


def test_the_answer_shown_in_the_readme_is_what_the_command_prints(
    tmp_path: Path, cache: Path
) -> None:
    import os

    [shown] = re.findall(r"prints:\n\n```text\n(.*?)```", README, re.DOTALL)
    (tmp_path / "corpus").symlink_to(REPOSITORY / "corpus")
    done = subprocess.run(
        [sys.executable, "-m", "qa", "ask", "Will Russia send food or medicine?"], cwd=tmp_path,
        capture_output=True, env=os.environ | {"QA_CACHE": str(cache)}, check=True,
    )  # fmt: skip
    assert done.stdout.decode().startswith(shown.rstrip().removesuffix("…").rstrip())


def test_an_answer_goes_through_json(assistant: qa.Assistant) -> None:
    answer = assistant.ask("Who set foot on the Moon?")
    assert json.loads(json.dumps(answer.to_dict()))["passages"][0]["citation"]["page"] is None


def test_no_module_is_over_400_lines() -> None:
    for path in (REPOSITORY / "qa").rglob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 400, path
