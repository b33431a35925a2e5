"""E-books: chapters in reading order, their titles and anchors, and what can't be read."""

from __future__ import annotations

import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from qa.reading.epub import read_epub
from qa.reading.extracted import Extracted, UnreadableError
from qa.types import PlaceKind

FORMATS = os.environ.get("QA_FORMATS", "")

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
SPINE = '<itemref idref="one"/><itemref idref="two"/>'
METADATA = (
    "<dc:title>The Lighthouse</dc:title><dc:creator>Ada Berg</dc:creator>"
    "<dc:creator>Bo Dahl</dc:creator><dc:date>1987</dc:date><dc:language>en</dc:language>"
)
NAV = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>'
    '<nav epub:type="landmarks"><a href="ch/one.xhtml">Start</a></nav>'
    '<nav epub:type="toc"><ol><li><a href="ch/one.xhtml">Arrival</a></li>'
    '<li><a href="ch/two%20b.xhtml#start">The Storm</a></li></ol></nav></body></html>'
)
NCX = (
    '<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "ncx.dtd">'
    '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>'
    '<navPoint><navLabel><text>Arrival</text></navLabel><content src="ch/one.xhtml"/></navPoint>'
    '<navPoint><navLabel><text>The Storm</text></navLabel><content src="ch/two%20b.xhtml#start"/>'
    "</navPoint></navMap></ncx>"
)


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head>'
        f'<title/><link href="a.css"/></head><body>{body}</body></html>'
    )


ONE = page("<p>We came by boat.</p><h2 id='key'>The key</h2><p>It lay under the third stone.</p>")
TWO = page("<section id='start'><h1>The Storm</h1><p>It blew for nine days.</p></section>")


def book(members: dict[str, str | bytes] | None = None, **replaced: str) -> bytes:
    """Give a book of two chapters; a member given as "" is left out."""
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"{replaced.get('metadata', METADATA)}</metadata><manifest>"
        '<item id="two" href="ch/two%20b.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="one" href="ch/one.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>'
        f"<spine>{replaced.get('spine', SPINE)}</spine>"
        "</package>"
    )
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": package,
        "OPS/nav.xhtml": NAV,
        "OPS/ch/one.xhtml": ONE,
        "OPS/ch/two b.xhtml": TWO,
        **(members or {}),
    }
    stream = BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            if data:
                archive.writestr(name, data)
    return stream.getvalue()


def sections(read: Extracted) -> list[tuple[tuple[str, ...], list[str]]]:
    return [
        (section.heading_path, [read.text[block.start : block.end] for block in section.blocks])
        for section in read.sections
    ]


def place(read: Extracted, words: str, kind: PlaceKind) -> str:
    at = read.text.index(words)
    return [p.value for p in read.places if p.kind is kind and p.start <= at][-1]


TOLD = [
    (("Arrival",), ["We came by boat."]),
    (("Arrival", "The key"), ["It lay under the third stone."]),
    (("The Storm",), ["It blew for nine days."]),
]


def test_chapters_are_read_in_the_spines_order_under_their_titles_in_the_contents() -> None:
    assert sections(read_epub(book())) == TOLD


def test_a_book_of_version_2_has_its_titles_from_the_ncx() -> None:
    assert sections(read_epub(book({"OPS/nav.xhtml": NCX}))) == TOLD


def test_without_contents_a_chapter_has_its_own_headings_alone() -> None:
    read = read_epub(book({"OPS/nav.xhtml": ""}))
    assert [path for path, _ in sections(read)] == [(), ("The key",), ("The Storm",)]


def test_a_place_is_the_chapters_number_and_the_nearest_anchor_in_its_file() -> None:
    read = read_epub(book())
    assert place(read, "third stone", PlaceKind.CHAPTER) == "1"
    assert place(read, "third stone", PlaceKind.ANCHOR) == "ch/one.xhtml#key"
    assert place(read, "by boat", PlaceKind.ANCHOR) == "ch/one.xhtml"
    assert place(read, "nine days", PlaceKind.CHAPTER) == "2"
    assert place(read, "nine days", PlaceKind.ANCHOR) == "ch/two b.xhtml#start"


def test_a_chapter_without_a_title_does_not_stand_under_the_one_before() -> None:
    read = read_epub(book({"OPS/nav.xhtml": "", "OPS/ch/two b.xhtml": page("<p>Late.</p>")}))
    assert sections(read)[-1] == ((), ["Late."])


def test_titles_within_a_file_are_found_by_their_anchors() -> None:
    nav = NAV.replace("</ol>", '<li><a href="ch/one.xhtml#b">The Cellar</a></li></ol>')
    one = page("<p>Up.</p><p id='b'>THE CELLAR</p><p>Down.</p>")
    read = read_epub(book({"OPS/nav.xhtml": nav, "OPS/ch/one.xhtml": one}))
    assert sections(read)[:2] == [(("Arrival",), ["Up."]), (("The Cellar",), ["Down."])]


