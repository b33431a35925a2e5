"""Which format a file is of, by its content first and its name second."""

from __future__ import annotations

import codecs
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from qa.reading.detect.decoding import byte_order_mark
from qa.reading.formats import CONVERTED, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENCRYPTED", "UNSUPPORTED", "Detected", "detect_format"]

UNSUPPORTED = "unsupported"
ENCRYPTED = "encrypted"
_BY_SUFFIX = {suffix: name for name, one in (TEXT | CONVERTED).items() for suffix in one.suffixes}
# Pages and mails, whose content says more than their names.
_BY_NAME = {
    **dict.fromkeys((".html", ".htm", ".xhtml", ".xht"), "html"),
    **dict.fromkeys((".eml", ".mht", ".mhtml"), "mail"),
}
_HEAD = 4096  # bytes that text is told by
_PDF_WITHIN = 1024  # bytes: what some programs write in front of a PDF is passed over
# What begins so is not text; where it could be, a NUL must follow.
_FOREIGN = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"8BPS", "a Photoshop image"),
    (b"AT&TFORM", "a DjVu document"),
    (b"\0\0\1\0", "an icon"),
    (b"\xd7\xcd\xc6\x9a", "a WMF image"),
    (b"RIFF", "a RIFF file (image, sound or film)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xffWPC", "a WordPerfect document"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"MSCF\0", "a cabinet archive"),
    (b"!<arch>\n", "an ar archive"),
    (b"\x78\x9f\x3e\x22", "a TNEF attachment (winmail.dat)"),
    (b"ID3", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"fLaC", "a FLAC recording"),
    (b"\x1aE\xdf\xa3", "a Matroska film"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\0asm", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PAR1", "a Parquet table"),
    (b"wOFF", "a font"),
    (b"\0\1\0\0\0", "a font"),
    (b"OTTO", "a font"),
    (b"%!PS", "a PostScript document"),
)
_MAGIC = {
    first: tuple(magic for magic in _FOREIGN if magic[0][:1] == first)
    for first in {magic[:1] for magic, _ in _FOREIGN}
}
_LETTERS = re.compile(rb"[ -~]+")
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STREAMS = (  # names are compared without regard to case
    ("encryptedpackage", ENCRYPTED, ""),
    ("__properties_version1.0", "msg", ""),
    ("worddocument", "doc", ""),
    ("workbook", "xls", ""),
    ("book", "xls", ""),
    ("powerpoint document", "ppt", ""),
    ("pp97_dualstorage", "ppt", ""),
    ("visiodocument", UNSUPPORTED, "a Visio drawing"),
)
_OPEN_DOCUMENT = {b"text": "odt", b"spreadsheet": "ods", b"presentation": "odp"}
_OFFICE_PARTS = (("word/", "docx"), ("xl/", "xlsx"), ("ppt/", "pptx"))
_ZIPPED = {f".{name}": name for name in ("docx", "epub", "xlsx", "pptx", "odt", "ods", "odp")}
_MAX_NAMES = 20_000
_BIFF = re.compile(rb"\x09[\0\x02\x04\x08][\x04-\x10]\0")  # Excel before it had OLE2
_SPACE = rb"\s*(?:<\?(?:xml|php)[^>]*>\s*)?(?:<!--.*?-->\s*)*"
_PAGE = re.compile(rb"\A%s(?:<!doctype\s+html|<html[\s>])" % _SPACE, re.IGNORECASE | re.DOTALL)
_PAGE_END = re.compile(rb"</html\s*>", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<(?:\?xml|!DOCTYPE)\b")
_ROOT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)[\s/>]")
_FEEDS = frozenset({b"rss", b"feed", b"RDF"})
_HEADER = re.compile(rb"([!-9;-~]+):(?:[ \t]|\r?$)")
# White space and the line with which a mailbox opens a message, where a header follows.
_BEGINNING = re.compile(rb"\s*(?:From [^\n]*\n)?(?=>?[!-9;-~]+:)")
_HEADERS = frozenset(
    b"from to subject date received message-id return-path delivered-to mime-version".split()
)
_MAILBOX = re.compile(rb"\s*From [^\n]*\n>?[!-9;-~]+[: ]")
_NOTEBOOK = re.compile(rb'"nbformat"\s*:\s*\d')


