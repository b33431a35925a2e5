"""An answer in all its forms: what stands out, what fits, what other programs make of it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from test_layout import _CITATION

from qa.assistant import Assistant
from qa.cli import formats, render
from qa.cli.editor import editor_link
from qa.cli.layout import around, clip_start, columns
from qa.cli.pager import find
from qa.cli.render.answers import link
from qa.cli.render.quotes import gist
from qa.errors import SettingsError
from qa.settings import Settings
from qa.types import Answer, CitedPassage, Evidence, Mark, Scores
from qa.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Run
    from qa.cli.output import Line

TEXTS = st.text(st.sampled_from("ab .,-*#>|`«»é日\u0301\u202e\n\t(1)"), min_size=1, max_size=600)
PATHS = st.text(st.sampled_from("ab /日é."), min_size=1, max_size=120)


def passage(text: str, evidence: str = "", *marked: str, **place: Any) -> CitedPassage:
    """Make a passage with evidence, and marks in it."""
    cited = replace(_CITATION, quote=text, end=len(text), **place)
    start = text.index(evidence)
    best = replace(cited, quote=evidence, start=start, end=start + len(evidence))
    places = [(text.index(one, start), one) for one in marked]
    marks = tuple(Mark("name", one, at, at + len(one)) for at, one in places)
    return CitedPassage(cited, Evidence(best, 1.0, marks), Scores(1, 1, 1, 1, 1))


def answered(*passages: CitedPassage, probability: float = 0.97) -> Answer:
    return Answer("Who?", answered=True, probability=probability, passages=passages, nearest=(),
                  reason="", model="m", corpus="")  # fmt: skip


def abstained(*nearest: CitedPassage) -> Answer:
    return Answer("Who?", answered=False, probability=0.1, passages=(), nearest=nearest,
                  reason="No passage is close enough.", model="m", corpus="")  # fmt: skip


def text_of(lines: list[Line]) -> list[str]:
    return ["".join(visible(part.text) for part in line).rstrip() for line in lines]


def plain_of(lines: list[Line]) -> list[str]:
    return ["".join(visible(part.unstyled) for part in line).rstrip() for line in lines]


@st.composite
def passages(draw: st.DrawFn) -> CitedPassage:
    text = draw(TEXTS)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 200)))
    kind = draw(st.sampled_from(["plain", "markdown", "html"]))
    cited = replace(
        _CITATION, document=draw(PATHS), quote=text, end=len(text), format=kind,
        heading_path=tuple(draw(st.lists(st.text(max_size=60), max_size=3))),
    )  # fmt: skip
    best = replace(cited, quote=text[start:end], start=start, end=end)
    first = draw(st.integers(start, end))
    last = draw(st.integers(first, end))
    marks = (Mark("name", text[first:last], first, last),) if first < last else ()
    return CitedPassage(cited, Evidence(best, 1.0, marks), Scores(1, 1, 1, 1, 1))


# --- the first line ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probability", "said"), [(0.97, "0.97"), (0.9999, "0.99"), (0.5, "0.50"), (1.0, "1.00")]
)
def test_a_probability_is_never_rounded_up(probability: float, said: str) -> None:
    assert render.verdict(answered(probability=probability)) == f"Answered, {said}"


def test_an_abstention_gives_the_reason_then_five_passages_in_a_line_each() -> None:
    one = abstained(*(passage(f"Text {n} is this.", f"Text {n} is this.") for n in range(7)))
    lines = text_of(list(render.answer(one, None, width=80, room=80, rows=24)))
    assert lines[0] == "Probably not in these documents. No passage is close enough."
    assert lines[2] == "Closest passages (not answers):"
    assert lines[3:8] == [f"{n + 1}. a.md:1  Text {n} is this." for n in range(5)]
    assert lines[8:] == ["(qa open 1 · qa show 2 · --always)"]


def test_a_session_names_its_own_commands() -> None:
    one = answered(passage("\n\n".join(f"- Item {n}." for n in range(40)), "Item 20."))
    own = (":open", ":show", ":more", ":more")
    lines = text_of(list(render.answer(one, None, width=80, room=80, rows=24, actions=own)))
    assert lines[-1] == "(:open 1 · :show 1 · :more)"
    assert "   … (:more)" in lines
    assert not [line for line in lines if "--full" in line]


# --- what fits --------------------------------------------------------------------------


@given(
    st.lists(passages(), min_size=1, max_size=5),
    st.integers(40, 130),
    st.sampled_from([answered, abstained]),
)
def test_five_passages_fit_a_screen_of_24_rows(
    found: list[CitedPassage], width: int, made: Callable[..., Answer]
) -> None:
    one = made(*found)
    lines = list(render.answer(one, None, width=width, room=width, rows=24, always=True))
    shown = text_of(lines)
    # Evidence is never cut off, so lines of it may run on where they may not be filled.
    assert sum(max(1, -(-columns(line) // width)) for line in shown) <= 22
    assert [line for line in shown if re.match(r"[1-5]\. ", line)]
    for line in shown[-len(found) :]:
        assert columns(line) <= width


@given(st.lists(passages(), min_size=1, max_size=3), st.sampled_from(["short", "full", "brief"]))
def test_an_answer_has_the_same_lines_with_marks_as_with_styles(
    found: list[CitedPassage], form: Any
) -> None:
    lines = list(render.answer(answered(*found), None, width=80, room=80, form=form))
    for styled, plain in zip(text_of(lines), plain_of(lines), strict=True):
        assert re.sub("[«»]", "", plain).strip() == re.sub("[«»]", "", styled).strip()


@given(passages())
def test_the_evidence_is_between_its_marks_once(one: CitedPassage) -> None:
    lines = list(render.answer(answered(one), None, width=80, room=80))
    below = lines[2:]
    text = re.sub(r"\s", "", "".join("".join(part.unstyled for part in line) for line in below))
    evidence = visible(re.sub(r"\s", "", one.evidence.citation.quote))
    held = one.citation.quote + str(one.citation) + "".join(one.citation.heading_path)
    if evidence and not set(held) & set("«»\u0301"):
        assert text.count("«") == text.count("»") == 1
        assert text[text.index("«") + 1 : text.index("»")] == evidence


@given(TEXTS, st.integers(0, 600), st.integers(0, 600), st.integers(8, 90))
def test_a_part_of_a_text_fits_and_holds_what_it_is_shown_for(
    text: str, first: int, second: int, width: int
) -> None:
    text = visible(re.sub(r"\s+", " ", text))
    start, end = sorted((min(first, len(text)), min(second, len(text))))
    begin, last = around(text, start, end, width)
    shown = "…" * (begin > 0) + text[begin:last] + "…" * (last < len(text))
    assert columns(shown) <= width
    if columns(text[start:end]) <= width - 4 and "\u0301" not in text:
        assert begin <= start
        assert last >= len(text[:end].rstrip())


@given(PATHS, st.integers(2, 60))
def test_a_path_loses_its_beginning(path: str, width: int) -> None:
    shown = clip_start(visible(path), width)
    assert columns(shown) <= width
    assert visible(path).endswith(shown.removeprefix("…"))


@given(passages(), st.integers(12, 100))
def test_the_gist_of_a_passage_fits_with_its_marks(one: CitedPassage, width: int) -> None:
    line = gist(one, width)
    assert columns("".join(visible(part.unstyled) for part in line)) <= width


def test_a_line_is_clipped_around_what_could_be_the_answer() -> None:
    told = "Long after all that had been expected of him he came to Rome in the year 1786 by coach."
    line = text_of([gist(passage(told, told, "1786"), 40)])[0]
    assert "1786" in line
    assert line.startswith("…")
    assert text_of([gist(passage(told, told), 40)])[0].startswith("Long after")


def test_a_line_tells_how_many_other_places_its_text_has() -> None:
    one = replace(passage("A text.", "A text."), also=(_CITATION, _CITATION))
    for rows in (None, 24):
        lines = list(render.answer(answered(one), None, width=80, room=80, form="brief", rows=rows))
        assert text_of(lines) == ["1. a.md:1 +2  A text."]


# --- links ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "scheme"),
    [
        ({}, None),
        ({"EDITOR": "vim"}, None),
        ({"EDITOR": "'"}, None),
        ({"EDITOR": "/usr/bin/code --wait"}, "vscode"),
        ({"VISUAL": "vim", "EDITOR": "code"}, None),
        ({"TERM_PROGRAM": "vscode", "EDITOR": "vim"}, "vscode"),
        ({"TERM_PROGRAM": "vscode", "CURSOR_TRACE_ID": "1"}, "cursor"),
        ({"TERM_PROGRAM": "vscode", "SSH_CONNECTION": "1 2 3 4"}, None),
        ({"TERM_PROGRAM": "Apple_Terminal"}, None),
    ],
)
def test_links_lead_to_an_editor_only_where_it_is_known_to_take_them(
    environment: dict[str, str], scheme: str | None
) -> None:
    found = editor_link(environment)
    assert (found.partition(":")[0] if found else None) == scheme


def test_a_link_is_to_the_line_of_a_text_and_to_the_page_of_a_pdf(tmp_path: Path) -> None:
    text = passage("Text.", "Text.", file="a ü.md", start_line=7)
    page = passage("Text.", "Text.", document="b.pdf", file="b.pdf", format="pdf", encoding="",
                   page=3)  # fmt: skip
    base = tmp_path.as_uri().removeprefix("file://")
    lines, pages = "vscode://file/{path}:{line}", "skim:{path}?page={page}"
    assert link(text, tmp_path, lines) == f"vscode://file{base}/a%20%C3%BC.md:7"
    assert link(text, tmp_path, "x:{path}") == f"x:{base}/a%20%C3%BC.md"
    assert link(page, tmp_path, pages) == f"skim:{base}/b.pdf?page=3"
    assert link(page, tmp_path, lines) == f"file://{base}/b.pdf#page=3"
    assert link(text, tmp_path, pages) == f"file://{base}/a%20%C3%BC.md"
    assert link(text, None, lines) == ""


@pytest.mark.parametrize(
    "wrong",
    ["", "file", "{path}", "x:{line}", "x:{path.__class__}", "x:{path}{0}", "x:{path}\x1b]8;;",
     "x:{path} y", "x:{path}\n", "x:é{path}", "x:{{path}}"],
)  # fmt: skip
def test_an_editor_link_that_could_do_anything_else_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="editor_link"):
        Settings(editor_link=wrong)


@pytest.mark.parametrize(
    ("environment", "program"),
    [
        ({"PAGER": "sh"}, "sh"),
        ({"PAGER": "sh -c 'less -R'"}, "sh"),
        ({"PAGER": "cat"}, None),
        ({"PAGER": ""}, None),
        ({"PAGER": "'"}, None),
        ({"PAGER": "no-such-program"}, None),
        ({"PAGER": "sh", "TERM": "dumb"}, None),
    ],
)
def test_the_pager_is_the_one_that_is_asked_for(
    environment: dict[str, str], program: str | None
) -> None:
    found = find(environment)
    assert (found.command[0].rpartition("/")[2] if found else None) == program
    assert not (found and found.is_styled)


# --- Markdown, HTML ---------------------------------------------------------------------


def strong(text: str) -> str:
    """What a reader of Markdown sees in bold, of what it takes for text."""
    found, depth = "", 0
    for token in MarkdownIt().parse(text):
        for one in token.children or ():
            if one.type in {"strong_open", "strong_close"} or one.content in {
                "<strong>", "</strong>",
            }:  # fmt: skip
                depth += 1 if one.type == "strong_open" or one.content == "<strong>" else -1
            elif depth and one.type in {"text", "code_inline"}:
                found += f" {one.content}"
    return " ".join(found.split())


@pytest.mark.parametrize(
    ("text", "evidence", "bold"),
    [
        ("It is so. He came late. It was dark.", "He came late.", "He came late."),
        ("It is so. He\ncame late. It was dark.", "He\ncame late.", "He came late."),
        ("It is. He *came* `late`. Dark.", "He *came* `late`.", "He came late ."),
        ("あれ。彼は来た。これ。", "彼は来た。", "彼は来た。"),
        ("- He came.\n- She went.", "He came.\n- She went.", "He came. She went."),
        ("1. He came.", "1. He came.", "He came."),
        ("# He came", "# He came", "He came"),
    ],
)
def test_in_markdown_the_evidence_is_bold(text: str, evidence: str, bold: str) -> None:
    one = answered(passage(text, evidence))
    shown = formats.markdown(one).split("\n\n", 2)[2]
    assert strong(re.sub(r"^   > ?", "", shown, flags=re.MULTILINE)) == bold


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def f():\n    return 1", "code"),
        ("```\nx = f()\n```", "markdown"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "markdown"),
        ("---", "markdown"),
    ],
)
def test_in_markdown_code_and_tables_stay_what_they_are(text: str, kind: str) -> None:
    shown = formats.markdown(answered(passage(text, text, format=kind)))
    assert re.sub(r"^   > ?", "", shown.split("\n\n", 2)[2], flags=re.MULTILINE) == text


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.marked, self.text, self._in_mark = "", "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._in_mark = tag == "mark" or self._in_mark

    def handle_endtag(self, tag: str) -> None:
        self._in_mark = self._in_mark and tag != "mark"

    def handle_data(self, data: str) -> None:
        self.text += data
        self.marked += data * self._in_mark


def test_a_page_runs_and_fetches_nothing_whatever_a_document_holds(tmp_path: Path) -> None:
    bad = '<script src="https://e.example/x.js">alert(1)</script><img src=x onerror=y>"\'&amp;'
    hostile = passage(f"Before {bad} after", bad, document=bad, file=bad, heading_path=(bad,))
    one = replace(answered(hostile), question=bad)
    page = _Page()
    page.feed(formats.html(one, tmp_path))
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert {name for name, _ in page.attributes} <= {
        "charset", "http-equiv", "content", "name", "href",
    }  # fmt: skip
    assert all(to and to.startswith("file:") for name, to in page.attributes if name == "href")
    assert page.marked == bad
    assert f"Before {bad} after" in page.text


def test_a_page_of_an_abstention_says_so() -> None:
    page = formats.html(abstained(passage("A text.", "A text.")), None)
    assert "Probably not in these documents." in page
    assert "Closest passages (not answers):" in page


# --- for programs -----------------------------------------------------------------------


def test_a_table_gives_back_what_was_put_into_it_and_runs_nothing() -> None:
    texts = ['a,"b"\r\nc\rd', "=1+1", "-2+3", "@x", "+1", "\t=1", "plain"]
    one = answered(*(passage(text, text, heading_path=("=A", text)) for text in texts))
    rows = list(csv.DictReader(io.StringIO(formats.csv(one))))
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, 8)]
    assert rows[0]["quote"] == 'a,"b"\nc\nd'
    for row, text in zip(rows[1:], texts[1:], strict=True):
        assert row["quote"].removeprefix("'") == text
        for cell in row.values():
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_rows_are_passages_of_an_answer_and_others_only_where_they_are_asked_for() -> None:
    one = abstained(passage("A text.", "A text."))
    assert len(formats.csv(one).splitlines()) == 1
    assert not list(formats.records(one))
    assert not list(formats.vimgrep(one, None))
    assert [row["answered"] for row in formats.records(one, always=True)] == [False]
    assert formats.csv(one, always=True).splitlines()[1].split(",")[6] == "no"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_editor_opens_the_evidence_at_its_line_and_column(
    encoding: str, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "corpus").mkdir()
    lines = ["Über alles Mögliche wird hier geredet.", "", "Ää öö. Neil Armstrong set foot on it."]
    (tmp_path / "corpus" / "moon.txt").write_bytes("\r\n".join(lines).encode(encoding))
    status, out, _ = run("ask", "Did Neil Armstrong set foot?", "--format", "vimgrep", "-k", 1)
    assert status == 0
    path, line, column, text = out.rstrip("\n").split(":", 3)
    assert (path, line) == ("corpus/moon.txt", "3")
    assert lines[2].encode()[int(column) - 1 :].decode().startswith(text)


def test_each_line_of_json_is_a_passage_that_can_be_verified(
    assistant: Assistant, corpus: Path, tmp_path: Path, run: Run
) -> None:
    answer = assistant.ask("Who set foot on the Moon?")
    _, out, _ = run("ask", "Who set foot on the Moon?", "--corpus", corpus,
                    "--index", tmp_path / "index", "--format", "jsonl")  # fmt: skip
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["rank"] for one in found] == list(range(1, len(answer.passages) + 1))
    for one, cited in zip(found, answer.passages, strict=True):
        assert one["citation"]["quote"] == cited.citation.quote
        assert one["schema"] == "qa.passage/1"
    saved = answer.to_dict() | {"passages": found}
    assert assistant.verify(saved).holds


@pytest.mark.parametrize("form", ["csv", "jsonl", "vimgrep", "html"])
def test_an_abstention_is_told_beside_what_programs_read(
    form: str, corpus: Path, tmp_path: Path, run: Run
) -> None:
    status, out, err = run("ask", "qwertz uiop asdfgh", "--format", form, "--corpus", corpus,
                           "--index", tmp_path / "index")  # fmt: skip
    assert status == 1
    assert "qwertz" in (out if form == "html" else err)
    if form in {"jsonl", "vimgrep"}:
        assert out == ""


def test_what_excludes_each_other_is_refused(run: Run) -> None:
    status, _, err = run("ask", "Who?", "--full", "--brief")
    assert status == 2
    assert "--full and --brief exclude" in err
    status, _, err = run("ask", "Who?", "--brief", "--format", "json")
    assert status == 2
    assert "not json" in err


def test_a_question_in_a_pipe_loads_nothing_that_is_for_others(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    program = (
        "import atexit, sys; from qa.cli import main\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as one:
        one.refresh()
    done = subprocess.run(
        [sys.executable, "-c", program, "ask", "Who set foot on the Moon?", "--corpus",
         str(corpus), "--index", str(tmp_path / "index")],
        env=os.environ | {"QA_CACHE": str(cache)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stderr.split())
    assert "qa.cli.render.answers" in loaded
    others = {"formats", "pager", "editor", "render.reports"}
    assert not loaded & {*(f"qa.cli.{one}" for one in others), "rich.console", "csv", "html"}
