"""Encodings as web pages and e-mail name them, and encoded words; nothing here ever fails."""

from __future__ import annotations

import binascii
import codecs
import re
from contextlib import suppress

from qa.reading.detect.decoding import NOT_OF_FILES, UndecodableError, decode_padded

__all__ = ["decoded", "encoding_meant", "header_text"]

# Names that Python doesn't know, or takes for something else.
_LABELS = {
    "iso-8859-8-i": "iso-8859-8",
    "unicode-1-1-utf-7": "utf-7",
    "user-defined": "cp1252",
    "windows-31j": "cp932",
}
# What web browsers take an encoding for, where Python takes it for less.
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")


def encoding_meant(label: str) -> str:
    """Python's name of the encoding that a label means; "" where it has none."""
    label = label.strip("\"' ").lower().removeprefix("x-")
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
        b" ".decode(name, "replace")  # of no bytes at all, Python asks no codec
    except (LookupError, ValueError):
        return ""  # not known, or a codec, but not of text
    return "" if name in NOT_OF_FILES else _WIDER.get(name, name)


def decoded(raw: bytes, charset: str = "") -> str:
    """Decode bytes by the charset that is named, or by what fits them where it doesn't."""
    charset = charset.strip("\"' ").partition("*")[0].lower()
    encoding = "" if charset in {"ascii", "us-ascii"} else encoding_meant(charset)
    wide = encoding.startswith(("utf-16", "utf-32"))
    if encoding and (not wide or b"\0" in raw):
        with suppress(ValueError):
            return raw.decode(encoding)
    try:
        return decode_padded(raw)
    except UndecodableError:
        return raw.decode("utf-8", "replace")


def header_text(value: str) -> str:
    """A header's text on one line: raw bytes and encoded words (RFC 2047) are decoded."""
    text = decoded(value.encode("utf-8", "surrogateescape")) if value else ""
    pieces: list[str] = []
    waiting: tuple[str, bytes] | None = None  # a character may be spread over several words
    at = 0
    for match in _ENCODED_WORD.finditer(text):
        between = text[at : match.start()]
        charset, body = match[1].lower(), _word(match[2], match[3])
        at = match.end()
        if waiting and not between.strip() and waiting[0] == charset:
            waiting = (charset, waiting[1] + body)
            continue
        if waiting:
            pieces.append(decoded(waiting[1], waiting[0]))
            between = between if between.strip() else ""
        pieces.append(between)
        waiting = (charset, body)
    if waiting:
        pieces.append(decoded(waiting[1], waiting[0]))
    return " ".join("".join([*pieces, text[at:]]).split())


def _word(form: str, body: str) -> bytes:
    raw = body.encode("utf-8", "surrogateescape")
    try:
        if form in "bB":
            return binascii.a2b_base64(raw.rstrip(b"=") + b"===")
        return binascii.a2b_qp(raw, header=True)
    except ValueError:
        return raw
