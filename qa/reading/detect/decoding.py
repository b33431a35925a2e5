"""Bytes to text and back: the encoding of a file, and where a character stands in its bytes."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

from qa.reading.reasons import BINARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "NOT_OF_FILES",
    "LineIndex",
    "UndecodableError",
    "byte_offsets",
    "byte_order_mark",
    "decode",
    "decode_as",
    "decode_padded",
]

# The longer mark first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Never guessed: with a mark or by their NUL bytes they are known already, and by chance any Latin
# text of an even length is Chinese in UTF-16.
_TOLD_OTHERWISE = ["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_7"]
# Some take time that grows with the square of the length.
NOT_OF_FILES = {"idna", "punycode", "raw-unicode-escape", "unicode-escape"}
_SAMPLE = 8192  # bytes that are looked at to tell text from binary
_BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_STRAY = (
    20  # bytes of text for each NUL that may stand in it; binaries have more, or other controls
)


class UndecodableError(ValueError):
    """The bytes are not text in any encoding known."""


def byte_order_mark(raw: bytes) -> tuple[bytes, str]:
    """The mark that a text begins with, and the encoding that it names; both empty without one."""
    return next((mark for mark in _MARKS if raw.startswith(mark[0])), (b"", ""))


def decode(raw: bytes) -> tuple[str, str]:
    """`(text, encoding)` with `raw.decode(encoding) == text`; line ends stay as they are.

    A byte order mark decides; then UTF-8; then UTF-16 or UTF-32 without a mark, told by its NUL
    bytes; then UTF-8 with a few NULs and no other controls, which stay in the text; then the best
    guess of charset-normalizer, where there is no NUL.

    Raises:
        UndecodableError: the bytes are binary, or no encoding fits.
    """
    _, marked = byte_order_mark(raw)
    if marked:
        return _strictly(raw, marked), marked
    if b"\0" not in raw[:_SAMPLE]:
        try:
            return raw.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            return _guess(raw)
    for encoding, zeros in (("utf-16-le", raw[1:_SAMPLE:2]), ("utf-16-be", raw[:_SAMPLE:2])):
        # Text in a Latin script has a NUL in nearly every second byte.
        if len(raw) % 2 == 0 and zeros.count(0) > len(zeros) / 2:
            text = _strictly(raw, encoding)
            if not _BINARY.search(text):
                return text, encoding
    for encoding, zeros in (("utf-32-le", raw[3:_SAMPLE:4]), ("utf-32-be", raw[:_SAMPLE:4])):
        if not zeros.strip(b"\0"):
            with suppress(UnicodeDecodeError):
                text = raw.decode(encoding)
                if not _BINARY.search(text):
                    return text, encoding
    sample = raw[:_SAMPLE]
    if sample.count(0) * _STRAY <= len(sample) and not _CONTROLS.search(sample):
        with suppress(UnicodeDecodeError):
            return raw.decode("utf-8"), "utf-8"
    raise UndecodableError(BINARY)


def decode_padded(raw: bytes) -> str:
    """Decode a file of which no bytes are cited: NULs in its text mean nothing, and are left out.

    Raises:
        UndecodableError: the bytes are binary, or no encoding fits.
    """
    try:
        return decode(raw)[0].replace("\0", "")
    except UndecodableError:
        text = decode(raw.replace(b"\0", b""))[0]
        if len(_BINARY.findall(text)) * _STRAY > len(text):
            raise
        return text


def decode_as(raw: bytes, encoding: str) -> str:
    """Decode with an encoding that was noted when the file was read.

    Raises:
        ValueError: the bytes are not such text, or `decode` never finds that encoding.
        LookupError: there is no such encoding.
    """
    if codecs.lookup(encoding).name in {*NOT_OF_FILES, "utf-7"}:
        raise ValueError(f"{encoding} is not for files")
    return raw.decode(encoding)


def _strictly(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise UndecodableError(f"it is not valid {encoding} ({error.reason})") from error


def _guess(raw: bytes) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    best = from_bytes(raw, cp_exclusion=_TOLD_OTHERWISE).best()
    if best is None or _BINARY.search(text := raw.decode(best.encoding)):
        raise UndecodableError(BINARY)
    return text, best.encoding


def byte_offsets(raw: bytes, text: str, encoding: str, positions: Sequence[int]) -> list[int]:
    """The byte offset in `raw` of each character position of `text`.

    Args:
        raw: the whole file.
        text: `raw.decode(encoding)`.
        encoding: as `decode` gives it.
        positions: ascending character offsets, each in `[0, len(text)]`.
    """
    if len(raw) == len(text):
        return list(positions)
    mark, marked = byte_order_mark(raw)
    mark = mark if marked == encoding else b""
    plain = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    if mark and encoding in {"utf-16", "utf-32"}:
        plain = f"{encoding}-{'le' if mark[0] == 0xFF else 'be'}"
    if mark + text.encode(plain, "replace") != raw:
        return _by_decoding(raw, encoding, positions)
    offsets, at, count = [], 0, len(mark)
    encoder = codecs.getincrementalencoder(plain)()  # some have states: what was before counts
    for position in positions:
        count += len(encoder.encode(text[at:position], final=position == len(text)))
        at = position
        offsets.append(count)
    return offsets


def _by_decoding(raw: bytes, encoding: str, positions: Sequence[int]) -> list[int]:
    """Do the same where encoding again would give other bytes (shift sequences and the like)."""
    ends = list(_character_ends(raw, encoding))
    ends[-1] = len(raw)  # what follows the last character, such as a shift back to ASCII
    return [ends[position] for position in positions]


def _character_ends(raw: bytes, encoding: str) -> Iterator[int]:
    decoder = codecs.getincrementaldecoder(encoding)()
    yield 0
    for end in range(1, len(raw) + 1):
        for _ in decoder.decode(raw[end - 1 : end], final=end == len(raw)):
            yield end


class LineIndex:
    """Where the lines of a text begin; LF, CR LF and lone CR end a line."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *[match.end() for match in re.finditer(r"\r\n?|\n", text)]]
        self._length = len(text)

    def line(self, position: int) -> int:
        """The number, from 1, of the line that holds the character at `position`."""
        return bisect_right(self.starts, position)

    def start(self, line: int) -> int:
        """The offset of the first character of `line` (from 1); past the end, the length."""
        return self.starts[line - 1] if line <= len(self.starts) else self._length
