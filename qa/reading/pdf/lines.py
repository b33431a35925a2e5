"""The lines of a PDF page: their words, where they stand, how large they are.

pdfium gives characters in the order in which the file draws them, with line ends where the
baseline changes. Asking it for the box of every character would take longer than finding the
text, so only the two ends of each word are asked for.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import re
import statistics
import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfTextPage

__all__ = ["HYPHEN", "UNKNOWN", "Cell", "Line", "page_lines"]

HYPHEN = "\xad"
"""Ends a line whose last word may go on in the next: a soft hyphen, or any that ends a line."""

UNKNOWN = "\ufffd"
"""Stands for each letter of which the file does not say what it means."""

# Words apart by more than this many font sizes stand in cells of their own.
_CELL_GAP = 1.15
# Text that is turned by less than this many degrees keeps to its line well enough.
_UPRIGHT = 0.3
_RUN = re.compile(r"\S+")
_WORD = re.compile("[^\\s\x00\x02\ufffe]+[\x02\ufffe]?")
_CHUNK = re.compile("[^\r\n\x02\ufffe]*[\x02\ufffe\r\n]?")
_CUT = "\x02\ufffe"
_LEADER = re.compile(r"(?:[.·…_]\s*){4,}")
# Ligatures, the shapes of Arabic letters and the alphabets of mathematics stand for letters.
_SHAPES = re.compile("[\ufb00-\ufdff\ufe70-\ufefc\u210e\U0001d400-\U0001d7ff]+")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]{2,}")
_BOLD = (b"bold", b"black", b"heavy", b"cmbx")
_MONO = (b"courier", b"mono", b"typewriter", b"consola", b"cmtt")
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u2060\ufeff\x00\x02\ufffe"))
_angle = attrgetter("angle")
_LAST_HYPHEN = re.compile(r"(?<=\w)[-\u2010\xad]$")


class Cell(NamedTuple):
    """Words of a line without a wide gap between them; `x0` and `x1` are in points."""

    text: str
    x0: float
    x1: float


@dataclass(frozen=True)
class Line:
    """One line of a page, in the frame in which it reads from left to right.

    `base` is the height of its baseline above the page's origin and `size` the size of its
    font, both in points; `angle` is in degrees.
    """

    cells: tuple[Cell, ...]
    base: float
    size: float
    angle: int
    bold: bool
    mono: bool = False  # all letters are equally wide, as in code
    has_leader: bool = False  # dots lead from one cell to the next, as in a table of contents

    @cached_property
    def x0(self) -> float:
        """The left end."""
        return min(cell.x0 for cell in self.cells)

    @cached_property
    def x1(self) -> float:
        """The right end."""
        return max(cell.x1 for cell in self.cells)

    @cached_property
    def text(self) -> str:
        """The words, whatever the gaps between them."""
        text = " ".join(cell.text for cell in self.cells)
        if HYPHEN not in text:
            return text  # of a lone cell: the same string, held once
        return text[:-1].replace(HYPHEN, "-") + text[-1:]


class _Word(NamedTuple):
    text: str
    x0: float
    x1: float
    base: float


def page_lines(page: PdfTextPage) -> list[Line]:
    """The lines of a page in the order in which the file draws them."""
    text = _characters(page)
    lines: list[Line] = []
    for chunk in _CHUNK.finditer(text):
        spans = [word.span() for word in _WORD.finditer(text, *chunk.span())]
        if not spans:
            continue
        # The longest word speaks for the line: a mark of a footnote may come first.
        start, _ = max(spans, key=lambda span: span[1] - span[0])
        size, angle = _size_and_angle(page, start)
        words = [
            _upright(page, text, span)
            if abs(angle) < _UPRIGHT
            else _turned(page, text, span, angle, size)
            for span in spans
        ]
        bold, mono = _style(page, spans[0][0])
        if len(spans) > 1 and (bold or mono):
            ends = zip((bold, mono), _style(page, spans[-1][0]), strict=True)
            bold, mono = (all(pair) for pair in ends)
        level = next(word.base for word, span in zip(words, spans, strict=True) if span[0] == start)
        for part in _split(words, size):
            base = level if any(word.base == level for word in part) else part[0].base
            if cells := _cells(part, size):
                leads = len(cells) > 1 and _LEADER.search(text, *chunk.span()) is not None
                _append(lines, Line(cells, base, size, _nearest(angle), bold, mono, leads))
    return [line for _, run in itertools.groupby(lines, _angle) for line in _downwards(list(run))]


def _characters(page: PdfTextPage) -> str:
    """One character for each that pdfium counts, so that places in the text are its own."""
    count = pdfium.FPDFText_CountChars(page)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    if pdfium.FPDFText_GetText(page, 0, count, buffer) == count + 1:
        # Units of UTF-16 as they are: letters beyond U+FFFF count as two.
        text = "".join(map(chr, buffer[:count]))
    else:
        codes = (pdfium.FPDFText_GetUnicode(page, index) for index in range(count))
        text = "".join(chr(code) if code < 0x110000 else UNKNOWN for code in codes)
    return _ligatures_ordered(page, _without_guesses(page, text))


def _without_guesses(page: PdfTextPage, text: str) -> str:
    """Put UNKNOWN for letters that pdfium guesses: the number of a glyph, taken for a letter.

    Only the first letter of each word is asked for, unless one of them is a guess.
    """
    is_guess = pdfium.FPDFText_HasUnicodeMapError
    if not any(is_guess(page, word.start()) == 1 for word in _RUN.finditer(text)):
        return text
    return "".join(
        UNKNOWN if letter != " " and is_guess(page, at) == 1 else letter
        for at, letter in enumerate(text)
    )


def _ligatures_ordered(page: PdfTextPage, text: str) -> str:
    """Undo what pdfium does to ligatures of scripts that run from right to left.

    It turns the order of all characters of such a line, also of those that are one glyph.
    """
    letters = list(text)
    for run in _RIGHT_TO_LEFT.finditer(text):
        for _, same in itertools.groupby(range(*run.span()), lambda at: _box(page, at)):
            glyph = list(same)
            letters[glyph[0] : glyph[-1] + 1] = [text[at] for at in reversed(glyph)]
    return "".join(letters)


def _box(page: PdfTextPage, index: int) -> tuple[float, ...]:
    sides = [ctypes.c_double() for _ in range(4)]
    pdfium.FPDFText_GetCharBox(page, index, *sides)
    return tuple(side.value for side in sides)


def _downwards(run: list[Line]) -> list[Line]:
    """Put turned lines in order: text that runs down a page comes from pdfium last line first."""
    rises = all(before.base < line.base for before, line in itertools.pairwise(run))
    return run[::-1] if rises and _angle(run[0]) else run


def _nearest(angle: float) -> int:
    """An angle in whole degrees; what a scanner turned a little counts as not turned."""
    right = round(angle / 90) * 90
    return (right if abs(angle - right) < 3 else round(angle)) % 360


def _style(page: PdfTextPage, index: int) -> tuple[bool, bool]:
    """Whether a character is bold, and whether its font has one width for all."""
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(page, index, name, 128, flags)
    font = name.value.lower()
    bold = pdfium.FPDFText_GetFontWeight(page, index) >= 600
    bold = bold or any(word in font for word in _BOLD)
    return bold, bool(flags.value & 1) or any(word in font for word in _MONO)


def _size_and_angle(page: PdfTextPage, index: int) -> tuple[float, float]:
    """The size in which a character is set, in points, and its angle, in degrees."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(page, index, matrix)
    size = pdfium.FPDFText_GetFontSize(page, index) * math.hypot(matrix.c, matrix.d)
    angle = math.degrees(math.atan2(matrix.b, matrix.a))
    return (size if 0.1 < size < 10_000 else 10.0), angle


