"""Two single-threaded workers of Ray on this machine against one process with one thread.

Usage: python benchmarks/on_ray.py [--passages 2400], with the extra `ray`; writes on_ray.json.
Passages a second are those from the end of reading until all is committed, with the time in which
each process opens the model. As other
programs may take the cores, the time of the processor is measured too, of all processes together:
where it is the only limit, two cores are twice (that of one process) / (that on Ray) as fast.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from qa.progress import Progress

HERE = Path(__file__).parent
ARTICLE = HERE.parent / "corpus" / "russia-north-korea-pact.md"
TICK = os.sysconf("SC_CLK_TCK")


def make_corpus(folder: Path, passages: int) -> None:
    """Write files of 20 paragraphs of 60 words, each a passage."""
    words, pick = ARTICLE.read_text("utf-8").split(), random.Random(1)  # noqa: S311
    for number in range(passages // 20):
        paragraphs = [" ".join(pick.choices(words, k=60)) + "." for _ in range(20)]
        (folder / f"{number:04}.txt").write_text("\n\n".join(paragraphs), "utf-8")


def spent(root: int) -> float:
    """Seconds of the processor that a process and those it started, and theirs, have taken."""
    parents, seconds = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        process = int(folder.name)
        parents[process] = int(fields[1])
        seconds[process] = (int(fields[11]) + int(fields[12])) / TICK
    total = 0.0
    for process, took in seconds.items():
        above = process
        while above not in {root, 0}:
            above = parents.get(above, 0)
        total += took if above == root else 0.0
    return total


def run_one(on: Literal["here", "ray"], jobs: int, corpus: str, folder: str) -> None:
    """Index once, and print what was measured."""
    from qa.assistant import Assistant

    marks: list[tuple[float, float, int]] = []

    def told(one: Progress) -> None:
        is_done = one.seconds_left == 0
        if one.phase == "embedding" and (is_done or not marks):
            marks.append((time.perf_counter(), spent(os.getpid()), one.passages))

    with Assistant(corpus, folder, jobs=jobs, progress=told) as assistant:
        done = assistant.refresh(ray="local" if on == "ray" else None)
    (began, before, first), (ended, after, last) = marks
    embedded = last - first
    print(
        json.dumps(
            {
                "on": on,
                "jobs": jobs,
                "passages": done.encoded,
                "passages_a_second": round(embedded / (ended - began), 1),
                "processor_ms_a_passage": round(1000 * (after - before) / embedded, 2),
                "driver_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )


def main() -> None:
    """Measure both, three times in turn, and keep the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, default=2400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=4)
    arguments = parser.parse_args()
    if arguments.one:
        on, jobs, corpus, folder = arguments.one
        run_one(cast('Literal["here", "ray"]', on), int(jobs), corpus, folder)
        return
    runs: dict[str, list[dict[str, float]]] = {"here": [], "ray": []}
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch, "corpus")
        corpus.mkdir()
        make_corpus(corpus, arguments.passages)
        for number in range(arguments.rounds):
            for on, jobs in (("here", 1), ("ray", 2)):
                one = ("--one", on, str(jobs), str(corpus), f"{scratch}/{on}-{number}")
                told = subprocess.run(
                    [sys.executable, __file__, *one], check=True, capture_output=True, text=True
                )
                runs[on].append(json.loads(told.stdout.splitlines()[-1]))
                print(told.stdout.strip())
    from qa.indexing.on_ray.executor import PASSAGES

    def median(on: str, what: str) -> float:
        return float(statistics.median(run[what] for run in runs[on]))

    took = {on: median(on, "processor_ms_a_passage") for on in runs}
    found = {
        "runs": runs,
        "load": round(os.getloadavg()[0], 1),
        "times_as_fast": round(
            median("ray", "passages_a_second") / median("here", "passages_a_second"), 2
        ),
        "times_as_fast_by_processor": round(2 * took["here"] / took["ray"], 2),
        "overhead_ms_a_batch": round((took["ray"] - took["here"]) * PASSAGES, 1),
        "passages_a_batch": PASSAGES,
    }
    (HERE / "on_ray.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
