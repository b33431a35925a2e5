"""Text formats that are read in place: headings, blocks, exact offsets, nothing lost."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.reading.text.asciidoc import read_asciidoc
from qa.reading.text.code import read_code
from qa.reading.text.restructured import read_restructured
from qa.types import BlockKind
from strategies import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.types import Section

    Reader = Callable[[str], tuple[tuple[Section, ...], dict[str, str]]]

READERS: list[Reader] = [
    read_restructured,
    read_asciidoc,
    read_code,
    lambda text: read_code(text, ".py"),
]
_LINES = st.sampled_from(
    [
        "Title",
        "=====",
        "-----",
        "~~~~~~~~",
        "== Section",
        "= Title",
        "Kim Lee <kim@example.org>",
        "v1.0, 2024-03-05",
        ":author: Kim",
        ":Date: 2024-03-05",
        ".. note:: Mind",
        ".. code-block:: python",
        ".. _target:",
        ".. comment",
        "Literal::",
        "    indented",
        "  less",
        "====  ====",
        "+---+---+",
        "| a | b |",
        "|===",
        "----",
        "....",
        "[[anchor]]",
        "[source,python]",
        ".Caption",
        "* item",
        "- item::",
        "1. item",
        "def function(x):",
        "class Thing:",
        "    def method(self):",
        "        return 1",
        "@decorator",
        "# comment",
        '"""',
        "/* long",
        "*/",
        "int main(void) {",
        "}",
        "",
        "",
    ]
)
STRUCTURED = st.one_of(
    TEXTS,
    st.tuples(st.lists(_LINES, max_size=60), st.sampled_from(["\n", "\r\n", "\r"])).map(
        lambda pair: pair[1].join(pair[0])
    ),
    st.lists(st.one_of(_LINES, TEXTS), max_size=30).map("\n".join),
)


def blocks_of(text: str, reader: Reader) -> list[tuple[tuple[str, ...], str]]:
    return [(s.heading_path, text[b.start : b.end]) for s in reader(text)[0] for b in s.blocks]


def outside(text: str, sections: tuple[Section, ...]) -> str:
    """Give the text with what stands in a block blanked out."""
    characters = list(text)
    for section in sections:
        for block in section.blocks:
            for at in range(block.start, block.end):
                characters[at] = " " if characters[at] not in "\r\n" else characters[at]
    return "".join(characters)


@given(STRUCTURED, st.sampled_from(READERS))
def test_blocks_ascend_and_begin_and_end_with_ink(text: str, reader: Reader) -> None:
    last = 0
    sections, _ = reader(text)
    for section in sections:
        assert section.blocks
        for block in section.blocks:
            assert last <= block.start < block.end <= len(text)
            assert text[block.start : block.end].strip() == text[block.start : block.end]
            last = block.end
    assert reader(text) == (sections, _)


@given(STRUCTURED, st.sampled_from([".py", ".c", ""]))
def test_every_character_of_source_code_stands_in_a_block(text: str, suffix: str) -> None:
    assert not outside(text, read_code(text, suffix)[0]).strip()


@given(STRUCTURED)
def test_what_is_no_block_of_restructured_text_is_a_heading_or_a_field(text: str) -> None:
    sections, metadata = read_restructured(text)
    told = {name for section in sections for name in section.heading_path}
    fields = set(re.split(r"[\s:,]+", " ".join([*metadata, *metadata.values()]).lower()))
    for line in re.split(r"\r\n?|\n", outside(text, sections)):
        words = re.split(r"[\s:,]+", line.strip().lower().strip(":,"))
        assert (
            not line.strip()
            or " ".join(line.split()) in told
            or re.fullmatch(r"\s*([!-/:-@[-`{-~])\1+\s*", line)
            or line.startswith(".. _")
            or set(words) <= fields
        )


@given(STRUCTURED)
def test_what_is_no_block_of_asciidoc_is_a_heading_or_of_the_header(text: str) -> None:
    sections, metadata = read_asciidoc(text)
    told = {name for section in sections for name in section.heading_path}
    header = set(" ".join(metadata.values()).split())
    for line in re.split(r"\r\n?|\n", outside(text, sections)):
        title = re.sub(r"^[=#]{1,6}[ \t]+|[ \t]+[=#]{1,6}$", "", line.strip())
        assert (
            not line.strip()
            or " ".join(title.split()) in told
            or re.fullmatch(r"([=~^+-])\1+", line.strip())
            or re.match(r"\[|//|:!?\w", line.strip())
            or set(line.replace("\\", "").partition(";")[0].split()) <= header
        )


