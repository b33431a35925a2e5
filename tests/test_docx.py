"""Word documents: all that a person sees in one is read, and cited by heading and paragraph."""

from __future__ import annotations

import os
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import docx
import pytest

from qa.reading.docx import read_docx
from qa.reading.extracted import UnreadableError
from qa.types import BlockKind, PlaceKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.reading.extracted import Extracted

TRANSITIONAL = "http://schemas.openxmlformats.org/{}/2006/{}"
WORD = TRANSITIONAL.format("wordprocessingml", "main")
RELATIONS = TRANSITIONAL.format("officeDocument", "relationships")
SPACES = (
    f'xmlns:w="{WORD}" xmlns:r="{RELATIONS}"'
    f' xmlns:m="{TRANSITIONAL.format("officeDocument", "math")}"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:v="urn:schemas-microsoft-com:vml"'
    f' xmlns:wp="{TRANSITIONAL.format("drawingml", "wordprocessingDrawing")}"'
    f' xmlns:pic="{TRANSITIONAL.format("drawingml", "picture")}"'
    f' xmlns:a="{TRANSITIONAL.format("drawingml", "main")}"'
    f' xmlns:dgm="{TRANSITIONAL.format("drawingml", "diagram")}"'
)
STYLES = """
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="Rubrik3"><w:name w:val="Rubrik 3"/></w:style>
<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="Heading2"/>
</w:style>
<w:style w:type="paragraph" w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/>
</w:style>
<w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>
"""


def p(*runs: str, style: str = "", properties: str = "") -> str:
    """One paragraph of runs; text that isn't markup becomes a run."""
    if style:
        properties += f'<w:pStyle w:val="{style}"/>'
    inner = "".join(run if run.startswith("<") else f"<w:r><w:t>{run}</w:t></w:r>" for run in runs)
    return f"<w:p><w:pPr>{properties}</w:pPr>{inner}</w:p>"


def table(*rows: list[str]) -> str:
    cells = ("".join(f"<w:tc>{cell}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


PACKAGE = TRANSITIONAL.format("package", "{}")
CORE = f"{PACKAGE.format('relationships')}/metadata/core-properties"
TYPES = "application/vnd.openxmlformats-officedocument.wordprocessingml.{}+xml"
ROOTS = {
    "styles": "w:styles",
    "numbering": "w:numbering",
    "footnotes": "w:footnotes",
    "endnotes": "w:endnotes",
    "comments": "w:comments",
    "header": "w:hdr",
    "diagramData": "dgm:dataModel",
}


def word(
    body: str,
    *,
    parts: dict[str, str] | None = None,
    embedded: dict[str, bytes] | None = None,
    core: str = "",
) -> bytes:
    """A Word document that python-docx opens.

    `parts` are named as their relation is, with their inner XML; `core` has the inner XML of the
    core properties; `embedded` has other documents by their names.
    """
    parts = {"styles": STYLES} | (parts or {})
    overrides = {"/word/document.xml": TYPES.format("document.main")}
    members: dict[str, str | bytes] = {}
    for kind, inner in parts.items():
        root = ROOTS[kind]
        members[f"word/{kind}.xml"] = f"<{root} {SPACES}>{inner}</{root}>"
        if root.startswith("w:"):
            overrides[f"/word/{kind}.xml"] = TYPES.format(kind)
    inside = [(f"{RELATIONS}/{kind}", f"{kind}.xml") for kind in parts]
    for name, data in (embedded or {}).items():
        members[f"word/embeddings/{name}"] = data
        inside.append((f"{RELATIONS}/package", f"embeddings/{name}"))
    outside = [(f"{RELATIONS}/officeDocument", "word/document.xml")]
    if core:
        members["docProps/core.xml"] = core
        outside.append((CORE, "docProps/core.xml"))
    members |= {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE.format("content-types")}">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="bin" ContentType="application/octet-stream"/>'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        + "".join(
            f'<Override PartName="{name}" ContentType="{kind}"/>'
            for name, kind in overrides.items()
        )
        + "</Types>",
        "_rels/.rels": related(outside),
        "word/_rels/document.xml.rels": related(inside),
        "word/document.xml": f"<w:document {SPACES}><w:body>{body}</w:body></w:document>",
    }
    raw = zipped(members)
    docx.Document(BytesIO(raw))
    return raw


