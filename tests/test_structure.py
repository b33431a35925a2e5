"""How the modules of `qa/` may lean on each other, so that each can be read by itself."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((REPOSITORY / "qa").rglob("*.py"))
}

# `str(answer)` is what `qa ask` prints: the one import that runs back up, when it is called.
RUNS_BACK = {("qa.types", "qa.cli.render")}


def imported(path: Path, *, at_import_time: bool = False) -> Iterator[str]:
    """Modules of `qa/` that a module imports: anywhere, or outside of functions and type checks."""
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if at_import_time and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        ):
            continue
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found = [name for name in names if name in SOURCES and name != "qa"]
        # `from a import b` names the module `a.b` where there is one, else `a`.
        yield from found[:-1] or found
        pending += ast.iter_child_nodes(node)


def packages() -> dict[str, set[str]]:
    """Which package, or module beside the packages, imports which others."""

    def package(name: str) -> str:
        return ".".join(name.split(".")[:2])

    found: dict[str, set[str]] = {}
    for name, path in SOURCES.items():
        if name != "qa":
            others = {package(other) for other in imported(path) if (name, other) not in RUNS_BACK}
            found.setdefault(package(name), set()).update(others - {package(name)})
    return found


def leaning_on(package: str, *others: str) -> list[str]:
    """Modules of a package that import others, and which."""
    return [
        f"{name} -> {other}"
        for name, path in SOURCES.items()
        if name.startswith(package)
        for other in imported(path)
        if other.startswith(others)
    ]


def test_no_module_is_imported_by_what_it_imports() -> None:
    graph = {
        name: {other for other in imported(path) if (name, other) not in RUNS_BACK} - {name}
        for name, path in SOURCES.items()
        if name != "qa"
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_package_is_imported_by_what_it_imports() -> None:
    try:
        list(TopologicalSorter(packages()).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_nothing_outside_the_store_reaches_its_database() -> None:
    for name, path in SOURCES.items():
        if name.startswith("qa.store"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.Attribute) and node.attr in {"catalog", "_catalog"}), (
                f"{path}:{node.lineno}"
            )
    doors = ("qa.store.catalog", "qa.store.database", "qa.store.documents", "qa.store.vectors")
    outside = [name for name in SOURCES if not name.startswith("qa.store")]
    assert not [
        line
        for name in outside
        for line in leaning_on(name, *doors)
        if line.startswith(f"{name} ") and line != "qa.diagnosis -> qa.store.database"
    ]


def test_the_store_knows_neither_questions_nor_how_models_are_loaded() -> None:
    assert not leaning_on(
        "qa.store", "qa.answering", "qa.indexing", "qa.encoding.loader", "qa.encoding.model"
    )


def test_the_model_knows_nothing_of_ranking_nor_the_other_way_round() -> None:
    assert not leaning_on("qa.encoding", "qa.ranking", "qa.store", "qa.answering", "qa.indexing")
    assert not leaning_on("qa.ranking", "qa.encoding", "qa.store", "qa.answering", "qa.reading")


def test_evaluation_asks_the_assistant_which_hands_on_to_it_only_to_calibrate() -> None:
    assert not leaning_on("qa.evaluation", "qa.assistant")
    at_once = set(imported(SOURCES["qa.assistant"], at_import_time=True))
    assert not [name for name in at_once if name.startswith("qa.evaluation")]
