"""PDF: what a page says, in reading order, and the page it stands on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from fpdf import FPDF
from fpdf.enums import EncryptionMethod
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from qa.reading.extracted import Extracted, UnreadableError
from qa.reading.pdf import read_pdf
from qa.reading.sandbox.ocr import OcrMissingError, ocr_pdf
from qa.types import BlockKind, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Sequence


FORMATS = os.environ.get("QA_FORMATS", "")
PROSE = (
    "The harbour of the old town was built by fishermen who had come down the river in spring. "
    "They chose the northern bank, since the wind there was weaker than on the other side. "
    "A church followed, then a market, and after a hundred years a wall with seven gates. "
    "Nothing of it is left today but a single tower, in which the archive keeps its maps."
)


def paper() -> FPDF:
    """Give an empty document in points, with one page."""
    pdf = FPDF(unit="pt", format="A4")
    pdf.set_auto_page_break(auto=False)
    pdf.set_font("Helvetica", size=11)
    pdf.add_page()
    return pdf


def write(pdf: FPDF, lines: Sequence[str], *, x: float = 72, y: float = 90) -> float:
    """Write lines below each other; give the height of the next."""
    for line in lines:
        pdf.text(x, y, line)
        y += 14
    return y


def wrapped(text: str, width: int) -> list[str]:
    """Cut a text into lines of at most so many characters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def read(pdf: FPDF) -> Extracted:
    return read_pdf(bytes(pdf.output()))


def blocks(found: Extracted) -> list[str]:
    return [found.text[b.start : b.end] for section in found.sections for b in section.blocks]


def place(found: Extracted, quote: str, kind: PlaceKind = PlaceKind.PAGE) -> str:
    """Give the place of that kind at which a quote begins."""
    start = found.text.index(quote)
    return [p.value for p in found.places if p.kind == kind and p.start <= start][-1]


def objects(*bodies: str) -> bytes:
    """Give a PDF with these objects, numbered from 1, of which the first is the catalog."""
    raw = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(raw))
        raw += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(raw)
    raw += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode()
    raw += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    return raw + (
        f"trailer\n<</Size {len(bodies) + 1} /Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n".encode()
    )


def stream(content: str) -> str:
    return f"<</Length {len(content)}>>\nstream\n{content}\nendstream"


def test_a_fact_on_the_third_page_is_found_there() -> None:
    pdf = paper()
    write(pdf, ["The first page speaks of the weather."])
    pdf.add_page()
    write(pdf, ["The second page speaks of the harvest."])
    pdf.add_page()
    write(pdf, ["The bridge was opened in 1931."])
    found = read(pdf)
    assert place(found, "The bridge was opened in 1931.") == "3"
    assert place(found, "harvest") == "2"
    assert blocks(found)[2] == "The bridge was opened in 1931."


def test_a_page_without_text_still_counts() -> None:
    pdf = paper()
    pdf.add_page()
    write(pdf, ["After an empty page."])
    assert place(read(pdf), "After") == "2"


@pytest.mark.parametrize("drawn", ["column by column", "line by line"])
def test_columns_are_read_one_after_the_other(drawn: str) -> None:
    pdf = paper()
    lines = wrapped(PROSE, 45)
    half = len(lines) // 2
    left, right = lines[:half], lines[half : 2 * half]
    if drawn == "column by column":
        write(pdf, left, x=60)
        write(pdf, right, x=320)
    else:
        for row, (one, other) in enumerate(zip(left, right, strict=True)):
            write(pdf, [one], x=60, y=90 + 14 * row)
            write(pdf, [other], x=320, y=90 + 14 * row)
    found = read(pdf)
    assert " ".join(found.text.split()) == " ".join([*left, *right])


def test_what_stands_above_is_read_first_however_it_is_drawn() -> None:
    pdf = paper()
    write(pdf, ["This line is drawn first and stands at the end."], y=400)
    write(pdf, ["This line is drawn last and stands at the top."], y=90)
    assert blocks(read(pdf))[0].startswith("This line is drawn last")


