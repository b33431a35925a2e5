"""Account for the CPU time of a cold question, step by step; write benchmarks/cold_account.json.

Usage: python benchmarks/cold_account.py. Each run is a fresh process that takes the steps of
`qa ask --no-refresh` on the sample corpus one after the other; medians over 15 runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
STEPS = """
import json, sys, time
from pathlib import Path
told, last = {}, 0.0
def step(name):
    global last
    now = time.process_time()
    told[name] = now - last
    last = now
step("start Python")
corpus, index, cache = map(Path, sys.argv[1:])
import os
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
import typer
step("import typer")
import qa.cli.app, qa.cli.render, qa.assistant
from qa.settings import load_settings
load_settings({})
step("import our command line")
import numpy
step("import numpy")
import tantivy, sqlite3
step("import tantivy and sqlite3")
import qa.answering.ask, qa.encoding.export, qa.encoding.loader, qa.store.transaction
step("import our modules")
import onnxruntime
step("import ONNX Runtime")
import faiss
step("import FAISS")
from qa.encoding.loader import load_encoder
from qa.encoding.model import locate
locate(None, cache=cache)
step("find the model, compare its stamps")
encoder = load_encoder(locate(None, cache=cache), cache=cache)
step("open tokenizer and graph")
vector = encoder.encode_question("Will Russia send food or medicine?")
step("encode the question")
from qa.store.index import Index
from qa.answering.ask import cite
from qa.answering.search import search
from qa.citations.source import Headings
from qa.reading.corpus import FolderCorpus
from itertools import islice
store = Index(index, lock_timeout=1)
with store.snapshot() as snapshot:
    snapshot.is_sound()
    step("open catalog, vectors and lexical index")
    hits = search(snapshot, "Will Russia send food or medicine?", vector)
    ranked = list(islice(hits.ranked, 5))
    step("find and score candidates")
    files = FolderCorpus(corpus, max_file_size=10**7)
    cite(snapshot, files, "Will Russia send food?", ranked, headings=Headings(files))
    step("read the files again and cite")
print(json.dumps(told))
"""


def main() -> None:
    """Measure, write and print."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        paths = [str(HERE.parent / "corpus"), str(work / "index"), str(work / "cache")]
        settings = {"QA_CORPUS": paths[0], "QA_INDEX": paths[1], "QA_CACHE": paths[2]}
        subprocess.run([sys.executable, "-m", "qa", "index"], env=os.environ | settings, check=True)
        runs = []
        for _ in range(15):
            command = [sys.executable, "-c", STEPS, *paths]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout))
    medians = {name: statistics.median(run[name] for run in runs) * 1e3 for name in runs[0]}
    account = {name: round(value, 1) for name, value in medians.items()}
    account["sum"] = round(sum(medians.values()), 1)
    (HERE / "cold_account.json").write_text(json.dumps({"cpu_ms": account}, indent=2) + "\n")
    print(json.dumps(account, indent=2))


if __name__ == "__main__":
    main()
