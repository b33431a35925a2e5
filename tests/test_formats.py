"""Documents of every format, end to end: asked, found, cited to the right place, verified."""

from __future__ import annotations

import email.message
import json
import os
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docx
import pytest
from fpdf import FPDF

from qa.assistant import Assistant
from qa.reading.extracted import Composer, Extracted, Member
from qa.reading.files import read_file
from qa.types import PlaceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.reading.sandbox.budget import Budget
    from qa.types import CitedPassage

FILLER = (
    "The committee met again and talked about the weather, the price of paper and the state of "
    "the stairs, without coming to any conclusion that would be worth writing down here. "
)


def pdf_of(pages: list[str]) -> bytes:
    pdf = FPDF()
    pdf.set_font("Helvetica", size=11)
    for text in pages:
        pdf.add_page()
        pdf.multi_cell(0, 6, text)
    return bytes(pdf.output())


def letter(subject: str, body: str, attachments: dict[str, bytes]) -> bytes:
    message = email.message.EmailMessage()
    message["Subject"] = subject
    message["From"] = "Alice Adams <alice@example.org>"
    message["To"] = "Bob Brown <bob@example.org>"
    message["Date"] = "Tue, 05 Mar 2024 10:00:00 +0100"
    message.set_content(body)
    for name, raw in attachments.items():
        kind = "application"
        message.add_attachment(raw, maintype=kind, subtype="octet-stream", filename=name)
    return message.as_bytes()


def word_file() -> bytes:
    document = docx.Document()
    document.core_properties.author = "Carla Cole"
    document.add_heading("Inventory", 1)
    document.add_paragraph(FILLER)
    document.add_heading("Boats", 2)
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Boat", "Colour of the sail"
    for boat, colour in (("Petrel", "crimson"), ("Gannet", "white")):
        row = table.add_row()
        row.cells[0].text, row.cells[1].text = boat, colour
    stream = BytesIO()
    document.save(stream)
    return stream.getvalue()


def book() -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
            '<rootfiles><rootfile full-path="content.opf" media-type="application/oebps-package'
            '+xml"/></rootfiles></container>',
        )
        archive.writestr(
            "content.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Lighthouses'
            "</dc:title><dc:creator>Dora Dean</dc:creator><dc:language>en</dc:language>"
            '<dc:identifier id="i">x</dc:identifier></metadata><manifest>'
            '<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>'
            '<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
        )
        for name, title, text in (
            ("one", "Beginnings", FILLER),
            (
                "two",
                "Keepers",
                "The keeper of the Skerry lighthouse kept eleven goats on the rock.",
            ),
        ):
            archive.writestr(
                f"{name}.xhtml",
                '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>'
                f'<h1 id="{name}">{title}</h1><p>{text}</p></body></html>',
            )
    return stream.getvalue()


PAGE = f"""<!doctype html><html lang="en"><head><title>Tide tables</title>
<meta name="author" content="Eve Ellis"></head><body>
<nav><a href="/">Home</a> <a href="/shop">Shop of spring tides</a></nav>
<div class="cookie-banner">We use cookies to remember the spring tide.</div>
<main><h1>Tide tables</h1><p>{FILLER}</p><h2 id="neap">Neap tides</h2><p>{FILLER}</p>
<h2 id="spring">Spring tides</h2><p>The highest spring tide of the year reaches 742 centimetres
at the old pier.</p></main><footer>Imprint</footer></body></html>"""


def make(folder: Path) -> None:
    """Write a document of each format, each with a fact of its own."""
    (folder / "notes").mkdir(parents=True)
    (folder / "notes" / "plan.md").write_text("# Plan\n\nThe crane is green.\n", "utf-8")
    (folder / "tides.html").write_text(PAGE, "utf-8")
    (folder / "minutes.pdf").write_bytes(
        pdf_of([FILLER * 3, FILLER * 2, "The vote on the ferry was won by nineteen to four."])
    )
    (folder / "inventory.docx").write_bytes(word_file())
    (folder / "lighthouses.epub").write_bytes(book())
    (folder / "budget.eml").write_bytes(
        letter(
            "Harbour budget",
            "Dear Bob,\n\nthe dredger will be sold to the Belgians.\n",
            {
                "annex.pdf": pdf_of([FILLER, "Annex B: the pilots are paid in herring."]),
                "list.csv": b"name,rank\nIvar,bosun\nTove,cook\n",
            },
        )
    )
    mails = [letter(f"Number {n}", f"The buoy number {n} is {c}.", {}) for n, c in enumerate("abc")]
    (folder / "old.mbox").write_bytes(
        b"".join(b"From x@y Tue Mar  5 10:00:00 2024\n" + one + b"\n\n" for one in mails)
    )
    (folder / "crew.csv").write_text(
        "name,born,trade\nKim Larsen,1950,sailmaker\nUna Moe,1961,diver\nPer Holm,1948,cooper\n",
        "utf-8",
    )
    (folder / "log.jsonl").write_text(
        json.dumps({"ship": "Fulmar", "cargo": "tar"})
        + "\n"
        + json.dumps({"ship": "Dunlin", "cargo": "amber"})
        + "\n",
        "utf-8",
    )
    (folder / "guide.rst").write_text(
        "Guide\n=====\n\nMooring\n-------\n\nMoor at the third bollard from the mill.\n", "utf-8"
    )
    (folder / "rules.adoc").write_text(
        "= Rules\n\n== Bells\n\nThe fog bell is rung every forty seconds.\n", "utf-8"
    )
    (folder / "signal.py").write_text(
        'def hoist_pennant(colour):\n    """Hoist the storm pennant at the signal mast."""\n'
        "    return colour\n",
        "utf-8",
    )


