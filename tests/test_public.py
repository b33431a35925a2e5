"""The public face: names, laziness, and the README's promises."""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import json
import re
import subprocess
import sys
import typing
from typing import TYPE_CHECKING

import pytest

import qa
from conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

README = (REPOSITORY / "README.md").read_text("utf-8")


def test_all_is_sorted_and_every_name_is_there() -> None:
    assert list(qa.__all__) == sorted(qa.__all__)
    assert dir(qa) == list(qa.__all__)
    for name in qa.__all__:
        assert getattr(qa, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        qa.nonsense  # noqa: B018


def test_every_error_is_public_and_so_is_every_class_that_the_documentation_names() -> None:
    from qa import errors

    assert set(errors.__all__) <= set(qa.__all__)
    public = (qa.Assistant, qa.Settings, qa.diagnose, *vars(qa.Assistant).values())
    named = {
        name
        for one in public
        for name in re.findall(r"\b[A-Z]\w+Error\b", one.__doc__ or "")
        if not hasattr(builtins, name)
    }
    assert named <= set(qa.__all__)
    for name, method in inspect.getmembers(qa.Assistant, inspect.isfunction):
        if not name.startswith("_"):
            given = str(inspect.signature(method).return_annotation)
            assert set(re.findall(r"\b[A-Z]\w+", given)) <= {
                *qa.__all__,
                "Generator",
                "Path",
                "NDArray",
                "None",
            }, name


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    from qa import errors

    drawn = re.findall(r"^([│├└─ ]*)(\w+Error)(?: \((\w+)\))?", errors.__doc__ or "", re.MULTILINE)
    above: list[type] = []
    for lead, name, builtin in drawn:
        one = getattr(qa, name)
        del above[len(lead) // 4 :]
        bases = [*above[-1:], *([getattr(builtins, builtin)] if builtin else [])]
        assert list(one.__bases__) == (bases or [Exception])
        above.append(one)
    assert sorted(name for _, name, _ in drawn) == sorted(errors.__all__)


def test_the_arguments_that_are_typed_are_those_that_are_taken() -> None:
    asked = inspect.signature(qa.Assistant.ask).parameters
    keywords = {n: p.annotation for n, p in asked.items() if p.kind is p.KEYWORD_ONLY}
    assert _annotations(qa.AskArguments) == keywords
    settings = {one.name: str(one.type) for one in dataclasses.fields(qa.Settings)}
    for positional in ("corpus", "index"):
        del settings[positional]
    assert {
        name: kind.replace("str | os.PathLike[str]", "str")
        for name, kind in _annotations(qa.SettingsArguments).items()
    } == settings


def _annotations(typed: type) -> dict[str, str]:
    return {name: one.__forward_arg__ for name, one in typed.__annotations__.items()}


def test_an_answer_as_text_is_what_the_command_writes(
    assistant: qa.Assistant, corpus: Path, tmp_path: Path, run: Run
) -> None:
    for question, options in {
        "Who set foot on the Moon?": [],
        "What does a barrister earn?": [],
        "How long is bread kneaded?": ["--explain"],
    }.items():
        answer = assistant.ask(question, explain="--explain" in options)
        _, out, _ = run(
            "ask", question, "--corpus", corpus, "--index", tmp_path / "index",
            *options,
        )  # fmt: skip
        assert f"{answer}\n" == out
        assert repr(answer).startswith("Answer(question=")


def test_the_text_of_an_answer_sends_nothing_that_a_terminal_obeys(cache: Path) -> None:
    text = "The \x1b[31mMoon\x07 shines\x9b at \u202enight."
    with qa.Assistant(documents=[("a\x1bb", text)], cache=cache) as assistant:
        shown = str(assistant.ask("What shines at night?", threshold=0))
    assert "Moon" in shown
    assert not set(shown) & set("\x1b\x07\x9b\u202e")


def test_importing_qa_imports_nothing_heavy() -> None:
    program = "import sys, qa; print([m for m in sys.modules if m.startswith('qa.')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


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


def test_public_types_resolve_at_run_time() -> None:
    for name in qa.__all__:
        one = getattr(qa, name)
        if dataclasses.is_dataclass(one) or hasattr(one, "__total__"):
            assert typing.get_type_hints(one)


def test_an_answer_is_data_for_whoever_takes_dataclasses(assistant: qa.Assistant) -> None:
    pydantic = pytest.importorskip("pydantic")
    answer = assistant.ask("Who set foot on the Moon?")
    adapter = pydantic.TypeAdapter(qa.Answer)
    written = adapter.dump_json(answer)
    assert adapter.validate_json(written) == answer
    assert json.loads(written)["schema"] == "qa.answer/1"
    assert adapter.json_schema()["properties"]["schema"]["const"] == "qa.answer/1"


def test_every_serialiser_keeps_the_schema_and_gives_what_to_dict_gives(
    assistant: qa.Assistant,
) -> None:
    refreshed = assistant.refresh()
    answer = assistant.ask("Who set foot on the Moon?", explain=True)
    for one in (answer, refreshed, assistant.status(), assistant.verify(answer)):
        by_itself = dataclasses.asdict(one)
        told = one.to_dict()
        assert by_itself["schema"] == told["schema"]
        assert next(iter(told)) == "schema"
        assert {name: value for name, value in told.items() if name in by_itself} == {
            name: value for name, value in by_itself.items() if name in told
        }


def test_what_is_shown_are_the_passages_or_else_the_nearest(assistant: qa.Assistant) -> None:
    for threshold in (0.0, 1.0):
        answer = assistant.ask("Who set foot on the Moon?", threshold=threshold)
        assert answer.answered == (threshold == 0)
        assert answer.shown == (answer.passages or answer.nearest)
        assert answer.shown
