"""Pages of PDFs as pictures: what is quoted is marked where it stands, and nothing gets out."""

from __future__ import annotations

import io
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from fpdf import FPDF

import qa
from qa.reading.extracted import UnreadableError
from qa.reading.sandbox.client import Converter
from qa.reading.sandbox.protocol import Picture

if TYPE_CHECKING:
    from pathlib import Path

FIRST = "The bridge was opened in 1931."
SECOND = "The harvest was poor that year."


def pdf_of(*pages: tuple[float, str]) -> bytes:
    """Give a PDF of 600 by 800 points with a line on each page, so far from its top."""
    pdf = FPDF(unit="pt", format=(600, 800))
    pdf.set_auto_page_break(auto=False)
    pdf.set_font("Helvetica", size=12)
    for top, line in pages:
        pdf.add_page()
        pdf.text(60, top, line)
    return bytes(pdf.output())


@pytest.fixture(name="papers")
def _papers(assistant: qa.Assistant, corpus: Path) -> qa.Assistant:
    (corpus / "a.pdf").write_bytes(pdf_of((100, FIRST), (700, SECOND)))
    assistant.refresh()
    return assistant


def span_of(assistant: qa.Assistant, quote: str) -> tuple[int, int]:
    start = assistant.document("a.pdf").text.index(quote)
    return start, start + len(quote)


def decoded(image: qa.PageImage) -> list[bytes]:
    """Give the rows of a PNG, three bytes a pixel."""
    raw = image.data
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    start = raw.index(b"IDAT") + 4
    size = int.from_bytes(raw[start - 8 : start - 4], "big")
    flat = zlib.decompress(raw[start : start + size])
    row = 1 + 3 * image.width
    assert len(flat) == row * image.height
    assert set(flat[::row]) == {0}
    return [flat[at + 1 : at + row] for at in range(0, len(flat), row)]


def test_a_quote_is_marked_where_its_ink_is(papers: qa.Assistant) -> None:
    image = papers.page_image("a.pdf", 1, [span_of(papers, FIRST)], width=600)
    assert (image.media_type, image.width, image.height) == ("image/png", 600, 800)
    [[mark]] = image.rectangles
    rows = decoded(image)
    inked = [y for y, row in enumerate(rows) if set(row) != {255}]
    assert mark.top * 800 <= min(inked) + 1
    assert (mark.top + mark.height) * 800 >= max(inked)
    assert mark.height < 0.04
    columns = [x for x in range(600) if any(row[3 * x] < 128 for row in rows)]
    assert mark.left * 600 <= min(columns) + 1
    assert (mark.left + mark.width) * 600 >= max(columns) - 1


def test_what_stands_on_another_page_is_not_marked_on_this_one(papers: qa.Assistant) -> None:
    spans = [span_of(papers, FIRST), span_of(papers, SECOND), (0, 0)]
    whole = (0, len(papers.document("a.pdf").text))
    first = papers.page_image("a.pdf", 1, [*spans, whole]).rectangles
    second = papers.page_image("a.pdf", 2, [*spans, whole]).rectangles
    assert [bool(marks) for marks in first] == [True, False, False, True]
    assert [bool(marks) for marks in second] == [False, True, False, True]
    assert first[0][0].top < 0.2
    assert second[1][0].top > 0.8


def test_a_citation_of_an_answer_is_marked_on_its_page(papers: qa.Assistant) -> None:
    evidence = papers.ask("When was the bridge opened?", threshold=0).shown[0].evidence.citation
    assert evidence.page == 1
    [marks] = papers.page_image("a.pdf", 1, [(evidence.start, evidence.end)]).rectangles
    assert marks