@pytest.fixture(scope="module", name="harbour")
def _harbour(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Assistant]:
    folder = tmp_path_factory.mktemp("harbour")
    make(folder)
    with Assistant(folder, tmp_path_factory.mktemp("index"), cache=str(cache)) as one:
        done = one.refresh()
        assert not done.problems
        yield one


def best(assistant: Assistant, question: str) -> CitedPassage:
    return assistant.ask(question, 1, threshold=0, refresh=False).passages[0]


@pytest.mark.parametrize(
    ("question", "said", "shown", "headings"),
    [
        ("How high is the highest spring tide?", "742", "tides.html#spring", "Spring tides"),
        ("How was the vote on the ferry won?", "nineteen", "minutes.pdf#page=3", ""),
        ("Is the Petrel crimson?", "crimson", "inventory.docx#paragraph=", "Boats"),
        ("How many goats did the keeper have?", "eleven", "lighthouses.epub#two", "Keepers"),
        ("Who buys the dredger?", "Belgians", "budget.eml", "Harbour budget"),
        ("How are the pilots paid?", "herring", "budget.eml/annex.pdf#page=2", ""),
        ("What is the rank of Tove?", "cook", "budget.eml/list.csv#row=2", ""),
        ("What about buoy number 1?", "number 1 is b", "old.mbox/0002.eml", "Number 1"),
        ("What is the trade of Una Moe?", "diver", "crew.csv#row=2", ""),
        ("What cargo has the Dunlin?", "amber", "log.jsonl#row=2", ""),
        ("Where should one moor?", "bollard", "guide.rst:", "Mooring"),
        ("How often is the fog bell rung?", "forty", "rules.adoc:", "Bells"),
        ("What hoists the storm pennant?", "storm pennant", "signal.py:", ""),
    ],
)
def test_a_fact_is_found_and_its_evidence_cited_where_it_stands(
    harbour: Assistant, question: str, said: str, shown: str, headings: str
) -> None:
    found = best(harbour, question)
    evidence = found.evidence.citation
    assert said in evidence.quote
    assert str(evidence).startswith(shown)
    assert headings in " / ".join(evidence.heading_path)
    place = harbour.show(str(evidence))
    assert said in place.citation.quote


def test_every_quote_of_every_format_is_verified_by_reading_its_file_again(
    harbour: Assistant,
) -> None:
    answer = harbour.ask("harbour", 100, threshold=0, refresh=False)
    assert {one.citation.format for one in answer.passages} >= {
        "html", "pdf", "docx", "epub", "mail", "table", "records", "markdown", "code",
    }  # fmt: skip
    verification = harbour.verify(answer)
    assert {one.verdict.value for one in verification.quotes} == {"verified"}


def test_what_surrounds_a_page_is_no_part_of_it(harbour: Assistant) -> None:
    for passage in harbour.ask("spring tide", 50, threshold=0, refresh=False).passages:
        assert "cookies" not in passage.citation.quote
        assert "Shop" not in passage.citation.quote


def test_documents_are_filtered_by_what_their_formats_tell_of_them(harbour: Assistant) -> None:
    def found(**filters: Any) -> set[str]:
        answer = harbour.ask("What is there?", 50, threshold=0, refresh=False, **filters)
        return {one.citation.document for one in answer.passages}

    assert found(where={"author": "Carla Cole"}) == {"inventory.docx"}
    assert found(where={"author": "dora*"}) == {"lighthouses.epub"}
    assert found(where={"author": "Eve Ellis"}) == {"tides.html"}
    assert found(where={"author": "alice*"}, within="budget.eml") == {"budget.eml"}
    assert "budget.eml" in found(since="2024-03-05", until="2024-03-05")
    assert found(within="budget.eml/**") == {"budget.eml/annex.pdf", "budget.eml/list.csv"}