def related(relations: list[tuple[str, str]]) -> str:
    """The relations of a part: of each its type and target; the last word of the type is its id."""
    inner = "".join(
        f'<Relationship Id="{kind.rpartition("/")[2]}" Type="{kind}" Target="{target}"/>'
        for kind, target in relations
    )
    return f'<Relationships xmlns="{PACKAGE.format("relationships")}">{inner}</Relationships>'


def zipped(members: dict[str, str | bytes]) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def changed(raw: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The same package with other parts, which may leave it damaged; without those that are None.

    Nothing here sees to it that another program would open it.
    """
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        parts = {name: change(name, archive.read(name)) for name in archive.namelist()}
    return zipped({name: data for name, data in parts.items() if data is not None})


def made_strict(raw: bytes) -> bytes:
    """The same document in the strict form, which python-docx doesn't open."""
    strict = b"http://purl.oclc.org/ooxml/"

    def change(_: str, data: bytes) -> bytes:
        data = data.replace(RELATIONS.encode(), strict + b"officeDocument/relationships")
        return data.replace(WORD.encode(), strict + b"wordprocessingml/main")

    return changed(raw, change)


def blocks(extracted: Extracted) -> list[str]:
    return [
        extracted.text[block.start : block.end]
        for section in extracted.sections
        for block in section.blocks
    ]


def paragraph_of(extracted: Extracted, quote: str) -> str:
    at = extracted.text.index(quote)
    return [place.value for place in extracted.places if place.start <= at][-1]


def section_of(extracted: Extracted, quote: str) -> tuple[str, ...]:
    at = extracted.text.index(quote)
    return next(
        section.heading_path
        for section in extracted.sections
        if any(block.start <= at < block.end for block in section.blocks)
    )


def test_a_fact_is_cited_by_the_headings_above_it_and_its_paragraph() -> None:
    extracted = read_docx(
        word(
            p("The Lighthouse", style="Titel")
            + p("History", style="berschrift1")
            + p("Long ago.")
            + p("")
            + p("Construction", style="Mine")
            + p("Stone", style="Rubrik3")
            + p("It was built in 1811.")
            + p("Today", style="berschrift1")
            + p("It is open.")
        )
    )
    where = ("The Lighthouse", "History", "Construction", "Stone")
    assert section_of(extracted, "built in 1811") == where
    assert section_of(extracted, "It is open.") == ("The Lighthouse", "Today")
    assert paragraph_of(extracted, "built in 1811") == "7"
    assert all(place.kind is PlaceKind.PARAGRAPH for place in extracted.places)


def test_the_package_that_these_tests_build_is_one_that_python_docx_reads() -> None:
    rows = [[p("Ship"), p("Built")], [p("Aurora"), p("1897")]]
    body = p("History", style="berschrift1") + item("one", 0) + table(*rows) + p("")
    comment = '<w:comment w:id="0" w:author="Ada"><w:p/></w:comment>'
    parts = {"numbering": numbering(("decimal", "%1")), "comments": comment}
    parts |= dict.fromkeys(("footnotes", "endnotes", "header", "diagramData"), "")
    opened = docx.Document(BytesIO(word(body, parts=parts, embedded={"a.bin": b"a"})))
    assert [paragraph.text for paragraph in opened.paragraphs] == ["History", "one", ""]
    assert opened.paragraphs[0].style is not None
    assert opened.paragraphs[0].style.name == "Heading 1"
    assert [cell.text for row in opened.tables[0].rows for cell in row.cells][2:] == [
        "Aurora",
        "1897",
    ]
    assert [one.author for one in opened.comments] == ["Ada"]


def test_a_paragraphs_number_is_its_place_among_all_paragraphs_of_the_body() -> None:
    box = f"<w:r><w:pict><v:textbox><w:txbxContent>{p('In a box.')}</w:txbxContent></v:textbox>"
    control = f"<w:sdt><w:sdtContent>{p('Controlled.')}</w:sdtContent></w:sdt>"
    inner = table([p("mast"), p("3")], [p("deck"), p("2")])
    goes_on = f"<w:tcPr><w:vMerge/></w:tcPr>{p('unseen')}"
    raw = word(
        p("")
        + p("", box + "</w:pict></w:r>")
        + table([p(""), p("Head") + p("two")], [inner + p(""), p("Crew")], [goes_on, p("Last")])
        + table([p("") + p("Framed.")])
        + control
        + p("The end.")
    )
    every = [
        "".join(text.text or "" for text in element.iter(f"{{{WORD}}}t"))
        for element in docx.Document(BytesIO(raw)).element.body.iter(f"{{{WORD}}}p")
        if not any(above.tag == f"{{{WORD}}}txbxContent" for above in element.iterancestors())
    ]
    extracted = read_docx(raw)
    for quote in ("Head", "mast", "Last", "Framed.", "Controlled.", "The end."):
        number = int(paragraph_of(extracted, quote))
        assert every[number - 1].startswith(quote)
    assert paragraph_of(extracted, "In a box.") == "2"


def drop_cap(letters: str, kind: str = "drop") -> str:
    return p(letters, properties=f'<w:framePr w:dropCap="{kind}" w:lines="3"/>')


def test_a_drop_cap_is_the_beginning_of_its_word() -> None:
    body = (
        p("Before.")
        + drop_cap("T")
        + p("he ship sailed.")
        + drop_cap("One", "margin")
        + p(" by one.")
        + p("A frame", properties='<w:framePr w:dropCap="none"/>')
        + p("beside.")
        + table([drop_cap("N") + p("o."), p("x")], [p("a"), p("b")])
        + drop_cap("Z")
    )
    extracted = read_docx(word(body))
    assert blocks(extracted) == [
        "Before.",
        "The ship sailed.",
        "One by one.",
        "A frame",
        "beside.",
        "No. | x\na | b",
        "Z",
    ]
    assert [paragraph_of(extracted, q) for q in ("The ship", "One by", "beside.")] == list("357")


def drawing(*, descr: str = "", title: str = "", inner: str = "", float_: bool = False) -> str:
    kind = "anchor" if float_ else "inline"
    return (
        f'<w:r><w:drawing><wp:{kind}><wp:docPr id="1" name="Picture 1" descr="{descr}"'
        f' title="{title}"/><a:graphic><a:graphicData><pic:pic><pic:nvPicPr>{inner}'
        f"</pic:nvPicPr></pic:pic></a:graphicData></a:graphic></wp:{kind}></w:drawing></w:r>"
    )


def test_what_is_said_of_a_picture_stands_where_the_picture_is() -> None:
    same = '<pic:cNvPr id="2" name="a.png" descr="The Aurora"/>'
    old = (
        '<w:r><w:pict><v:shape alt="An old chart&#10;of the sea" style="width:9pt"/></w:pict></w:r>'
    )
    both = (
        "<w:r><mc:AlternateContent><mc:Choice>"
        + drawing(descr="A lamp")[5:-6]
        + f"</mc:Choice><mc:Fallback>{old[5:-6]}</mc:Fallback></mc:AlternateContent></w:r>"
    )
    extracted = read_docx(
        word(
            p("See ", drawing(descr="The Aurora", inner=same), " here.")
            + p(drawing(title="Her captain"))
            + p(drawing(inner='<pic:cNvPr id="3" descr="Only here"/>'))
            + p("Chart:", old)
            + p(both)
        )
    )
    assert blocks(extracted) == [
        "See The Aurora here.",
        "Her captain",
        "Only here",
        "Chart: An old chart of the sea",
        "A lamp",
    ]
    assert paragraph_of(extracted, "Her captain") == "2"


def test_what_is_said_of_a_floating_picture_follows_the_paragraph_that_it_is_anchored_in() -> None:
    floats = drawing(descr="The quay in 1811", float_=True)
    old = '<w:r><w:pict><v:rect alt="A sail" style="position:absolute;left:0"/></w:pict></w:r>'
    body = p("Harbours", floats, style="berschrift1") + p("Read ", old, "on.")
    extracted = read_docx(word(body))
    assert blocks(extracted) == ["The quay in 1811", "Read on.", "A sail"]
    assert section_of(extracted, "Read on.") == ("Harbours",)


@pytest.mark.parametrize("name", ["Picture 3", "Content Placeholder 4", "C:\\a b\\scan.png", " "])
def test_the_name_that_a_program_gave_a_picture_is_not_read(name: str) -> None:
    assert read_docx(word(p("Text", drawing(descr=name), "."))).text == "Text."


def test_numbers_too_long_to_be_any_are_passed_over() -> None:
    endless = "9" * 5000
    level = f'<w:lvl w:ilvl="{endless}"><w:start w:val="{endless}"/></w:lvl>'
    parts = {"numbering": f'<w:abstractNum w:abstractNumId="7">{level}</w:abstractNum>'}
    properties = f'<w:outlineLvl w:val="{endless}"/><w:numPr><w:ilvl w:val="{endless}"/></w:numPr>'
    assert read_docx(word(p("Text.", properties=properties), parts=parts)).text == "Text."


def test_an_outline_level_makes_a_heading_without_any_style() -> None:
    heading = p("Scope", properties='<w:outlineLvl w:val="0"/>')
    body_text = p("All of it.", properties='<w:outlineLvl w:val="9"/>')
    assert section_of(read_docx(word(heading + body_text)), "All of it.") == ("Scope",)


def test_a_style_that_is_based_on_itself_is_read() -> None:
    assert read_docx(word(p("Round and round.", style="Loop"))).text == "Round and round."


def numbering(*levels: tuple[str, str]) -> str:
    """Definition 7, used by lists 1 and 2; the latter begins anew."""
    inner = "".join(
        f'<w:lvl w:ilvl="{at}"><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for at, (kind, text) in enumerate(levels)
    )
    return (
        f'<w:abstractNum w:abstractNumId="7">{inner}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="7"/><w:lvlOverride w:ilvl="0">'
        '<w:startOverride w:val="1"/></w:lvlOverride></w:num>'
    )


def item(text: str, level: int, *, of: int = 1, style: str = "") -> str:
    number = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{of}"/></w:numPr>'
    return p(text, properties=number, style=style)


def test_headings_and_clauses_have_the_numbers_that_word_shows() -> None:
    levels = [("decimal", "%1."), ("decimal", "%1.%2"), ("lowerLetter", "(%3)")]
    body = (
        item("Parties", 0, style="berschrift1")
        + item("Payment", 0, style="berschrift1")
        + item("Price", 1, style="Heading2")
        + item("Terms", 1, style="Heading2")
        + item("thirty days", 2)
        + item("or sixty", 2)
        + item("End", 0, style="berschrift1")
        + item("Reached", 1)
    )
    extracted = read_docx(word(body, parts={"numbering": numbering(*levels)}))
    assert section_of(extracted, "(b) or sixty") == ("2. Payment", "2.2 Terms")
    assert section_of(extracted, "3.1 Reached") == ("3. End",)


def test_a_list_that_begins_anew_counts_from_its_start_and_a_dot_is_no_number() -> None:
    levels = [("upperRoman", "%1)"), ("bullet", "•")]
    texts = (("a", 0, 1), ("b", 0, 1), ("dot", 1, 1), ("c", 0, 1), ("d", 0, 2), ("e", 0, 2))
    body = "".join(item(text, level, of=of) for text, level, of in texts)
    extracted = read_docx(word(body, parts={"numbering": numbering(*levels)}))
    assert blocks(extracted) == ["I) a", "II) b", "dot", "III) c", "I) d", "II) e"]


def test_a_style_numbers_its_paragraphs_unless_they_refuse() -> None:
    style = (
        '<w:style w:type="paragraph" w:styleId="Clause"><w:name w:val="Clause"/><w:pPr><w:numPr>'
        '<w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
    )
    refused = p("aside", style="Clause", properties='<w:numPr><w:numId w:val="0"/></w:numPr>')
    body = p("one", style="Clause") + refused + p("two", style="Clause")
    parts = {"styles": style, "numbering": numbering(("decimal", "§ %1"))}
    assert blocks(read_docx(word(body, parts=parts))) == ["§ 1 one", "aside", "§ 2 two"]


def test_a_table_is_a_line_a_row_with_the_number_of_its_first_paragraph_with_text() -> None:
    rows = [[p("Ship"), p("Built")], [p("Aurora"), p("1897", "", "")], [p(""), p("1900")]]
    extracted = read_docx(word(p("Before.") + table(*rows) + p("After.")))
    assert blocks(extracted) == ["Before.", "Ship | Built\nAurora | 1897\n | 1900", "After."]
    assert extracted.sections[0].blocks[1].kind is BlockKind.LINES
    assert [paragraph_of(extracted, q) for q in ("Ship", "Aurora", "1900", "After")] == list("2478")


def test_the_names_of_columns_stand_above_every_part_of_a_long_table() -> None:
    rows = [[p("Ship"), p("Built")]] + [[p(f"Vessel {n}"), p(str(n))] for n in range(200)]
    extracted = read_docx(word(table(*rows)))
    parts = blocks(extracted)
    assert len(parts) > 3
    assert all(part.startswith("Ship | Built\n") for part in parts)
    assert sum(part.count("\nVessel ") for part in parts) == 200
    assert all(len(part) < 1000 for part in parts)
    for number in (0, 57, 199):
        assert paragraph_of(extracted, f"Vessel {number} |") == str(2 * number + 3)


def test_a_cell_merged_over_rows_is_read_once() -> None:
    start = f'<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>{p("Fleet")}'
    goes_on = f"<w:tcPr><w:vMerge/></w:tcPr>{p('Fleet')}"
    extracted = read_docx(word(table([start, p("one")], [goes_on, p("two")])))
    assert extracted.text == "Fleet | one\n | two"


def test_a_table_within_a_cell_is_read_in_that_cell() -> None:
    inner = table([p("mast"), p("3")], [p("deck"), p("2")])
    extracted = read_docx(word(table([p("Parts"), p("Crew")], [inner + p(""), p("40")])))
    assert extracted.text == "Parts | Crew\nmast, 3; deck, 2 | 40"


def test_a_frame_of_one_cell_holds_paragraphs_and_headings() -> None:
    extracted = read_docx(word(table([p("Tide", style="berschrift1") + p("High at noon.")])))
    assert section_of(extracted, "High at noon.") == ("Tide",)


def test_notes_and_comments_follow_the_paragraph_that_refers_to_them() -> None:
    body = (
        p("The keel is oak.", '<w:r><w:footnoteReference w:id="2"/></w:r>', " It lasts.")
        + p("The sails are not.", '<w:r><w:endnoteReference w:id="1"/></w:r>')
        + p("Fine.", '<w:r><w:commentReference w:id="0"/></w:r>')
    )
    parts = {
        "footnotes": f'<w:footnote w:id="-1">{p("separator")}</w:footnote>'
        f'<w:footnote w:id="2">{p("From the forest of Sligo.")}</w:footnote>',
        "endnotes": f'<w:endnote w:id="1">{p("They are flax.")}</w:endnote>',
        "comments": f'<w:comment w:id="0" w:author="Ada">{p("Is it?")}</w:comment>',
    }
    extracted = read_docx(word(body, parts=parts))
    assert blocks(extracted) == [
        "The keel is oak. It lasts.",
        "From the forest of Sligo.",
        "The sails are not.",
        "They are flax.",
        "Fine.",
        "Comment by Ada: Is it?",
    ]
    assert paragraph_of(extracted, "forest of Sligo") == "1"
    assert paragraph_of(extracted, "Is it?") == "3"


def test_a_text_box_is_read_once_of_its_two_forms() -> None:
    box = f"<w:txbxContent>{p('Mind the step.')}</w:txbxContent>"
    both = (
        f"<w:r><mc:AlternateContent><mc:Choice><wps:txbx>{box}</wps:txbx></mc:Choice>"
        f"<mc:Fallback><v:textbox>{box}</v:textbox></mc:Fallback></mc:AlternateContent></w:r>"
    )
    old = f"<w:r><w:pict><v:textbox>{box.replace('step', 'gap')}</v:textbox></w:pict></w:r>"
    extracted = read_docx(word(p("Welcome ", both, "aboard.") + p(old)))
    assert blocks(extracted) == ["Welcome aboard.", "Mind the step.", "Mind the gap."]


def test_insertions_are_read_and_deletions_are_not() -> None:
    extracted = read_docx(
        word(
            p(
                "It sails ",
                "<w:del><w:r><w:delText>south</w:delText></w:r></w:del>",
                "<w:ins><w:r><w:t>north</w:t></w:r></w:ins>",
                "<w:moveFrom><w:r><w:t> gone</w:t></w:r></w:moveFrom>",
                "<w:moveTo><w:r><w:t> at dawn</w:t></w:r></w:moveTo>",
            )
        )
    )
    assert extracted.text == "It sails north at dawn"


def test_links_fields_and_content_controls_are_read_as_what_they_show() -> None:
    name = "<w:sdt><w:sdtContent><w:r><w:t>Aurora</w:t></w:r></w:sdtContent></w:sdt>"
    control = f"<w:sdt><w:sdtPr/><w:sdtContent>{p('Name: ', name)}</w:sdtContent></w:sdt>"
    field = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>PAGE</w:instrText></w:r>'
        "<w:r><w:t>7</w:t></w:r>"
    )
    link = '<w:hyperlink r:id="x"><w:r><w:t>the chart</w:t></w:r></w:hyperlink>'
    extracted = read_docx(word(control + p("See ", link, ", page ", field)))
    assert blocks(extracted) == ["Name: Aurora", "See the chart, page 7"]


