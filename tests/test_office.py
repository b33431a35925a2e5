"""What comes through the extra `office`: slides, sheets, OpenDocument, messages, notebooks."""

from __future__ import annotations

import json
import os
import re
import struct
import time
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.reading.extracted import UnreadableError
from qa.reading.files import read_file
from qa.reading.formats import CONVERTED, office_is_installed
from qa.reading.sandbox.worker import reader_of
from qa.types import BlockKind, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.reading.extracted import Extracted

pytestmark = pytest.mark.skipif(
    not office_is_installed(), reason="the extra `office` is not installed"
)

ODF = "urn:oasis:names:tc:opendocument:xmlns:{}:1.0"
ODF_SPACES = (
    " ".join(
        f'xmlns:{prefix}="{ODF.format(name)}"'
        for prefix, name in (
            ("office", "office"),
            ("text", "text"),
            ("table", "table"),
            ("draw", "drawing"),
            ("presentation", "presentation"),
            ("style", "style"),
            ("meta", "meta"),
            ("svg", "svg-compatible"),
            ("manifest", "manifest"),
        )
    )
    + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


OFFICE = [name for name, one in CONVERTED.items() if ".office." in one.module]


def read_office(raw: bytes, *, suffix: str) -> Extracted:
    return reader_of(suffix[1:])(raw)


def zipped(members: dict[str, str | bytes]) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def changed(raw: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        return zipped({name: change(name, archive.read(name)) for name in archive.namelist()})


def opendocument(kind: str, body: str, *, meta: str = "", styles: str = "") -> bytes:
    content = (
        f"<office:document-content {ODF_SPACES}><office:automatic-styles>{styles}"
        f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}>"
        "</office:body></office:document-content>"
    )
    about = f"<office:document-meta {ODF_SPACES}><office:meta>{meta}</office:meta>"
    return zipped({"content.xml": content, "meta.xml": about + "</office:document-meta>"})


def slides() -> bytes:
    from pptx import Presentation
    from pptx.util import Inches

    show: Any = Presentation()
    first = show.slides.add_slide(show.slide_layouts[0])
    first.shapes.title.text = "Harbours"
    second = show.slides.add_slide(show.slide_layouts[1])
    second.shapes.title.text = "The north"
    second.placeholders[1].text = "Ice closes Luleå in January.\n---\n# Not a title"
    box = second.shapes.add_table(2, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
    for row, texts in enumerate((("Port", "Depth_m"), ("Luleå", "11"))):
        for column, text in enumerate(texts):
            box.cell(row, column).text = text
    second.notes_slide.notes_text_frame.text = "Mention the breakers."
    show.slides.add_slide(show.slide_layouts[6])  # nothing on it
    show.core_properties.title = "Ports of the Baltic"
    show.core_properties.author = "Ada"
    stream = BytesIO()
    show.save(stream)
    return stream.getvalue()


def workbook() -> bytes:
    from datetime import datetime

    from openpyxl import Workbook

    book: Any = Workbook()
    first = book.active
    first.title = "Ports"
    first.append(["Port", "Depth"])
    first.append(["Luleå", 11.0])
    second = book.create_sheet("Traffic 2025")
    for row in (
        ["Month", "Calls", "Share", "Checked"],
        [datetime(2025, 1, 1), 12, 0.125, True],
        [datetime(2025, 2, 1, 6, 30), 1234567890123450.0, None, None],
    ):
        second.append(row)
    second["C2"].number_format = "0.0%"
    second["A9"] = "Crane"
    second["B9"] = "Load"
    book.create_sheet("Empty")
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()


def headings(extracted: Extracted) -> list[tuple[str, ...]]:
    return [section.heading_path for section in extracted.sections]


def section_of(extracted: Extracted, quote: str) -> tuple[str, ...]:
    at = extracted.text.index(quote)
    return next(
        section.heading_path
        for section in extracted.sections
        if any(block.start <= at < block.end for block in section.blocks)
    )


def blocks(extracted: Extracted) -> list[str]:
    return [
        extracted.text[block.start : block.end]
        for section in extracted.sections
        for block in section.blocks
    ]


def test_a_fact_on_the_second_slide_is_under_that_slides_heading() -> None:
    extracted = read_office(slides(), suffix=".pptx")
    assert section_of(extracted, "Ice closes Luleå") == ("Slide 2: The north",)
    assert section_of(extracted, "Mention the breakers") == ("Slide 2: The north", "Notes")
    assert "Slide 3" not in extracted.text
    assert extracted.metadata["title"] == "Ports of the Baltic"
    assert extracted.metadata["author"] == "Ada"


def test_the_text_of_a_slide_is_not_read_as_markup() -> None:
    assert section_of(read_office(slides(), suffix=".pptx"), "---") == ("Slide 2: The north",)


def test_comments_and_diagrams_of_a_slide_are_read() -> None:
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    added = "".join(
        f'<Relationship Id="x{kind}" Type="{kinds}/{kind}" Target="../{kind}.xml"/>'
        for kind in ("comments", "diagramData")
    )

    def change(name: str, data: bytes) -> bytes:
        if name != "ppt/slides/_rels/slide2.xml.rels":
            return data
        return data.replace(b"</Relationships>", added.encode() + b"</Relationships>")

    stream = BytesIO(changed(slides(), change))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("ppt/comments.xml", "<c><cm><text>Too long?</text></cm></c>")
        archive.writestr("ppt/diagramData.xml", "<d><p><r><t>Plan</t></r></p></d>")
    extracted = read_office(stream.getvalue(), suffix=".pptx")
    assert section_of(extracted, "Too long?")[0] == "Slide 2: The north"
    assert section_of(extracted, "Plan")[0] == "Slide 2: The north"


def test_a_table_on_a_slide_is_a_line_a_row() -> None:
    extracted = read_office(slides(), suffix=".pptx")
    assert "Port | Depth_m\nLuleå | 11" in blocks(extracted)


def test_a_line_of_a_slide_that_ends_in_a_bar_is_a_paragraph_and_no_row() -> None:
    from pptx import Presentation

    show: Any = Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.placeholders[1].text = "| x | is a norm, |\n### and this is no title"
    stream = BytesIO()
    show.save(stream)
    extracted = read_office(stream.getvalue(), suffix=".pptx")
    assert blocks(extracted) == ["| x | is a norm, |", "### and this is no title"]
    assert headings(extracted) == [("Slide 1",)]


def test_a_chart_stands_below_the_other_text_of_its_slide() -> None:
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    make: Any = CategoryChartData  # untyped
    data = make()
    data.categories = ["Oslo", "Turku"]
    data.add_series("Depth", (11, None))
    show: Any = Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Ports"
    chart = slide.shapes.add_chart(
        XL_CHART_TYPE.COLUMN_CLUSTERED, 0, Inches(2), Inches(4), Inches(2), data
    ).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "How deep"
    slide.shapes.add_textbox(0, Inches(5), Inches(4), Inches(1)).text = "Below the chart."
    stream = BytesIO()
    show.save(stream)
    extracted = read_office(stream.getvalue(), suffix=".pptx")
    assert section_of(extracted, "Below the chart.") == ("Slide 1: Ports",)
    assert section_of(extracted, "Turku") == ("Slide 1: Ports", "Chart: How deep")
    assert blocks(extracted)[-1] == "Category | Depth\nOslo | 11.0\nTurku"


@pytest.mark.parametrize("kind", ["slideshow", "template"])
def test_shows_and_templates_are_read_as_slides(kind: str) -> None:
    def change(name: str, data: bytes) -> bytes:
        if name != "[Content_Types].xml":
            return data
        return data.replace(b"presentationml.presentation", f"presentationml.{kind}".encode())

    raw = changed(slides(), change)
    assert read_office(raw, suffix=".pptx") == read_office(slides(), suffix=".pptx")


def test_a_fact_on_the_second_sheet_is_under_that_sheets_name() -> None:
    extracted = read_office(workbook(), suffix=".xlsx")
    assert headings(extracted) == [("Ports",), ("Traffic 2025",)]
    assert blocks(extracted)[1] == (
        "Month | Calls | Share | Checked\n"
        "2025-01-01 | 12 | 12.5% | TRUE\n"
        "2025-02-01 06:30:00 | 1234567890123450"
    )


def test_comments_and_text_boxes_of_a_sheet_are_read() -> None:
    from openpyxl import load_workbook
    from openpyxl.comments import Comment

    book: Any = load_workbook(BytesIO(workbook()))
    book["Empty"]["B2"].comment = Comment("Ask the harbour master.", "Ada")
    stream = BytesIO()
    book.save(stream)
    extracted = read_office(stream.getvalue(), suffix=".xlsx")
    assert section_of(extracted, "Ask the harbour master.") == ("Empty",)


def test_rows_after_a_gap_are_a_table_of_their_own() -> None:
    assert blocks(read_office(workbook(), suffix=".xlsx"))[2] == "Crane | Load"


def sheet_of(*cells: tuple[str, str]) -> bytes:
    from openpyxl import Workbook

    book: Any = Workbook()
    for name, text in cells:
        book.active[name] = text
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_one_far_cell_makes_no_line_of_bars() -> None:
    raw = sheet_of(("A1", "Port"), ("XFD1", "Depth"), ("A2", "Oslo"), ("XFD9", "far"))
    assert blocks(read_office(raw, suffix=".xlsx")) == ["Port | Depth\nOslo", "far"]


def test_empty_columns_of_a_sheet_are_left_out_and_empty_cells_kept() -> None:
    raw = sheet_of(("B2", "Port"), ("D2", "Depth"), ("F2", "Flag"), ("B3", "Oslo"), ("F3", "NO"))
    assert blocks(read_office(raw, suffix=".xlsx")) == ["Port | Depth | Flag\nOslo |  | NO"]


def test_a_sheet_of_many_rows_with_far_cells_is_read_within_its_memory() -> None:
    import tracemalloc

    rows = "".join(
        f'<row r="{at}"><c r="A{at}"><v>{at}</v></c><c r="XFD{at}"><v>1</v></c></row>'
        for at in range(1, 501)
    )

    def change(name: str, data: bytes) -> bytes:
        if name != "xl/worksheets/sheet1.xml":
            return data
        start, end = data.index(b"<sheetData"), data.index(b"</sheetData>")
        return data[:start] + b"<sheetData>" + rows.encode() + data[end:]

    raw = changed(sheet_of(("A1", "x")), change)
    tracemalloc.start()
    extracted = read_office(raw, suffix=".xlsx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert extracted.text.splitlines()[-1] == "500 | 1"
    assert peak < 10_000_000  # every cell of these rows would take 65 MB


def test_empty_columns_of_an_opendocument_sheet_are_left_out() -> None:
    body = """<table:table table:name="Far"><table:table-row>
      <table:table-cell><text:p>Port</text:p></table:table-cell>
      <table:table-cell table:number-columns-repeated="16382"/>
      <table:table-cell><text:p>Depth</text:p></table:table-cell></table:table-row>
      <table:table-row><table:table-cell table:number-columns-repeated="NUMBER"/>
      <table:table-cell><text:p>1</text:p></table:table-cell></table:table-row></table:table>"""
    for number, line in (("16383", " | 1"), ("9" * 5000, "1")):
        raw = opendocument("spreadsheet", body.replace("NUMBER", number))
        found = blocks(read_office(raw, suffix=".ods"))[0]
        assert found.splitlines()[1].strip(" |") == "1"
        assert number != "16383" or found == f"Port | Depth\n{line}"


DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63"
    "6064f8ff1f0003030200efa2a75b0000000049454e44ae426082"
)


def said_on_a_slide(said: str) -> bytes:
    from pptx import Presentation

    show: Any = Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Fleet"
    picture = slide.shapes.add_picture(BytesIO(DOT), 0, 0)
    picture._element.nvPicPr.cNvPr.set("descr", said)
    stream = BytesIO()
    show.save(stream)
    return stream.getvalue()


def said_on_a_sheet(said: str) -> bytes:
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/drawing"
    stream = BytesIO(sheet_of(("A1", "Fleet")))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(
            "xl/worksheets/_rels/sheet1.xml.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="rId1" Type="{kind}"'
            ' Target="../drawings/drawing1.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/drawings/drawing1.xml", f'<d><nvPicPr><cNvPr id="2" descr="{said}"/></nvPicPr></d>'
        )
    return stream.getvalue()


@pytest.mark.parametrize(
    ("made", "suffix"), [(said_on_a_slide, ".pptx"), (said_on_a_sheet, ".xlsx")]
)
def test_what_is_said_of_a_picture_is_read_and_a_name_that_a_program_gave_is_not(
    made: Callable[[str], bytes], suffix: str
) -> None:
    said = "The Aurora at anchor in 1811"
    assert said in read_office(made(said), suffix=suffix).text
    for name in ("Picture 3", "aurora of Oslo.png", "https://example.org/aurora", ""):
        assert read_office(made(name), suffix=suffix).text.endswith("Fleet")


def test_what_is_said_of_a_picture_in_opendocument_stands_where_the_picture_is() -> None:
    frame = '<draw:frame text:anchor-type="{}"><draw:image/>{}</draw:frame>'
    inline = frame.format("as-char", "<svg:title>Ship</svg:title><svg:desc>The Aurora</svg:desc>")
    floating = frame.format("paragraph", "<svg:title>The quay</svg:title>")
    formula = frame.format("as-char", "<svg:desc>formula</svg:desc>")
    body = f"<text:p>See {inline} here.{formula}</text:p><text:p>Then{floating} this.</text:p>"
    extracted = read_office(opendocument("text", body), suffix=".odt")
    assert [text.strip() for text in blocks(extracted)] == [
        "See The Aurora here.",
        "Then this.",
        "The quay",
    ]
    page = f"<draw:page>{floating}</draw:page>"
    assert "The quay" in read_office(opendocument("presentation", page), suffix=".odp").text
    cell = f"<text:p>Oslo {inline}</text:p>"
    table = f"<table:table-row><table:table-cell>{cell}</table:table-cell></table:table-row>"
    sheet = opendocument("spreadsheet", f'<table:table table:name="a">{table}</table:table>')
    assert blocks(read_office(sheet, suffix=".ods")) == ["Oslo The Aurora"]


def test_the_strict_form_of_a_workbook_is_read_like_the_usual_one() -> None:
    def change(_: str, data: bytes) -> bytes:
        for name in (b"spreadsheetml", b"officeDocument"):
            usual = b"http://schemas.openxmlformats.org/" + name + b"/2006/"
            data = data.replace(usual, b"http://purl.oclc.org/ooxml/" + name + b"/")
        return data

    strict = changed(workbook(), change)
    assert read_office(strict, suffix=".xlsx").text == read_office(workbook(), suffix=".xlsx").text


@pytest.mark.parametrize(
    ("made", "suffix", "part"),
    [
        (workbook, ".xlsx", "xl/workbook.xml"),
        (workbook, ".xlsx", "xl/worksheets/sheet1.xml"),
        (slides, ".pptx", "ppt/slides/slide1.xml"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_bomb_of_entities_is_refused_before_it_is_parsed(
    made: Callable[[], bytes], suffix: str, part: str, encoding: str
) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(12))
    bomb = f"<!DOCTYPE x [{entities}]><x>&e11;</x>".encode(encoding)
    raw = changed(made(), lambda name, data: bomb if name == part else data)
    with pytest.raises(UnreadableError, match="document type"):
        read_office(raw, suffix=suffix)


def test_references_to_other_files_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text("<secret>hidden</secret>", encoding="utf-8")
    raw = opendocument(
        "text",
        '<text:p>Seen<draw:frame><draw:object xlink:href="X" xmlns:xlink="x"/></draw:frame>'
        "</text:p>".replace("X", secret.as_uri()),
    )
    assert read_office(raw, suffix=".odt").text == "Seen"


def test_a_text_of_opendocument_has_headings_and_counted_paragraphs() -> None:
    body = """
    <text:tracked-changes><text:p>struck out</text:p></text:tracked-changes>
    <text:p text:style-name="P1">The Lighthouse</text:p>
    <text:h text:outline-level="1">History</text:h>
    <text:p>Built<text:s text:c="2"/>in <text:span>1811</text:span><text:note>
      <text:note-citation>1</text:note-citation>
      <text:note-body><text:p>So says the plaque.</text:p></text:note-body></text:note>.</text:p>
    <text:list><text:list-item><text:p>stone</text:p></text:list-item></text:list>
    <text:h text:outline-level="2">Keepers</text:h>
    <table:table><table:table-header-rows><table:table-row>
      <table:table-cell><text:p>Name</text:p></table:table-cell>
      <table:table-cell><text:p>Since</text:p></table:table-cell></table:table-row>
    </table:table-header-rows><table:table-row>
      <table:table-cell><text:p>Ada</text:p></table:table-cell>
      <table:table-cell><text:p>1830</text:p></table:table-cell></table:table-row></table:table>
    <text:p>End.<draw:frame><draw:text-box><text:p>In a box.</text:p></draw:text-box>
      <svg:title>not shown</svg:title></draw:frame></text:p>
    """
    styles = '<style:style style:name="P1" style:parent-style-name="Title"/>'
    meta = (
        "<dc:title>Light</dc:title><meta:initial-creator>Ada</meta:initial-creator>"
        "<meta:keyword>sea</meta:keyword><meta:keyword>stone</meta:keyword>"
    )
    extracted = read_office(opendocument("text", body, meta=meta, styles=styles), suffix=".odt")
    assert headings(extracted) == [
        ("The Lighthouse", "History"),
        ("The Lighthouse", "History", "Keepers"),
    ]
    assert blocks(extracted) == [
        "Built  in 1811.",
        "So says the plaque.",
        "stone",
        "Name | Since\nAda | 1830",
        "End.",
        "In a box.",
    ]
    at = extracted.text.index("Ada")
    assert [place for place in extracted.places if place.start <= at][-1].value == "8"
    assert all(place.kind is PlaceKind.PARAGRAPH for place in extracted.places)
    assert extracted.metadata == {"title": "Light", "author": "Ada", "keywords": "sea, stone"}


def test_a_sheet_of_opendocument_is_a_section_of_lines() -> None:
    body = """<table:table table:name="Depths"><table:table-row>
      <table:table-cell><text:p>Port</text:p></table:table-cell>
      <table:table-cell table:number-columns-repeated="2"><text:p>x</text:p></table:table-cell>
      <table:table-cell table:number-columns-repeated="16000"/></table:table-row>
      </table:table><table:table table:name="Empty"/>"""
    extracted = read_office(opendocument("spreadsheet", body), suffix=".ods")
    assert headings(extracted) == [("Depths",)]
    assert blocks(extracted) == ["Port | x | x"]
    assert extracted.sections[0].blocks[0].kind is BlockKind.LINES


def test_a_slide_of_opendocument_is_headed_by_its_number_and_title() -> None:
    page = """<draw:page><draw:frame presentation:class="title"><draw:text-box>
      <text:p>{}</text:p></draw:text-box></draw:frame><draw:frame><draw:text-box>
      <text:p>{}</text:p></draw:text-box></draw:frame></draw:page>"""
    raw = opendocument("presentation", page.format("South", "Sand.") + page.format("North", "Ice."))
    assert section_of(read_office(raw, suffix=".odp"), "Ice.") == ("Slide 2: North",)


def test_an_encrypted_opendocument_file_is_named_as_such() -> None:
    manifest = f"<manifest:manifest {ODF_SPACES}><manifest:encryption-data/></manifest:manifest>"
    raw = zipped({"content.xml": b"\x01\x02", "META-INF/manifest.xml": manifest})
    with pytest.raises(UnreadableError, match="encrypted"):
        read_office(raw, suffix=".odt")


def test_rich_text_is_read_with_its_tables_and_metadata() -> None:
    raw = (
        rb"{\rtf1\ansi\ansicpg1252{\info{\title L\'f8g}{\author Ada}{\creatim\yr2021\mo3\dy4}}"
        rb"Built in 1811.\par \u9786? Gr\'fc\'dfe\par \trowd Port\cell Depth\cell\row "
        rb"\trowd Lule\'e5\cell 11\cell\row \pard{\loch\*\cs7 Nothing is lost.}\par}"
    )
    extracted = read_office(raw, suffix=".rtf")
    assert blocks(extracted) == [
        "Built in 1811.",
        "☺ Grüße",
        "Port | Depth\nLuleå | 11",
        "Nothing is lost.",
    ]
    assert extracted.metadata == {"title": "Løg", "author": "Ada", "date": "2021-03-04"}


HEXADECIMAL = b"89504e470d0a1a0a" * 2000
BINARY = bytes(range(256)) + rb"{{}{{ \par \bin5 }}"


@pytest.mark.parametrize(
    "picture",
    [
        rb"{\pict\pngblip\picw1 " + HEXADECIMAL + b"}",
        rb"{\pict\pngblip\bin%d " % len(BINARY) + BINARY + b"}",
        rb"{\pict{\*\picprop{\sp{\sn a}{\sv b}}}\pngblip\bin%d " % len(BINARY) + BINARY + b"}",
        rb"{\*\shppict{\pict\jpegblip{\*\blipuid 00}\n" + HEXADECIMAL + rb"}}{\nonshppict{\pict "
        rb"\bin3 }}}}}",
        rb"{\pict\bin " + HEXADECIMAL + b"}",
        rb"{\pict\bin9999999999 " + HEXADECIMAL + b"}",
        rb"{\pict\bin-5 " + HEXADECIMAL + b"}",
        rb"{\object{\*\objdata \bin%d " % len(BINARY) + BINARY + b"}{\\result }}",
        rb"\binfsxn15 ",
        rb"{\pictures\binsxn7\b\bin3 }}}}",
    ],
)
def test_rich_text_is_read_around_its_pictures_and_data(picture: bytes) -> None:
    raw = rb"{\rtf1\ansi Before \{1\}.\par " + picture + rb"\par See C:\\pictures\\bin.\par}"
    extracted = read_office(raw, suffix=".rtf")
    assert blocks(extracted) == ["Before {1}.", "See C:\\pictures\\bin."]


_PIECES = st.sampled_from(
    [
        b"{",
        b"}",
        b"\\",
        b"\\\\",
        b"\\pict",
        b"\\bin3 ",
        b"\\bin",
        b"abc",
        b"\\*",
        b"\\'5c",
        b"\\u99999999 ",
    ]
)


@given(st.lists(_PIECES, max_size=30).map(b"".join))
def test_no_rich_text_makes_its_library_stumble(written: bytes) -> None:
    assert read_office(rb"{\rtf1 Begun. " + written, suffix=".rtf").text.startswith("Begun.")


def test_rich_text_that_ends_within_a_picture_keeps_what_stands_before() -> None:
    raw = rb"{\rtf1 Before.\par {\pict\pngblip " + HEXADECIMAL
    assert read_office(raw, suffix=".rtf").text == "Before."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"\uc One.", "One."),
        (rb"\u99999999? \u-99999? \u2000000000?x", "\ufffd \ufffd \ufffdx"),
        (rb"\u128674?!", "\U0001f6a2!"),
        (rb"\u55357?\u57042?", "\U0001f6d2"),
        (rb"{\f1 \'96\'6b}", "北"),
        (rb"caf\'e9", "café"),
    ],
)
def test_rich_text_that_its_library_stumbles_over_is_read(written: bytes, read: str) -> None:
    fonts = rb"{\fonttbl{\f0\fnil\fcharset0 Helvetica;}{\f1\fnil\fcharset78 HiraginoSans-W3;}}"
    raw = rb"{\rtf1\ansi\ansicpg0" + fonts + rb"\f0 " + written + rb"\par}"
    assert read_office(raw, suffix=".rtf").text == read


def test_rich_text_of_very_many_pictures_and_braces_takes_no_longer_than_its_length() -> None:
    picture = rb"{\pict " + b"{" * 50 + b"00" * 50 + b"}" * 50 + rb"}\par x "
    raw = rb"{\rtf1 " + picture * 5000 + b"{" * 200_000
    start = time.perf_counter()
    assert read_office(raw, suffix=".rtf").text.count("x") == 5000
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("suffix", [".xlsx", ".pptx", ".xls", ".msg", ".rtf", ".ipynb"])
def test_what_a_library_stumbles_over_is_reported_in_words_and_not_by_its_exception(
    suffix: str,
) -> None:
    empty = zipped({"xl/workbook.xml": "<x/>", "ppt/presentation.xml": "<x/>"})
    compound = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)
    rich = rb"{\rtf1{\fonttbl{\f0\fcharset" + b"9" * 5000 + b" A;}}x}"
    for raw in (b"", b"{", b'{"cells": 1, "nbformat": 4}', empty, compound, rich):
        with pytest.raises(UnreadableError) as raised:
            read_office(raw, suffix=suffix)
        assert not re.search(r"Error|Exception|Expected|0x|\bNone\b", str(raised.value))