def test_a_bad_file_is_named_and_costs_no_other(corpus: Path, tmp_path: Path, cache: Path) -> None:
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that follows makes sense")
    (corpus / "empty.docx").write_bytes(b"PK\x03\x04 not an archive")
    (corpus / "letter.eml").write_bytes(
        letter("Hi", "The mast is of spruce.", {"bad.pdf": b"%PDF-1.7\nno", "ok.txt": b"Good."})
    )
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as assistant:
        done = assistant.refresh()
        named = {one.document for one in done.problems}
        assert named == {"broken.pdf", "empty.docx", "letter.eml/bad.pdf"}
        assert done.added == 4
        assert assistant.ask("What is the mast made of?").answered
        again = assistant.refresh()
        assert (again.added, again.changed, again.encoded) == (0, 0, 0)
        assert {one.document for one in again.problems} == named
        assert {one.document for one in assistant.status().problems} == named
        (corpus / "broken.pdf").write_bytes(pdf_of(["The keel is of oak."]))
        mended = assistant.refresh()
        assert {one.document for one in mended.problems} == named - {"broken.pdf"}
        assert "oak" in assistant.ask("What is the keel made of?").passages[0].citation.quote


def test_what_is_missing_from_a_document_is_told_of_the_document_it_is_missing_from() -> None:
    def convert(kind: str, raw: bytes, budget: Budget) -> Extracted:
        composer = Composer()
        composer.add(f"What {kind} says.")
        if kind == "mail":
            return composer.finish(members=[Member("scan.pdf", raw=b"%PDF-1.7")])
        return composer.finish(warnings=["1 of 2 pages is a scan", "the rest is too long"])

    reading = read_file("post.eml", b"From: Ida\nSubject: Maps\n\nSee below.\n", convert)
    assert [document.id for document in reading.documents] == ["post.eml", "post.eml/scan.pdf"]
    assert reading.warnings == {"post.eml/scan.pdf": "1 of 2 pages is a scan; the rest is too long"}
    assert not reading.problems


def test_a_removed_mail_takes_its_attachments_with_it(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    file = corpus / "letter.eml"
    file.write_bytes(letter("Hi", "See below.", {"note.txt": b"The rudder is of ash."}))
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as assistant:
        (found,) = assistant.ask("What is the rudder made of?", 1).passages
        assert found.citation.document == "letter.eml/note.txt"
        assert found.citation.file == "letter.eml"
        file.unlink()
        assert not assistant.ask("What is the rudder made of?").answered
        assert assistant.status().documents == 3


def test_what_a_file_is_is_told_by_its_content(corpus: Path, tmp_path: Path, cache: Path) -> None:
    (corpus / "report").write_bytes(pdf_of(["The anchor weighs two tons."]))
    (corpus / "page.pdf").write_text(PAGE, "utf-8")
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as assistant:
        (anchor,) = assistant.ask("How heavy is the anchor?", 1).passages
        assert (anchor.citation.document, anchor.citation.page) == ("report", 1)
        (tide,) = assistant.ask("How high is the highest spring tide?", 1).passages
        assert (tide.citation.format, tide.citation.anchor) == ("html", "spring")


def test_text_and_markdown_pay_for_no_parser(corpus: Path, tmp_path: Path, cache: Path) -> None:
    import subprocess

    program = (
        "import sys; from qa import Assistant\n"
        f"with Assistant({str(corpus)!r}, {str(tmp_path)!r} + '/i', cache={str(cache)!r}) as a:\n"
        "    assert a.ask('What do whales eat?').answered\n"
        "for name in ('selectolax', 'pypdfium2', 'email.parser', 'qa.reading.sandbox.client'):\n"
        "    assert name not in sys.modules, name\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_place_is_a_page_of_the_whole_document(harbour: Assistant) -> None:
    place = harbour.show("minutes.pdf#page=2")
    assert place.citation.page == 2
    assert place.citation.quote.startswith("The committee met")
    assert "nineteen" not in place.citation.quote


def test_where_places_are_said_they_hold_for_every_passage(harbour: Assistant) -> None:
    answer = harbour.ask("harbour", 100, threshold=0, refresh=False)
    for one in answer.passages:
        kinds = {
            "pdf": PlaceKind.PAGE, "docx": PlaceKind.PARAGRAPH, "table": PlaceKind.ROW,
            "records": PlaceKind.ROW, "epub": PlaceKind.CHAPTER,
        }  # fmt: skip
        if kind := kinds.get(one.citation.format):
            assert getattr(one.citation, kind) is not None


@pytest.mark.skipif(not os.environ.get("QA_FORMATS"), reason="QA_FORMATS names no folder of files")
def test_no_real_file_stops_the_others(tmp_path: Path, cache: Path) -> None:
    from qa.corpus import FolderCorpus

    corpus = FolderCorpus(Path(os.environ["QA_FORMATS"]), max_file_size=1 << 26)
    for file in corpus.scan().stamps:
        reading = corpus.read(file)
        assert reading.documents or reading.problems or file.endswith(".mbox"), file
    corpus.close()
