"""PDF: what can't be read costs as little as can be, and is told."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from qa.assistant import Assistant
from qa.reading.extracted import UnreadableError
from qa.reading.pdf import read_pdf
from qa.reading.reasons import OCR_READS
from qa.reading.sandbox import budget
from qa.reading.sandbox.client import Converter

if TYPE_CHECKING:
    from pathlib import Path

    from qa.reading.extracted import Extracted

FONTS = (
    "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    # Numbers of glyphs, and nothing says which letters they are.
    "/U<</Type/Font/Subtype/Type0/BaseFont/Nameless/Encoding/Identity-H/DescendantFonts"
    "[<</Type/Font/Subtype/CIDFontType2/BaseFont/Nameless/DW 600/CIDSystemInfo"
    "<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>]>>>>"
)


def pdf_of(*pages: str, count: int = 0) -> bytes:
    """Give a PDF with these pages, each written as its drawing operators; "-" for a missing one."""
    bodies = ["<</Type/Catalog/Pages 2 0 R>>", ""]
    kids = []
    for content in pages:
        kids.append(f"{len(bodies) + 1} 0 R")
        if content == "-":
            kids[-1] = "9999 0 R"
            continue
        bodies.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {len(bodies) + 2} 0 R"
            f"/Resources<<{FONTS}>>>>"
        )
        bodies.append(f"<</Length {len(content)}>>\nstream\n{content}\nendstream")
    bodies[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {count or len(pages)}>>"
    raw = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(raw))
        raw += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return raw + (
        f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}"
        f"trailer\n<</Size {len(bodies) + 1}/Root 1 0 R>>\nstartxref\n{len(raw)}\n%%EOF\n"
    ).encode("latin-1")


def drawn(text: str, *, y: float, x: float = 72, meaning: bool = True) -> str:
    """Draw a line; without a meaning, its letters are numbers of glyphs."""
    if meaning:
        return f"BT /F 11 Tf {x} {y} Td ({text}) Tj ET "
    glyphs = "".join(f"{ord(letter) - 29:04x}" for letter in text)
    return f"BT /U 11 Tf {x} {y} Td <{glyphs}> Tj ET "


def place(found: Extracted, quote: str) -> str:
    start = found.text.index(quote)
    return [one.value for one in found.places if one.start <= start][-1]


PICTURE = "q 500 0 0 500 40 40 cm BI /W 1 /H 1 /CS /G /BPC 8 ID a EI Q"
RULE = "72 700 m 500 700 l S"


def test_of_a_page_with_letters_without_a_meaning_the_rest_is_read_and_the_loss_told() -> None:
    unknown = "".join(
        drawn("What stands here is not known", y=700 - 14 * row, meaning=False) for row in range(6)
    )
    found = read_pdf(
        pdf_of(
            drawn("The first page is read.", y=700),
            unknown + drawn("The bridge was opened in 1931.", y=400),
            unknown,
        )
    )
    assert found.text == "The first page is read.\n\nThe bridge was opened in 1931."
    assert place(found, "The bridge") == "2"
    assert found.warnings == ("2 of 3 pages contain letters without a meaning (pages 2-3)",)


def test_a_word_without_a_meaning_leaves_a_mark_in_its_line() -> None:
    line = drawn("The dose is", y=700) + drawn("250", y=700, x=135, meaning=False)
    found = read_pdf(pdf_of(line + drawn("mg a day.", y=700, x=160)))
    assert found.text == "The dose is \ufffd mg a day."
    assert found.warnings == ("1 of 1 page contains letters without a meaning (page 1)",)


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.booleans(), max_size=8), min_size=1, max_size=4))
def test_every_line_is_read_that_has_a_meaning_and_no_other(pages: list[list[bool]]) -> None:
    lines = [
        [
            (f"Line {row} of {page} ends here.", known)
            for row, known in zip("abcdefgh", marks, strict=False)
        ]
        for page, marks in zip(("one", "two", "three", "four"), pages, strict=False)
    ]
    raw = pdf_of(
        *(
            "".join(
                drawn(text, y=780 - 40 * row, meaning=known)
                for row, (text, known) in enumerate(page)
            )
            for page in lines
        )
    )
    written = [text for page in lines for text, known in page if known]
    if not written:
        with pytest.raises(UnreadableError):
            read_pdf(raw)
        return
    found = read_pdf(raw)
    assert " ".join(found.text.split()) == " ".join(written)
    assert bool(found.warnings) == any(not known for page in pages for known in page)


def test_pages_that_are_pictures_are_told_and_rules_and_blank_pages_are_not() -> None:
    text = drawn("This page has text.", y=700)
    found = read_pdf(pdf_of(text, PICTURE, "", RULE, PICTURE, PICTURE, text + PICTURE))
    (warning,) = found.warnings
    assert warning == (
        "3 of 7 pages are scans without text (pages 2, 5-6); "
        "`--ocr` reads them where ocrmypdf is installed"
    )
    assert found.metadata["pages without text"] == "2, 4, 5, 6"


def test_scans_on_which_the_same_line_is_stamped_are_told() -> None:
    stamp = drawn("Downloaded from the archive on 1 May.", y=20)
    pages = [stamp + PICTURE] * 4
    assert read_pdf(pdf_of(*pages)).warnings == (
        "4 of 4 pages are scans without text but for lines that repeat (pages 1-4)",
    )
    others = [
        drawn(f"Slide about {name}", y=700) + PICTURE for name in ("boats", "nets", "fish", "tar")
    ]
    assert not read_pdf(pdf_of(*others)).warnings


def test_pages_that_are_missing_are_told() -> None:
    text = drawn("This page has text.", y=700)
    assert read_pdf(pdf_of(text, "-", text, count=5)).warnings == (
        "3 of 5 pages are damaged or missing (pages 2, 4-5)",
    )
    assert read_pdf(pdf_of(text, count=1_000_000)).warnings == (
        "read up to page 1 of 1,000,000: more than 1,000 pages are damaged or missing",
    )


def test_a_file_without_losses_is_not_warned_of() -> None:
    assert not read_pdf(pdf_of(drawn("All is well.", y=700), "")).warnings


def test_a_file_that_takes_too_long_is_read_as_far_as_time_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = "".join(drawn(f"Line {row} of a book.", y=800 - 20 * row) for row in range(30))
    raw = pdf_of(*(page + drawn(f"Boat {n} sails.", y=410) for n in range(1, 2001)))
    monkeypatch.setattr(budget, "CPU_SECONDS", 1)
    monkeypatch.setattr(budget, "MAX_SECONDS", 0)
    found = read_pdf(raw)
    (warning,) = found.warnings
    assert warning.startswith("read up to page ")
    assert warning.endswith(" of 2,000: the rest takes too much time")
    last = int(found.metadata["pages"])
    assert 0 < last < 2000
    assert f"read up to page {last:,} of" in warning
    assert found.text.count("sails.") == last


def test_a_file_that_takes_too_much_memory_is_read_as_far_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qa.reading.pdf.MAX_HELD", 2500)
    raw = pdf_of(
        *(drawn(f"The boat {name} sails.", y=410) for name in ("Ida", "Ann", "Eve", "Una"))
    )
    found = read_pdf(raw)
    assert found.warnings == ("read up to page 3 of 4: the rest takes too much memory",)
    assert "Eve" in found.text
    assert "Una" not in found.text


def test_attached_files_that_are_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pdf = FPDF(unit="pt")
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.text(72, 90, "See the attachments.")
    for name in ("one.csv", "two.csv", "three.csv"):
        pdf.embed_file(basename=name, bytes=b"a,b\n1,2\n")
    monkeypatch.setattr("qa.reading.pdf.notes.MAX_ATTACHED_BYTES", 10)
    found = read_pdf(bytes(pdf.output()))
    assert len(found.members) == 1
    assert found.warnings == ("2 attached files left out: too much in all",)


def test_notes_that_are_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pdf = FPDF(unit="pt")
    pdf.add_page()
    for text in ("The date is wrong.", "So is the name."):
        pdf.text_annotation(100, 200, text)
    monkeypatch.setattr("qa.reading.pdf.notes.MAX_ANNOTATIONS", 1)
    assert read_pdf(bytes(pdf.output())).warnings == (
        "not all notes are read: there are too many (page 1)",
    )


def test_a_form_that_is_not_read_is_told() -> None:
    form = "<</Type/Catalog/NeedsRendering true/AcroForm<</Fields[]/XFA()>>/Pages 2 0 R>>"
    plain = "<</Type/Catalog/Pages 2 0 R>>"
    raw = pdf_of(drawn("Please wait.", y=700)).replace(plain.encode(), form.encode())
    (warning,) = read_pdf(raw).warnings
    assert "XFA" in warning
    with pytest.raises(UnreadableError, match="XFA"):
        read_pdf(pdf_of("").replace(plain.encode(), form.encode()))


def test_a_scan_is_the_only_file_that_is_not_read_where_ocrmypdf_is_missing(
    corpus: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus / "mixed.pdf").write_bytes(pdf_of(drawn("This page has text.", y=700), PICTURE))
    (corpus / "scan.pdf").write_bytes(pdf_of(PICTURE))
    monkeypatch.setenv("PATH", str(tmp_path))
    with Assistant(corpus, tmp_path / "index", cache=cache, ocr=True) as assistant:
        done = assistant.refresh()
        assert done.added == 4
        assert {one.document: one.indexed for one in done.problems} == {
            "mixed.pdf": True,
            "scan.pdf": False,
        }
        assert all("ocrmypdf is installed" in one.reason for one in done.problems)
        assert not assistant.refresh().changed  # nor are they tried again


@pytest.mark.skipif(sys.platform == "win32", reason="a stand-in written for the shell")
def test_with_ocr_the_pages_that_are_scans_are_read_or_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = pdf_of(drawn("This page has text.", y=700), PICTURE)
    better = pdf_of(drawn("This page has text.", y=700), drawn("So has this.", y=700))
    with Converter() as converter:
        assert OCR_READS in converter.convert("pdf", raw).warnings[0]
    for result, text in ((better, "So has this."), (raw, "This page has text.")):
        command = tmp_path / "ocrmypdf"
        (tmp_path / "result.pdf").write_bytes(result)
        command.write_text(f'#!/bin/sh\nfor last; do :; done\ncp "{tmp_path}/result.pdf" "$last"\n')
        command.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        with Converter(ocr=True) as converter:
            found = converter.convert("pdf", raw)
            assert text in found.text
            assert not any(map(converter.can_retry, found.warnings))
