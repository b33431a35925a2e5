"""`qa.reading` as a library of its own: what it imports, and who imports what of it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import qa.reading

_ROOT = Path(qa.__file__).parent
_LIBRARY = _ROOT / "reading"
_NAMED = re.compile(r"^- `([a-z_.]+)`:", re.MULTILINE)
_DOORS = {f"qa.reading.{name}" for name in _NAMED.findall(qa.reading.__doc__ or "")}


def _imported(module: Path) -> Iterator[str]:
    """Give the modules of `qa` that a module names, in functions and for types as well."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "qa":
            names = {f"{node.module}.{name.name}" for name in node.names}
            modules = {name for name in names if _is_module(name)}
            yield from modules or {node.module}
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "qa")


def _is_module(name: str) -> bool:
    path = _ROOT.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def test_reading_imports_nothing_of_qa_but_types_and_errors() -> None:
    outside = {
        name
        for module in _LIBRARY.rglob("*.py")
        for name in _imported(module)
        if not name.startswith("qa.reading.")
    }
    assert outside == {"qa.types", "qa.errors"}


def test_the_rest_of_qa_comes_in_through_the_doors_that_the_package_names() -> None:
    used = {
        name
        for module in _ROOT.rglob("*.py")
        if not module.is_relative_to(_LIBRARY)
        for name in _imported(module)
        if name.startswith("qa.reading")
    }
    assert used == _DOORS
