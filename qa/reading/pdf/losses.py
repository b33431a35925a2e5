"""What of a PDF can't be read: letters without a meaning, and the sentences that report a loss."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from qa.reading.pdf.lines import UNKNOWN
from qa.reading.reasons import OCR_READS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.reading.pdf.lines import Line

__all__ = ["damaged", "legible", "meaningless", "page_numbers", "pictures", "stamped"]

# Controls, and letters for private use but for the pieces that tall brackets are made of.
_UNKNOWN = "\x00-\x08\x0e-\x1f\x7f\ue000-\uf8e4\uf8ff\ufffd\U000f0000-\U0010ffff"
_LETTER = re.compile(f"[{_UNKNOWN}]")
_WORD = re.compile(f"[{_UNKNOWN}]{{3,}}")
_GAP = re.compile(f"{UNKNOWN}+")
# Beyond this share of a page's letters, single signs are not all that is missing.
_MAX_SIGNS = 0.05
_MAX_RANGES = 8


def legible(lines: Sequence[Line]) -> tuple[list[Line], bool]:
    """Leave out the lines of which most letters have no meaning.

    Where a few letters of a line have none, one sign stands for them.

    Returns:
        The other lines, and whether words are missing, not only single signs.
    """
    text = "".join(line.text for line in lines)
    if not _LETTER.search(text):
        return list(lines), False
    kept = []
    for line in lines:
        bare = line.text.replace(" ", "")
        if len(_LETTER.findall(bare)) * 2 <= len(bare):
            cells = tuple(cell._replace(text=_GAP.sub(UNKNOWN, cell.text)) for cell in line.cells)
            kept.append(replace(line, cells=cells))
    text = text.replace(" ", "")
    unknown = len(_LETTER.findall(text))
    return kept, unknown > _MAX_SIGNS * len(text) or _WORD.search(text) is not None


def meaningless(pages: Sequence[int], of: int) -> Iterator[str]:
    """On which of so many pages letters have no meaning; nothing where there are none."""
    if pages:
        verb = "contains" if len(pages) == 1 else "contain"
        yield f"{_count(pages, of)} {verb} letters without a meaning ({page_numbers(pages)})"


def pictures(pages: Sequence[int], of: int) -> Iterator[str]:
    """Which of so many pages are pictures."""
    if pages:
        what = "is a scan" if len(pages) == 1 else "are scans"
        yield f"{_count(pages, of)} {what} without text ({page_numbers(pages)}); {OCR_READS}"


def stamped(pages: Sequence[int], of: int) -> Iterator[str]:
    """Which of so many pages are pictures below lines that other pages have as well."""
    if pages:
        what = "is a scan" if len(pages) == 1 else "are scans"
        numbers = page_numbers(pages)
        yield f"{_count(pages, of)} {what} without text but for lines that repeat ({numbers})"


def damaged(pages: Sequence[int], of: int) -> Iterator[str]:
    """Which of so many pages can't be read at all."""
    if pages:
        verb = "is" if len(pages) == 1 else "are"
        yield f"{_count(pages, of)} {verb} damaged or missing ({page_numbers(pages)})"


def _count(pages: Sequence[int], of: int) -> str:
    return f"{len(pages):,} of {of:,} page{'' if of == 1 else 's'}"


def page_numbers(pages: Sequence[int]) -> str:
    """Ascending numbers as people write them: 4, 7-9; at most some, then an ellipsis."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1][1:] = [page]
        else:
            runs.append([page])
    texts = ["-".join(map(str, run)) for run in runs[:_MAX_RANGES]]
    if len(runs) > _MAX_RANGES:
        texts.append("…")
    return f"page{'' if len(pages) == 1 else 's'} {', '.join(texts)}"