def test_adornments_make_levels_in_the_order_of_their_first_use() -> None:
    text = (
        "=====\nGuide\n=====\n\nIntro.\n\nFirst\n=====\n\na\n\nDeep\n~~~~\n\nb\n\n"
        "Second\n======\n\nc\n"
    )
    assert blocks_of(text, read_restructured) == [
        (("Guide",), "Intro."),
        (("Guide", "First"), "a"),
        (("Guide", "First", "Deep"), "b"),
        (("Guide", "Second"), "c"),
    ]


def test_an_adornment_with_an_overline_is_another_level_than_one_without() -> None:
    text = "Top\n===\n\na\n\n====\nBelow\n====\n\nb\n"
    text = text.replace("====\nBelow\n====", "=====\nBelow\n=====")
    assert [path for path, _ in blocks_of(text, read_restructured)] == [("Top",), ("Top", "Below")]


def test_the_field_list_below_the_title_is_metadata() -> None:
    text = (
        "Guide\n=====\n\n:Author: Kim Lee\n:Date: 2024-03-05\n:Abstract: Two\n    lines.\n\nBody.\n"
    )
    metadata = read_restructured(text)[1]
    assert metadata == {"author": "Kim Lee", "date": "2024-03-05", "abstract": "Two lines."}
    assert blocks_of(text, read_restructured) == [(("Guide",), "Body.")]
    later = "Body.\n\n:Author: Kim\n"
    assert read_restructured(later)[1] == {}
    assert [words for _, words in blocks_of(later, read_restructured)] == ["Body.", ":Author: Kim"]


def test_literal_blocks_tables_and_code_directives_are_lines() -> None:
    text = (
        "Run this::\n\n    one\n\n    two\n\nThen.\n\n.. code-block:: sh\n\n   ls\n\n   pwd\n\n"
        "====  ====\n a     b\n====  ====\n 1     2\n====  ====\n\n+---+\n| x |\n+---+\n"
    )
    found = [
        (text[b.start : b.end].split("\n", 1)[0], b.kind)
        for s in read_restructured(text)[0]
        for b in s.blocks
    ]
    assert found == [
        ("Run this::", BlockKind.PROSE),
        ("one", BlockKind.LINES),
        ("Then.", BlockKind.PROSE),
        (".. code-block:: sh", BlockKind.LINES),
        ("====  ====", BlockKind.LINES),
        ("+---+", BlockKind.LINES),
    ]


def test_an_admonition_stands_with_its_first_paragraph() -> None:
    text = ".. note::\n\n   Mind the gap.\n\n   And the step.\n"
    assert [words for _, words in blocks_of(text, read_restructured)] == [
        ".. note::\n\n   Mind the gap.",
        "And the step.",
    ]


def test_a_heading_in_a_literal_block_is_none() -> None:
    text = "Title\n=====\n\nLike this::\n\n    Other\n    =====\n\n    text\n"
    assert {path for path, _ in blocks_of(text, read_restructured)} == {("Title",)}


def test_the_header_of_asciidoc_is_metadata_and_its_titles_nest() -> None:
    text = (
        "= Handbook\nKim Lee <kim@example.org>\nv1.2, 2024-03-05\n:lang: en\n\nIntro.\n\n"
        "[[tides]]\n== Tides ==\n\nHigh.\n\n=== Spring\n\nHigher.\n\nLocks\n-----\n\nShut.\n"
    )
    metadata = read_asciidoc(text)[1]
    assert metadata["author"] == "Kim Lee <kim@example.org>"
    assert metadata["date"] == "2024-03-05"
    assert metadata["language"] == "en"
    assert blocks_of(text, read_asciidoc) == [
        (("Handbook",), "Intro."),
        (("Handbook", "Tides"), "High."),
        (("Handbook", "Tides", "Spring"), "Higher."),
        (("Handbook", "Locks"), "Shut."),
    ]


def test_a_listing_and_a_table_of_asciidoc_are_lines_with_their_caption() -> None:
    text = (
        ".Calls\n[source,python]\n----\nf()\n\n== no title\n----\n\n|===\n|a |b\n\n|1 |2\n|===\n"
        "\n* one\n* two\n"
    )
    blocks = [(text[b.start : b.end], b.kind) for s in read_asciidoc(text)[0] for b in s.blocks]
    assert blocks == [
        (".Calls\n[source,python]\n----\nf()\n\n== no title\n----", BlockKind.LINES),
        ("|===\n|a |b\n\n|1 |2\n|===", BlockKind.LINES),
        ("* one", BlockKind.PROSE),
        ("* two", BlockKind.PROSE),
    ]


def test_a_delimiter_that_is_never_closed_costs_no_heading() -> None:
    text = "= T\n\n----\n\n== Section\n\nBody.\n"
    assert blocks_of(text, read_asciidoc)[-1] == (("T", "Section"), "Body.")


