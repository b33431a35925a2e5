"""Account for the CPU time of a cold question, step by step; write benchmarks/cold_account.json.

Usage: python benchmarks/cold_account.py. Each run is a fresh process that takes the steps of
`qa ask --no-refresh` on the sample corpus one after the other, in turns with the command itself,
since figures of different runs don't compare; medians over 15 runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from speed import machine, process

HERE = Path(__file__).parent
QUESTION = "Will Russia send food or medicine?"
FIRST, SECOND = "the first question", "encode the question, find, rank and cite"
STEPS = f"""
FIRST, SECOND = {FIRST!r}, {SECOND!r}
import json, sys, time
told, last = dict(), 0.0
def step(name):
    global last
    now = time.process_time()
    told[name] = now - last
    last = now
step("start Python")
import os
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
import typer
step("import typer")
import qa.cli.app, qa.cli.render
step("import our command line")
import numpy
step("import numpy")
import tantivy, sqlite3
step("import tantivy and sqlite3")
import tokenizers, onnxruntime
step("import ONNX Runtime and the tokenizer")
import faiss
step("import FAISS")
import qa
corpus, index, cache, question, file = sys.argv[1:]
with qa.Assistant(corpus, index, cache=cache) as assistant:
    assistant.ask(question, refresh=False)
    step(FIRST)
    assistant.ask(question, refresh=False)
    step(SECOND)
with open(file, "w") as stream:
    json.dump(told, stream)
"""


def main() -> None:
    """Measure, write and print."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        settings = {
            "QA_CORPUS": str(HERE.parent / "corpus"),
            "QA_INDEX": str(work / "index"),
            "QA_CACHE": str(work / "cache"),
        }
        os.environ.update(settings)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles what it installs
        subprocess.run([sys.executable, "-m", "qa", "index"], check=True)
        runs, whole = [], []
        for _ in range(15):
            runs.append(steps([*settings.values(), QUESTION], work))
            ask = [sys.executable, "-m", "qa", "ask", QUESTION, "--no-refresh"]
            whole.append(process(ask, work)["cpu_s"])
    account = {name: statistics.median(run[name] for run in runs) * 1e3 for name in runs[0]}
    account["sum"] = sum(account.values())
    account["`qa ask --no-refresh`, in the same run"] = statistics.median(whole) * 1e3
    account = {name: round(value, 1) for name, value in account.items()}
    found = json.dumps({"machine": machine(), "cpu_ms": account}, indent=2)
    (HERE / "cold_account.json").write_text(found + "\n")
    print(found)


def steps(arguments: list[str], work: Path) -> dict[str, float]:
    """Take all steps in a fresh process; give the CPU seconds of each.

    The process asks twice: what its first question takes longer is the opening of everything.
    What the system counts for the process and no step has, is its end.
    """
    file = work / "steps.json"
    whole = process([sys.executable, "-c", STEPS, *arguments, str(file)], work)["cpu_s"]
    told: dict[str, float] = json.loads(file.read_text())
    end = whole - sum(told.values())
    told["import our modules, open model and index"] = told.pop(FIRST) - told[SECOND]
    told[SECOND] = told.pop(SECOND)  # comes after
    return {**told, "end Python, free all memory": end}


if __name__ == "__main__":
    main()
