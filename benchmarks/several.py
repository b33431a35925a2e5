"""Ask a set cut in two corpora as one, and compare with one index of all of it.

Usage: python benchmarks/several.py BENCH [--questions N] [--sets NAME...]

BENCH holds sets in BEIR form. Three quarters of the documents are one corpus, the rest another, in
runs of 20. Printed are means of RR and success among the first 10 passages for ways of merging,
and how often an answer was rightly given or refused. About two minutes a set.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.answering.fusing import Asked, common_folder, fuse
from qa.assistant import Assistant
from qa.evaluation.questions import load_beir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qa.corpus import PairCorpus
    from qa.types import CitedPassage

SETS = ["xquad-en", "squad2-cs224n-dev", "cranfield"]
FOREIGN = {"cranfield": "xquad-en"}  # whose questions a set does not answer; else cranfield's
DEEP = 10  # passages
RUN = 20  # documents in a row that go to the same corpus
THRESHOLD = 0.5


def main() -> None:
    """Measure each set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bench", type=Path)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--sets", nargs="+", default=SETS)
    given = parser.parse_args()
    for name in given.sets:
        with tempfile.TemporaryDirectory() as folder:
            measure(given.bench, name, given.questions, Path(folder))


def measure(bench: Path, name: str, questions: int, folder: Path) -> None:
    """Measure one set and print what came of it."""
    documents, asked = load_beir(bench / name)
    files = _write(documents, folder)
    asked = [one for one in asked if one.relevant and not one.unanswerable]
    random.Random(1).shuffle(asked)  # noqa: S311 - a sample, not a secret
    foreign = load_beir(bench / FOREIGN.get(name, "cranfield"))[1][:questions]
    opened = [Assistant(folder / one, folder / f"index-{one}") for one in ("whole", "few", "many")]
    for one in opened:
        one.refresh()
    found: dict[str, list[tuple[float, float]]] = {}
    right = []
    for question in [*asked[:questions], *foreign]:
        whole, *parts = [
            Asked(
                one.settings.corpus, one.root or folder, one.ask(question.text, DEEP, threshold=0)
            )
            for one in opened
        ]
        answerable = question not in foreign
        said = (whole.answer.probability, max(one.answer.probability for one in parts))
        right.append([(probability >= THRESHOLD) == answerable for probability in said])
        if answerable:
            relevant = {files[one] for one in question.relevant if one in files}
            for way, passages in _ways(whole, parts).items():
                found.setdefault(way, []).append(_scored(passages, relevant))
    print(f"{name}, {len(asked[:questions])} questions and {len(foreign)} foreign ones")
    for way, rows in found.items():
        reciprocal, success = np.mean(rows, axis=0)
        print(f"  {way:24} RR {reciprocal:.3f}  success@5 {success:.3f}")
    shares = np.mean(right, axis=0)
    print(f"  right decisions: {shares[0]:.3f} of one index, {shares[1]:.3f} of two")


def _ways(whole: Asked, parts: Sequence[Asked]) -> dict[str, Iterable[CitedPassage]]:
    """The passages, best first, by each way of merging."""
    pairs = [(one, passage) for one in parts for passage in one.answer.passages]

    def ranked(key: Callable[[tuple[Asked, CitedPassage]], Any]) -> list[CitedPassage]:
        return [passage for _, passage in sorted(pairs, key=key, reverse=True)[:DEEP]]

    above = common_folder([one.root for one in parts])
    return {
        "one index": whole.answer.passages,
        "standing": fuse(parts, above=above, k=DEEP).passages,
        "raw score": ranked(lambda pair: pair[1].scores.fused),
        "likelier corpus first": ranked(
            lambda pair: (pair[0].answer.probability, pair[1].scores.fused)
        ),
    }


def _scored(passages: Iterable[CitedPassage], relevant: set[str]) -> tuple[float, float]:
    names = dict.fromkeys(Path(one.citation.file).name for one in passages)
    rank = next((n for n, name in enumerate(names, 1) if name in relevant), 0)
    return (1 / rank if rank else 0.0), float(0 < rank <= 5)


def _write(documents: PairCorpus, folder: Path) -> dict[str, str]:
    """Write the documents as files of all three corpora; what each file is called."""
    for corpus in ("whole", "few", "many"):
        (folder / corpus).mkdir()
    files = {}
    for number, document in enumerate(documents.scan().stamps):
        files[document] = f"{number:06}.txt"
        for corpus in ("whole", "many" if number // RUN % 4 else "few"):
            (folder / corpus / files[document]).write_bytes(documents.read_bytes(document))
    return files


if __name__ == "__main__":
    main()