@pytest.mark.parametrize(
    ("given", "error", "named"),
    [
        ({"page": 0}, qa.CitationError, "no page 0"),
        ({"page": 3}, qa.CitationError, "no page 3"),
        ({"page": True}, qa.CitationError, "no page True"),
        ({"page": "1"}, qa.CitationError, "no page '1'"),
        ({"document": "moon.md"}, qa.CitationError, "moon.md is not a PDF"),
        ({"document": "../a.pdf"}, qa.UnknownDocumentError, "'../a.pdf'"),
        ({"width": 0}, qa.QuestionError, "width is 0"),
        ({"width": 10**9}, qa.QuestionError, "width is 1000000000"),
        ({"width": 5.5}, qa.QuestionError, "width is 5.5"),
        ({"spans": [(0, 10**9)]}, qa.QuestionError, "spans is"),
        ({"spans": [(5, 1)]}, qa.QuestionError, "spans is"),
        ({"spans": [(-1, 1)]}, qa.QuestionError, "spans is"),
        ({"spans": ["ab"]}, qa.QuestionError, "spans is"),
        ({"spans": [(0, 1)] * 2000}, qa.QuestionError, "spans is"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused_by_name(
    papers: qa.Assistant, given: dict[str, Any], error: type[qa.QaError], named: str
) -> None:
    arguments: dict[str, Any] = {"document": "a.pdf", "page": 1, **given}
    with pytest.raises(error) as raised:
        papers.page_image(**arguments)
    assert named in str(raised.value)
    assert raised.value.hint
    assert len(str(raised.value)) < 250


def test_a_page_of_a_file_that_is_another_by_now_is_not_drawn(
    papers: qa.Assistant, corpus: Path
) -> None:
    (corpus / "a.pdf").write_bytes(pdf_of((100, "Something else."), (100, "And more.")))
    with pytest.raises(qa.UnreadableDocumentError, match="changed"):
        papers.page_image("a.pdf", 1)


def test_an_unusually_long_page_is_drawn_smaller_and_a_broken_file_not_at_all() -> None:
    pdf = FPDF(unit="pt", format=(20, 14000))
    pdf.add_page()
    with Converter() as converter:
        picture = converter.picture(bytes(pdf.output()), page=1, width=4000)
        assert picture.width * picture.height < 17_000_000
        assert picture.width < 4000
        for raw in (b"", b"%PDF-1.7 no more", b"\0" * 1000):
            with pytest.raises(UnreadableError):
                converter.picture(raw, page=1, width=100)
        with pytest.raises(UnreadableError, match="page 9"):
            converter.picture(pdf_of((100, FIRST)), page=9, width=100)
        found = converter.convert("pdf", pdf_of((100, FIRST)))  # the worker goes on
    assert found.text == FIRST


WILD = """
import sys
from qa.reading.sandbox import worker
from qa.reading.pdf import picture
from qa.reading.extracted import Extracted, Member
said = {said}
def wild(raw, **_):
    {body}
picture.picture_of = wild
worker.main()
"""


@pytest.mark.parametrize(
    "body",
    [
        "open('/tmp/out', 'w')",
        "import socket; socket.socket()",
        "import os; os._exit(3)",
        "return Extracted('{}', ())",
        "return Extracted('[]', (), members=(Member('a', b'x'),))",
        "return Extracted(said, (), members=(Member('a', b'<svg onload=alert()>'),))",
        "return Extracted(said.replace('0.5', 'NaN'), (), members=(Member('a', b'\\x89PNG'),))",
    ],
)
def test_a_parser_that_was_taken_over_gives_no_picture(tmp_path: Path, body: str) -> None:
    said = '{"width": 1, "height": 1, "boxes": [[[0.5, 0.5, 0.5, 0.5]]]}'
    program = tmp_path / "wild.py"
    program.write_text(WILD.format(said=repr(said), body=body), "utf-8")
    with (
        Converter(command=(sys.executable, str(program))) as converter,
        pytest.raises(UnreadableError),
    ):
        converter.picture(pdf_of((100, FIRST)), page=1, width=100, quotes=[(0, FIRST)])


def test_a_box_beyond_the_page_ends_at_its_edge() -> None:
    from qa.reading.extracted import Extracted, Member

    told = '{"width": 1, "height": 1, "boxes": [[[-5, 0.1, 7, 1e300]]]}'
    member = Member("page.png", b"\x89PNG")
    [[box]] = Picture.of(Extracted(told, (), members=(member,)), 1).boxes
    assert box == (0.0, 0.1, 1.0, 1.0)


def test_a_picture_can_be_read_by_other_programs(papers: qa.Assistant) -> None:
    image = pytest.importorskip("PIL.Image")
    drawn = papers.page_image("a.pdf", 2, width=333)
    read = image.open(io.BytesIO(drawn.data))
    read.load()
    assert read.size == (drawn.width, drawn.height)
    assert read.getpixel((0, 0)) == (255, 255, 255)
