"""What is printed at the edge of page after page: running heads, running feet, page numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.reading.pdf.lines import Line

__all__ = ["Running", "find_running"]

# A line is looked at where at most two others stand further out on its side of the page.
_DEPTH = 3
# On this many pages, each at most two after the one before: left and right pages may differ.
_MIN_PAGES = 3
_STEP = 2
_NUMBER = re.compile(r"\d+")
_ROMAN = re.compile(r"[ivxlc]+|[IVXLC]+")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_BARE = re.compile(
    r"[^\w#]*(?:page|seite|página|pagina|p|s)?[^\w#]*#(?:[^\w#]*(?:of|von|de|di|sur|/)[^\w#]*#)?[^\w#]*"
)


@dataclass(slots=True)
class Running:
    """Lines to leave out, by page and index, and what a page's printed number is.

    `once` are those that say something and stand nowhere else: the first of each is kept.
    `alone` are the pages that have no other lines; theirs are not left out.
    """

    dropped: set[tuple[int, int]] = field(default_factory=set)
    once: set[tuple[int, int]] = field(default_factory=set)
    printed: dict[int, str] = field(default_factory=dict)
    alone: set[int] = field(default_factory=set)


class _Edge(NamedTuple):
    page: int
    at: int
    base: float
    numbers: tuple[int, ...]
    text: str


def find_running(pages: Sequence[Sequence[Line]]) -> Running:
    """Find what repeats at the same place of pages that follow each other.

    Numbers in it may stay the same or count with the pages; otherwise it is a table's row.
    """
    found: dict[tuple[str, bool], list[_Edge]] = defaultdict(list)
    counts = Counter(_key(line.text)[0] for lines in pages for line in lines)
    for page, lines in enumerate(pages):
        for index, is_top in _edges(lines):
            text = lines[index].text
            key, numbers = _key(text)
            found[key, is_top].append(_Edge(page, index, lines[index].base, numbers, text))
    at_edges = Counter(key for (key, _), edges in found.items() for _ in edges)
    runs = [(key, run) for (key, _), edges in found.items() for run in _runs(edges)]
    places = Counter(round(edge.base) for _, run in runs if len(run) >= _MIN_PAGES for edge in run)
    running = Running()
    kept: set[str] = set()
    for key, run in sorted(runs, key=lambda item: item[1][0][:2]):
        # A short chapter's head repeats but once, where others' heads stand.
        is_place = len(run) > 1 and places[round(run[0].base)] >= _MIN_PAGES
        is_bare = bool(_BARE.fullmatch(key.lower()))
        if len(run) < _MIN_PAGES and not is_place:
            if is_bare:
                _drop_lone_numbers(run, pages, running)
            continue
        running.dropped.update((edge.page, edge.at) for edge in run)
        if is_bare:
            running.printed.update(_printed(run))
        elif key not in kept and counts[key] == at_edges[key]:
            running.once.add((run[0].page, run[0].at))
            kept.add(key)
    for page, lines in enumerate(pages):
        whole = {(page, index) for index in range(len(lines))}
        if whole <= running.dropped:  # pages that say only this: it is their text
            running.dropped -= whole
            running.once -= whole
            if whole:
                running.alone.add(page)
    return running


def _edges(lines: Sequence[Line]) -> Iterator[tuple[int, bool]]:
    order = sorted(range(len(lines)), key=lambda index: -lines[index].base)
    middle = (len(order) + 1) // 2
    yield from ((index, True) for index in order[: min(_DEPTH, middle)])
    yield from ((index, False) for index in order[max(middle, len(order) - _DEPTH) :])


def _key(text: str) -> tuple[str, tuple[int, ...]]:
    """A line with its numbers as #, and the numbers."""
    if _ROMAN.fullmatch(text):
        return "#", (_roman(text.lower()),)
    numbers = tuple(int(number) for number in _NUMBER.findall(text) if len(number) < 10)
    return _NUMBER.sub("#", text), numbers


def _roman(text: str) -> int:
    values = [_ROMAN_DIGITS[letter] for letter in text]
    return sum(-value if value < max(values[at:]) else value for at, value in enumerate(values))


def _runs(edges: Sequence[_Edge]) -> Iterator[list[_Edge]]:
    open_runs: list[list[_Edge]] = []
    for edge in edges:
        for run in open_runs:
            if _follows(run[-1], edge):
                run.append(edge)
                break
        else:
            open_runs.append([edge])
        yield from (run for run in open_runs if edge.page - run[-1].page > _STEP)
        open_runs = [run for run in open_runs if edge.page - run[-1].page <= _STEP]
    yield from open_runs


def _follows(before: _Edge, edge: _Edge) -> bool:
    step = edge.page - before.page
    return (
        0 < step <= _STEP
        and abs(edge.base - before.base) <= 4
        and len(before.numbers) == len(edge.numbers)
        and all(b - a in {0, step} for a, b in zip(before.numbers, edge.numbers, strict=True))
    )


def _printed(run: Sequence[_Edge]) -> Iterator[tuple[int, str]]:
    """The number that counts with the pages, as it is printed."""
    for edge in run:
        if edge.numbers and run[0].numbers[0] != run[-1].numbers[0]:
            roman = _ROMAN.fullmatch(edge.text)
            yield edge.page, edge.text if roman else str(edge.numbers[0])


def _drop_lone_numbers(
    run: Sequence[_Edge], pages: Sequence[Sequence[Line]], running: Running
) -> None:
    """Drop a page's own number from its foot, in a file too short to show that it repeats."""
    for edge in run:
        lowest = min(line.base for line in pages[edge.page])
        number = edge.numbers[0] if edge.numbers else 0
        if edge.base == lowest and number == edge.page + 1:
            running.dropped.add((edge.page, edge.at))
