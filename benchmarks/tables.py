"""Write the tables of README.md and docs/performance.md from the JSON beside this file.

Usage: python benchmarks/tables.py. The tables stand between `<!-- NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def speed(found: dict[str, Any]) -> str:
    """Make the table of the README."""
    sample, large = found["cold sample"], found["cold large"]
    peers = {name: figures for name, figures in sample.items() if name not in OURS}
    rows = ["| a question in a fresh process | CPU s | wall s | peak MB |", "|---|---|---|---|"]

    def row(name: str, figures: dict[str, float]) -> str:
        peak = f"{figures['peak_mb']:.0f}" if "peak_mb" in figures else ""
        return f"| {name} | {figures['cpu_s']:.2f} | {figures['wall_s']:.2f} | {peak} |"

    documents = found["index large"]["added"]
    rows.append(row("`qa ask`, the sample article", sample["ask"]))
    rows.append(row(f"`qa ask`, {documents:,} documents", large["ask"]))
    rows.append(row("the same after one document changed", large["ask, one document changed"]))
    rows.append(row("bare script: graph, tokenizer, FAISS", large["bare"]))
    for name, figures in sorted(peers.items(), key=lambda item: item[1]["cpu_s"]):
        rows.append(row(f"{PEERS.get(name, name)}, the sample article", figures))
    return "\n".join(rows)


def account(found: dict[str, Any]) -> str:
    """Make the table of where the time of a cold question goes."""
    rows = ["| step | CPU ms |", "|---|---|"]
    rows += [f"| {name} | {value:.1f} |" for name, value in found["cpu_ms"].items()]
    return "\n".join(rows)


def rest(found: dict[str, Any]) -> str:
    """Make the table of the other figures."""
    large, warm, exact = found["cold large"], found["warm large"], found["exactness"]
    indexing, bare = found["indexing"], found["cold large"]["bare"]["cpu_s"]
    best = {name: f for name, f in indexing.items() if name.startswith("Sentence")}
    name, figures = max(best.items(), key=lambda item: item[1]["per_cpu_s"])
    lines = {
        "`ask --no-refresh` / bare script, CPU": large["ask --no-refresh"]["cpu_s"] / bare,
        "`ask` with the check of all documents / without": large["ask"]["cpu_s"]
        / large["ask --no-refresh"]["cpu_s"],
        "`ask` after one document changed / unchanged": large["ask, one document changed"]["cpu_s"]
        / large["ask"]["cpu_s"],
        "`qa --help`, wall s": large["--help"]["wall_s"],
        "`qa status`, wall s": large["status"]["wall_s"],
        "warm question, p50 ms": warm["ask_p50_ms"],
        "warm question, p99 ms": warm["ask_p99_ms"],
        "the forward pass alone, p50 ms": warm["forward_p50_ms"],
        "passages embedded per CPU second": indexing["qa"]["per_cpu_s"],
        f"{name}": figures["per_cpu_s"],
        "ratio": indexing["ratio_to_best"],
        "least cosine to float32, questions": exact["questions_least_cosine"],
        "least cosine to float32, 1,000 passages": exact["passages_least_cosine"],
    }
    rows = ["| what | figure |", "|---|---|"]
    rows += [f"| {what} | {value:.6g} |" for what, value in lines.items()]
    machine = ", ".join(f"{key} {value}" for key, value in found["machine"].items())
    return "\n".join(rows) + f"\n\n{machine}"


OURS = {"bare", "ask", "ask --no-refresh"}
PEERS = {
    "handwritten": "sentence-transformers + FAISS by hand",
    "txtai": "txtai",
    "langchain": "LangChain + FAISS",
    "llamaindex": "LlamaIndex + FAISS",
    "haystack": "Haystack",
}


def main() -> None:
    """Write all tables."""
    found = json.loads((HERE / "speed.json").read_text())
    tables = {"speed": speed(found), "rest": rest(found)}
    tables["account"] = account(json.loads((HERE / "cold_account.json").read_text()))
    for path in (HERE.parent / "README.md", HERE.parent / "docs" / "performance.md"):
        text = path.read_text("utf-8")
        for name, table in tables.items():
            pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
            text = re.sub(pattern, rf"\1\n{table}\n\n\2", text, flags=re.DOTALL)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