class Detected(NamedTuple):
    """What a file is.

    `format` is a key of `formats.TEXT` or `formats.CONVERTED`; "doc" or "ppt", for which
    `reasons` has words; ENCRYPTED, where an office program did that; UNSUPPORTED, of which
    `description` says more, in words that continue "this is"; or "" for what may be plain text of
    any kind, or binary: to be told by decoding it.
    """

    format: str
    description: str = ""


def detect_format(raw: bytes, name: str) -> Detected:
    """The format of a file, by its content first and its name second."""
    suffix = name[name.rfind(".") :].lower() if "." in name.rpartition("/")[2] else ""
    named = _BY_SUFFIX.get(suffix, "")
    if named == "markdown":
        return Detected(named)
    head = raw[:_HEAD]
    if found := _by_magic(raw, head, suffix):
        return found
    return _by_text(raw, _narrow(head), suffix)


def _narrow(head: bytes) -> bytes:
    """The first bytes in an encoding in which ASCII is itself, without a mark."""
    mark, encoding = byte_order_mark(head)
    if mark in {b"", codecs.BOM_UTF8}:
        return head.removeprefix(mark)
    return head.decode(encoding, "replace").encode("utf-8", "replace")


def _by_magic(raw: bytes, head: bytes, suffix: str) -> Detected | None:
    if head.startswith(b"%PDF-") or (
        b"%PDF-" in head[:_PDF_WITHIN]
        and _BY_SUFFIX.get(suffix) not in TEXT
        and suffix not in _BY_NAME
    ):
        return Detected("pdf")
    if head.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\x08", b"PK00PK\3\4")):
        return _archive(raw, suffix)
    if head.startswith(_OLE2) or (suffix == ".xls" and _BIFF.match(head)):
        return _compound(raw, suffix)
    if head.lstrip().startswith(b"{\\rtf"):
        return Detected("rtf")
    what = _foreign(head)
    return Detected(UNSUPPORTED, what) if what else None


def _foreign(head: bytes) -> str:
    """What bytes are that are neither text nor of a format read here; "" where unknown."""
    for magic, what in _MAGIC.get(head[:1], ()):
        # Letters alone may begin a text as well, but it has no NUL.
        if head.startswith(magic) and (not _LETTERS.fullmatch(magic) or b"\0" in head[:512]):
            return what
    if head[257:262] == b"ustar":
        return "a tar archive"
    return "an MPEG-4 film, recording or image" if head[4:8] == b"ftyp" else ""


def _by_text(raw: bytes, head: bytes, suffix: str) -> Detected:
    written = _BY_SUFFIX.get(suffix)
    if written == "plain":  # a page or a mail under such a name must be a whole one
        headers = _headers(head)
        if headers >= 3:
            written = "mailbox" if _MAILBOX.match(head) else "mail"
        elif _PAGE.match(head) and _PAGE_END.search(raw[-2048:].replace(b"\0", b"")):
            written = "html"
    return Detected(written) if written else _marked(raw, head, suffix)


def _marked(raw: bytes, head: bytes, suffix: str) -> Detected:
    """The format of text whose suffix says little: mails, pages, feeds, notebooks."""
    headers = _headers(head)
    if suffix == ".mbox" or (suffix != ".eml" and headers > 1 and _MAILBOX.match(head)):
        return Detected("mailbox")
    is_page = _PAGE.match(head) is not None
    if headers > 1 or (_BY_NAME.get(suffix) == "mail" and not is_page):
        return Detected("mail")
    if is_page:
        return Detected("html")
    if suffix in {".json", ".ipynb"} or (head.lstrip()[:1] == b"{" and _NOTEBOOK.search(head)):
        is_notebook = _NOTEBOOK.search(raw) and b'"cells"' in raw
        return Detected("ipynb") if is_notebook else Detected(UNSUPPORTED, "JSON")
    if suffix in {".xml", ".svg", ".rss", ".atom"} or _XML.match(head):
        return _markup(head, suffix)
    return Detected(_BY_NAME.get(suffix, "" if suffix else "plain"))


def _headers(head: bytes) -> int:
    """Count the headers of a mail that the text begins with; 0 where other text stands there."""
    start = _BEGINNING.match(head)
    if start is None:
        return 0
    count = 0
    for line in head[start.end() :].split(b"\n"):
        if not line.strip():
            break
        match = _HEADER.match(line)
        if match is not None:
            count += match[1].lower() in _HEADERS
        elif line[:1] not in b" \t>":
            # Real mails have broken headers too, but then many good ones above.
            return count if count > 3 else 0
    return count