def test_a_heading_with_nothing_below_it_is_kept_as_text() -> None:
    assert blocks_of("One\n===\n\nTwo\n===\n", read_restructured) == [
        (("One",), "One\n==="),
        (("Two",), "Two\n==="),
    ]
    assert blocks_of("== One\n\n== Two\n", read_asciidoc) == [
        (("One",), "== One"),
        (("Two",), "== Two"),
    ]


PYTHON = (
    '''"""Harbour dues."""

import math

# Dues are paid by the tonne.

def dues(tonnes):
    """Give what is paid."""
    return tonnes * 3


@cached
def berth(length):

    return math.ceil(length)


class Harbour:
    """A place for ships."""

    def enter(self, ship):
        """Let a ship in."""
'''
    + "".join(f"        self.note({n})\n" for n in range(40))
    + """
    # Out again.
    def leave(self, ship):
        return ship
"""
)


def test_each_definition_of_python_is_a_section_with_its_comments() -> None:
    found = blocks_of(PYTHON, lambda text: read_code(text, ".py"))
    paths = [path for path, _ in found]
    assert paths == [
        (),
        (),
        ("dues",),
        ("berth",),
        ("Harbour",),
        ("Harbour", "enter"),
        ("Harbour", "leave"),
    ]
    assert found[2][1].startswith("# Dues are paid")
    assert found[2][1].endswith("return tonnes * 3")
    assert found[3][1].startswith("@cached")
    assert found[4][1] == 'class Harbour:\n    """A place for ships."""'
    assert found[6][1].startswith("# Out again.")


@pytest.mark.parametrize(
    ("suffix", "text", "names"),
    [
        (
            ".c",
            "#include <a.h>\n\n/* Adds. */\nstatic int add(int a, int b)\n{\n  return a;\n}\n",
            "add",
        ),
        (".js", "import a from 'b';\n\nexport const tide = (x) => {\n  return x;\n};\n", "tide"),
        (".js", "// Doc.\nexport default async function fetchAll(x) {\n  y();\n}\n", "fetchAll"),
        (".go", "package main\n\nfunc (s *Server) Serve() error {\n\treturn nil\n}\n", "Serve"),
        (".rs", "use x;\n\npub(crate) fn parse<T>(s: &str) -> T {\n    t\n}\n", "parse"),
        (".java", "public final class Harbour extends Place {\n  int x;\n}\n", "Harbour"),
        (".rb", "module Sea\n  def self.tide\n  end\nend\n", "Sea"),
        (".sql", "CREATE TABLE IF NOT EXISTS ships (\n  id int\n);\n", "ships"),
        (".sh", "set -e\n\nbuild() {\n  make\n}\n", "build"),
    ],
)
def test_definitions_of_other_languages_are_named(suffix: str, text: str, names: str) -> None:
    paths = [s.heading_path for s in read_code(text, suffix)[0]]
    assert (names,) in paths


def test_every_function_of_the_standard_library_is_found() -> None:
    """Compare with what Python's own parser sees: functions and classes at the margin."""
    import ast

    found = missed = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("[a-d]*.py")):
        text = path.read_text("utf-8")
        names = {name for section in read_code(text, ".py")[0] for name in section.heading_path}
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                found += node.name in names
                missed += node.name not in names
    assert found > 300
    assert missed == 0


@pytest.mark.parametrize(
    "text",
    [
        "[a]\n\n" * 20_000,
        ".. _a:\n" * 20_000,
        "== ==\nx\n\n" * 20_000,
        ".. note::\n\n" * 20_000,
        "= a" + " " * 50_000 + "b",
        "(" * 50_000 + "\n" + "def " * 20_000,
        "# c\n\n" * 20_000 + "def f():\n    pass\n",
        "class A:\n" + "    # c\n\n" * 20_000 + "x\n",
        "def a():\n" + " x = 1\n\n  def b():\n" * 10_000,
        "a::\n" * 20_000,
        "x " * 50_000 + "\n",
        ":a:" * 20_000,
        "/*" * 20_000,
    ],
)
@pytest.mark.timeout(60)
def test_long_hostile_text_takes_no_more_than_its_length_asks_for(text: str) -> None:
    for reader in READERS:
        assert reader(text)[0]


@pytest.mark.skipif("QA_FORMATS" not in os.environ, reason="QA_FORMATS names no folder")
def test_any_real_text_is_read() -> None:
    for path in Path(os.environ["QA_FORMATS"]).rglob("*"):
        if path.suffix in {".txt", ".md", ".html", ".xml", ".csv"}:
            text = path.read_bytes().decode("utf-8", "replace")
            assert not outside(text, read_code(text)[0]).strip()
            read_restructured(text)
            read_asciidoc(text)
