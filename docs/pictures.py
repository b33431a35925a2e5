"""Write docs/pictures: an answer and a session as a terminal shows them, for the README.

Usage: python docs/pictures.py. Light or dark as the reader's system is; no font is fetched.
"""

from __future__ import annotations

import sys
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from qa.assistant import Assistant
from qa.cli import render
from qa.cli.background import Background, Told
from qa.cli.layout import columns
from qa.cli.output import Output, Segment
from qa.cli.session import Asking, Session
from qa.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qa.cli.output import Line

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
QUESTION = "Will Russia send food or medicine?"
TYPED = ("Which allies of the United States are worried?", ":show 3")
COLUMNS, ROWS = 80, 24
WIDE, HIGH, AROUND, SIZE = 8.4, 19, 16, 14  # of a character, a line, the margin, the letters
# Dim is about two thirds of the foreground, as most terminals have it: a contrast of 5.7.
STYLE = f"""
text {{ font: {SIZE}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
       fill: #1f2328; white-space: pre }}
rect {{ fill: #ffffff; stroke: #d1d9e0 }}
.bold {{ font-weight: bold }} .underline {{ text-decoration: underline }} .dim {{ fill: #636770 }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #d4d4d4 }} rect {{ fill: #1e1e1e; stroke: #3d444d }} .dim {{ fill: #979797 }}
}}
"""


def picture(lines: Iterable[Line], label: str) -> str:
    """Draw lines; each piece is as wide as its columns, whatever the font."""
    drawn = []
    row = 0
    for row, line in enumerate(lines, 1):
        at = 0
        for part in line:
            text = visible(part.text)
            x, y = AROUND + at * WIDE, AROUND + row * HIGH - 5
            if text.strip():
                drawn.append(
                    f'<text x="{x:.1f}" y="{y}" class="{part.style}" '
                    f'textLength="{columns(text) * WIDE:.1f}" xml:space="preserve">'
                    f"{escape(text)}</text>"
                )
            at += columns(text)
    width, height = COLUMNS * WIDE + 2 * AROUND, row * HIGH + 2 * AROUND
    body = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" role="img" aria-label="{label}">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="8"/>\n'
        f"{body}\n</svg>\n"
    )


def answer(cache: str | None = None) -> str:
    """Draw what `qa ask` shows of the sample article."""
    with tempfile.TemporaryDirectory() as index:
        with Assistant(HERE.parent / "corpus", index, cache=cache) as assistant:
            found = assistant.ask(QUESTION)
        shown = render.answer(found, None, width=COLUMNS, room=COLUMNS, rows=ROWS)
        return picture([(Segment(f'$ qa ask "{QUESTION}"'),), *shown], "An answer in a terminal")


class _Screen(Output):
    """A screen of so many columns and rows, which keeps what it shows."""

    width = room = COLUMNS
    rows = ROWS

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Line] = []

    def lines(self, lines: Iterable[Line]) -> None:
        """Keep lines."""
        self.shown += lines


def session(cache: str | None = None) -> str:
    """Draw what `qa chat` shows of the sample article."""
    screen, told = _Screen(), Told()
    with (
        tempfile.TemporaryDirectory() as index,
        Assistant(HERE.parent / "corpus", index, cache=cache) as assistant,
    ):
        assistant.refresh()
        background = Background(assistant, told)
        asked = Session(assistant, screen, told, background, Asking(k=3))
        screen.shown.append((Segment("$ qa chat"),))
        for line in TYPED:
            screen.shown.append((Segment("qa> ", "bold"), Segment(line)))
            asked.take(line)
        background.leave(10)
    return picture(screen.shown, "A session in a terminal")


DRAWN = {"answer": answer, "session": session}

if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for name, draw in DRAWN.items():
        (PICTURES / f"{name}.svg").write_text(draw(), "utf-8")
        sys.stdout.write(f"{PICTURES / name}.svg\n")
