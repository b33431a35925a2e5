"""Bytes to text as e-mail names its charsets, and encoded words; nothing here ever fails."""

from __future__ import annotations

import binascii
import re

from qa.reading.detect.decoding import UndecodableError, decode_padded

__all__ = ["decoded", "header_text"]

# What mail programs write where they mean a wider or another charset (as web browsers read it).
_MEANT = {
    "ascii": "",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "ks_c_5601-1987": "cp949",
    "latin1": "cp1252",
    "shift_jis": "cp932",
    "unicode-1-1-utf-7": "utf-7",
    "us-ascii": "",
    "windows-31j": "cp932",
    "x-sjis": "cp932",
}
_ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")


def decoded(raw: bytes, charset: str = "") -> str:
    """Decode bytes by the charset that is named, or by what fits them where it doesn't."""
    charset = charset.strip("\"' ").partition("*")[0].lower()
    charset = _MEANT.get(charset, charset)
    wide = charset.startswith(("utf-16", "utf-32", "utf16", "utf32"))
    if charset and (not wide or b"\0" in raw):
        try:
            return raw.decode(charset)
        except (LookupError, ValueError):
            pass
    try:
        return decode_padded(raw)
    except UndecodableError:
        return raw.decode("utf-8", "replace")


def header_text(value: str) -> str:
    """Give a header's text on one line: raw bytes and encoded words (RFC 2047) are decoded."""
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