def test_a_paragraph_is_one_block_and_the_next_begins_after_a_gap() -> None:
    pdf = paper()
    y = write(pdf, wrapped(PROSE, 70))
    write(pdf, wrapped(PROSE.upper(), 50), y=y + 10)
    assert blocks(read(pdf)) == [PROSE, PROSE.upper()]


def test_a_paragraph_begins_where_a_line_is_indented() -> None:
    pdf = paper()
    lines = wrapped(PROSE, 70)
    y = write(pdf, lines)
    y = write(
        pdf, ["Indented is the first line of what comes after the first paragraph,"], x=90, y=y
    )
    write(pdf, ["and its second line is not."], y=y)
    assert len(blocks(read(pdf))) == 2


def test_a_word_cut_at_a_lines_end_is_made_whole() -> None:
    pdf = paper()
    write(pdf, ["The committee asked for more infor-", "mation about the harbour."])
    assert "more information about" in read(pdf).text


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["It is a long-term plan, and a long-", "term plan is slow."], "a long-term plan is slow"),
        (["Children of the Anglo-", "Saxon kings."], "Anglo-Saxon kings"),
        (["They met in a state-of-the-", "art building."], "state-of-the-art building"),
        (
            ["Both short- and long-", "term plans, but short-", "and medium-sized."],
            "short- and medium",
        ),
        (["In the years 1914-", "1918 there was a war."], "1914-1918"),
    ],
)
def test_a_hyphen_that_belongs_to_a_word_stays(lines: list[str], expected: str) -> None:
    pdf = paper()
    write(pdf, lines)
    assert expected in read(pdf).text


def book(pages: int, *, first: int = 1) -> FPDF:
    """Give a document with a running head, and a page number at the foot of each page."""
    pdf = paper()
    for number in range(pages):
        if number:
            pdf.add_page()
        pdf.text(220, 40, "Annals of the Harbour")
        words = PROSE.split()
        turned = " ".join(words[7 * number :] + words[: 7 * number])
        write(pdf, wrapped(f"Here is the {number * number}th boat. {turned} End.", 70))
        pdf.text(290, 800, str(first + number))
    return pdf


def test_running_heads_and_page_numbers_are_dropped_but_a_head_is_kept_once() -> None:
    found = read(book(6))
    assert found.text.count("Annals of the Harbour") == 1
    assert len(blocks(found)) == 7
    assert [block[-5:] for block in blocks(found)[1:]] == [" End."] * 6


def test_rows_that_repeat_on_some_pages_are_not_running_heads() -> None:
    pdf = paper()
    for number in range(4):
        if number:
            pdf.add_page()
        write(pdf, [f"Total of the year: {number * number * 17 + 5} tons"])
        write(pdf, [f"Page {number} has other words. {PROSE[:50]}"], y=200)
    found = read(pdf)
    assert found.text.count("Total of the year") == 4


def test_pages_that_say_the_same_all_keep_their_text() -> None:
    pdf = paper()
    for number in range(4):
        if number:
            pdf.add_page()
        write(pdf, ["Left blank on purpose."])
    assert read(pdf).text.count("Left blank on purpose.") == 4


def test_a_paragraph_that_runs_on_to_the_next_page_is_one_block() -> None:
    pdf = paper()
    lines = wrapped(PROSE, 70)
    write(pdf, lines[:2], y=760)
    pdf.add_page()
    write(pdf, lines[2:])
    found = read(pdf)
    assert blocks(found) == [PROSE]
    assert place(found, lines[1]) == "1"
    assert place(found, lines[2]) == "2"


