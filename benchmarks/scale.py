"""Measure cost against size; write benchmarks/scale.json (tables.py writes tables and plots of it).

Usage: python benchmarks/scale.py --bench FOLDER [--sizes 10000,50000] [--files 100000] …

FOLDER holds sets in BEIR form, of whose sentences the documents are made (recombined.py). Passages
are embedded by the model up to --real passages, and by a stand-in from there on (stand_in.py); all
else is real: files, reading, cutting, catalog, tantivy, FAISS, the question's own forward pass.

A size replaces what the JSON holds of that size, so each may be run by itself: a million takes
hours and 10 GB below --keep, where corpora and indexes stay (with notes at the end of documents
that were changed to measure it). --steps runs only some steps, on an index that was kept where
`build` is not among them. Without --bench, all is made of the sample article: a trial.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import recombined
from scale_steps import searchable, write_ahead_log
from speed import QA, WAIT, machine, process, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

HERE = Path(__file__).parent
STEPS = ("build", "cold", "warm", "agreement", "merge", "changed")
OF_FILES = ("build", "cold", "warm", "looking")
ASKED, FEW_ASKED, COMPARED = 60, 20, 200  # questions
DEEP = 1000  # candidates of each retriever, with which the five best are compared
FITTED_TO = 2500  # passages
FILTERS = {
    "in half of the tree": {"within": f"{recombined.HALVES[1]}/**"},
    "since the middle day": {"since": recombined.MIDDLE_DAY.isoformat()},
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the corpus and the index of one size are, and what is asked and embedded with there."""

    folder: Path
    cache: Path
    questions: Sequence[str]
    table: Path  # the stand-in's

    @property
    def corpus(self) -> Path:
        """The folder of the documents."""
        return self.folder / "corpus"

    @property
    def index(self) -> Path:
        """The folder of the index."""
        return self.folder / "index"

    def measure(self, steps: Iterable[str], *, is_real: bool, runs: int) -> dict[str, Any]:
        """Run steps, one after the other; gives what each measured."""
        few = self.questions[:FEW_ASKED]
        given: dict[str, dict[str, Any]] = {
            "warm": {"questions": self.questions[:ASKED], "few": few, "filters": FILTERS},
            "agreement": self._compared(),
            "changed": {"questions": few, "table": str(self.table)},
        }
        found: dict[str, Any] = {}
        for name in steps:
            if name == "build":
                new = self._build(is_real=is_real)
            elif name == "cold":
                new = {name: self._cold(runs)}
            else:
                new = {name: self._step(name, **given.get(name, {}))}
            print(self.folder.name, json.dumps(new), file=sys.stderr, flush=True)
            found |= new
        return found

    def _compared(self) -> dict[str, Any]:
        return {"questions": self.questions[:COMPARED], "deep": DEEP}

    def _build(self, *, is_real: bool) -> dict[str, Any]:
        """Index with the stand-in; where the vectors are to be real, again with the model."""
        found = {"build": self._index(self.table)}
        if is_real:
            found["agreement, stand-ins"] = self._step("agreement", **self._compared())
            found["build, model"] = self._index(None)
        return found

    def _index(self, table: Path | None) -> dict[str, Any]:
        shutil.rmtree(self.index, ignore_errors=True)
        documents = sum(1 for _ in files(self.corpus))
        command = self._command("build", table=str(table or ""))
        seen = watched(command, self.index, documents)
        return self._measured() | seen | {"disk_mb": on_disk(self.index)}

    def _step(self, name: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - goes into JSON
        peak = process(self._command(name, **arguments), self.folder)["peak_mb"]
        return self._measured() | {"peak_mb": round(peak)}

    def _command(self, name: str, **arguments: Any) -> list[str]:  # noqa: ANN401
        where = {"corpus": self.corpus, "index": self.index, "cache": self.cache}
        given = json.dumps({key: str(path) for key, path in where.items()} | arguments)
        script = str(HERE / "scale_steps.py")
        return [sys.executable, script, name, given, str(self.folder / "measured.json")]

    def _measured(self) -> dict[str, Any]:
        measured: dict[str, Any] = json.loads((self.folder / "measured.json").read_text())
        return measured

    def _cold(self, runs: int) -> dict[str, Any]:
        """Ask in fresh processes; then with one document changed before each."""
        ask: list[str | Path] = [*QA, "ask", self.questions[0], "--threshold", "0"]
        ask += ["--corpus", self.corpus, "--index", self.index]
        run = partial(process, cwd=self.folder)
        unchanged: dict[str, Callable[[], dict[str, float]]] = {
            "no check": partial(run, [*ask, "--no-refresh"]),
            "check": partial(run, ask),
        }
        todo = cycle(files(self.corpus))

        def change_one() -> dict[str, float]:
            note(next(todo))
            time.sleep(2.5)  # a younger file is read again by the next check
            return run(ask)

        found = side_by_side(unchanged, runs)
        return found | side_by_side({"one changed": change_one}, runs)


def watched(command: Sequence[str], index: Path, documents: int) -> dict[str, Any]:
    """Run a command, and look meanwhile at the index that it makes.

    Gives its wall seconds, its peak MB (of the largest process, if it starts more), the largest
    size of the write-ahead log, and after how many seconds the first document could be found, and
    all of them (if by their words only).
    """
    started = time.perf_counter()
    log, largest, looked, found = write_ahead_log(index), 0, started, 0
    times: dict[str, float] = {}
    wait = [sys.executable, "-c", WAIT, *command]
    with subprocess.Popen(wait, stdout=subprocess.PIPE, text=True) as running:
        while running.poll() is None:
            with suppress(FileNotFoundError):
                largest = max(largest, log.stat().st_size)
            now = time.perf_counter()
            if found < documents and now - looked > 0.5:
                found, looked = searchable(index), now
                times |= _reached(found, documents, now - started, times)
            time.sleep(0.02)
        if running.returncode:
            raise subprocess.CalledProcessError(running.returncode, command)
        used = json.loads(running.stdout.read() if running.stdout else "")
    times |= _reached(searchable(index), documents, used["wall_s"], times)
    return {
        "wall_s": round(used["wall_s"], 2),
        "peak_mb": round(used["peak_mb"]),
        "log_mb": round(largest / 2**20),
        **times,
    }


def _reached(found: int, documents: int, now: float, before: dict[str, float]) -> dict[str, float]:
    reached = {"first_document_s": found > 0, "all_documents_s": found >= documents}
    return {key: round(now, 2) for key, yes in reached.items() if yes and key not in before}


def files(folder: Path) -> Iterator[Path]:
    """List the files below a folder, always in the same order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def note(file: Path) -> None:
    """Change a document a little."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"\n\nNote {time.time_ns()}: looked through, and left as it is.\n")


def on_disk(index: Path) -> dict[str, int]:
    """Give the MB of an index: of its catalog, lexical index and vectors, and of all."""
    found = {"all": 0}
    for path in files(index):
        part = path.relative_to(index).parts[0].split("-")[0].split(".")[0]
        for key in ("all", part):
            found[key] = found.get(key, 0) + path.stat().st_size
    return {key: round(size / 2**20) for key, size in found.items()}


def commit(before: dict[str, Any]) -> dict[str, str]:
    """Say of which code and day the figures are, with those that were there before."""
    git = partial(subprocess.run, cwd=HERE, capture_output=True, text=True, check=False)
    known = git(["git", "rev-parse", "--short", "HEAD"]).stdout.strip() or "unknown"
    is_changed = git(["git", "status", "--porcelain", "--", "../qa"]).stdout.strip()
    commits = [*before.get("commit", "").split(), known + ("+" if is_changed else "")]
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return {"commit": " ".join(dict.fromkeys(commits)), "date": day}


def stand_in(keep: Path, cache: Path, source: recombined.Sources) -> tuple[Path, dict[str, Any]]:
    """Give the file of the stand-in's table, made where it is not kept, and how good it is."""
    from stand_in import fit

    from qa.encoding.loader import load_encoder
    from qa.encoding.model import locate

    table, told = keep / "table.npy", keep / "table.json"
    if not told.is_file():
        encoder = load_encoder(locate(None, cache=cache), cache=cache)
        made = chain.from_iterable(
            one.text.split("\n\n") for one in recombined.of_passages(source, 2 * FITTED_TO)
        )
        texts = [one for one in made if len(one) > 200]
        counts = encoder.tokens.count(texts)
        fitting = [t for t, n in zip(texts, counts, strict=True) if n <= encoder.budget]
        found = fit(encoder, fitting[:FITTED_TO])
        np.save(table, found.table)
        told.write_text(json.dumps(found.told()))
    quality: dict[str, Any] = json.loads(told.read_text())
    return table, quality


def main() -> None:
    """Measure the sizes; merge them into the JSON."""
    from qa.settings import load_settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, help="sets in BEIR form")
    parser.add_argument("--sizes", default="10000,50000", help="passages; may be empty")
    parser.add_argument("--files", default="", help="numbers of files of one sentence each")
    parser.add_argument(
        "--real", type=int, default=50_000, help="passages the model embeds at most"
    )
    parser.add_argument("--runs", type=int, default=7, help="of each fresh process")
    parser.add_argument("--steps", help="some of " + ",".join(dict.fromkeys(STEPS + OF_FILES)))
    parser.add_argument("--keep", type=Path, help="a folder for corpora and indexes")
    parser.add_argument("--out", type=Path, default=HERE / "scale.json")
    arguments = parser.parse_args()
    cache = load_settings().cache_path()
    source = recombined.sources(arguments.bench)
    with tempfile.TemporaryDirectory() as temporary:
        keep = arguments.keep or Path(temporary)
        keep.mkdir(parents=True, exist_ok=True)
        table, quality = stand_in(keep, cache, source)
        for kind, steps in (("sizes", STEPS), ("files", OF_FILES)):
            for size in map(int, filter(None, getattr(arguments, kind).split(","))):
                place = Place(keep / f"{kind}-{size}", cache, source.questions, table)
                make_corpus(place.corpus, source, kind, size)
                is_real = kind == "sizes" and size <= arguments.real
                chosen = arguments.steps.split(",") if arguments.steps else steps
                todo = [step for step in steps if step in chosen]
                found = place.measure(todo, is_real=is_real, runs=arguments.runs)
                vectors = {"vectors": "real" if is_real else "stand-in"}
                with merged(arguments.out) as results:
                    results |= {"machine": machine(), "stand-in": quality}
                    before = results[kind].get(str(size), {}) if arguments.steps else {}
                    results[kind][str(size)] = before | commit(before) | vectors | found
                if not arguments.keep:
                    shutil.rmtree(place.folder)


@contextmanager
def merged(out: Path) -> Iterator[dict[str, Any]]:
    """Change the JSON as it is now: other sizes may be measured at the same time."""
    results = {"sizes": {}, "files": {}} | (json.loads(out.read_text()) if out.is_file() else {})
    yield results
    out.write_text(json.dumps(results, indent=2) + "\n")


def make_corpus(folder: Path, source: recombined.Sources, kind: str, size: int) -> None:
    """Write the corpus of one size, where it is not kept."""
    if folder.is_dir():
        return
    beside = folder.with_name("unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    if kind == "sizes":
        recombined.write(beside, recombined.of_passages(source, size))
    else:
        recombined.write(beside, (recombined.tiny(source, number) for number in range(size)))
    beside.rename(folder)


if __name__ == "__main__":
    main()
