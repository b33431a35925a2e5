"""The workflows and what the package says of itself: nothing here runs them."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from conftest import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="an sdist holds no workflows")


def jobs(name: str) -> dict[str, Any]:
    [path] = [one for one in WORKFLOWS if one.stem == name]
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_named_by_its_commit_and_no_job_has_rights_by_default(path: Any) -> None:
    text = path.read_text("utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert yaml.safe_load(text)["permissions"] == {}


def test_the_last_job_waits_for_all_others() -> None:
    found = jobs("ci")
    assert set(found["all-passed"]["needs"]) == set(found) - {"all-passed"}
    assert found["all-passed"]["if"] == "always()"


def test_the_pythons_that_are_named_are_those_that_are_tested() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert jobs("ci")["test"]["strategy"]["matrix"]["python"] == named
    assert project["requires-python"] == f">={named[0]}"


def test_only_the_job_that_publishes_may_and_nothing_is_stored_for_it() -> None:
    found = jobs("release")
    assert found["publish"]["environment"] == "pypi"
    assert found["publish"]["permissions"] == {"id-token": "write"}
    assert not [one for one in WORKFLOWS if "secrets." in one.read_text("utf-8")]


def test_every_script_that_a_workflow_runs_is_there() -> None:
    for path in WORKFLOWS:
        for script in re.findall(r"bash (\S+)", path.read_text("utf-8")):
            assert (REPOSITORY / script).is_file(), script