def test_a_paragraph_runs_on_across_a_footnote() -> None:
    pdf = paper()
    lines = wrapped(PROSE, 70)
    write(pdf, lines[:2], y=700)
    pdf.set_font_size(8)
    write(pdf, ["1 See the maps of the archive."], y=780)
    pdf.add_page()
    pdf.set_font_size(11)
    write(pdf, lines[2:])
    found = read(pdf)
    assert blocks(found) == [PROSE, "1 See the maps of the archive."]
    assert place(found, "See the maps") == "1"


def test_a_label_is_given_where_it_is_not_the_pages_number() -> None:
    pdf = paper()
    pdf.set_page_label(label_style="r", label_start=1)
    write(pdf, ["The preface thanks everybody."])
    pdf.add_page()
    pdf.set_page_label(label_style="D", label_start=7)
    write(pdf, ["The first chapter begins."])
    pdf.add_page()
    pdf.set_page_label(label_style="D", label_start=3)
    write(pdf, ["The second chapter begins."])
    found = read(pdf)
    assert place(found, "preface", PlaceKind.LABEL) == "i"
    assert place(found, "first chapter", PlaceKind.LABEL) == "7"
    assert not place(found, "second chapter", PlaceKind.LABEL)


def test_the_printed_number_is_the_label_where_the_file_has_none() -> None:
    found = read(book(5, first=41))
    assert place(found, "16th boat", PlaceKind.LABEL) == "45"
    assert not [p for p in read(book(5)).places if p.kind == PlaceKind.LABEL]


def test_headings_come_from_the_outline() -> None:
    pdf = paper()
    for title, level in (("The town", 0), ("Its river", 1), ("The country", 0)):
        pdf.start_section(title, level=level)
        y = write(pdf, [title], y=pdf.get_y() + 60)
        pdf.set_y(write(pdf, wrapped(PROSE, 70), y=y + 8))
    found = read(pdf)
    paths = [section.heading_path for section in found.sections]
    assert paths == [("The town",), ("The town", "Its river"), ("The country",)]


def test_headings_are_told_by_their_size_where_there_is_no_outline() -> None:
    pdf = paper()
    y = 60.0
    for title, size in (("The town", 20), ("Its river", 15), ("Its hills", 15), ("Notes", 11)):
        pdf.set_font("Helvetica", size=size, style="B" if size == 11 else "")
        write(pdf, [title], y=y)
        pdf.set_font("Helvetica", size=11)
        y = 30 + write(pdf, wrapped(PROSE, 70), y=y + 25)
    assert [section.heading_path for section in read(pdf).sections] == [
        ("The town",),
        ("The town", "Its river"),
        ("The town", "Its hills"),
        ("The town", "Its hills", "Notes"),
    ]


def test_a_table_gives_a_line_for_each_row() -> None:
    pdf = paper()
    for row, cells in enumerate(
        (("Boat", "Tons", "Year"), ("Anna", "12", "1904"), ("Ida", "9", "1911"))
    ):
        for column, cell in enumerate(cells):
            pdf.text(72 + 120 * column, 90 + 16 * row, cell)
    found = read(pdf)
    assert blocks(found) == ["Boat | Tons | Year\nAnna | 12 | 1904\nIda | 9 | 1911"]
    assert found.sections[0].blocks[0].kind is BlockKind.LINES


def test_a_long_table_repeats_its_names() -> None:
    pdf = paper()
    for row in range(31):
        cells = (f"Boat {row}", str(row * 7), str(1900 + row)) if row else ("Boat", "Tons", "Year")
        for column, cell in enumerate(cells):
            pdf.text(72 + 120 * column, 90 + 16 * row, cell)
    parts = blocks(read(pdf))
    assert len(parts) == 3
    assert all(part.startswith("Boat | Tons | Year\n") for part in parts)
    assert sum(part.count("\n") for part in parts) == 30


def test_a_table_of_contents_has_no_dots() -> None:
    pdf = paper()
    write(pdf, [f"Chapter {n} {'. ' * (40 - n)} {n * 11}" for n in range(1, 4)])
    assert blocks(read(pdf))[0].splitlines() == [
        "Chapter 1 | 11",
        "Chapter 2 | 22",
        "Chapter 3 | 33",
    ]


