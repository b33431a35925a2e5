"""The man page: of these commands, and rendered as meant by what people read it with."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from types import SimpleNamespace
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "qa.1"


@pytest.fixture(name="reference")
def _reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPOSITORY / "docs"))
    import reference

    return reference


def groff(page: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("groff") or pytest.skip("groff is not installed")
    return subprocess.run(
        [program, "-man", "-Tutf8", "-P-cbou", *options], input=page.encode(), capture_output=True,
        check=True, env={"LC_ALL": "C.UTF-8"},
    )  # fmt: skip


def test_it_renders_without_a_warning() -> None:
    assert groff(PAGE.read_text("ascii"), "-ww").stderr == b""


def test_mandoc_finds_nothing_but_that_a_page_made_of_commands_has_no_date() -> None:
    program = shutil.which("mandoc") or pytest.skip("mandoc is not installed")
    done = subprocess.run(
        [program, "-T", "lint", PAGE], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


def test_every_command_and_option_can_be_read_in_it(reference: Any) -> None:
    text = groff(PAGE.read_text("ascii"), "-rLL=200n").stdout.decode()
    for name, command in reference.registered().items():
        assert re.search(rf"^ +{name} \[|^ +{name} ?.*\[options\]", text, re.MULTILINE), name
        for one in command.params:
            if not one.opts[0].endswith("-completion"):
                told = ", ".join((*one.opts, *one.secondary_opts))
                assert re.search(
                    rf"^ +{re.escape(told if one.param_type_name == 'option' else one.name)}\b",
                    text,
                    re.MULTILINE,
                ), f"{name} {told}"
    assert 'qa ask "Who signed?" --in "reports/**" --where author="A. Adams"' in text


texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1)


ROFF = (
    ".so /etc/passwd",
    "'br",
    r"\fBx\n(.c",
    "a\\",
    "...",
    "x\n.so /etc/passwd",
    "x\n'br",
    "`a``",
)


@settings(max_examples=30)
@given(text=st.one_of(texts, st.sampled_from(ROFF)))
def test_whatever_a_help_text_holds_is_shown_and_never_obeyed(
    text: str, monkeypatch_module: Any
) -> None:
    from manual import manual

    option = SimpleNamespace(
        opts=["--x"], secondary_opts=[], param_type_name="option", help=text, envvar=None,
        is_flag=True,
    )  # fmt: skip
    root = SimpleNamespace(help="One.", params=[option], epilog="")
    page = manual({"qa": root}, str)
    assert page.isascii()
    wanted = "".join(re.sub("`([^`]*)`", r"\1", text).split())
    done = groff(page, "-ww", "-rLL=2000n", "-rHY=0")
    body = done.stdout.decode().partition("--x")[2].rpartition("COMMANDS")[0]
    assert normalize("NFC", "".join(body.split())) == normalize("NFC", wanted)  # as groff does


@pytest.fixture(name="monkeypatch_module", scope="module")
def _monkeypatch_module() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "docs"))
        yield patch


def test_it_is_installed_where_man_looks() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/qa.1": "share/man/man1/qa.1"}