def message(properties: dict[tuple[int, int], int], texts: dict[str, bytes]) -> bytes:
    """Give an Outlook message: an OLE2 file of streams that are padded to whole sectors."""
    fixed = b"".join(
        struct.pack("<HHIQ", kind, number, 0, value) for (kind, number), value in properties.items()
    )
    streams = {"__properties_version1.0": bytes(32) + fixed}
    streams |= {f"__substg1.0_{name}": text for name, text in texts.items()}
    nothing, end, size = 0xFFFFFFFF, 0xFFFFFFFE, 8  # sectors of a stream: less is kept elsewhere

    def entry(name: str, kind: int, right: int, child: int, start: int, length: int) -> bytes:
        coded = (name + "\0").encode("utf-16-le")
        about = struct.pack("<HBBIII", len(coded), kind, 1, nothing, right, child)
        return coded.ljust(64, b"\0") + about + bytes(36) + struct.pack("<IQ", start, length)

    directory = -(-(len(streams) + 1) // 4)
    entries = [entry("Root Entry", 5, nothing, 1, end, 0)]
    chains = [0xFFFFFFFD, *range(2, directory + 1), end]
    for number, name in enumerate(streams, 1):
        right = number + 1 if number < len(streams) else nothing
        entries.append(entry(name, 2, right, nothing, len(chains), size * 512))
        chains += [*range(len(chains) + 1, len(chains) + size), end]
    header = bytearray(bytes.fromhex("d0cf11e0a1b11ae1").ljust(512, b"\0"))
    struct.pack_into("<HHHHH", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<IIIIIIIII", header, 44, 1, 1, 0, 4096, end, 0, end, 0, 0)
    header[80:] = b"\xff" * 432
    table = struct.pack(f"<{len(chains)}I", *chains).ljust(512, b"\xff")
    data = b"".join(stream.ljust(size * 512, b"\0") for stream in streams.values())
    return bytes(header) + table + b"".join(entries).ljust(directory * 512, b"\0") + data


def test_a_message_is_read_with_its_subject_people_and_date() -> None:
    texts = {"0037": "Locks", "1000": "Opens at nine.\r\n \r\nRing.", "0E04": "Bo", "0C1A": "Åsa"}
    raw = message(
        {(0x0040, 0x0039): 133_512_192_000_000_000},
        {f"{name}001F": text.encode("utf-16-le") for name, text in texts.items()}
        | {"5D01001F": "asa@example.org".encode("utf-16-le")},
    )
    extracted = read_office(raw, suffix=".msg")
    assert blocks(extracted) == ["Opens at nine.", "Ring."]
    assert headings(extracted) == [("Locks",)]
    assert extracted.metadata == {
        "title": "Locks",
        "author": "Åsa <asa@example.org>",
        "to": "Bo",
        "date": "2024-02-01T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("page", "encoding", "text"),
    [(950, "cp950", "張毓倫"), (28592, "iso8859-2", "Żółw ślimak"), (51932, "euc_jp", "灯台の町")],
)
def test_a_message_that_is_not_in_unicode_is_read_in_its_code_page(
    page: int, encoding: str, text: str
) -> None:
    raw = message(
        {(3, 0x3FFD): page, (3, 0x3FDE): 65001},
        {"0037001E": text.encode(encoding), "1000001E": f"{text}!".encode()},
    )
    extracted = read_office(raw, suffix=".msg")
    assert extracted.metadata["title"] == text
    assert blocks(extracted) == [f"{text}!"]


@given(st.data())
def test_a_damaged_message_is_read_or_refused_in_words(data: st.DataObject) -> None:
    raw = bytearray(message({(3, 0x3FFD): 950}, {"0037001E": b"Locks", "1000001E": b"Open."}))
    for _ in range(data.draw(st.integers(1, 20))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnreadableError):
        read_office(bytes(raw[: data.draw(st.integers(0, len(raw)))]), suffix=".msg")


def test_a_notebook_has_the_headings_of_its_text_and_its_code_as_lines() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Tides\n", "\n", "High at noon."]},
        {"cell_type": "code", "source": ["level_m = 3"], "outputs": []},
    ]
    extracted = read_office(json.dumps({"cells": cells, "nbformat": 4}).encode(), suffix=".ipynb")
    assert section_of(extracted, "High at noon.") == ("Tides",)
    assert section_of(extracted, "level_m = 3") == ("Tides",)
    assert "```python\nlevel_m = 3\n```" in extracted.text


def test_code_of_a_notebook_that_holds_a_fence_stays_one_block() -> None:
    cells = [{"cell_type": "code", "source": 'say("""\n```\n# Not a title\n```\n""")'}]
    written = {"cells": cells, "metadata": {"language_info": {"name": "julia"}}, "nbformat": 4}
    extracted = read_office(json.dumps(written).encode(), suffix=".ipynb")
    assert len(blocks(extracted)) == 1
    assert extracted.text.startswith("````julia\n")


@pytest.mark.parametrize(("suffix", "advice"), [(".doc", ".docx"), (".ppt", ".pptx")])
def test_formats_from_before_2007_are_named_with_what_to_do(suffix: str, advice: str) -> None:
    raw = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(100)
    reading = read_file(f"a{suffix}", raw, lambda *_: pytest.fail("nothing is converted"))
    assert f"save it as {advice}" in reading.problems[f"a{suffix}"]


def test_rich_text_under_the_name_of_a_word_document_is_read() -> None:
    reading = read_file("a.doc", rb"{\rtf1 Text.\par}", lambda kind, raw, _: reader_of(kind)(raw))
    assert reading.documents[0].text == "Text."


@pytest.mark.parametrize("kind", OFFICE)
def test_what_is_not_such_a_file_raises_and_never_gives_text(kind: str) -> None:
    for raw in (b"", b"\x00\x01 no such file", zipped({"a.txt": "text"})):
        with pytest.raises(UnreadableError):
            reader_of(kind)(raw)


@pytest.mark.skipif("QA_FORMATS" not in os.environ, reason="QA_FORMATS names no folder of files")
def test_real_files_are_read_or_refused_in_words() -> None:
    files = [
        file
        for file in Path(os.environ["QA_FORMATS"]).rglob("*")
        if file.suffix.lower()[1:] in OFFICE
    ]
    read = 0
    for file in files:
        try:
            extracted = read_office(file.read_bytes(), suffix=file.suffix.lower())
        except UnreadableError:
            continue
        read += 1
        assert extracted.sections or extracted.members
    assert read > len(files) / 3
