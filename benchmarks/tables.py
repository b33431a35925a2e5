"""Write the tables of README.md and of docs/, and the plots, from the JSON beside this file.

Usage: python benchmarks/tables.py. The tables stand between `<!-- NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from scale_figures import charts, files, scale, ten_million

HERE = Path(__file__).parent


def speed(found: dict[str, Any]) -> str:
    """Make the table of the README."""
    sample, large = found["cold sample"], found["cold large"]
    peers = {name: figures for name, figures in large.items() if name in PEERS}
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
        rows.append(row(f"{PEERS[name]}, {documents:,} documents", figures))
    return "\n".join(rows)


def account(found: dict[str, Any]) -> str:
    """Make the table of where the time of a cold question goes."""
    rows = ["| step | CPU ms |", "|---|---|"]
    rows += [f"| {name} | {value:.1f} |" for name, value in found["cpu_ms"].items()]
    return "\n".join(rows) + f"\n\n{_machine(found)}"


def rest(found: dict[str, Any]) -> str:
    """Make the table of the other figures."""
    large, warm, exact = found["cold large"], found["warm large"], found["exactness"]
    sample, scifact = found["cold sample"], found["scifact"]
    indexing, bare = found["indexing"], found["cold large"]["bare"]["cpu_s"]
    best = {name: f for name, f in indexing.items() if name.startswith("Sentence")}
    name, figures = max(best.items(), key=lambda item: item[1]["per_cpu_s"])
    lines = {
        "`ask --no-refresh` / fastest peer, CPU, sample article": sample["ask --no-refresh"][
            "cpu_s"
        ]
        / min(figures["cpu_s"] for name, figures in sample.items() if name in PEERS),
        "`ask --no-refresh` / fastest peer, CPU": large["ask --no-refresh"]["cpu_s"]
        / min(figures["cpu_s"] for name, figures in large.items() if name in PEERS),
        "`ask --no-refresh` / bare script, CPU, sample article": sample["ask --no-refresh"]["cpu_s"]
        / sample["bare"]["cpu_s"],
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
        "warm question with the check of all documents, p50 ms": warm["ask_with_refresh_p50_ms"],
        "eight threads asking, ms a question": warm["eight_at_once_ms_each"],
        "passages embedded per CPU second": indexing["qa"]["per_cpu_s"],
        f"{name}": figures["per_cpu_s"],
        "ratio": indexing["ratio_to_best"],
        "nDCG@10 of the vectors alone, scifact": scifact["ndcg_ours"],
        "the same with sentence-transformers' float32": scifact["ndcg_float32"],
    }
    cosines = {
        "least cosine to float32, questions": exact["questions_least_cosine"],
        "least cosine to float32, 1,000 passages": exact["passages_least_cosine"],
    }
    rows = ["| what | figure |", "|---|---|"]
    rows += [f"| {what} | {value:.3g} |" for what, value in lines.items()]
    rows += [f"| {what} | {value} |" for what, value in cosines.items()]  # how near to 1 counts
    return "\n".join(rows) + f"\n\n{_machine(found)}"


def _machine(found: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in found["machine"].items())


def quality(found: dict[str, Any]) -> str:
    """Make the table of ranking: ours against each side alone, on the same passages."""
    rows = ["| set | measure | `qa` | BM25 alone | model alone |", "|---|---|---|---|---|"]
    wanted = {"scifact": "ndcg", "cranfield": "ndcg", "npl-vaswani": "ndcg"}
    wanted |= {"squad2-cs224n-dev": "hit@1", "xquad-en": "hit@1", "covid-qa": "answer@1"}
    names = {"ndcg": "nDCG@10", "hit@1": "hit@1, paragraph", "answer@1": "hit@1, answer span"}
    for name, key in wanted.items():
        one = found[name]
        value, low, high = one["qa"][key]
        rows.append(
            f"| {name} | {names[key]} | **{value:.3f}** ({low:.3f} to {high:.3f}) "
            f"| {one['bm25'][key]:.3f} | {one['dense'][key]:.3f} |"
        )
    return "\n".join(rows)


def all_quality(found: dict[str, Any]) -> str:
    """Make the tables of everything else that was measured about answers."""
    rows = ["| set | measure | value (95 %) | BM25 alone | model alone |", "|---|---|---|---|---|"]
    for name, one in found.items():
        for key, figures in one.get("qa", {}).items() if name != EXCERPTS else ():
            value, low, high = figures
            others = [one[side].get(key, "") for side in ("bm25", "dense")]
            rows.append(
                f"| {name} | {key} | {value} ({low} to {high}) | {others[0]} | {others[1]} |"
            )
    rows += ["", "| set | foreign questions: AUROC | on topic: AUROC |", "|---|---|---|"]
    for name, one in found.items():
        if "foreign" in one:
            topical = one.get("on topic", {}).get("auroc", "")
            rows.append(f"| {name} | {one['foreign']['auroc']} | {topical} |")
    rows += ["", f"| excerpts, {EXCERPTS}, five | recall | IoU |", "|---|---|---|"]
    for name, figures in found[EXCERPTS].items():
        rows.append(f"| {name} | {figures['recall']} | {figures['iou']} |")
    return "\n".join(rows)


def calibration(found: dict[str, Any]) -> str:
    """Make the tables of the calibration on sets that its fit has not seen, each kind apart."""
    rows = ["| kind of question | corpora | answered | AUROC | ECE |", "|---|---|---|---|---|"]
    for name, one in found["means"].items():
        kind, _, size = name.rpartition(", ")
        answered = one["answered"] if "answered" in one else round(1 - one["refused"], 4)
        rows.append(
            f"| {kind}: {found['kinds'][kind]} | {size} | {answered} |"
            f" {one.get('auroc', '')} | {one.get('ece', '')} |"
        )
    rows += ["", "| probability | share of questions | of these answerable |", "|---|---|---|"]
    rows += [
        f"| {one['probability']} | {one['questions']} | {one['answerable']} |"
        for one in found["verdicts"]
    ]
    kinds = ["own, small", "foreign, small", "left out, small"]
    rows += [
        "",
        "| prior | own refused | foreign answered | left out answered |",
        "|---|---|---|---|",
    ]
    for prior, means in found["priors"].items():
        figures = (means[kind].get("refused", means[kind].get("answered")) for kind in kinds)
        rows.append(f"| {prior} | " + " | ".join(map(str, figures)) + " |")
    rows += ["", f"| set | {' | '.join(_JUDGED)} |", "|---" * (len(_JUDGED) + 1) + "|"]
    for name, one in found["left out of the fit"].items():
        cells = [str(one.get(kind, {}).get(key, "")) for kind, key in _JUDGED.values()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


_JUDGED = {
    "refused": ("own", "refused"),
    "requests refused": ("requests", "refused"),
    "keywords refused": ("keywords", "refused"),
    "foreign answered": ("foreign", "answered"),
    "AUROC": ("foreign", "auroc"),
    "left out answered": ("left out", "answered"),
    "AUROC of these": ("left out", "auroc"),
    "ECE of these": ("left out", "ece"),
    "other names answered": ("other names", "answered"),
}


def self_calibration(found: dict[str, Any]) -> str:
    """Make the table of what several calibrations are worth for other models."""
    rows = [f"| model | calibration | {' | '.join(_SELF.values())} |"]
    rows.append("|---" * (len(_SELF) + 2) + "|")
    for model, ways in found["found"].items():
        rows += [
            f"| {model} | {way} | {' | '.join(f'{one[key]:.3f}' for key in _SELF)} |"
            for way, one in ways.items()
        ]
    rows += ["", "| model | what it is |", "|---|---|"]
    rows += [f"| {model} | {what} |" for model, what in found["models"].items()]
    rows += ["", f"The fit takes {found['cpu seconds of a fit']:.0f} s of CPU (median)."]
    return "\n".join(rows)


_SELF = {
    "own refused": "own refused",
    "foreign answered": "foreign answered",
    "left out answered": "left out answered",
    "AUROC, foreign": "AUROC, foreign",
    "AUROC, left out": "AUROC, left out",
    "ece": "ECE",
    "brier": "Brier",
}


def extraction(found: dict[str, Any]) -> str:
    """Make the table of what became of files, by suffix."""
    rows = [
        "| suffix | files | gave text | reported | MB/s of CPU |",
        "|---|---|---|---|---|",
    ]
    for name, figures in found["formats"].items():
        one = figures["ours"]
        reasons = ", ".join(f"{count} {reason}" for reason, count in one["reported"].items())
        speed = f"{one['MB a CPU s']}"
        if "pages a CPU s" in one:
            speed += f" ({one['pages a CPU s']:.0f} pages/s)"
        rows.append(f"| {name} | {one['files']} | {one['gave text']} | {reasons} | {speed} |")
    return "\n".join(rows)


def expected(found: dict[str, Any]) -> str:
    """Make the table of how much of the expected text was found."""
    pdf = found["formats"]["pdf"]
    rows = ["| | words found | in order | PDFs that gave text | CPU s |", "|---|---|---|---|---|"]
    for name in ("ours", "markitdown"):
        one, mean = pdf[name], pdf[name]["expected, mean"]
        row = (mean["words found"], mean["in order"], one["gave text"], one["CPU s"])
        rows.append(f"| {name} | " + " | ".join(map(str, row)) + " |")
    return "\n".join(rows)


def sentence_vectors(found: dict[str, Any]) -> str:
    """Make the table of the ways of making sentence vectors."""
    ways = ["its pooling, in context", "mean of tokens, in context", "a text of its own"]
    ways.append("words alone")
    rows = [
        "| a passage is pooled by | " + " | ".join(ways) + " | cost of a text of its own |",
        "|---" * (len(ways) + 2) + "|",
    ]
    for pooling, one in found.items():
        if isinstance(one, dict):
            figures = [
                f"{one[way]['with words']:.3f}, {one[way]['passage first']:.3f}" for way in ways
            ]
            cost = f"{one['cost of texts of their own']:.1f} ×"
            rows.append(f"| `{pooling}` | " + " | ".join(figures) + f" | {cost} |")
    return "\n".join(rows)


def late_chunking(found: dict[str, Any]) -> str:
    """Make the table of passages embedded by themselves and with their neighbours."""
    rows = [
        "| passages of | each by itself: answer in the first, MRR@10 | late | CPU ms a passage |",
        "|---|---|---|---|",
    ]
    for size, ways in found.items():
        if isinstance(ways, dict):
            both = [ways["each by itself"], ways["late"]]
            figures = [f"{one['answer@1']:.3f}, {one['mrr@10']:.3f}" for one in both]
            cost = ", ".join(f"{one['cpu_ms_a_passage']:.1f}" for one in both)
            rows.append(f"| {size} | " + " | ".join(figures) + f" | {cost} |")
    return "\n".join(rows)


def install(found: dict[str, Any]) -> str:
    """Make the table of what an installation takes on disk."""
    megabytes = found["MB"]
    rows = ["| part | MB |", "|---|---|"]
    rows += [f"| {part} | {size:,} |" for part, size in megabytes["parts"].items()]
    rows.append(f"| **all** (torch alone: {megabytes['torch alone']:,}) | {megabytes['all']:,} |")
    rows.append(f"| all without the first row | {megabytes['slim']:,} |")
    rows.append(f"| and without OpenVINO | {megabytes['slim, without OpenVINO']:,} |")
    return "\n".join(rows)


def first_answer(found: dict[str, Any]) -> str:
    """Make the table of what the first answer takes."""
    rows = ["| modules | CPU s | peak MB |", "|---|---|---|"]
    for name, one in found["first answer"].items():
        rows.append(f"| {name} | {one['cpu_s']} | {one['peak_mb']:.0f} |")
    return "\n".join(rows) + f"\n\n{_machine(found)}"


def serving(found: dict[str, Any]) -> str:
    """Make the table of `qa serve` under constant rates of questions."""
    columns = {
        "answered a second": "answered_a_second",
        "p50 ms": "p50_ms",
        "p90 ms": "p90_ms",
        "p99 ms": "p99_ms",
        "server's CPU ms each": "server_cpu_ms_each",
        "load average": "load_average",
    }
    rows = ["| asked a second | status 200 | 503 | " + " | ".join(columns) + " |"]
    rows.append("|---" * (3 + len(columns)) + "|")
    for one in found["rates"]["figures"]:
        shares = [f"{one['statuses'].get(status, 0):.1%}" for status in ("200", "503")]
        values = [str(one[key]) for key in columns.values()]
        rows.append(f"| {one['rate']} | " + " | ".join([*shares, *values]) + " |")
    steps = found["memory"]["figures"]["steps"]
    sizes = [f"{one['resident_mb']:.0f}" for one in steps]
    memory = (
        f"Resident memory over {steps[-1]['requests']:,} questions at "
        f"{found['memory']['figures']['rate']:g} a second, MB, in {len(steps) - 1} steps: "
        f"{', '.join(sizes)}."
    )
    return "\n".join(rows) + f"\n\n{memory}\n\n{_machine(found['rates'])}"


def languages(found: dict[str, Any]) -> str:
    """Make the table of pages found by words, by language."""
    rows = [
        "| | pages | name: as English | own rules | sentence: as English | own rules | told |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        ways = [way["mrr"] for kind in ("name", "sentence") for way in one[kind].values()]
        row = [one["pages"], *(f"{value:.3f}" for value in [*ways, one["told"]])]
        rows.append(f"| {name} | {' | '.join(map(str, row))} |")
    return "\n".join(rows)


EXCERPTS = "chroma-chunking-eval"
PEERS = {
    "handwritten": "sentence-transformers + FAISS by hand",
    "txtai": "txtai",
    "langchain": "LangChain + FAISS",
    "llamaindex": "LlamaIndex + FAISS",
    "haystack": "Haystack",
}


def _between(marks: re.Match[str], table: str) -> str:
    return f"{marks[1]}\n{table}\n\n{marks[2]}"


def pages() -> dict[Path, str]:
    """Give the pages as they must read, their tables made of what was measured; and the plots."""
    found = _measured("speed")
    tables = {"speed": speed(found), "rest": rest(found)}
    tables["account"] = account(_measured("cold_account"))
    measured = _measured("quality")
    tables |= {"quality": quality(measured), "all quality": all_quality(measured)}
    tables["calibration"] = calibration(_measured("calibration"))
    tables["self-calibration"] = self_calibration(_measured("self_calibration"))
    read = _measured("extraction")
    tables |= {"extraction": extraction(read), "expected": expected(read)}
    tables["sentence vectors"] = sentence_vectors(_measured("sentence_vectors"))
    tables["late chunking"] = late_chunking(_measured("late_chunking"))
    installed = _measured("install")
    tables |= {"install": install(installed), "first answer": first_answer(installed)}
    tables["languages"] = languages(_measured("languages"))
    at_scale = _measured("scale")
    tables |= {"scale": scale(at_scale), "files": files(at_scale)}
    tables["ten million"] = ten_million(at_scale)
    tables["serving"] = serving(_measured("serving"))
    plots = HERE.parent / "docs" / "plots"
    made = {plots / f"{name}.svg": drawn for name, drawn in charts(at_scale).items()}
    names = ("performance", "quality", "formats", "install", "languages", "models")
    docs = [HERE.parent / "docs" / f"{name}.md" for name in names]
    for path in (HERE.parent / "README.md", *docs):
        text = path.read_text("utf-8")
        for name, table in tables.items():
            pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
            text = re.sub(pattern, partial(_between, table=table), text, flags=re.DOTALL)
        made[path] = text
    return made


def _measured(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    return found


def main() -> None:
    """Write all tables and plots."""
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