def test_lines_that_end_on_purpose_stay_lines() -> None:
    pdf = paper()
    lines = [
        "Harbour Office",
        "Quay 7",
        "Oldtown 4711",
        "Telephone 0123 456789, on weekdays until noon",
    ]
    write(pdf, lines)
    assert blocks(read(pdf)) == ["\n".join(lines)]


def test_code_stays_lines() -> None:
    pdf = paper()
    y = write(pdf, [*wrapped(PROSE, 70), "This is how it is called:"])
    pdf.set_font("Courier", size=11)
    write(pdf, ["boat = harbour.enter(name)", "boat.anchor()", "return boat"], y=y)
    code = "boat = harbour.enter(name)\nboat.anchor()\nreturn boat"
    assert blocks(read(pdf))[-1] == code


def test_a_paragraph_set_wider_than_its_page_is_one_block() -> None:
    pdf = paper()
    y = write(pdf, wrapped(f"{PROSE} {PROSE}", 70))
    for line in wrapped(PROSE, 70):
        y = write(pdf, [line], y=y + 8)
    assert blocks(read(pdf))[1:] == [PROSE]


def test_the_number_of_a_footnote_stands_before_it() -> None:
    pdf = paper()
    write(pdf, wrapped(PROSE, 70))
    pdf.set_font_size(6)
    pdf.text(72, 716, "1")
    pdf.set_font_size(9)
    pdf.text(80, 720, "See the maps of the archive.")
    assert blocks(read(pdf))[-1] == "1 See the maps of the archive."


def test_text_that_stands_upright_on_the_page_is_read() -> None:
    pdf = paper()
    write(pdf, ["What stands level is read."])
    with pdf.rotation(90, 300, 400):
        pdf.text(300, 400, "What is turned by a right angle is read as well.")
    with pdf.rotation(33, 300, 600):
        pdf.text(300, 600, "So is what stands askew.")
    found = blocks(read(pdf))
    assert sorted(found) == [
        "So is what stands askew.",
        "What is turned by a right angle is read as well.",
        "What stands level is read.",
    ]


def test_metadata_is_given_as_the_file_writes_it() -> None:
    pdf = paper()
    write(pdf, ["Some text."])
    pdf.set_title("On Harbours")
    pdf.set_author("Ida Boye")
    pdf.set_lang("en-GB")
    metadata = read(pdf).metadata
    assert metadata["title"] == "On Harbours"
    assert metadata["author"] == "Ida Boye"
    assert metadata["language"] == "en-GB"
    assert metadata["date"].startswith("D:")
    assert metadata["pages"] == "1"


def test_notes_on_a_page_are_read() -> None:
    pdf = paper()
    write(pdf, ["The page itself."])
    pdf.text_annotation(100, 200, "This date is wrong: it was 1905.")
    pdf.free_text_annotation("A remark in the margin.", 300, 200, 100, 40)
    found = blocks(read(pdf))
    assert "This date is wrong: it was 1905." in found
    assert "A remark in the margin." in found


def test_filled_fields_are_read_with_their_names() -> None:
    field = "<</Type/Annot/Subtype/Widget/Rect[0 0 99 20]/F 4/P 3 0 R"
    raw = objects(
        "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R 5 0 R 6 0 R]/DA(/F 9 Tf)>>>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Annots[4 0 R 5 0 R 6 0 R]>>",
        f"{field}/FT/Tx/T(surname)/TU(Family name)/V(Boye)>>",
        f"{field}/FT/Tx/T(empty)>>",
        f"{field}/FT/Ch/T(port)/V(Oldtown)/Opt[(Oldtown)(Newtown)]>>",
    )
    assert blocks(read_pdf(raw)) == ["Family name: Boye\nport: Oldtown"]