def test_an_equation_is_written_in_a_line() -> None:
    def r(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    power = f"<m:sSup><m:e>{r('c')}</m:e><m:sup>{r('2')}</m:sup></m:sSup>"
    fraction = f"<m:f><m:num>{r('a+b')}</m:num><m:den>{r('2')}</m:den></m:f>"
    extracted = read_docx(word(p(f"<m:oMath>{r('E=m')}{power}{r('+')}{fraction}</m:oMath>")))
    assert extracted.text == "E=mc^2+(a+b)/2"


def test_the_words_of_a_diagram_are_read() -> None:
    diagram = '<w:r><w:drawing><dgm:relIds r:dm="diagramData"/></w:drawing></w:r>'
    words = "<a:p><a:r><a:t>Plan</a:t></a:r></a:p><a:p><a:r><a:t>Build</a:t></a:r></a:p>"
    extracted = read_docx(word(p("How:", diagram), parts={"diagramData": words}))
    assert blocks(extracted) == ["How:", "Plan", "Build"]


def test_hidden_text_is_left_out() -> None:
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t> unseen</w:t></w:r>"
    shown = '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> there</w:t></w:r>'
    assert read_docx(word(p("All", hidden, shown))).text == "All there"


def test_heads_of_pages_are_read_only_where_there_is_no_other_text() -> None:
    parts = {"header": p("Draft of May")}
    assert read_docx(word(p("Body."), parts=parts)).text == "Body."
    assert read_docx(word(p(""), parts=parts)).text == "Draft of May"


def test_the_strict_form_is_read_like_the_usual_one() -> None:
    raw = word(p("History", style="berschrift1") + p("Built in 1811."))
    assert read_docx(made_strict(raw)) == read_docx(raw)


def test_metadata_comes_from_the_core_properties() -> None:
    core = (
        f'<c:coreProperties xmlns:c="{PACKAGE.format("metadata/core-properties")}"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
        "<dc:title>Log</dc:title>"
        "<dc:creator>Ada</dc:creator><dcterms:created>2020-01-01T00:00:00Z</dcterms:created>"
        "<dcterms:modified>2021-05-06T07:08:09Z</dcterms:modified><dc:language>en</dc:language>"
        "<c:keywords>sea</c:keywords><dc:subject/></c:coreProperties>"
    )
    extracted = read_docx(word(p("Text."), core=core))
    assert extracted.metadata == {
        "title": "Log",
        "author": "Ada",
        "date": "2021-05-06T07:08:09Z",
        "language": "en",
        "keywords": "sea",
    }


@pytest.mark.parametrize("part", ["styles", "comments", "footnotes"])
@pytest.mark.parametrize("damage", [b"<", b"", None])
def test_a_damaged_or_missing_part_costs_no_more_than_that_part(
    part: str, damage: bytes | None
) -> None:
    note = '<w:r><w:commentReference w:id="0"/></w:r>'
    whole = word(p("Still here.", note), parts={part: ""})
    raw = changed(whole, lambda name, data: damage if name == f"word/{part}.xml" else data)
    assert read_docx(raw).text == "Still here."


def test_embedded_documents_are_members() -> None:
    raw = word(p("See inside."), embedded={"annex.bin": b"not read here"})
    assert [(one.name, one.raw) for one in read_docx(raw).members] == [
        ("annex.bin", b"not read here")
    ]


def test_a_document_type_is_refused_and_no_entity_expanded() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'

    def change(name: str, data: bytes) -> bytes:
        return bomb + data.replace(b"bomb", b"&b;") if name == "word/document.xml" else data

    with pytest.raises(UnreadableError, match="document type"):
        read_docx(changed(word(p("bomb")), change))


def test_parts_nested_without_end_are_refused() -> None:
    opening, closing = "<w:sdt><w:sdtContent>" * 3000, "</w:sdtContent></w:sdt>" * 3000

    def change(_: str, data: bytes) -> bytes:
        return data.replace(b"<w:body>", f"<w:body>{opening}".encode()).replace(
            b"</w:body>", f"{closing}</w:body>".encode()
        )

    with pytest.raises(UnreadableError, match="nested too deeply"):
        read_docx(changed(word(p("Deep.")), change))


def test_a_document_without_text_is_named_as_such() -> None:
    with pytest.raises(UnreadableError, match="no text in it"):
        read_docx(word(p("")))


def test_an_archive_without_a_document_is_named_as_such() -> None:
    with pytest.raises(UnreadableError, match="without an Office document"):
        read_docx(zipped({"a.txt": "text"}))


@pytest.mark.skipif("QA_FORMATS" not in os.environ, reason="QA_FORMATS names no folder of files")
def test_real_documents_are_read_or_refused_in_words() -> None:
    read = 0
    files = [f for f in Path(os.environ["QA_FORMATS"]).rglob("*") if f.suffix == ".docx"]
    for file in files:
        try:
            extracted = read_docx(file.read_bytes())
        except UnreadableError:
            continue
        read += 1
        assert extracted.text.strip() or extracted.members
    assert read > len(files) / 2
