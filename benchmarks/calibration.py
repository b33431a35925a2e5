"""Fit the default calibration, and test it on sets that the fit has not seen.

Usage: python benchmarks/calibration.py BENCH [--indexes FOLDER] [--sets NAME...]

BENCH holds sets in BEIR form; --indexes keeps the indexes of whole sets between runs.
Each set is a corpus as a whole, and again as many small ones: the
documents of one title together, or each by itself. A corpus' own questions count as answered,
those of other sets (and, for small ones, of its neighbours) as not, in equal weight. Prints the
constants for qa/ranking/calibration.py; writes benchmarks/calibration.json.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_auc_score

from qa.assistant import Assistant
from qa.evaluation.fitting import fit
from qa.evaluation.measures import calibration_error
from qa.evaluation.questions import BeirCorpus, load_beir
from qa.ranking.calibration import features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qa.evaluation.questions import Question
    from qa.ranking.calibration import Calibration

HERE = Path(__file__).parent
SETS = ["chroma-chunking-eval", "covid-qa", "cranfield", "npl-vaswani", "scifact"]
SETS += ["squad2-cs224n-dev", "xquad-en"]
KIN = {"squad2-cs224n-dev", "xquad-en"}  # of the same articles: one answers the other's questions
MOST = 500  # questions of each kind for a whole set
SMALL = (40, 12)  # small corpora of a set; questions of each kind for one


def scores(
    corpus: BeirCorpus, questions: Sequence[str], index: Path | None = None
) -> list[tuple[float, float, float]]:
    """Give the features of each question's best passage."""
    found = []
    with Assistant(documents=corpus, index=index) as assistant:
        assistant.refresh()
        passages = assistant.status().passages
        for question in questions:
            answer = assistant.ask(question, 1, threshold=0, refresh=False)
            best = answer.passages[0].scores if answer.passages else None
            found.append(features(best, passages) if best else (0.0, 0.0, 0.0))
    return found


def groups(bench: Path, name: str) -> list[list[tuple[str, str, str]]]:
    """Cut a set's documents into small corpora: by title, or one by one."""
    rows = [json.loads(line) for line in (bench / name / "corpus.jsonl").open()]
    together: dict[str, list[tuple[str, str, str]]] = {}
    titles = {row.get("title") for row in rows}
    by_title = 1 < len(titles) < len(rows) / 3
    for row in rows:
        key = row["title"] if by_title else row["_id"]
        together.setdefault(key, []).append((row["_id"], row.get("title") or "", row["text"]))
    return list(together.values())


def measure(
    bench: Path, names: Sequence[str], indexes: Path | None
) -> dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Give features and truths for each set, whole and in small corpora."""
    chosen = random.Random(0)  # noqa: S311 - to draw a sample, always the same
    questions: dict[str, list[Question]] = {}
    corpora: dict[str, BeirCorpus] = {}
    for name in names:
        corpora[name], loaded = load_beir(bench / name)
        questions[name] = [one for one in loaded if not one.unanswerable]
    found = {}
    for name in names:
        strangers = [other for other in names if other != name and {name, other} != KIN]
        others = [one.text for other in strangers for one in questions[other]]
        own = [one.text for one in chosen.sample(questions[name], min(MOST, len(questions[name])))]
        foreign = chosen.sample(others, min(MOST, len(others)))
        rows = scores(corpora[name], own + foreign, indexes / name if indexes else None)
        truths = np.arange(len(rows)) < len(own)
        found[name, "whole"] = np.array(rows), truths
        rows, truth = [], []
        for documents in chosen.sample(parts := groups(bench, name), min(SMALL[0], len(parts))):
            ids = {one[0] for one in documents}
            inside = [one.text for one in questions[name] if one.relevant.keys() <= ids]
            outside = [one.text for one in questions[name] if not one.relevant.keys() & ids]
            if not inside:
                continue
            own = chosen.sample(inside, min(SMALL[1], len(inside)))
            half = len(own) // 2
            foreign = chosen.sample(outside, min(half, len(outside)))
            foreign += chosen.sample(others, len(own) - len(foreign))
            rows += scores(BeirCorpus(documents), own + foreign)
            truth += [True] * len(own) + [False] * len(foreign)
        if rows and min(truth.count(True), truth.count(False)) >= 50:
            found[name, "small"] = np.array(rows), np.array(truth)
        print(
            name, {kind: len(v[1]) for (n, kind), v in found.items() if n == name}, file=sys.stderr
        )
    return found


def balanced(truths: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Let both kinds weigh the same, and each corpus as much as any other."""
    weights: NDArray[np.float64] = np.where(truths, 0.5 / truths.sum(), 0.5 / (~truths).sum())
    return weights


def fitted(
    found: dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.bool_]]], without: str = ""
) -> Calibration:
    """Fit to all sets but one."""
    kept = [value for (name, _), value in found.items() if name != without]
    return fit(
        np.concatenate([rows for rows, _ in kept]),
        np.concatenate([truths for _, truths in kept]),
        np.concatenate([balanced(truths) for _, truths in kept]),
    )


def main() -> None:
    """Fit, test, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--indexes", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    arguments = parser.parse_args()
    found = measure(arguments.bench, arguments.sets, arguments.indexes)
    results = {}
    for (name, kind), (rows, truths) in found.items():
        unseen = fitted(found, without=name)
        z = unseen.bias + rows @ [unseen.semantic, unseen.lexical, -unseen.size]
        probabilities = 1 / (1 + np.exp(-z))
        weights = balanced(truths)
        results[f"{name}, {kind}"] = {
            "questions": len(truths),
            "auroc": round(float(roc_auc_score(truths, probabilities)), 4),
            "ece": round(calibration_error(probabilities, truths, weights), 4),
            "answered at .5": round(float((probabilities[truths] >= 0.5).mean()), 3),
            "foreign answered at .5": round(float((probabilities[~truths] >= 0.5).mean()), 3),
        }
    everything = fitted(found)
    summary = {
        "calibration": asdict(everything),
        "mean auroc": round(float(np.mean([one["auroc"] for one in results.values()])), 4),
        "mean ece": round(float(np.mean([one["ece"] for one in results.values()])), 4),
        "worst ece": max(one["ece"] for one in results.values()),
        "left out of the fit": results,
    }
    (HERE / "calibration.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
