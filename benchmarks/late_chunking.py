"""Late chunking: passages pooled from one pass over as much of a document as the model can read.

Usage: python benchmarks/late_chunking.py BENCH

Günther and others, Late Chunking, 2024. The default model was trained on 256 tokens and can read
512. Passages of COVID-QA's first articles are embedded each by itself, and pooled of runs of them
that fill 512 tokens; questions are ranked by cosine alone. Writes benchmarks/late_chunking.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qa.encoding.encoder import PassageInput
from qa.encoding.loader import load_encoder
from qa.encoding.model import locate
from qa.encoding.pooling import mean
from qa.evaluation.questions import load_beir
from qa.indexing.passages import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from qa.encoding.encoder import Encoder, Runtime

HERE = Path(__file__).parent
SET, ARTICLES, READS = "covid-qa", 12, 512
BUDGETS = (64, 128, 254)  # tokens of a passage

Place = tuple[str, int, int]


def runs(sizes: list[int], room: int) -> Iterator[range]:
    """Give ranges of neighbours that fit into a pass together."""
    start = total = 0
    for n, size in enumerate(sizes):
        if n > start and total + size > room:
            yield range(start, n)
            start, total = n, 0
        total += size
    yield range(start, len(sizes))


def late(encoder: Encoder[Runtime], texts: list[str]) -> NDArray[np.float32]:
    """Embed the passages of a document, each in the context of its neighbours."""
    tokens = [one.ids for one in encoder.tokens.tokenise(texts)]
    sizes = list(map(len, tokens))
    found = []
    for run in runs(sizes, READS - encoder.tokens.specials):
        ids = encoder.tokens.framed(np.concatenate([tokens[n] for n in run]))
        [embeddings] = encoder.runtime.forward_batch([ids.tolist()])
        at = encoder.tokens.lead
        for n in run:
            found.append(mean(embeddings[at : at + sizes[n]]))
            at += sizes[n]
    return np.array(found)


def main() -> None:
    """Measure and write the file."""
    with tempfile.TemporaryDirectory(prefix="qa-late-") as folder:
        encoder = load_encoder(locate(None, cache=Path(folder)), cache=Path(folder))
        results = compared(encoder, Path(sys.argv[1]))
    (HERE / "late_chunking.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def compared(encoder: Encoder[Runtime], bench: Path) -> dict[str, object]:
    """Embed passages of several sizes in both ways, and rank them."""
    corpus, questions = load_beir(bench / SET)
    articles = sorted(corpus.scan().stamps)[:ARTICLES]
    asked = [one for one in questions if one.spans and one.spans[0][0] in articles]
    vectors = np.array([one.vector for one in encoder.encode_questions([q.text for q in asked])])
    results: dict[str, object] = {"questions": len(asked), "articles": len(articles)}
    for budget in BUDGETS:
        places: list[Place] = []
        made: dict[str, list[NDArray[np.float32]]] = {"each by itself": [], "late": []}
        cost = dict.fromkeys(made, 0.0)
        for path in articles:
            [document] = corpus.read(path).documents
            passages = [one.passage for one in cut(document, encoder.tokens, budget)]
            places += [(path, one.start, one.end) for one in passages]
            texts = [document.text[one.start : one.end] for one in passages]
            started = time.process_time()
            alone = encoder.encode_now([PassageInput(text, ()) for text in texts])
            made["each by itself"].append(np.array([one.vector for one in alone]))
            cost["each by itself"] += time.process_time() - started
            started = time.process_time()
            made["late"].append(late(encoder, texts))
            cost["late"] += time.process_time() - started
        results[f"{budget} tokens"] = {
            way: measured(vectors @ np.concatenate(found).T, places, [q.spans for q in asked])
            | {"cpu_ms_a_passage": round(1000 * cost[way] / len(places), 1)}
            for way, found in made.items()
        }
        print(json.dumps(results, indent=1), flush=True)
    return results


def measured(
    scores: NDArray[np.float32], places: list[Place], spans: list[tuple[Place, ...]]
) -> dict[str, float]:
    """Give the share of questions whose answer the first passage holds, and MRR@10."""
    reciprocal = []
    for row, wanted in zip(scores, spans, strict=True):
        best = [places[n] for n in np.argsort(-row, kind="stable")[:10].tolist()]
        ranks = [
            rank
            for rank, (path, start, end) in enumerate(best, 1)
            if any(path == where and start < last and first < end for where, first, last in wanted)
        ]
        reciprocal.append(1 / ranks[0] if ranks else 0.0)
    found = np.array(reciprocal)
    return {
        "answer@1": round(float((found == 1).mean()), 3),
        "mrr@10": round(float(found.mean()), 3),
    }


if __name__ == "__main__":
    main()