def _markup(head: bytes, suffix: str) -> Detected:
    body = re.sub(rb"(?s)<!--.*?-->|<\?.*?\?>", b"", head)
    match = _ROOT.search(body)
    root = match[1] if match else b""
    if root.lower() == b"html" or suffix in {".html", ".htm", ".xhtml", ".xht"}:
        return Detected("html")
    if root in _FEEDS:
        return Detected("feed")
    if root == b"svg" or suffix == ".svg":
        return Detected(UNSUPPORTED, "an SVG image")
    return Detected(UNSUPPORTED, "XML")


def _archive(raw: bytes, suffix: str) -> Detected:
    """The format of a ZIP archive, by the names in it and the type that some formats note."""
    names = list(islice(_names(raw), _MAX_NAMES))
    kind = raw[38:120] if raw[30:38] == b"mimetype" else b""
    if kind.startswith(b"application/epub+zip") or "META-INF/container.xml" in names:
        return Detected("epub")
    if kind.startswith(b"application/vnd.oasis.opendocument."):
        word = kind[35:]
        found = (to for start, to in _OPEN_DOCUMENT.items() if word.startswith(start))
        other = Detected(UNSUPPORTED, "an OpenDocument drawing or formula")
        return next(map(Detected, found), other)
    if "xl/workbook.bin" in names:
        return Detected(UNSUPPORTED, "a binary Excel workbook")
    if "[Content_Types].xml" in names:
        for part, format_ in _OFFICE_PARTS:
            if any(name.startswith(part) for name in names):
                return Detected(format_)
    if suffix in _ZIPPED:  # its reader says what is wrong with it
        return Detected(_ZIPPED[suffix])
    return Detected(UNSUPPORTED, "a ZIP archive")


def _names(raw: bytes) -> Iterator[str]:
    """The names of the entries, from the directory or, where that is damaged, from theirs."""
    from io import BytesIO
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(BytesIO(raw)) as archive:
            yield from archive.namelist()
    except (BadZipFile, ValueError, OSError, LookupError, NotImplementedError):
        at = raw.find(b"PK\3\4")
        while at >= 0:
            length = int.from_bytes(raw[at + 26 : at + 28], "little")
            yield raw[at + 30 : at + 30 + length].decode("utf-8", "replace")
            at = raw.find(b"PK\3\4", at + 4)


def _compound(raw: bytes, suffix: str) -> Detected:
    """The format of an OLE2 file, by the streams that stand at its root."""
    names = set(islice(_root_names(raw), _MAX_NAMES)) if raw.startswith(_OLE2) else set()
    for stream, format_, what in _STREAMS:
        if stream in names:
            return Detected(format_, what)
    if not names and suffix in {".doc", ".xls", ".ppt", ".msg"}:
        return Detected(suffix[1:])  # damaged: its reader says how
    return Detected(UNSUPPORTED, "an OLE2 file of another program")


def _root_names(raw: bytes) -> Iterator[str]:
    """Walk the tree of names below the root entry ([MS-CFB] 2.6)."""
    size = 1 << max(7, min(16, int.from_bytes(raw[30:32], "little")))

    def number(at: int) -> int:
        return int.from_bytes(raw[at : at + 4], "little")

    tables = [number(76 + 4 * i) for i in range(109)]
    chain: list[int] = []
    sector = number(48)
    while sector < 0xFFFFFFFA and len(chain) < 2000:
        chain.append((sector + 1) * size)
        table, entry = divmod(sector, size // 4)
        if table >= len(tables) or tables[table] >= 0xFFFFFFFA:
            break
        sector = number((tables[table] + 1) * size + 4 * entry)
        if not sector:
            break

    def entry_at(index: int) -> int:
        place, rest = divmod(index * 128, size)
        return chain[place] + rest if place < len(chain) else len(raw)

    waiting, seen = [number(entry_at(0) + 76)], set()
    while waiting:
        index = waiting.pop()
        at = entry_at(index)
        if index in seen or at + 128 > len(raw):
            continue
        seen.add(index)
        length = int.from_bytes(raw[at + 64 : at + 66], "little")
        yield raw[at : at + max(0, min(64, length) - 2)].decode("utf-16-le", "replace").lower()
        waiting += [number(at + 68), number(at + 72)]
