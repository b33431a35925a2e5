"""Many questions a second: one by one, from threads, together, and by `qa ask --batch`.

Usage: python benchmarks/batch.py [--write]. The sample corpus, 480 questions, an index that is
there; the median of five runs of each, taken in turns. `--write` keeps benchmarks/batch.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import qa
from qa.cores import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
CORPUS = HERE.parent / "corpus"
ASKED = (
    "Will Russia send food or medicine?",
    "When was the pact signed?",
    "Who signed the pact?",
    "What did the United States say?",
    "How many troops did North Korea send?",
    "What does article 4 say?",
    "What is the role of China?",
    "Which weapons were exchanged?",
)
QUESTIONS = [f"{one[:-1]} in {2000 + year}?" for year in range(60) for one in ASKED]
RUNS = 5


def processor() -> float:
    """Give the seconds of the processor that this process and its children have taken."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measured() -> dict[str, dict[str, float]]:
    """Give for each way the milliseconds of the processor a question, and questions a second."""
    taken: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        index, lines = Path(folder, "index"), Path(folder, "questions")
        lines.write_text("\n".join(QUESTIONS), "utf-8")
        with qa.Assistant(CORPUS, index) as assistant:
            ways = _ways(assistant, lines, index)
            for one in ASKED:
                assistant.ask(one)
            for _ in range(RUNS):
                for name, way in ways.items():
                    before, started = processor(), time.perf_counter()
                    way()
                    passed = time.perf_counter() - started
                    taken.setdefault(name, []).append((processor() - before, passed))
    return {
        name: {
            "cpu_ms": round(1e3 * statistics.median(cpu for cpu, _ in runs) / len(QUESTIONS), 2),
            "a_second": round(len(QUESTIONS) / statistics.median(wall for _, wall in runs)),
        }
        for name, runs in taken.items()
    }


def _ways(assistant: qa.Assistant, lines: Path, index: Path) -> dict[str, Callable[[], object]]:
    async def awaited() -> list[qa.Answer]:
        return await asyncio.gather(*map(assistant.ask_async, QUESTIONS))

    async def in_the_threads_of_asyncio() -> list[qa.Answer]:
        asked = (asyncio.to_thread(assistant.ask, one) for one in QUESTIONS)
        return await asyncio.gather(*asked)

    def threads() -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(assistant.ask, QUESTIONS))

    def eights() -> None:
        for start in range(0, len(QUESTIONS), 8):
            list(assistant.ask_many(QUESTIONS[start : start + 8]))

    def batch() -> None:
        command = [sys.executable, "-m", "qa", "ask", "--batch", str(lines)]
        places = ["--corpus", str(CORPUS), "--index", str(index)]
        done = subprocess.run([*command, *places], check=False, stdout=subprocess.PIPE)
        if done.stdout.count(b"\n") != len(QUESTIONS):
            raise SystemExit(f"qa ask --batch ended with status {done.returncode}")

    return {
        "ask, one by one": lambda: [assistant.ask(one) for one in QUESTIONS],
        "ask, 16 threads": threads,
        "ask in asyncio's threads, all at once": lambda: asyncio.run(in_the_threads_of_asyncio()),
        "ask_async, all at once": lambda: asyncio.run(awaited()),
        "ask_many, 8 at a time": eights,
        "ask_many, all": lambda: list(assistant.ask_many(QUESTIONS)),
        "qa ask --batch, start included": batch,
    }


def main() -> None:
    """Measure, and write what was asked for."""
    found = {"cores": usable_cores(), "load_before": os.getloadavg()[0], "ways": measured()}
    text = json.dumps(found, indent=2) + "\n"
    sys.stdout.write(text)
    if "--write" in sys.argv:
        (HERE / "batch.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