def _upright(page: PdfTextPage, text: str, span: tuple[int, int]) -> _Word:
    start, last = span[0], span[1] - 1
    if last > start and text[last] in _CUT:
        last -= 1  # pdfium has no box for a hyphen at a line's end
    box, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(page, start, x, y)
    pdfium.FPDFText_GetLooseCharBox(page, start, box)
    left, right = box.left, box.right
    if last > start:
        pdfium.FPDFText_GetLooseCharBox(page, last, box)
        left, right = min(left, box.left), max(right, box.right)
    return _Word(text[slice(*span)], left, right, y.value)


def _turned(
    page: PdfTextPage, text: str, span: tuple[int, int], angle: float, size: float
) -> _Word:
    """Place a word of turned text in the frame where it reads from left to right."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = ctypes.c_double(), ctypes.c_double()
    ends = []
    for index in (span[0], span[1] - 1):
        pdfium.FPDFText_GetCharOrigin(page, index, x, y)
        ends.append((x.value * cos + y.value * sin, y.value * cos - x.value * sin))
    (x0, base), (x1, _) = ends
    # Boxes are upright, so the last character's width is not known; half its size is near enough.
    return _Word(text[slice(*span)], min(x0, x1), max(x0, x1) + size / 2, base)


def _split(words: list[_Word], size: float) -> Iterator[list[_Word]]:
    """Part words that pdfium holds for one line: it joins what stands far above or below."""
    start = 0
    for at in range(1, len(words)):
        # A superscript is less than a line away.
        if abs(words[at].base - words[at - 1].base) > 0.9 * size:
            yield words[start:at]
            start = at
    yield words[start:]


def _cells(words: list[_Word], size: float) -> tuple[Cell, ...]:
    gaps = [max(b.x0 - a.x1, a.x0 - b.x1) for a, b in itertools.pairwise(words)]
    limit = _CELL_GAP * size
    # In a justified line all gaps are wide alike.
    if len(gaps) > 1 and max(gaps) <= min(2.5 * limit, 1.6 * statistics.median(gaps)):
        limit = max(gaps)
    cells = [Cell(*words[0][:3])]
    for gap, word in zip(gaps, words[1:], strict=True):
        cell = cells[-1]
        if gap <= limit:
            joined = f"{cell.text} {word.text}"
            cells[-1] = Cell(joined, min(cell.x0, word.x0), max(cell.x1, word.x1))
        else:
            cells.append(Cell(word.text, word.x0, word.x1))
    return tuple(part for cell in cells for part in _leaders(cell))


def _leaders(cell: Cell) -> Iterator[Cell]:
    """Cut a line of a table of contents at the dots that lead to its page number."""
    pieces = _LEADER.split(cell.text)
    width = (cell.x1 - cell.x0) / (len(cell.text) or 1)
    texts = [text for piece in pieces if (text := _normalised(piece))]
    for at, text in enumerate(texts):
        # Between the first and the last, which the ends of the cell place, nobody looks.
        x0 = cell.x0 if at == 0 else cell.x1 - width * len(text)
        x1 = cell.x1 if at == len(texts) - 1 else cell.x0 + width * len(text)
        yield Cell(text, x0, x1)


def _normalised(text: str) -> str:
    """The letters that ligatures and shapes stand for, without what can't be seen."""
    if text.isascii():
        text = text.replace("\x02", HYPHEN)
        return " ".join(_LAST_HYPHEN.sub(HYPHEN, text).split())
    if text[-1] in "\x02\ufffe":
        text = text[:-1] + HYPHEN
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _SHAPES.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    text = _LAST_HYPHEN.sub(HYPHEN, text)
    body, end = (text[:-1], HYPHEN) if text.endswith(HYPHEN) else (text, "")
    return " ".join(body.replace(HYPHEN, "").split()) + end


def _append(lines: list[Line], line: Line) -> None:
    """Add a line, or cells to the line before where both stand on one baseline."""
    if not lines or lines[-1].angle != line.angle:
        lines.append(line)
        return
    before = lines[-1]
    large = max(before, line, key=attrgetter("size"))
    gap, rise = line.x0 - before.x1, abs(before.base - line.base)
    # The number of a footnote stands a bit apart from it.
    near = 2.5 if before.size < 0.8 * line.size and len(before.text) <= 3 else 0.3
    if -0.2 * large.size <= gap <= near * large.size and rise <= 0.7 * large.size:
        # Goes on, perhaps as a superscript, which pdfium takes for a line of its own.
        last, first = before.cells[-1], line.cells[0]
        space = " " if gap > 0.15 * large.size else ""
        joined = Cell(f"{last.text}{space}{first.text}", last.x0, first.x1)
        cells = (*before.cells[:-1], joined, *line.cells[1:])
    elif gap >= 0 and rise <= 0.3 * min(before.size, line.size):
        cells = before.cells + line.cells
    else:
        lines.append(line)
        return
    lines[-1] = replace(
        large,
        cells=cells,
        bold=before.bold and line.bold,
        has_leader=before.has_leader or line.has_leader,
    )
