"""One page of a PDF as a picture, and where on it quotes stand, matched by their letters."""

from __future__ import annotations

import json
import struct
import unicodedata
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pypdfium2

from qa.reading.extracted import Extracted, Member, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Box = tuple[float, float, float, float]  # left, top, right, bottom, each by share of the page

__all__ = ["MAX_PIXELS", "picture_of"]

MAX_PIXELS = 16_000_000
_SHORTEST = 12  # letters of a piece that is looked for where the whole is not there


def picture_of(
    raw: bytes, *, page: int, width: int, quotes: Sequence[tuple[int, str]]
) -> Extracted:
    """Draw a page.

    Args:
        raw: the whole file.
        page: from 1.
        width: of the picture, in pixels; less where it would have too many.
        quotes: each with about how many letters of the page's text stand before it.

    Returns:
        As its text a JSON object of `width`, `height` and `boxes`, a list for each quote; as its
        one member the picture, a PNG.

    Raises:
        UnreadableError: it is encrypted or damaged, or has no such page.
    """
    try:
        document = pypdfium2.PdfDocument(raw)
        document.init_forms()
        if not 1 <= page <= len(document):
            raise UnreadableError(f"it has no page {page}")
        drawn = document[page - 1]
        across, down = drawn.get_size()
        if not (across > 0 and down > 0):
            raise UnreadableError(f"its page {page} has no size")
        scale = min(width / across, (MAX_PIXELS / across / down) ** 0.5)
        bitmap = drawn.render(scale=scale, rev_byteorder=True, prefer_bgrx=True)
        letters = _Letters.of(drawn, bitmap)
    except pypdfium2.PdfiumError as error:
        raise UnreadableError(f"its page {page} can't be drawn") from error
    told = {
        "width": bitmap.width,
        "height": bitmap.height,
        "boxes": [letters.boxes(quote, before) for before, quote in quotes],
    }
    return Extracted(json.dumps(told), (), members=(Member("page.png", _png(bitmap)),))


def _png(bitmap: pypdfium2.PdfBitmap) -> bytes:
    """Write a bitmap of four bytes a pixel, the last unused, as a PNG of three."""
    rows = []
    raw = bytes(bitmap.buffer)
    for start in range(0, bitmap.height * bitmap.stride, bitmap.stride):
        row = bytearray(1 + 3 * bitmap.width)  # a row begins with its filter: none
        for channel in range(3):
            row[1 + channel :: 3] = raw[start + channel : start + 4 * bitmap.width : 4]
        rows.append(row)
    head = struct.pack(">IIBBBBB", bitmap.width, bitmap.height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows), 4)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


@dataclass(frozen=True, slots=True)
class _Letters:
    """The letters and digits of a page, in the order in which it has them, each with its box."""

    text: str
    places: Sequence[Box]

    @classmethod
    def of(cls, page: pypdfium2.PdfPage, bitmap: pypdfium2.PdfBitmap) -> _Letters:
        text, places = [], []
        found = page.get_textpage()
        to_bitmap = bitmap.get_posconv(page).to_bitmap
        for index, letters in _characters(found):
            left, bottom, right, top = found.get_charbox(index, loose=True)
            corners = (to_bitmap(left, top), to_bitmap(right, bottom))
            xs, ys = zip(*corners, strict=True)
            box = (
                min(xs) / bitmap.width,
                min(ys) / bitmap.height,
                max(xs) / bitmap.width,
                max(ys) / bitmap.height,
            )
            text.append(letters)
            places += [box] * len(letters)
        return cls("".join(text), places)

    def boxes(self, quote: str, before: int) -> list[Box]:
        """Where a quote stands, a box for each of its lines; nothing where it doesn't."""
        wanted = _plain(quote)
        found = [
            place for start, end in self._pieces(wanted, before) for place in self.places[start:end]
        ]
        return list(_joined(found))

    def _pieces(self, wanted: str, before: int) -> Iterator[tuple[int, int]]:
        """Where the longest pieces of a text stand, one after the other."""
        at = 0
        while at < len(wanted):
            low, high = 0, len(wanted) - at  # how many of its letters stand there
            if wanted[at:] not in self.text:
                while low < high - 1:
                    middle = (low + high) // 2
                    is_there = wanted[at : at + middle] in self.text
                    low, high = (middle, high) if is_there else (low, middle)
                high = low
            if not high or (high < _SHORTEST and high < len(wanted)):
                at += max(1, high)
                continue
            start = self._nearest(wanted[at : at + high], before + at)
            yield start, start + high
            at += high

    def _nearest(self, piece: str, to: int) -> int:
        starts = []
        start = self.text.find(piece)
        while start >= 0:
            starts.append(start)
            start = self.text.find(piece, start + len(piece))
        return min(starts, key=lambda one: abs(one - to))


def _characters(page: pypdfium2.PdfTextPage) -> Iterator[tuple[int, str]]:
    """The letters and digits that each character stands for: a ligature for several."""
    import pypdfium2.raw as pdfium

    for index in range(page.count_chars()):
        code = pdfium.FPDFText_GetUnicode(page, index)
        if code and (letters := _plain(chr(code))):
            yield index, letters


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _joined(boxes: Sequence[Box]) -> Iterator[Box]:
    """One box for neighbours on a line."""
    line: Box | None = None
    for box in boxes:
        if line is not None and _is_beside(line, box):
            (a, b, c, d), (e, f, g, h) = line, box
            line = min(a, e), min(b, f), max(c, g), max(d, h)
            continue
        if line is not None:
            yield line
        line = box
    if line is not None:
        yield line


def _is_beside(line: Box, box: Box) -> bool:
    """Whether a letter stands on the line of a box, and not in another column."""
    middle = (box[1] + box[3]) / 2
    return line[1] <= middle <= line[3] and line[0] <= box[2] and box[0] - line[2] < _GAP


_GAP = 0.1  # of the page's width, between letters of a line
