"""Make corpora of any size from real sentences, put together anew: always the same ones.

A document keeps to one text of a set (its topic) and to those beside it, as documents of one
archive do. Names and numbers are exchanged, the same one alike within a document; else a million
passages made of some ten thousand sentences would hold each of them many times. Document number `n`
is the same in a corpus of any size.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import re
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from goldens import beir, sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

HALVES = ("notes", "reports")  # the two halves of the tree
FIRST_DAY, DAYS = dt.date(2020, 1, 1), 2000  # the documents' days lie evenly in these
MIDDLE_DAY = FIRST_DAY + dt.timedelta(DAYS // 2)
_A_FOLDER = 50  # documents in the lowest folders
_FEWEST_WORDS, _MOST_WORDS = 45, 110  # of a paragraph, which makes a passage
_NEAR = 20  # topics on either side whose sentences a document goes on with
_MIXED = 8  # sentences that change places
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\b")


@dataclass(frozen=True, slots=True)
class Sources:
    """What documents are made of: the sentences of each topic; names; and questions to ask."""

    topics: Sequence[Sequence[str]]
    names: Sequence[str]
    questions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Written:
    """A document: its path below the corpus, its text, and the day of its file."""

    path: str
    text: str
    day: dt.date
    passages: int


def sources(bench: Path | None) -> Sources:
    """Read the sample corpus and, below `bench`, every set in BEIR form."""
    folders = sorted(path.parent for path in bench.glob("*/corpus.jsonl")) if bench else []
    topics: list[list[str]] = []
    questions: list[str] = []
    for documents, asked in [sample(), *map(beir, folders)]:
        topics += [found for _, text in documents if (found := sentences(text))]
        questions += asked
    names = sorted({name for topic in topics for one in topic for name in _NAME.findall(one)})
    random.Random(0).shuffle(questions)  # noqa: S311 - always the same
    return Sources(topics, names, questions)


def sentences(text: str) -> list[str]:
    """Cut a text into sentences, roughly, without headings and what is very short or long."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    found = (" ".join(one.split()) for one in _SENTENCE.split("\n".join(lines)))
    return [one for one in found if 30 <= len(one) <= 400]


def document(source: Sources, number: int) -> Written:
    """Make document `number`: about nine passages, few documents much longer."""
    draw = random.Random(number)  # noqa: S311 - always the same
    passages = max(1, min(60, round(draw.lognormvariate(2.0, 0.6))))
    own = draw.randrange(len(source.topics))
    near = range(len(source.topics))[max(0, own - _NEAR) : own + _NEAR + 1]
    nearest = sorted(near, key=lambda topic: abs(topic - own))
    told = cycle(_mixed([one for topic in nearest for one in source.topics[topic]], draw))
    exchanged: dict[str, str] = {}

    def other(found: re.Match[str]) -> str:
        name = found[0]
        if name not in exchanged:
            is_number = name.isdecimal()
            new = str(draw.randrange(10 ** min(len(name), 6))) if is_number else ""
            exchanged[name] = new or (draw.choice(source.names) if draw.random() < 0.5 else name)
        return exchanged[name]

    def sentence() -> str:
        return _NAME.sub(other, _NUMBER.sub(other, next(told)))

    def paragraph() -> str:
        words = draw.randint(_FEWEST_WORDS, _MOST_WORDS)
        said: list[str] = []
        while sum(map(len, said)) < 6 * words:  # about as many
            said.append(sentence())
        return " ".join(said)

    title = " ".join(sentence().split()[:7]).rstrip(".,;:")
    day = FIRST_DAY + dt.timedelta(number * 37 % DAYS)
    is_plain = number % 5 == 4
    parts = [title if is_plain else f"# {title}"]
    if number % 4 == 0 and not is_plain:
        parts.insert(0, f"---\nauthor: {draw.choice(source.names or ['A'])}\ndate: {day}\n---")
    for one in range(passages):
        if one and one % 3 == 0 and not is_plain:
            parts.append("## " + " ".join(sentence().split()[:5]).rstrip(".,;:"))
        parts.append(paragraph())
    folder = f"{HALVES[number % 2]}/{number // 1000:04}/{number // _A_FOLDER % 20:02}"
    path = f"{folder}/{number:07}.{'txt' if is_plain else 'md'}"
    return Written(path, "\n\n".join(parts) + "\n", day, passages)


def _mixed(told: Sequence[str], draw: random.Random) -> Iterator[str]:
    """Give sentences in about their order: what is near stays near."""
    for start in range(0, len(told), _MIXED):
        yield from draw.sample(part := told[start : start + _MIXED], len(part))


def tiny(source: Sources, number: int) -> Written:
    """Make a document of one sentence."""
    draw = random.Random(number)  # noqa: S311 - always the same
    text = draw.choice(draw.choice(source.topics))
    path = f"{HALVES[number % 2]}/{number // 2000:04}/{number // 100 % 20:02}/{number:07}.txt"
    return Written(path, f"{number}: {text}\n", FIRST_DAY + dt.timedelta(number % DAYS), 1)


def of_passages(source: Sources, count: int) -> Iterator[Written]:
    """Give documents with so many passages together."""
    number = made = 0
    while made < count:
        one = document(source, number)
        yield one
        number += 1
        made += one.passages


def write(folder: Path, documents: Iterable[Written]) -> None:
    """Write documents below a folder, each with the time of its day."""
    for one in documents:
        file = folder / one.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(one.text, "utf-8")
        noon = dt.datetime.combine(one.day, dt.time(12), dt.UTC).timestamp()
        os.utime(file, (noon, noon))