def test_attached_files_are_members() -> None:
    pdf = paper()
    write(pdf, ["See the attachment."])
    pdf.embed_file(basename="list.csv", bytes=b"a,b\n1,2\n", mime_type="text/csv")
    members = read(pdf).members
    assert [(member.name, member.raw) for member in members] == [("list.csv", b"a,b\n1,2\n")]


def test_a_file_attached_to_a_place_on_a_page_is_a_member() -> None:
    pdf = paper()
    write(pdf, ["See the attachment."])
    with TemporaryDirectory() as folder:
        Path(folder, "list.csv").write_bytes(b"a,b\n1,2\n")
        pdf.file_attachment_annotation(Path(folder, "list.csv"), 100, 200)
        found = read(pdf)
    assert [(member.name, member.raw) for member in found.members] == [("list.csv", b"a,b\n1,2\n")]


@pytest.mark.parametrize("angle", [1.2, -1.2, 33, 90, 180, 270])
def test_a_paragraph_reads_the_same_however_it_is_turned(angle: float) -> None:
    pdf = paper()
    with pdf.rotation(angle, 300, 400):
        write(pdf, wrapped(PROSE, 70), x=120, y=360)
    assert blocks(read(pdf)) == [PROSE]


def encrypted(*, user: str) -> bytes:
    pdf = paper()
    write(pdf, ["What is secret."])
    pdf.set_encryption(
        owner_password="owner",  # noqa: S106
        user_password=user,
        encryption_method=EncryptionMethod.RC4,
    )
    return bytes(pdf.output())


def test_an_encrypted_file_is_reported() -> None:
    with pytest.raises(UnreadableError, match="it is encrypted: a password is needed"):
        read_pdf(encrypted(user="secret"))


def test_a_file_that_opens_without_a_password_is_read() -> None:
    assert read_pdf(encrypted(user="")).text == "What is secret."


def scan(text: str) -> Image.Image:
    """Give the picture of a page, three hundred dots to the inch."""
    image = Image.new("L", (1600, 800), 255)
    ImageDraw.Draw(image).text((120, 120), text, fill=0, font=ImageFont.load_default(size=64))
    return image


def test_a_scan_without_text_is_reported() -> None:
    pdf = paper()
    pdf.image(scan("The bridge was opened in 1931."), x=0, y=0, w=500)
    with pytest.raises(UnreadableError, match="a scan without text; `--ocr` reads it"):
        read(pdf)


def test_where_only_some_pages_are_scans_the_others_are_read() -> None:
    pdf = paper()
    pdf.image(scan("The bridge was opened in 1931."), x=0, y=0, w=500)
    pdf.add_page()
    write(pdf, ["This page has text."])
    found = read(pdf)
    assert place(found, "This page has text.") == "2"
    assert found.metadata["pages without text"] == "1"


def test_an_empty_page_is_not_a_scan() -> None:
    with pytest.raises(UnreadableError, match="its pages are empty"):
        read(paper())


def test_a_file_without_pages_is_reported() -> None:
    raw = objects("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 0>>")
    with pytest.raises(UnreadableError):
        read_pdf(raw)


@pytest.mark.parametrize(
    "raw", [b"", b"%PDF-1.7", b"not a PDF at all", b"%PDF-1.7\n" + b"\0" * 999]
)
def test_what_is_no_pdf_is_reported(raw: bytes) -> None:
    with pytest.raises(UnreadableError, match="it is damaged, or not a PDF"):
        read_pdf(raw)


