"""Refresh a small corpus N times and ask M questions, all in one process; nothing may grow.

python tests/long/life.py [N] [M]
"""

from __future__ import annotations

import gc
import os
import random
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common import cache_folder, work_folder, write_result
from qa.assistant import Assistant

if TYPE_CHECKING:
    from typing import Any

SENTENCES = [
    "The harbour froze in 1867.",
    "Copper conducts heat well.",
    "A fox crossed the road twice.",
    "Nobody signed the second treaty.",
    "Rain fell on the chapel roof.",
    "She paid 40 crowns for the mill.",
    "Whales sing over great distances.",
    "Bread rises through wild yeast.",
]
_LOOKS = 20  # how often all is measured


def change(corpus: Path, chance: random.Random, step: int) -> None:
    """Add, change, rename or remove a document; there are about thirty of them."""
    files = sorted(corpus.iterdir())
    action = chance.choice(["add", "change", "change", "rename", "remove"])
    if len(files) < 20:
        action = "add"
    elif len(files) > 40:
        action = "remove"
    text = " ".join(chance.sample(SENTENCES, 3)) + f" Note {step % 500}.\n"
    if action == "add":
        (corpus / f"n{step}.txt").write_text(text)
    elif action == "change":
        chance.choice(files).write_text(text)
    elif action == "rename":
        chance.choice(files).rename(corpus / f"r{step}.txt")
    else:
        chance.choice(files).unlink()


def look(index: Path, milliseconds: list[float]) -> dict[str, Any]:
    """Measure what could grow."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    with sqlite3.connect(f"file:{index / 'catalog.sqlite'}?mode=ro", uri=True) as db:
        tables = ("passage", "document", "term", "token", "dead")
        rows = {one: db.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in tables}
    db.close()
    files = [path for path in index.rglob("*") if path.is_file()]
    return {
        "resident_mb": round(resident / 2**20, 1),
        "open_files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - links that go away
        "threads": len(os.listdir("/proc/self/task")),  # noqa: PTH208 - as above
        "index_kb": sum(path.stat().st_size for path in files) // 1024,
        "index_files": len(files),
        "segments": len(list(index.glob("lexical-*/*.idx"))),
        "median_ms": round(float(np.median(milliseconds)), 2),
        **rows,
    }


def difference(one: Assistant, other: Assistant, question: str) -> float:
    """Give by how much scores differ; the places must be the same, in the same order."""
    left, right = (each.ask(question, k=50, threshold=0).passages for each in (one, other))
    assert [str(each.citation) for each in left] == [str(each.citation) for each in right]
    pairs = zip(left, right, strict=True)
    apart = max(abs(first.scores.fused - second.scores.fused) for first, second in pairs)
    assert apart <= 1e-6, apart
    return apart


def main(refreshes: int, questions: int) -> None:
    """Live long, measure, and write it down."""
    folder = work_folder()
    corpus, index = folder / "corpus", folder / "index"
    corpus.mkdir()
    chance = random.Random(1)  # noqa: S311 - repeatable, not secret
    refreshed: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []
    with Assistant(corpus, index, cache=str(cache_folder())) as assistant:
        milliseconds: list[float] = []
        for step in range(1, refreshes + 1):
            change(corpus, chance, step)
            started = time.perf_counter()
            assistant.refresh()
            milliseconds.append((time.perf_counter() - started) * 1000)
            if step % max(1, refreshes // _LOOKS) == 0:
                refreshed.append({"after": step, **look(index, milliseconds)})
                milliseconds = []
                print(refreshed[-1], file=sys.stderr, flush=True)
        for step in range(1, questions + 1):
            text = f"{chance.choice(SENTENCES)} {chance.randrange(1000)}?"
            started = time.perf_counter()
            assistant.ask(text, refresh=step % 10 == 0)
            milliseconds.append((time.perf_counter() - started) * 1000)
            if step % max(1, questions // _LOOKS) == 0:
                asked.append({"after": step, **look(index, milliseconds)})
                milliseconds = []
                print(asked[-1], file=sys.stderr, flush=True)
        with Assistant(corpus, folder / "anew", cache=str(cache_folder())) as anew:
            apart = max(difference(assistant, anew, text) for text in SENTENCES)
    write_result(
        "life",
        {
            "refreshes": refreshes,
            "questions": questions,
            "scores apart from an index built anew": apart,
            "while refreshing": refreshed,
            "while asking": asked,
        },
    )


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    main(*(numbers + [10_000, 100_000][len(numbers) :]))
