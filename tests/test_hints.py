"""What to do now, for whoever is to do it."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

import qa
from conftest import REPOSITORY
from qa.hints import worded

if TYPE_CHECKING:
    from collections.abc import Iterator


def hints() -> Iterator[str]:
    """Give every hint that is written in the sources outside of the command line."""
    for path in sorted((REPOSITORY / "qa").rglob("*.py")):
        if "cli" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                yield written(node.value)


def written(node: ast.AST) -> str:
    """Give the text that an expression writes, with "setting" for what it fills in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.FormattedValue):
        return "setting"
    return "".join(map(written, ast.iter_child_nodes(node)))


def test_no_hint_for_a_program_names_an_option_or_leaves_a_command_to_guess() -> None:
    every = list(hints())
    assert len(every) > 60
    for hint in every:
        said = worded(hint, "program")
        assert not re.search(r"(?<![`\w-])--[a-z]", re.sub("`[^`]*`", "", said)), said
        assert "terminal's encoding" not in said
        assert not re.search("`qa [^`]*`(?! in a terminal)", said), said


def test_a_hint_for_a_network_says_what_is_done_on_the_server() -> None:
    for hint in hints():
        said = worded(hint, "network")
        assert not re.search("`qa [^`]*`(?! on the server)", said), said
        assert "--" not in re.sub("`[^`]*`", "", said), said


@pytest.mark.parametrize(
    ("hint", "program", "network"),
    [
        ("Build it with `qa index`.", "Build it with `refresh()`.",
         "Build it with `qa index` on the server."),
        ("Name another folder with --index.", "Name another folder with `index`.",
         "Name another folder with the server's `index`."),
        ("Wait longer with --lock-timeout.", "Wait longer with `lock_timeout`.",
         "Wait longer with the server's `lock_timeout`."),
        ('Ask like this: qa ask "Who …?"', 'Ask like this: ask("Who …?")',
         'Ask like this: "Who …?"'),
        ("Take an id from `documents()`.", "Take an id from `documents()`.",
         "Take an id from the list of documents."),
        ("It goes from 1 to 10,000.",) * 3,
        ("",) * 3,
        ("A well--known dash, and a -- b.",) * 3,
    ],
)  # fmt: skip
def test_one_table_says_it_for_each(hint: str, program: str, network: str) -> None:
    assert worded(hint, "command") == hint
    assert worded(hint, "program") == program
    assert worded(hint, "network") == network


def test_the_hint_of_an_error_is_said_for_a_program(assistant: qa.Assistant) -> None:
    with pytest.raises(qa.IndexMissingError) as raised:
        assistant.documents()
    assert worded(raised.value.hint, "program") == "Build it with `refresh()`."
