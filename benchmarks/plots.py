"""Draw lines on two logarithmic axes, as SVG that can be read on light and dark pages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDTH, _HEIGHT = 800, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 290, 40, 340  # the edges of the axes; _RIGHT from the right
_APART = 16  # pixels between two names
_LIGHT = "#0969da #bc4c00 #1a7f37 #8250df #cf222e #9a6700 #0e7490".split()
_DARK = "#58a6ff #f0883e #3fb950 #bc8cff #ff7b72 #d29922 #39c5cf".split()
_PAGE = {"light": ("#1f2328", "#d1d9e0", "#ffffff"), "dark": ("#e6edf3", "#30363d", "#0d1117")}


@dataclass(frozen=True, slots=True)
class Line:
    """A name, and points `(x, y, whether it is marked in full)`, x ascending, all above 0."""

    name: str
    points: Sequence[tuple[float, float, bool]]


def chart(title: str, along: str, lines: Sequence[Line]) -> str:
    """Draw the lines, each with its name at its end; `along` says what x is."""
    xs = sorted({x for line in lines for x, _, _ in line.points})
    ys = [y for line in lines for _, y, _ in line.points]
    across = _Axis(xs[0], xs[-1], _LEFT, _WIDTH - _RIGHT)
    up = _Axis(min(ys), max(ys), _BOTTOM, _TOP)
    parts = [f'<text x="{_LEFT}" y="20" class="title">{escape(title)}</text>']
    for y in _ticks(min(ys), max(ys)):
        parts.append(_grid(_LEFT, up.at(y), _WIDTH - _RIGHT, up.at(y)))
        parts.append(_text(_LEFT - 8, up.at(y) + 4, short(y), "end"))
    for x in xs:
        parts.append(_grid(across.at(x), _TOP, across.at(x), _BOTTOM))
        parts.append(_text(across.at(x), _BOTTOM + 20, short(x), "middle"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _BOTTOM + 44, along, "middle"))
    ends = _spread([up.at(line.points[-1][1]) for line in lines])
    for n, (line, end) in enumerate(zip(lines, ends, strict=True)):
        places = [(across.at(x), up.at(y), full) for x, y, full in line.points]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
        parts.append(f'<polyline class="line c{n}" points="{drawn}"/>')
        for x, y, full in places:
            kind = "full" if full else "hollow"
            parts.append(f'<circle class="{kind} c{n}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 14}" y="{end + 4:.1f}" class="name c{n}">')
        parts.append(f"{escape(line.name)}</text>")
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
    body = "\n".join(parts)
    return f"{frame}\n<title>{escape(title)}</title>\n<style>{_style()}</style>\n{body}\n</svg>\n"


def short(value: float) -> str:
    """Write a number in few characters: 0.05, 20, 10 k, 1 M."""
    for size, name in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class _Axis:
    least: float
    most: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Give the pixel of a value."""
        whole = math.log(self.most / self.least) or 1
        return self.begin + (self.end - self.begin) * math.log(value / self.least) / whole


def _ticks(least: float, most: float) -> list[float]:
    """Give 1, 2 and 5 times the powers of ten in a range; the powers alone where it is wide."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    steps = (1, 2, 5) if most / least < 300 else (1,)
    found = [step * 10.0**power for power in powers for step in steps]
    return [one for one in found if least <= one <= most]


def _spread(places: Sequence[float]) -> list[float]:
    """Move names apart that would lie on each other, none below the axes; their order stays."""
    order = sorted(range(len(places)), key=lambda n: places[n])
    moved = list(places)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + _APART)
    lowest = float(_BOTTOM)
    for one in reversed(order):
        moved[one] = min(moved[one], lowest)
        lowest = moved[one] - _APART
    return moved


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _style() -> str:
    always = (
        "text{font:13px system-ui,sans-serif}.title{font-weight:600}"
        ".line{fill:none;stroke-width:2}.full,.hollow{stroke-width:2}"
    )
    dark = "".join(_colours("dark", _DARK))
    return (
        always + "".join(_colours("light", _LIGHT)) + f"@media(prefers-color-scheme:dark){{{dark}}}"
    )


def _colours(page: str, colours: Iterable[str]) -> Iterable[str]:
    ink, grid, ground = _PAGE[page]
    yield f"text{{fill:{ink}}}.grid{{stroke:{grid}}}"
    for n, colour in enumerate(colours):
        yield f".line.c{n},.full.c{n},.hollow.c{n}{{stroke:{colour}}}"
        yield f".full.c{n},.name.c{n}{{fill:{colour}}}"
    yield f".hollow{{fill:{ground}}}"
