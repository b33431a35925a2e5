"""The format of a file is told by its content, and by its name among texts."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.reading.detect.sniffing import Detected, detect_format

PAGE = b"<!-- x --><!DOCTYPE html>\n<html><body>Hello</body></html>\n"
MAIL = b"Received: from a\nFrom: a@example.org\nTo: b@example.org\nSubject: x\n\nHello.\n"
MBOX = b"From a@example.org Tue Mar  5 10:15:00 2024\n" + MAIL
NOTEBOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def archive(*names: str, mimetype: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        if mimetype:
            made.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        for name in names:
            made.writestr(zipfile.ZipInfo(name), b"x")  # no time: a test's name has these bytes
    return stream.getvalue()


def compound(*names: str) -> bytes:
    """Give an OLE2 file whose root holds these streams, as a chain of right siblings."""
    nothing = 0xFFFFFFFF

    def entry(name: str, kind: int, right: int, child: int) -> bytes:
        coded = (name + "\0").encode("utf-16-le")
        tree = struct.pack("<HBBIII", len(coded), kind, 1, nothing, right, child)
        return (coded.ljust(64, b"\0") + tree).ljust(128, b"\0")

    entries = [entry("Root Entry", 5, nothing, 1)]
    for number, name in enumerate(names, 1):
        entries.append(entry(name, 2, number + 1 if number < len(names) else nothing, nothing))
    directory = b"".join(entries)
    directory = directory.ljust(-(-len(directory) // 512) * 512, b"\0")
    sectors = len(directory) // 512
    chain = [*range(2, sectors + 1), 0xFFFFFFFE]
    table = struct.pack("<I", 0xFFFFFFFD) + b"".join(struct.pack("<I", one) for one in chain)
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0"))
    header[30:32] = struct.pack("<H", 9)
    header[48:52] = struct.pack("<I", 1)
    header[76:512] = struct.pack("<I", 0) + b"\xff" * 432
    return bytes(header) + table.ljust(512, b"\xff") + directory


OPEN = "application/vnd.oasis.opendocument."


@pytest.mark.parametrize(
    ("name", "raw", "format_"),
    [
        ("a.pdf", b"%PDF-1.7\n", "pdf"),
        ("a.bin", b"junk\n%PDF-1.4\n", "pdf"),
        ("a.txt", b"%PDF-1.4 is how such a file begins", "pdf"),
        ("a.pdf", PAGE, "html"),
        ("a.docx", archive("[Content_Types].xml", "word/document.xml"), "docx"),
        ("a.doc", archive("[Content_Types].xml", "word/document.xml"), "docx"),
        ("a.csv", archive("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        ("a", archive("[Content_Types].xml", "ppt/presentation.xml"), "pptx"),
        ("a.zip", archive("x", mimetype=b"application/epub+zip"), "epub"),
        ("a.x", archive("content.xml", mimetype=f"{OPEN}text".encode()), "odt"),
        ("a.x", archive("content.xml", mimetype=f"{OPEN}spreadsheet".encode()), "ods"),
        ("a.x", archive("content.xml", mimetype=f"{OPEN}presentation".encode()), "odp"),
        ("a.docx", archive("[Content_Types].xml", "word/document.xml")[:60], "docx"),
        ("a.bin", compound("WordDocument", "1Table"), "doc"),
        ("a.doc", compound("a", "b", "c", "d", "e", "Workbook"), "xls"),
        ("a.x", compound("PowerPoint Document"), "ppt"),
        ("a.x", compound("__nameid_version1.0", "__properties_version1.0"), "msg"),
        ("a.doc", b"{\\rtf1\\ansi Hello}", "rtf"),
        ("a.doc", PAGE, "html"),
        ("a.html", b"no tag at all", "html"),
        ("a.xhtml", b'<?xml version="1.0"?><html xmlns="x"><body/></html>', "html"),
        ("page", PAGE.decode().encode("utf-16"), "html"),
        ("page", b"\xef\xbb\xbf" + PAGE, "html"),
        ("a.txt", PAGE, "html"),
        ("a.txt", b"<html> is the tag that a page begins with.", "plain"),
        ("a.eml", b"Subject: only\n\nHello.\n", "mail"),
        ("mail", MAIL, "mail"),
        ("a.txt", MAIL, "mail"),
        ("a.mhtml", b"From: <x>\nMIME-Version: 1.0\nContent-Type: multipart/related\n\n", "mail"),
        ("a.txt", b"From: me\n\nA note.\n", "plain"),
        ("a.txt", b"Date: today\nSubject: bread\nThen some text: more\nand on.\n", "plain"),
        ("inbox", MBOX, "mailbox"),
        ("a.mbox", MBOX, "mailbox"),
        ("a.eml", MBOX, "mail"),
        ("a.ipynb", NOTEBOOK, "ipynb"),
        ("notebook", NOTEBOOK, "ipynb"),
        ("a.xml", b'<?xml version="1.0"?><!-- c --><rss version="2.0"/>', "feed"),
        ("a.xml", b'<feed xmlns="http://www.w3.org/2005/Atom"/>', "feed"),
        ("a.docx", compound("EncryptionInfo", "EncryptedPackage"), "encrypted"),
        ("a.csv", b"From: x,To: y\n1,2\n", "table"),
        ("a.tsv", b"a\tb\n", "table"),
        ("a.jsonl", b'{"a": 1}\n', "records"),
        ("a.md", PAGE, "markdown"),
        ("a.MD", MAIL, "markdown"),
        ("a.txt", b"Hello.\n", "plain"),
        ("README", b"Hello.\n", "plain"),
        ("a.rst", b"Title\n=====\n", "restructured"),
        ("a.adoc", b"= Title\n", "asciidoc"),
        ("b.d/a.PY", b"x = 1\n", "code"),
        ("a.unknown", b"Hello.\n", ""),
        ("b.md/README.unknown", b"\0\1\2", ""),
        ("a.txt", b"BMW and MZ are firms; PAR1 and RIFF are words.\n", "plain"),
        ("a.txt", b"", "plain"),
    ],
)
def test_formats_are_told(name: str, raw: bytes, format_: str) -> None:
    assert detect_format(raw, name) == Detected(format_)


@pytest.mark.parametrize(
    ("name", "raw", "what"),
    [
        ("a.txt", b"\x89PNG\r\n\x1a\n\0\0", "PNG"),
        ("a", b"\xff\xd8\xff\xe0\0", "JPEG"),
        ("a.bmp", b"BM\x36\0\0\0", "BMP"),
        ("a.zip", archive("a.txt"), "ZIP"),
        ("a.gz", b"\x1f\x8b\x08", "gzip"),
        ("a.tar", b"a.txt".ljust(257, b"\0") + b"ustar\0", "tar"),
        ("a.dat", b"\x78\x9f\x3e\x22", "TNEF"),
        ("a.vsd", compound("VisioDocument"), "Visio"),
        ("a.json", b'{"a": 1}', "JSON"),
        ("a.svg", b"<svg/>", "SVG"),
        ("a.xml", b'<?xml version="1.0"?><book/>', "XML"),
    ],
)
def test_what_is_unsupported_is_described(name: str, raw: bytes, what: str) -> None:
    found = detect_format(raw, name)
    assert found.format == "unsupported"
    assert what in found.description


@given(
    st.sampled_from(
        ["", *"PK\3\4 %PDF- \xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 <?xml From: {".split(" ")]
    ),
    st.binary(max_size=1200),
    st.sampled_from(["a", "a.txt", "a.doc", "a.docx", "a.xls", "a.xml", "a.html", ".md", ""]),
)
def test_any_bytes_are_told_without_failing(start: str, rest: bytes, name: str) -> None:
    raw = start.encode("latin-1") + rest
    assert isinstance(detect_format(raw, name), Detected)


@given(st.data())
def test_a_damaged_compound_file_is_told_without_failing(data: st.DataObject) -> None:
    raw = bytearray(compound("WordDocument", "1Table"))
    for _ in range(data.draw(st.integers(1, 30))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    assert isinstance(detect_format(cut, "a.doc"), Detected)


def test_text_is_told_without_importing_a_parser() -> None:
    code = (
        "import sys; before = set(sys.modules);"  # of what measures coverage, say
        "from qa.reading.detect.sniffing import detect_format as detect;"
        "detect(b'Hello.', 'a.txt'); detect(b'# Hi', 'a.md'); detect(b'x = 1', 'a.py');"
        "print([m for m in ('zipfile', 'email', 'csv', 'json', 'yaml', 'markdown_it', 'numpy')"
        " if m in sys.modules.keys() - before])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.skipif("QA_FORMATS" not in os.environ, reason="QA_FORMATS names no folder")
def test_real_files_are_what_their_suffix_says() -> None:
    own = {f".{name}": name for name in "pdf docx html epub pptx xlsx xls rtf".split()}
    own[".eml"] = "mail"
    seen: Counter[str] = Counter()
    for file in Path(os.environ["QA_FORMATS"]).rglob("*"):
        if file.is_file() and file.suffix in own:
            raw = file.read_bytes()
            found = detect_format(raw, file.name)
            assert found.format in {own[file.suffix], "encrypted"}, (file, found)
            seen[file.suffix] += 1
    assert seen
