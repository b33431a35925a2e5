"""Measure how often a word cut at a line's end is put together rightly; write hyphens.json.

Usage: python benchmarks/hyphens.py FOLDER NAME… [--width N]

FOLDER/NAME/corpus.jsonl holds texts (`text`). They are set in lines of so many letters, words cut
where English may be cut (pyphen) or at a hyphen of their own, and joined again, one text at a time
and twenty at a time: the more text, the more words to tell by. Needs pyphen.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyphen

from qa.reading.pdf.layout import count_words, join_lines
from qa.reading.pdf.lines import HYPHEN, Cell, Line

HERE = Path(__file__).parent
MOST_TEXTS = 400


class Cut(NamedTuple):
    """A line that ends in a cut word, what follows, and the hyphen that belongs between them."""

    line: str
    following: str
    hyphen: str


def set_lines(text: str, width: int, dictionary: pyphen.Pyphen) -> tuple[list[str], list[Cut]]:
    """Set a text in lines, cutting as many words as may be cut."""
    lines: list[str] = [""]
    hyphens: dict[int, str] = {}
    words = text.split()[::-1]
    while words:
        word = words.pop()
        room = width - len(lines[-1]) - 1
        if len(word) <= room or not lines[-1]:
            lines[-1] = f"{lines[-1]} {word}".strip()
            continue
        cuts = [(m.end(), "-") for m in re.finditer(r"(?<=\w)-(?=\w)", word) if m.end() <= room]
        if word.isalpha() and len(word) > 5:
            cuts += [(at, "") for at in dictionary.positions(word) if at < room]
        if cuts:
            at, hyphen = max(cuts)
            hyphens[len(lines) - 1] = hyphen
            lines[-1] += f" {word[:at].rstrip('-')}{HYPHEN}"
            word = word[at:]
        words.append(word)
        lines.append("")
    return lines, [
        Cut(lines[at], lines[at + 1].rstrip(HYPHEN), hyphen) for at, hyphen in hyphens.items()
    ]


def measure(texts: list[str], width: int) -> dict[str, float]:
    """Give the share of cuts put together rightly: words cut, and hyphens of their own."""
    dictionary = pyphen.Pyphen(lang="en_US")
    all_cuts: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for text in texts:
        lines, cuts = set_lines(text, width, dictionary)
        words = count_words(map(as_line, lines))
        for cut in cuts:
            joined, _ = join_lines([as_line(cut.line), as_line(cut.following)], words)
            all_cuts[cut.hyphen] += 1
            right[cut.hyphen] += joined == cut.line[:-1] + cut.hyphen + cut.following
    return {
        "cut words": all_cuts[""],
        "cut words right": round(right[""] / all_cuts[""], 4),
        "own hyphens": all_cuts["-"],
        "own hyphens right": round(right["-"] / all_cuts["-"], 4),
        "all right": round(right.total() / all_cuts.total(), 4),
    }


def as_line(text: str) -> Line:
    """Give a line of a page that says this."""
    return Line((Cell(text, 0, 1),), base=0, size=10, angle=0, bold=False)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--width", type=int, default=55)
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for name in options.names:
        raw = (options.folder / name / "corpus.jsonl").read_text("utf-8")
        texts = [json.loads(line).get("text") or "" for line in raw.splitlines()]
        random.Random(1).shuffle(texts)  # noqa: S311
        texts = texts[:MOST_TEXTS]
        for together in (1, 20):
            groups = [" ".join(texts[at : at + together]) for at in range(0, len(texts), together)]
            found[f"{name}, {together} at a time"] = measure(groups, options.width)
    text = json.dumps(found, indent=1) + "\n"
    (HERE / "hyphens.json").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
