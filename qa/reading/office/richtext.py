"""Rich text (RTF), read by striprtf, which is given what it can read."""

from __future__ import annotations

import codecs
import re

from striprtf.striprtf import rtf_to_text

from qa.reading.extracted import Composer, Extracted, UnreadableError
from qa.reading.office import guarded
from qa.reading.tables import add_table, by_column

__all__ = ["read_rich_text"]

# A control word with its number and the space that ends it, an escaped character, a brace.
_TOKEN = re.compile(rb"\\([A-Za-z]+)(-?\d{1,10})? ?|\\[^A-Za-z]|[{}]", re.DOTALL)
# Where a group doesn't begin with it, it means nothing; striprtf would leave out all that follows.
_STRAY_STAR = re.compile(r"(?<![{\\\s])\\\*")
# Fonts' charsets of the Macintosh that Python has no codec for, and what Windows has for them.
_CHARSETS = {78: 128, 79: 136, 80: 129, 82: 177, 85: 134, 86: 238, 87: 204, 88: 222, 89: 238}
_LATIN = 1252
_NOTHING = b"{}"  # parts what stands before it from what follows
_UNKNOWN = 0xFFFD


@guarded
def read_rich_text(raw: bytes) -> Extracted:
    """Read rich text, with its tables.

    Raises:
        UnreadableError: not rich text, damaged, or without text.
    """
    if not raw.lstrip().startswith(b"{\\rtf"):
        raise UnreadableError("not rich text, whatever its name says")
    composer = Composer()
    table: list[dict[int, str]] = []
    for line in [*_text_of(raw).replace("\xad", "").split("\n"), ""]:
        if line.endswith("|"):  # a row
            table.append(by_column(line.split("|")[:-1]))
            continue
        add_table(composer, table)
        table = []
        composer.add(line)
    return composer.finish(_metadata_of(raw))


def _text_of(raw: bytes) -> str:
    """The text, a paragraph or row of a table on each line."""
    text: str = rtf_to_text(_STRAY_STAR.sub("", _readable(raw).decode("latin-1")), errors="replace")
    # Characters beyond 16 bits are written as two halves.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _metadata_of(raw: bytes) -> dict[str, str]:
    """What the group `info` says; names and values are ASCII, or escaped as the text is."""
    raw = _readable(raw)
    found = re.search(rb"\\ansicpg\d+", raw)
    page = found[0].decode() if found else ""
    metadata = {}
    for name in ("title", "author", "subject", "keywords"):
        found = re.search(rb"\{\\" + name.encode() + rb"\s([^{}]*)\}", raw)
        if found:
            metadata[name] = rtf_to_text(
                f"{{\\rtf1{page} {found[1].decode('latin-1')}}}", errors="replace"
            )
    for time in ("revtim", "creatim"):
        found = re.search(rb"\\" + time.encode() + rb"\\yr(\d{1,4})\\mo(\d{1,2})\\dy(\d{1,2})", raw)
        if found and "date" not in metadata:
            year, month, day = map(int, found.groups())
            metadata["date"] = f"{year:04}-{month:02}-{day:02}" if year else ""
    return metadata


def _readable(raw: bytes) -> bytes:
    """Leave out pictures and other data, and put what striprtf stumbles over in other words.

    Data has a length, and may hold braces; what else is in a picture ends with its group.
    """
    kept: list[bytes] = []
    start = position = depth = 0  # `start` is where begins what is not kept yet
    picture: int | None = None  # how deep the group of a picture is that is being left out
    while token := _TOKEN.search(raw, position):
        position = token.end()
        word, argument = token[1], int(token[2] or 0)
        if token[0] == b"{":
            depth += 1
        elif token[0] == b"}":
            if picture == depth:
                start, picture = token.start(), None
            depth -= 1
        elif word == b"bin" and position + argument <= len(raw):
            position += max(0, argument)
            if picture is None:
                kept += raw[start : token.start()], _NOTHING
                start = position
        elif picture is not None:
            continue
        elif word == b"pict":
            kept.append(raw[start : token.start()])
            picture = depth
        elif (other := _reworded(token, argument)) is not None:
            kept += raw[start : token.start()], other
            start = position
    return b"".join(kept) + (raw[start:] if picture is None else b"")


def _reworded(token: re.Match[bytes], argument: int) -> bytes | None:
    """What striprtf reads instead of a word; None where it reads the word itself."""
    word = token[1] or b""
    other = None
    if token[0] == b"\\\\":  # with what follows, it looks like a word to striprtf
        other = rb"\'5c"
    elif word.startswith(b"bin"):  # trays of a printer; striprtf takes it for data
        other = _NOTHING
    elif word == b"u" and not -0x10000 <= argument <= 0x10FFFF:
        other = rb"\u%d " % _UNKNOWN
    elif word == b"uc" and token[2] is None:
        other = rb"\uc1 "
    elif word == b"fcharset" and argument in _CHARSETS:
        other = rb"\fcharset%d " % _CHARSETS[argument]
    elif word == b"ansicpg" and not _is_code_page(token[2] or b""):
        other = rb"\ansicpg%d " % _LATIN
    return other


def _is_code_page(number: bytes) -> bool:
    try:
        codecs.lookup(f"cp{number.decode()}")
    except LookupError:
        return False
    return True
