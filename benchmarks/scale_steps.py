"""What benchmarks/scale.py measures inside of a process, each step in a fresh one.

Usage: python benchmarks/scale_steps.py STEP ARGUMENTS OUT, where ARGUMENTS is JSON and what was
measured goes to the file OUT. CPU is user and system seconds, children that have ended
included.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stand_in import StandIn

    from qa.assistant import Assistant

# --- all that is known here of the store and of search ------------------------------------


def write_ahead_log(index: Path) -> Path:
    """Name the log that the catalog is written to first."""
    from qa.store.database import CATALOG

    return index / f"{CATALOG}-wal"


def searchable(index: Path) -> int:
    """Count the documents that a question finds at this moment, if by their words alone."""
    from qa.errors import IndexUnusableError
    from qa.store.opening import moment

    with suppress(IndexUnusableError), moment(index) as snapshot:
        return snapshot.count_documents()
    return 0


@contextmanager
def candidates(count: int) -> Iterator[None]:
    """Let each retriever propose so many."""
    from qa.answering import search

    before = search.proposals
    search.proposals = lambda passages: count  # noqa: ARG005 - the name is part of its type
    try:
        yield
    finally:
        search.proposals = before


def merge_vectors(index: Path, folder: Path) -> None:
    """Write all segments of vectors again, full ones as far as that goes, in another folder."""
    from qa.store.catalog import Catalog
    from qa.store.segments import chunks
    from qa.store.vectors import build

    with Catalog.reading(index) as catalog:
        embeddings = catalog.embeddings
        after = 0
        for number, count in enumerate(chunks(embeddings.count_after(0))):
            last = embeddings.number_of(after, count)
            vectors = partial(embeddings.vectors, after=after, upto=last)
            build(folder, f"vectors-{number}", vectors, count, last)
            after = last


# --- the steps ------------------------------------------------------------------------------


def build(*, table: str = "", **where: str) -> dict[str, Any]:
    """Index the corpus; with a stand-in's table, all but the model."""
    with _assistant(table, **where) as (one, stand_in):
        before = cpu()
        done = one.refresh()
        used = cpu() - before - stand_in.cpu_s
    return {"documents": done.added, "passages": done.passages, "cpu_s": round(used, 3)}


def warm(
    *, questions: Sequence[str], few: Sequence[str], filters: dict[str, Any], **where: str
) -> dict[str, Any]:
    """Ask many questions in one process.

    All are answered, since an abstention looks for changes; how long that takes is a figure too.
    """
    with _assistant("", **where) as (one, _):
        plain = p50(one.ask, questions, threshold=0, refresh=False)
        found = {"no check": plain, "check": p50(one.ask, few, threshold=0)}
        found["not answered"] = p50(one.ask, few, threshold=1, refresh=False)
        for name, chosen in filters.items():
            found[name] = p50(one.ask, few, threshold=0, refresh=False, **chosen)
    return found


def agreement(*, questions: Sequence[str], deep: int, **where: str) -> dict[str, Any]:
    """Compare the five best passages with those from many more candidates."""
    with _assistant("", **where) as (one, _):

        def five(question: str) -> set[tuple[str, int]]:
            answer = one.ask(question, 5, threshold=0, refresh=False)
            return {(p.citation.document, p.citation.start) for p in answer.passages}

        usual = [five(question) for question in questions]
        with candidates(deep):
            best = [five(question) for question in questions]
    same = [len(a & b) / max(1, len(b)) for a, b in zip(usual, best, strict=True)]
    return {"candidates": deep, "questions": len(same), "share": round(statistics.mean(same), 4)}


def changed(*, questions: Sequence[str], table: str, **where: str) -> dict[str, Any]:
    """Change one document in a hundred, take that up, and ask."""
    documents = [path for path in sorted(Path(where["corpus"]).rglob("*")) if path.is_file()]
    chosen = random.Random(0).sample(documents, max(1, len(documents) // 100))  # noqa: S311
    for number, path in enumerate(chosen):
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"\n\nNote {time.time_ns()}, {number}: looked through once more.\n")
    with _assistant(table, **where) as (one, stand_in):
        before = cpu()
        done = one.refresh()
        used = cpu() - before - stand_in.cpu_s
        asked = p50(one.ask, questions, threshold=0, refresh=False)
    return {"documents": done.changed, "refresh_cpu_s": round(used, 3), "no check": asked}


def merge(*, corpus: str, index: str, cache: str) -> dict[str, Any]:  # noqa: ARG001
    """Merge all vectors."""
    with tempfile.TemporaryDirectory(dir=Path(index).parent) as folder:
        before = cpu()
        merge_vectors(Path(index), Path(folder))
        return {"cpu_s": round(cpu() - before, 3)}


def looking(*, corpus: str, index: str, cache: str) -> dict[str, Any]:  # noqa: ARG001
    """Do the least that a check can: name all files and ask the system for size and times."""
    waiting, count, before = [corpus], 0, cpu()
    while waiting:
        with os.scandir(waiting.pop()) as listing:
            for entry in listing:
                if entry.is_dir():
                    waiting.append(entry.path)
                else:
                    entry.stat()
                    count += 1
    return {"files": count, "cpu_s": round(cpu() - before, 4)}


def p50(
    ask: Callable[..., object],
    questions: Sequence[str],
    **options: Any,  # noqa: ANN401
) -> dict[str, float]:
    """Ask each question, after ten to warm up; medians, in milliseconds."""
    for question in islice(cycle(questions), 10):
        ask(question, **options)
    used, waited = [], []
    for question in questions:
        before, started = time.process_time(), time.perf_counter()
        ask(question, **options)
        waited.append(time.perf_counter() - started)
        used.append(time.process_time() - before)
    return {
        "cpu_ms": round(statistics.median(used) * 1e3, 2),
        "wall_ms": round(statistics.median(waited) * 1e3, 2),
    }


def cpu() -> float:
    """Give the CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


@contextmanager
def _assistant(table: str, **where: str) -> Iterator[tuple[Assistant, StandIn]]:
    """Open an assistant; passages are embedded by the stand-in where it is given a table."""
    import numpy as np
    from stand_in import StandIn, put_in

    from qa.assistant import Assistant
    from qa.settings import load_settings

    with Assistant(settings=load_settings(where)) as assistant:
        if table:
            yield assistant, put_in(assistant, np.load(table, mmap_mode="r"))
        else:
            yield assistant, StandIn(np.empty((0, 0), np.float32))


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    step.__name__: step for step in (build, warm, agreement, changed, merge, looking)
}

if __name__ == "__main__":
    name, arguments, out = sys.argv[1:]
    Path(out).write_text(json.dumps(STEPS[name](**json.loads(arguments))))
