"""Make the corpora that the benchmarks run on, from text that every installation has.

The large one is 2,000 Markdown documents made of the docstrings of the standard library and of
torch and sympy (which `pip install .` brings): a heading for each module, class and function.
"""

from __future__ import annotations

import ast
import inspect
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTS = 2000
_FEWEST_WORDS, _MOST_WORDS = 60, 480


def sources() -> Iterator[Path]:
    """List Python files, always in the same order."""
    roots = [Path(sysconfig.get_path("stdlib"))]
    roots += [Path(sysconfig.get_path("purelib")) / name for name in ("sympy", "torch")]
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            if "site-packages" not in path.relative_to(root).parts:
                yield path


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Give (heading, text) of a module and what it defines."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    if text := ast.get_docstring(tree):
        yield "", text
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text and len(text.split()) > 15:
                yield node.name, inspect.cleandoc(text)


def write_corpus(folder: Path, documents: int = DOCUMENTS) -> int:
    """Write the large corpus; gives how many documents there are."""
    folder.mkdir(parents=True)
    written = 0
    for path in sources():
        name = ".".join(path.with_suffix("").parts[-3:])
        parts, words = [f"# {name}"], 0
        for heading, text in docstrings(path):
            if words + len(text.split()) > _MOST_WORDS:
                break
            words += len(text.split())
            parts.append(f"## {heading}\n\n{text}" if heading else text)
        if words >= _FEWEST_WORDS:
            (folder / f"{written:04}-{name}.md").write_text("\n\n".join(parts) + "\n", "utf-8")
            written += 1
        if written == documents:
            break
    return written


def questions(folder: Path, count: int) -> list[str]:
    """Make as many different questions from the documents' own headings and first words."""
    found: list[str] = []
    for path in sorted(folder.glob("*.md")):
        lines = path.read_text("utf-8").splitlines()
        first = next((line for line in lines[1:] if line and not line.startswith("#")), "")
        words = " ".join(first.split()[:8]).rstrip(".,:;")
        if len(words.split()) >= 5:
            found.append(f"What is it that does this: {words}?")
        if len(found) == count:
            break
    return found


if __name__ == "__main__":
    print(write_corpus(Path(sys.argv[1])))
