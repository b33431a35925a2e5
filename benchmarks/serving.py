"""Measure `qa serve` under a constant rate of questions; write benchmarks/serving.json.

Usage: python benchmarks/serving.py [rates] [indexing] [memory] [--seconds N] [--requests N]
           [--rate N]

A real server on loopback, a process of its own, asked by this one (`constant_rate.py`) on the
same machine. No two questions are the same, so nothing is answered from a memory of answers.

- rates: the sample corpus, a warm server, several rates for `--seconds` each;
- indexing: 2,000 documents that were never indexed, asked for as long as that takes, a minute at
  most, from when the first can be found;
- memory: the server's resident memory over `--requests` questions at `--rate`.

What is not named keeps the figures that it has; by default, all are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constant_rate import Load, percentile, send
from corpora import DOCUMENTS, write_corpus
from speed import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "corpus"
KEPT = HERE / "serving.json"
RATES = (10, 25, 50, 100, 150, 200)
INDEXING_RATE = 10
WARM = 100  # questions before anything is measured
STEPS = 10  # of memory
MINUTE = 60.0
_ASKED = (
    "What did {who} say about {word}?",
    "When did {who} speak of {word}?",
    "Why does {who} mention {word}?",
    "How does {who} answer to {word}?",
)
_WHO = (
    *("Russia", "North Korea", "South Korea", "the United States", "China", "Ukraine"),
    *("Putin", "Kim Jong Un", "the spokesman", "the article", "the treaty", "the parliament"),
)


def questions(corpus: Path) -> Iterator[dict[str, str]]:
    """Make questions from a corpus's own words, all different: about a quarter has an answer."""
    files = sorted(path for path in corpus.rglob("*") if path.is_file())[:200]
    text = " ".join(path.read_text("utf-8") for path in files)
    words = sorted(set(re.findall(r"[a-z]{4,}", text)))
    for turn in count():
        for number, word in enumerate(words):
            asked = _ASKED[(turn + number) % len(_ASKED)]
            who = _WHO[(turn // len(_ASKED) + number) % len(_WHO)]
            again = turn // (len(_ASKED) * len(_WHO))
            about = f"{word} and {words[(number + 7 * again) % len(words)]}" if again else word
            yield {"question": asked.format(who=who, word=about)}


class Server:
    """A `qa serve` that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Take one that was just started."""
        assert process.stdout is not None  # noqa: S101 - it is piped
        self._pid = process.pid
        self.port = int(process.stdout.readline().rsplit(":", 1)[1].rstrip("/\n"))

    def status(self) -> dict[str, Any]:
        """What it says of itself; {} while there is nothing yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status") as said:
                found: dict[str, Any] = json.load(said)
                return found
        except urllib.error.HTTPError:
            return {}

    def cpu_s(self) -> float:
        """Seconds of the processor that it took, all its threads together."""
        fields = Path(f"/proc/{self._pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Its resident memory."""
        said = Path(f"/proc/{self._pid}/status").read_text("ascii", "replace")
        found = re.search(r"VmRSS:\s+(\d+) kB", said)
        return round(int(found[1]) / 1024, 1) if found else 0.0


@contextmanager
def serving(corpus: Path, index: Path) -> Iterator[Server]:
    """Run a server; it is ended with this."""
    command = [sys.executable, "-m", "qa", "serve", "--port", "0", "--quiet"]
    places = ["--corpus", str(corpus), "--index", str(index)]
    process = subprocess.Popen([*command, *places], stdout=subprocess.PIPE, text=True)
    try:
        yield Server(process)
    finally:
        process.terminate()
        process.wait()


def ready(server: Server, *, whole: bool) -> None:
    """Wait until something is indexed, or all."""
    while True:
        said = server.status()
        if said.get("passages") and not (whole and (said["refreshing"] or said["pending"])):
            return
        time.sleep(1)


def figures(load: Load, rate: float, cpu_s: float) -> dict[str, Any]:
    """What is kept of a load."""
    found = load.latencies or [float("nan")]
    shares = {str(one): round(n / load.sent, 4) for one, n in sorted(load.statuses.items())}
    return {
        "rate": rate,
        "sent": load.sent,
        "answered_a_second": round(len(load.latencies) / load.seconds, 1),
        "statuses": shares,
        **{f"p{p}_ms": round(1e3 * percentile(found, p / 100), 1) for p in (50, 90, 99)},
        "max_ms": round(1e3 * max(found), 1),
        "sent_late_ms": round(1e3 * load.late, 1),
        "server_cpu_ms_each": round(1e3 * cpu_s / max(1, len(load.latencies)), 2),
        "load_average": round(os.getloadavg()[0], 1),
    }


def measured(server: Server, bodies: Iterator[Any], rate: float, most: int) -> dict[str, Any]:
    """Ask so many questions at a rate."""
    before = server.cpu_s()
    load = send(server.port, islice(bodies, most), rate)
    return figures(load, rate, server.cpu_s() - before)


def by_rate(seconds: float) -> list[dict[str, Any]]:
    """Ask a warm server at each rate."""
    bodies = questions(SAMPLE)
    with tempfile.TemporaryDirectory() as folder, serving(SAMPLE, Path(folder)) as server:
        ready(server, whole=True)
        measured(server, bodies, RATES[0], WARM)
        return [measured(server, bodies, rate, max(1, int(rate * seconds))) for rate in RATES]


def while_indexing() -> dict[str, Any]:
    """Ask while documents are indexed for the first time."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        documents = write_corpus(corpus, DOCUMENTS)
        with serving(corpus, Path(folder, "index")) as server:
            ready(server, whole=False)
            over = threading.Event()
            threading.Thread(target=watched, args=(server, over), daemon=True).start()
            before = server.cpu_s()
            load = send(server.port, questions(corpus), INDEXING_RATE, lambda: not over.is_set())
            said = server.status()
            found = figures(load, INDEXING_RATE, server.cpu_s() - before)
    del found["server_cpu_ms_each"]  # most of it is the indexing's
    return {"documents": documents, "pending_at_end": said["pending"], **found}


def watched(server: Server, over: threading.Event) -> None:
    """Tell when nothing is being indexed any more, or a minute has passed."""
    until = time.monotonic() + MINUTE
    while time.monotonic() < until and server.status().get("refreshing"):
        time.sleep(MINUTE / 12)
    over.set()


def memory(requests: int, rate: float) -> dict[str, Any]:
    """Ask very many questions, and look at the server's memory."""
    bodies = questions(SAMPLE)
    with tempfile.TemporaryDirectory() as folder, serving(SAMPLE, Path(folder)) as server:
        ready(server, whole=True)
        measured(server, bodies, rate, WARM)
        steps = [{"requests": 0, "resident_mb": server.resident_mb()}]
        for step in range(STEPS):
            one = measured(server, bodies, rate, requests // STEPS)
            done = (step + 1) * (requests // STEPS)
            steps.append({"requests": done, "resident_mb": server.resident_mb(), **one})
    return {"rate": rate, "steps": steps}


def main() -> None:
    """Measure what was asked for, and write it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("parts", nargs="*", choices=["rates", "indexing", "memory", []])
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--requests", type=int, default=100_000)
    arguments.add_argument("--rate", type=float, default=50)
    given = arguments.parse_args()
    parts: dict[str, Callable[[], Any]] = {
        "rates": lambda: by_rate(given.seconds),
        "indexing": while_indexing,
        "memory": lambda: memory(given.requests, given.rate),
    }
    for part in given.parts or parts:
        made = {"machine": machine(), "figures": parts[part]()}
        kept = json.loads(KEPT.read_text("utf-8")) if KEPT.is_file() else {}
        text = json.dumps(kept | {part: made}, indent=2) + "\n"
        KEPT.write_text(text, "utf-8")
        sys.stdout.write(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main()
