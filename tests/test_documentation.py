"""What the documentation says: commands, public names, examples, contents. Drift fails."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from typing import TYPE_CHECKING, Any

import pytest

import qa
from conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

DOCS = REPOSITORY / "docs"
FOR_PEOPLE = (
    "commands", "data", "formats", "guarantees", "integrations", "json", "limitations", "models",
    "python",
)  # fmt: skip
README = (REPOSITORY / "README.md").read_text("utf-8")
# Nothing but a word such as "prints" stands between code and what it writes.
EXAMPLE = re.compile(
    r"```python\n(?P<code>.*?)```(?:\n\n[^\n`]*prints:?\n\n```(?:text)?\n(?P<shown>.*?)```)?",
    re.DOTALL,
)


@pytest.fixture(name="reference")
def _reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(DOCS))
    import reference

    return reference


def test_the_generated_pages_are_what_would_be_written_now(reference: Any) -> None:
    for page, text in reference.pages().items():
        assert page.read_text("utf-8") == text, f"run python docs/reference.py: {page.name}"


def test_every_command_is_documented_and_has_help_with_examples(reference: Any, run: Run) -> None:
    page = (DOCS / "commands.md").read_text("utf-8")
    commands = reference.registered()
    assert {"qa ask", "qa doctor", "qa model", "qa model prepare"} <= set(commands)
    for name, command in commands.items():
        status, out, _ = run(*name.split()[1:], "--help")
        assert status == 0, name
        assert max(map(len, out.splitlines())) <= 80, name
        assert f"## {name}\n" in page
        if name != "qa":
            assert "Examples:" in out, name
            assert f"`{name}" in README, name
        for one in command.params:
            told = one.opts[0] if one.param_type_name == "option" else one.name
            assert one.help, f"{name} {told}"
            assert told in out, f"{name} {told}"


def test_every_example_of_a_command_is_one_that_the_command_understands(reference: Any) -> None:
    commands = reference.registered()
    seen = set()
    for name, command in commands.items():
        for line in re.findall(r"^(?:echo .* \| )?(qa .*)$", command.epilog or "", re.MULTILINE):
            words = shlex.split(line.partition(" > ")[0])
            told = max(
                (one for one in commands if words[: one.count(" ") + 1] == one.split()), key=len
            )
            rest = words[told.count(" ") + 1 :]
            with commands[told].make_context(told, rest, resilient_parsing=True) as context:
                assert not context.args, line
            seen.add(name)
    assert seen == set(commands) - {"qa"}


def test_every_option_that_the_pages_for_people_name_exists(reference: Any) -> None:
    commands = reference.registered().values()
    options = {
        option for one in commands for p in one.params for option in (*p.opts, *p.secondary_opts)
    }
    for name in ("README.md", "docs/SECURITY.md", *(f"docs/{one}.md" for one in FOR_PEOPLE)):
        named = re.findall(r"(?<![\w-])--[a-z][a-z-]+", (REPOSITORY / name).read_text("utf-8"))
        assert set(named) <= options | {"--help"}, name


def test_all_that_is_public_is_in_the_reference_once() -> None:
    _, _, reference = (DOCS / "python.md").read_text("utf-8").partition("## Errors")
    for name in qa.__all__:
        listed = f"\n| `{name}` |" if name.endswith("Error") else f"### `{name}`\n"
        assert reference.count(listed) == 1, name


EXTRAS = {
    "docs/data.md": ("pyarrow",),
    "docs/integrations.md": ("haystack", "langchain_core", "llama_index.core"),
}


@pytest.mark.parametrize("page", ["README.md", "docs/python.md", *EXTRAS])
def test_the_python_examples_run_and_write_what_is_shown(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    for module in EXTRAS.get(page, ()):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: cache)
    shutil.copytree(REPOSITORY / "corpus", tmp_path / "corpus")
    told = (REPOSITORY / page).read_text("utf-8").partition("## Reference")[0]
    names: dict[str, object] = {}
    examples = list(EXAMPLE.finditer(told))
    assert any(example["shown"] for example in examples)
    for example in examples:
        with contextlib.redirect_stdout(io.StringIO()) as written:
            exec(compile(example["code"], page, "exec"), names)  # noqa: S102 - our own pages
        if example["shown"] is not None:
            assert written.getvalue() == example["shown"]
    assert len(next(EXAMPLE.finditer(README))["code"].splitlines()) <= 12


@pytest.mark.parametrize("name", ["answer", "session"])
def test_a_picture_is_what_would_be_drawn_now(
    monkeypatch: pytest.MonkeyPatch, cache: Path, name: str
) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    import pictures

    drawn = (pictures.PICTURES / f"{name}.svg").read_text("utf-8")
    assert drawn == pictures.DRAWN[name](str(cache)), "run python docs/pictures.py"
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


def test_every_decision_has_a_heading_of_its_own() -> None:
    page = (DOCS / "decisions.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert len(set(headings)) == len(headings) > 50
    assert not re.search(r"^\*\*", page, re.MULTILINE)
    for told in re.split(r"^## .*$", page, flags=re.MULTILINE):
        assert told.strip()


@pytest.mark.parametrize(
    "page", sorted(REPOSITORY.glob("*.md")) + sorted(DOCS.glob("*.md")), ids=lambda page: page.name
)
def test_every_link_within_the_documentation_leads_somewhere(page: Path, reference: Any) -> None:
    for target, place in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text("utf-8")):
        to = (page.parent / target) if target else page
        assert to.exists(), target
        if place:
            text = re.sub(r"```.*?```", "", to.read_text("utf-8"), flags=re.DOTALL)
            headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            assert place in map(reference.anchor, headings), place
