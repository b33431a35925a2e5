"""A map as SVG that can be read on light and dark pages."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from qa.counting import counted
from qa.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qa.mapping.gather import Map

__all__ = ["CAPTION", "svg", "words"]

WIDTH, HEIGHT = 960, 640
_MARGIN, _LEGEND = 32, 250  # pixels around the plane, and for names beside it
_LINE = 20  # pixels from one name to the next
_NAME = 28  # characters of a name
# The colours of the other plots, on light and on dark pages; what has none of its own is grey.
_LIGHT = "#0969da #bc4c00 #1a7f37 #8250df #cf222e #9a6700 #0e7490 #818b98".split()
_DARK = "#58a6ff #f0883e #3fb950 #bc8cff #ff7b72 #d29922 #39c5cf #656c76".split()
_STAR = 9  # pixels from its centre to a tip
CAPTION = "Near on the plane is near in meaning, as far as two dimensions can show it."


def words(text: str) -> str:
    """Text for a page or a picture: nothing in it is obeyed."""
    return escape(visible(text))


def svg(found: Map) -> str:
    """Draw a map: passages as points, a question as a star, what answers it with its ranks."""
    title = f"{counted(len(found.points), 'passage')} by meaning"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{words(title)}">'
    )
    return "\n".join(
        [head, f"<style>{_style()}</style>", *_legend(found), *_plane(found), "</svg>\n"]
    )


def _plane(found: Map) -> Iterator[str]:
    places = _scaled(
        [(one.x, one.y) for one in found.points] + ([found.question] if found.question else [])
    )
    star = places.pop() if found.question else None
    ranked = [
        (one.rank, place)
        for one, place in zip(found.points, places, strict=True)
        if one.rank is not None
    ]
    if star:
        for _, (x, y) in ranked:
            yield f'<path class="way" d="M{star[0]:.1f} {star[1]:.1f}L{x:.1f} {y:.1f}"/>'
    # Those with a rank last, so that none of the others hides them.
    order = sorted(range(len(places)), key=lambda n: (found.points[n].rank is not None, n))
    for n in order:
        one, (x, y) = found.points[n], places[n]
        kind = "point ranked" if one.rank is not None else "point"
        yield (
            f'<circle class="{kind} c{one.group}" cx="{x:.1f}" cy="{y:.1f}"'
            f' r="{7 if one.rank is not None else 4}" data-group="{one.group}">'
            f"<title>{words(one.label)}\n{words(one.text)}</title></circle>"
        )
    for rank, (x, y) in ranked:
        yield f'<text class="rank" x="{x + 9:.1f}" y="{y - 7:.1f}">{rank}</text>'
    if star:
        yield f'<path class="star" d="{_star(*star)}"><title>{words(found.asked)}</title></path>'


def _legend(found: Map) -> Iterator[str]:
    left = WIDTH - _LEGEND + 16
    for n, name in enumerate(found.groups):
        y = _MARGIN + n * _LINE
        short = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
        yield f'<circle class="point c{n}" cx="{left}" cy="{y}" r="5"/>'
        yield f'<text x="{left + 12}" y="{y + 4}">{words(short)}<title>{words(name)}</title></text>'
    y = _MARGIN + (len(found.groups) + 1) * _LINE
    if found.question:
        yield f'<path class="star" d="{_star(left, y)}"/>'
        yield f'<text x="{left + 12}" y="{y + 4}">the question, and its closest</text>'
        y += _LINE
    if found.total > len(found.points):
        shown = f"{len(found.points):,} of {found.total:,} passages"
        yield f'<text x="{left - 6}" y="{y + 4}">{shown}</text>'


def _scaled(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places in pixels: both axes in one scale, in the middle of the plane."""
    width, height = WIDTH - _LEGEND - 2 * _MARGIN, HEIGHT - 2 * _MARGIN
    xs, ys = [x for x, _ in places], [y for _, y in places]
    middle = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    spread = max((max(xs) - min(xs)) / width, (max(ys) - min(ys)) / height)
    scale = 1 / spread if spread > 0 else 0.0
    return [
        (
            _MARGIN + width / 2 + (x - middle[0]) * scale,
            _MARGIN + height / 2 - (y - middle[1]) * scale,
        )
        for x, y in places
    ]


def _star(x: float, y: float) -> str:
    corners = []
    for n in range(10):
        radius = _STAR if n % 2 == 0 else _STAR * 0.45
        angle = math.pi * n / 5
        corners.append(f"{x + radius * math.sin(angle):.1f} {y - radius * math.cos(angle):.1f}")
    return f"M{'L'.join(corners)}Z"


def _style() -> str:
    def colours(palette: Sequence[str], ink: str, paper: str) -> str:
        fills = "".join(f".c{n}{{fill:{one}}}" for n, one in enumerate(palette))
        return (
            f"{fills}text{{fill:{ink}}}.way{{stroke:{ink}}}.ranked,.star{{stroke:{ink}}}"
            f".star{{fill:#ffd84d}}.rank{{stroke:{paper}}}"
        )

    return (
        "text{font:13px system-ui,sans-serif}.point{fill-opacity:.75}.ranked{fill-opacity:1;"
        "stroke-width:2}.way{stroke-opacity:.35;stroke-dasharray:3 4}.star{stroke-width:1}"
        ".rank{font-weight:600;paint-order:stroke;stroke-width:3px}"
        + colours(_LIGHT, "#1f2328", "#ffffff")
        + "@media(prefers-color-scheme:dark){"
        + colours(_DARK, "#e6edf3", "#0d1117")
        + "}"
    )