def test_metadata_is_the_packages() -> None:
    assert dict(read_epub(book()).metadata) == {
        "title": "The Lighthouse",
        "author": "Ada Berg, Bo Dahl",
        "date": "1987",
        "language": "en",
    }


def test_the_contents_are_not_read_as_a_chapter() -> None:
    spine = '<itemref idref="nav"/><itemref idref="one"/><itemref idref="two"/>'
    read = read_epub(book(spine=spine))
    assert sections(read) == TOLD
    assert place(read, "by boat", PlaceKind.CHAPTER) == "2"


def test_a_page_of_links_to_the_chapters_is_not_read() -> None:
    links = page("<h1>Contents</h1><p><a href='a'>One</a></p><p><a href='b'>Two</a></p>")
    read = read_epub(book({"OPS/ch/one.xhtml": links}))
    assert [path for path, _ in sections(read)] == [("The Storm",)]


def test_footnotes_and_lists_of_links_in_a_chapter_are_kept() -> None:
    one = page(
        "<p>A word<sup><a href='#n'>1</a></sup>.</p><aside id='n'><p>Its note.</p></aside>"
        "<footer><p>By the sea.</p></footer>"
    )
    read = read_epub(book({"OPS/ch/one.xhtml": one}))
    assert sections(read)[0][1] == ["A word.", "Its note.", "By the sea."]


def test_a_chapter_named_again_and_again_is_read_once() -> None:
    read = read_epub(book(spine='<itemref idref="two"/>' * 1000))
    assert read.text.count("nine days") == 1


def test_a_missing_chapter_does_not_take_the_others_along() -> None:
    read = read_epub(book({"OPS/ch/one.xhtml": ""}))
    assert sections(read) == TOLD[2:]


def test_without_a_spine_the_pages_are_read_in_the_manifests_order() -> None:
    assert [path[0] for path, _ in sections(read_epub(book(spine="")))] == [
        "The Storm",
        "Arrival",
        "Arrival",
    ]


def encryption(algorithm: str, member: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        f'<enc:EncryptionMethod Algorithm="{algorithm}"/><enc:CipherData>'
        f'<enc:CipherReference URI="{member}"/></enc:CipherData></enc:EncryptedData></encryption>'
    )


def test_a_locked_book_is_reported() -> None:
    locked = encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OPS/ch/one.xhtml")
    with pytest.raises(UnreadableError, match="encrypted"):
        read_epub(book({"META-INF/encryption.xml": locked, "OPS/ch/one.xhtml": os.urandom(99)}))


def test_hidden_fonts_lock_no_text() -> None:
    hidden = encryption("http://www.idpf.org/2008/embedding", "OPS/font.otf")
    assert sections(read_epub(book({"META-INF/encryption.xml": hidden}))) == TOLD


def test_declared_entities_are_refused_in_the_package(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret words", "utf-8")
    for entity in ('<!ENTITY a "aaaa">', f'<!ENTITY a SYSTEM "{(tmp_path / "secret").as_uri()}">'):
        package = f"<?xml version='1.0'?><!DOCTYPE package [{entity}]><package>&a;</package>"
        with pytest.raises(UnreadableError, match="entities"):
            read_epub(book({"OPS/book.opf": package}))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"META-INF/container.xml": "", "OPS/book.opf": ""}, "nothing says"),
        ({"OPS/book.opf": "<package>"}, "XML"),
        ({"OPS/ch/one.xhtml": "", "OPS/ch/two b.xhtml": ""}, "no text"),
        ({"OPS/ch/one.xhtml": page("<img src='a'/>"), "OPS/ch/two b.xhtml": ""}, "no text"),
        ({"OPS/ch/one.xhtml": "0" * 2**27 + "0"}, "limit"),
    ],
)
def test_what_is_damaged_empty_or_a_bomb_is_reported(
    members: dict[str, str | bytes], reason: str
) -> None:
    with pytest.raises(UnreadableError, match=reason):
        read_epub(book(members))


def test_what_is_no_archive_is_reported() -> None:
    for raw in (b"", b"PK\x03\x04", b"<html>", book()[:-40]):
        with pytest.raises(UnreadableError):
            read_epub(raw)


@pytest.mark.skipif(not FORMATS, reason="QA_FORMATS names no folder of real files")
def test_real_books_are_read_or_reported() -> None:
    paths = [path for path in Path(FORMATS).rglob("*.epub") if path.is_file()]
    read = 0
    for path in paths:
        with suppress(UnreadableError):
            read += bool(read_epub(path.read_bytes()).sections)
    assert read > len(paths) / 2