def test_a_file_cut_short_is_read_or_reported() -> None:
    raw = bytes(book(4).output())
    for end in range(0, len(raw), len(raw) // 40):
        try:
            found = read_pdf(raw[:end])
        except UnreadableError:
            continue
        assert found.text


def test_a_file_whose_table_of_objects_is_wrong_is_read_all_the_same() -> None:
    raw = bytes(book(4).output())
    start = raw.rindex(b"startxref")
    assert "Annals of the Harbour" in read_pdf(raw[:start] + b"startxref\n7\n%%EOF\n").text


def test_a_million_pages_that_are_not_there_are_not_waited_for() -> None:
    raw = objects(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1000000>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R"
        "/Resources<</Font<</F 5 0 R>>>>>>",
        stream("BT /F 12 Tf 50 250 Td (The only page.) Tj ET"),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    found = read_pdf(raw)
    assert found.text == "The only page."
    assert found.metadata["pages"] == "1"


def test_an_outline_that_runs_in_circles_comes_to_an_end() -> None:
    raw = objects(
        "<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R"
        "/Resources<</Font<</F 5 0 R>>>>>>",
        stream("BT /F 12 Tf 50 250 Td (The only page.) Tj ET"),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        "<</Type/Outlines/First 7 0 R/Last 7 0 R/Count 1>>",
        "<</Title(Round)/Parent 6 0 R/First 7 0 R/Next 7 0 R/Dest[3 0 R/Fit]>>",
    )
    assert read_pdf(raw).text == "The only page."


def test_pages_that_hold_each_other_come_to_an_end() -> None:
    raw = objects(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 2>>",
        "<</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count 2>>",
    )
    with pytest.raises(UnreadableError):
        read_pdf(raw)


def test_the_same_bytes_give_the_same_text() -> None:
    raw = bytes(book(5).output())
    assert read_pdf(raw) == read_pdf(raw)


@hypothesis_settings(max_examples=40)
@given(
    st.lists(
        st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ.,;", min_size=1, max_size=12),
        min_size=1,
        max_size=400,
    ),
    st.integers(min_value=20, max_value=80),
)
def test_every_word_of_a_page_is_read_in_its_order(words: list[str], width: int) -> None:
    # A page's last line is a number of the page where it could be one, "I" for example.
    pages = [[*words[start : start + 100], "end"] for start in range(0, len(words), 100)]
    lines = [wrapped(" ".join(page), width)[:60] for page in pages]
    pdf = paper()
    for number, page in enumerate(lines):
        if number:
            pdf.add_page()
        write(pdf, page, x=40, y=20)
    written = [word for page in lines for line in page for word in line.split()]
    assert read(pdf).text.split() == written


def test_ocr_gives_a_scan_its_text() -> None:
    if shutil.which("ocrmypdf") is None:
        pytest.skip("ocrmypdf is not installed")
    pdf = paper()
    pdf.image(scan("The bridge was opened in 1931."), x=0, y=0, w=500)
    pdf.add_page()
    write(pdf, ["This page has text."])
    found = read_pdf(ocr_pdf(bytes(pdf.output())))
    assert place(found, "The bridge was opened in 1931.") == "1"
    assert place(found, "This page has text.") == "2"


def test_ocr_reports_what_it_cannot_read() -> None:
    if shutil.which("ocrmypdf") is None:
        pytest.skip("ocrmypdf is not installed")
    with pytest.raises(UnreadableError):
        ocr_pdf(b"not a PDF at all")
    with pytest.raises(UnreadableError, match="password"):
        ocr_pdf(encrypted(user="secret"))
    with pytest.raises(UnreadableError, match="took longer than"):
        ocr_pdf(bytes(book(3).output()), time_limit=0.01)


def test_ocr_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OcrMissingError) as error:
        ocr_pdf(bytes(paper().output()))
    assert "ocrmypdf" in str(error.value)
    assert "apt install ocrmypdf" in error.value.hint


@pytest.mark.skipif(not FORMATS, reason="QA_FORMATS names no folder of files")
def test_every_file_of_a_collection_is_read_or_reported() -> None:
    files = sorted(Path(FORMATS).rglob("*.pdf"))
    assert files
    for file in files:
        try:
            found = read_pdf(file.read_bytes())
        except UnreadableError:
            continue
        ends = [block.end for section in found.sections for block in section.blocks]
        assert all(end <= len(found.text) for end in ends), file
