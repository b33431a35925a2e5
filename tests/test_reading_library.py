"""`qa.reading` as a library of its own: what it imports, and who imports what of it."""

import ast
import re
import subprocess
import sys
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
            yield from modules or {node.module or ""}
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


SONG = """
from qa.reading.extracted import Composer

def read_song(raw):
    composer = Composer()
    title, *verses = raw.decode().split("\\n\\n")
    composer.heading(title, level=1)
    for number, verse in enumerate(verses, 1):
        composer.place("paragraph", number)
        composer.add(verse)
    return composer.finish({"title": title})

def read_score(text):
    from qa.types import Block, Section
    return (Section(("Score",), (Block(0, len(text)),)),), {}
"""
ADD_TWO_FORMATS = """
import sys
sys.path.insert(0, sys.argv[1])
from qa.reading.formats import CONVERTED, TEXT, Format
CONVERTED["song"] = Format("song", "read_song", (".song",))
TEXT["score"] = Format("song", "read_score", (".score",))
"""
READ_THEM = """
from qa.reading.files import read_file
from qa.reading.sandbox.client import Converter
with Converter(command=(sys.executable, sys.argv[2], sys.argv[1])) as converter:
    song = read_file("sea.song", b"The Sea\\n\\nIt rises.\\n\\nIt falls.", converter.convert)
    score = read_file("sea.score", b"c d e", converter.convert)
[song], [score] = song.documents, score.documents
print(song.format, song.sections[0].heading_path, [one.value for one in song.places])
print(score.format, score.sections[0].heading_path, score.encoding)
"""


def test_a_format_is_added_by_one_module_and_one_entry_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "song.py").write_text(SONG)
    (tmp_path / "reads.py").write_text(ADD_TWO_FORMATS + READ_THEM)
    (tmp_path / "works.py").write_text(
        ADD_TWO_FORMATS + "from qa.reading.sandbox import worker\nworker.main()\n"
    )
    command = [sys.executable, "reads.py", str(tmp_path), "works.py"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == [
        "song ('The Sea',) ['1', '2']",
        "score ('Score',) utf-8",
    ]
