"""The container and the units: checked by their own linters, and against what the commands take."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import REPOSITORY
from qa.cli.app import COMMANDS

DEPLOY = REPOSITORY / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
pytestmark = pytest.mark.skipif(not DEPLOY.is_dir(), reason="an sdist holds none of this")


def test_the_dockerfile_passes_its_linter() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [linter, "Dockerfile"], cwd=DEPLOY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_without_rights_and_installs_the_torch_that_the_package_takes() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    bound = re.search(r'"(torch[^"]+)"', text)
    assert bound is not None
    assert f'"{bound[1]}"' in (REPOSITORY / "pyproject.toml").read_text("utf-8")
    assert 'CMD ["serve", "--host", "0.0.0.0"]' in text


def test_only_what_the_image_needs_is_handed_to_its_builder() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text("utf-8").split()
    assert lines[0] == "*"
    copied = re.findall(
        r"^COPY (?!--)(.+) \S+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    sources = {source for line in copied for source in line.split()}
    assert {line[1:] for line in lines if line.startswith("!")} == sources
    assert all((REPOSITORY / source).exists() for source in sources)


def test_compose_gives_the_container_no_more_than_it_needs() -> None:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    service = found["services"]["qa"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["ports"] == ["127.0.0.1:8642:8642"]
    [corpus] = [one for one in service["volumes"] if isinstance(one, dict)]
    assert (corpus["target"], corpus["read_only"]) == ("/corpus", True)
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert "RETRIEVAL_QA_TOKEN" not in str(service)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_there_is(path: Path) -> None:
    unit = configparser.RawConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign] # names have capitals
    unit.read_string(path.read_text("utf-8"))
    program, command, *options = shlex.split(unit["Service"]["ExecStart"])
    assert program == "%h/.local/bin/qa"
    assert command in COMMANDS
    assert options == ["--quiet"]
    assert path.stem == f"qa-{command}"
    assert unit["Service"]["SuccessExitStatus"] == "143"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_takes_a_unit(path: Path, tmp_path: Path) -> None:
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / path.name
    unit.write_text(path.read_text("utf-8").replace("%h/.local/bin/qa", "/bin/true"), "utf-8")
    done = subprocess.run(
        [analyze, "verify", "--user", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if path.name in line]
    assert complaints == []
