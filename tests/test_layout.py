"""Lines on a terminal: prose is filled, code and tables keep theirs, none is too wide."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.citations.locate import Excerpt
from qa.cli import render
from qa.cli.layout import clip, columns, wrap
from qa.progress import Status
from qa.types import Answer, Citation, CitedPassage, Evidence, Scores
from qa.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

_CITATION = Citation(
    document="a.md", quote="", start_line=1, end_line=1, heading_path=(), page=None, label="",
    anchor="", paragraph=None, chapter=None, row=None, start=0, end=0, start_byte=None,
    end_byte=None, file="a.md", format="markdown", sha256="", encoding="utf-8",
)  # fmt: skip


def shown(text: str, kind: str = "plain", *, width: int = 80, evidence: str = "") -> list[str]:
    """Give the lines of an answer whose only passage is this text."""
    start = text.index(evidence)
    cited = replace(_CITATION, quote=text, end=len(text), format=kind)
    best = replace(cited, quote=evidence, start=start, end=start + len(evidence))
    passage = CitedPassage(cited, Evidence(best, 1.0), Scores(1, 1, 1, 1, 1))
    answer = Answer("q", answered=True, probability=1.0, passages=(passage,), nearest=(),
                    reason="", model="m", corpus="")  # fmt: skip
    # Two columns of a line are kept for marks.
    _, *lines = render.answer(answer, None, width=width + 2, room=width + 2, form="full")
    return ["".join(visible(one.text) for one in line).rstrip() for line in lines]


def indented(lines: list[str]) -> list[str]:
    return [f"   {line}".rstrip() for line in lines]


CODE = [
    "def drain(queue, *, limit=10):",
    "    found = []",
    "",
    "    while queue and len(found) < limit:",
    "        found.append(queue.pop(0))",
    "    return found",
]


@pytest.mark.parametrize("evidence", ["", "found = []", "\n".join(CODE)])
def test_source_code_keeps_its_lines(evidence: str) -> None:
    assert shown("\n".join(CODE), "code", evidence=evidence) == indented(CODE)


@pytest.mark.parametrize("fence", ["```", "````", "~~~"])
def test_a_fenced_block_keeps_its_lines_and_prose_around_it_does_not(fence: str) -> None:
    code = [f"{fence} python", "x = 1", "y  =  2", "", "z = 3", fence]
    lines = ["Set it", "like this:", "", *code, "", "and go", "on."]
    expected = ["Set it like this:", "", *code, "", "and go on."]
    assert shown("\n".join(lines), "markdown") == indented(expected)


@pytest.mark.parametrize(
    "lines",
    [
        ["x = 1", "y = 2", "```"],
        ["x = 1", "y = 2", "```", "", "And", "prose."],
        ["x = 1", "y = 2", "```", "", "```sh", "ls", "pwd", "```", "", "And", "prose."],
        ["x = 1", "y = 2", "```", "And", "prose.", "", "```sh", "ls", "pwd", "```"],
    ],
)
def test_a_passage_that_begins_inside_a_fence_keeps_the_lines_of_its_code(lines: list[str]) -> None:
    expected = "\n".join(lines).replace("And\nprose.", "And prose.").split("\n")
    assert shown("\n".join(lines), "markdown") == indented(expected)


@pytest.mark.parametrize(
    "lines",
    [
        ["Prose", "here:", "", "```", "x = 1", "y = 2"],  # goes on behind the passage
        ["```", "x = 1", "y = 2", "```", "", "Prose", "here:"],
        ["```", "", "x = 1", "y = 2", "```", "", "Prose", "here:"],
    ],
)
def test_a_fence_that_opens_is_not_taken_for_one_that_closes(lines: list[str]) -> None:
    expected = "\n".join(lines).replace("Prose\nhere:", "Prose here:").split("\n")
    assert shown("\n".join(lines), "markdown") == indented(expected)


def test_indented_code_keeps_its_lines() -> None:
    text = "Call it\nso:\n\n    a = f(x)\n    b = g(a)\n\nThat\nis all."
    expected = ["Call it so:", "", "    a = f(x)", "    b = g(a)", "", "That is all."]
    assert shown(text, "markdown") == indented(expected)


def test_what_belongs_to_a_list_item_is_filled() -> None:
    text = "- one thing\n  that goes on\n    - below\n      it goes on\n- another"
    expected = ["- one thing that goes on", "    - below it goes on", "- another"]
    assert shown(text, "markdown") == indented(expected)


MAN = [
    "-i, --interval SECONDS   Wait so many seconds between two",
    "                         runs of a job.",
    "-q                       Say nothing.",
]
TABLE = ["| setting  | meaning |", "|----------|---------|", "| interval | seconds |"]
TABBED = ["name\tborn\ttown", "Ada\t1815\tLondon"]


@pytest.mark.parametrize("lines", [MAN, TABLE, [f"       {line}" for line in MAN]])
@pytest.mark.parametrize("kind", ["plain", "markdown", "restructured", "html", "mail"])
def test_columns_and_tables_keep_their_lines(kind: str, lines: list[str]) -> None:
    text = "\n".join(["Some", "prose.", "", *lines])
    assert shown(text, kind)[-len(lines) :] == indented(lines)


def test_columns_made_with_tabs_stand_below_each_other() -> None:
    expected = [line.expandtabs(8) for line in TABBED]
    assert shown("\n".join(TABBED)) == indented(expected)


@pytest.mark.parametrize(
    "text",
    [
        "It ended.  Then it\nbegan.  So they say.  It\nwent on.",
        "-   An item with wide\n    space that goes on.",
        "10.   An item with wide\n      space that goes on.",
        "  A paragraph\n  that is indented\n  by two.",
    ],
)
def test_wide_spaces_alone_make_no_columns(text: str) -> None:
    assert len(shown(text, "markdown")) == 1


def test_a_line_of_what_was_made_from_a_file_stays_a_line() -> None:
    text = "def f():\n    x = 1\n    return x\ny = 2\n\nA verse,\nand another."
    assert shown(text, "html") == indented(text.split("\n"))


def test_a_line_of_code_that_is_too_wide_is_cut_off() -> None:
    line = "x = " + " + ".join(f"term_{n}" for n in range(30))
    [short, last] = shown(f"{line}\ny = 2", "code", width=40)
    assert (columns(short), short[-1], last) == (40, "…", "   y = 2")
    assert line.startswith(short[3:-1])


def test_evidence_is_never_cut_off() -> None:
    line = "    x = " + " + ".join(f"term_{n}" for n in range(30))
    lines = shown(f"def f():\n{line}\n    return x", "code", width=40, evidence=line.strip())
    assert " ".join(" ".join(lines[1:-1]).split()) == line.strip()
    assert all(one.startswith("       ") and one[7] != " " for one in lines[1:-1])


def test_a_mark_or_comma_is_not_parted_from_its_word() -> None:
    text = "word " * 14 + "(1969), and on"
    start = text.index("1969")
    cited = replace(_CITATION, quote=text, end=len(text))
    for width in range(40, 101):
        for line in shown(text, width=width, evidence=text[start : start + 4]):
            assert not re.search(r"^\s*[),]|\($", line)
    assert cited.quote == text


WORDS = st.one_of(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Zs", "Cc"]), min_size=1),
    st.sampled_from(["東京は日本の首都であり、", "👨‍👩‍👧", "❤️", "می‌خواهم", "a\u0301", "\u202e",
                     "x\u200dy", "（注）"]),
)  # fmt: skip
KINDS = st.sampled_from(["plain", "markdown", "restructured", "asciidoc", "mail", "html", "code"])


@given(
    st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", "\n\n", "  ", "\t", "\n    "]))),
    KINDS,
    st.integers(40, 100),
    st.data(),
)
def test_no_line_is_wider_than_the_width_and_no_word_is_lost(
    words: list[tuple[str, str]], kind: str, width: int, data: st.DataObject
) -> None:
    text = "".join(word + space for word, space in words).strip()
    start = data.draw(st.integers(0, len(text)))
    evidence = text[start : data.draw(st.integers(start, len(text)))].strip()
    lines = shown(text, kind, width=width, evidence=evidence)
    for line in lines:
        assert columns(line) <= width
        assert line == visible(line)
    if not any(line.endswith("…") for line in lines):
        expected = visible(re.sub(r"[ \t\r\n]+", " ", text))
        assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", expected)


@given(st.lists(WORDS, min_size=1), st.integers(40, 100))
def test_a_filled_line_begins_and_ends_with_a_word(words: list[str], width: int) -> None:
    text = " ".join(words)
    for line in wrap(text, width, hanging=2)[1:]:
        assert line.startswith("  ")
        assert line[2:] == line[2:].strip(" ")


@given(st.text(), st.integers(1, 60))
def test_what_is_clipped_fits(text: str, width: int) -> None:
    whole = visible(text)
    short = clip(whole, width)
    assert columns(short) <= width
    assert short == whole or short.endswith("…")


@pytest.mark.parametrize(
    ("text", "needed"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), ("ﾊﾝ", 2),
     ("한국", 4), ("😀", 2), ("\u200d", 0), ("ب", 1)],
)  # fmt: skip
def test_columns_are_those_of_a_terminal(text: str, needed: int) -> None:
    assert columns(text) == needed


def test_marks_without_end_take_no_time() -> None:
    text = "a" + "\u0301" * 50_000 + "東" + "\u200d" * 50_000
    assert shown(text, "markdown", width=40)
    assert shown(f"{text}\n{text}", "code", width=40)


def test_text_without_spaces_takes_no_time() -> None:
    assert shown("東京" * 50_000, "markdown", width=40)
    assert shown("|" * 50_000 + "\n" + "`" * 50_000, "markdown", width=40)
    assert shown("\n".join(["a  b" * 200] * 500), "plain", width=40)


def test_status_wraps_what_is_wrong_at_words() -> None:
    from qa.types import Problem

    reason = "it could not be read as a document of that kind because its parser said no"
    found = Problem("folder/a  long name.pdf", reason)
    one = Status(
        "c", "i", "m", 1, 1, 1, 1, {"hidden": 3, "too large": 2, "not a file": 1}, (found,)
    )
    for lines in (render.problems(one, width=40), render.status(one, width=40)):
        texts = ["".join(visible(part.text) for part in line) for line in lines]
        assert max(map(columns, texts)) <= 40
        assert found.document in "".join(texts)
        assert reason in " ".join(" ".join(texts).split())


def test_show_wraps_at_words_below_the_number() -> None:
    line = " ".join(f"word{number}" for number in range(40))
    cited = replace(_CITATION, quote=f"    {line}", start_line=3, end_line=3)
    rows = render.excerpt(Excerpt(cited, "Top\r\n\r\n", "\r\nEnd\r\n"), width=80)
    first, blank, *rest, last = ["".join(one.text for one in row) for row in rows]
    assert (first, blank.rstrip(), last) == ("    1 Top", "    2", "    4 End")
    assert rest[0].startswith("    3     word0 ")
    assert all(one.startswith(" " * 10 + "word") for one in rest[1:])
    assert max(map(len, rest)) <= 80
    assert " ".join(one[6:].strip() for one in rest) == line


def test_in_a_pipe_a_line_of_a_file_or_of_a_report_stays_a_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    line = "x = " + " + ".join(f"term_{number}" for number in range(40))
    (tmp_path / "corpus" / "a.py").write_text(f"{line}\n", "utf-8")
    (tmp_path / "corpus" / f"{'long ' * 20}.pdf").write_bytes(b"%PDF-1.7 no more")
    assert f"   «{line}»\n" in run("ask", "What is the sum of terms?", "--always")[1]
    assert run("show", "a.py:1")[1] == f"    1>{line}\n"
    assert len(run("status", "--problems")[1].splitlines()) == 1


def test_an_address_is_never_cut() -> None:
    address = "https://example.org/" + "a" * 90
    assert shown(f"See {address} there.") == ["   See", f"   {address}", "   there."]
    assert len(shown("See " + "a" * 110 + " there.")) == 3
