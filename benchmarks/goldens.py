"""What must not change where only the structure does: ranking, scores, digests, citations.

    python benchmarks/goldens.py OUT.json SET [SET …]     # record, with the `qa` that is imported
    python benchmarks/goldens.py --compare BEFORE.json AFTER.json

A SET is a folder in BEIR form; the sample corpus is always there. Every document is given as text,
so that what is on disk plays no part. Figures are written in full: equal means to the last bit.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.types import Answer

SAMPLE = Path(__file__).parent.parent / "corpus"
ASKED = 100  # questions of each set
SAMPLE_QUESTIONS = [
    "Will Russia send food or medicine?",
    "When did Putin visit Pyongyang?",
    "What does the pact say about military help?",
    "How did the United States respond?",
    "Who won the football cup?",
]


def sample() -> tuple[list[tuple[str, str]], list[str]]:
    """Give the documents of the sample corpus and questions of them."""
    paths = sorted(SAMPLE.glob("*.md"))
    return [(path.name, path.read_text("utf-8")) for path in paths], SAMPLE_QUESTIONS


def beir(folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Give the documents of a set, the title as a Markdown heading, and its first questions."""
    documents = []
    for row in _rows(folder / "corpus.jsonl"):
        title = " ".join(str(row.get("title") or "").split())
        heading = f"# {title}\n\n" if title else ""
        documents.append((f"{row['_id']}.md", f"{heading}{row['text']}\n"))
    asked = [str(row["text"]) for row in _rows(folder / "queries.jsonl")]
    return documents, asked[:ASKED]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def record(documents: list[tuple[str, str]], questions: list[str]) -> dict[str, Any]:
    """Index documents, ask questions, and give all that must stay."""
    import qa

    with tempfile.TemporaryDirectory(prefix="qa-goldens-") as folder:
        index = Path(folder) / "index"
        with qa.Assistant(index=index, documents=documents) as assistant:
            assistant.refresh()
            answers = [assistant.ask(one, 10, threshold=0, refresh=False) for one in questions]
        with closing(sqlite3.connect(index / "catalog.sqlite")) as db:
            meta = dict(db.execute("SELECT key, value FROM meta"))
            stored = db.execute(
                "SELECT path, start, end, digest, vector, sentences, terms, counts, tokens,"
                " headings, context, text, spans FROM passage"
                " JOIN embedding ON embedding.passage = passage.id"
                " JOIN document ON document.id = document"
                " ORDER BY path, start"
            ).fetchall()
    return {
        "fingerprint": meta["fingerprint"],
        "passages": len(stored),
        "rows": hashlib.sha256(repr(stored).encode()).hexdigest(),
        "questions": dict(zip(questions, map(_answer, answers), strict=True)),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "probability": repr(answer.probability),
        "passages": [
            [
                str(one.citation),
                one.citation.start,
                one.citation.end,
                one.citation.heading_path,
                hashlib.sha256(one.citation.quote.encode()).hexdigest()[:16],
                one.evidence.citation.start,
                one.evidence.citation.end,
                repr(one.evidence.score),
                [
                    repr(getattr(one.scores, name))
                    for name in ("fused", "dense", "sentence", "lexical", "coverage")
                ],
            ]
            for one in answer.passages
        ],
    }


def compare(before: Path, after: Path) -> list[str]:
    """Say what differs; nothing where all is the same."""
    old, new = (json.loads(path.read_text("utf-8")) for path in (before, after))
    wrong = [f"sets: {sorted(old)} and {sorted(new)}"] if old.keys() != new.keys() else []
    for name in old.keys() & new.keys():
        wrong += [
            f"{name}: {key}: {old[name][key]} and {new[name][key]}"
            for key in ("fingerprint", "passages", "rows")
            if old[name][key] != new[name][key]
        ]
        for question, answer in old[name]["questions"].items():
            if new[name]["questions"].get(question) != answer:
                wrong.append(f"{name}: {question!r} has another answer")
    return wrong


def main(arguments: list[str]) -> int:
    """Record or compare."""
    if arguments[0] == "--compare":
        wrong = compare(Path(arguments[1]), Path(arguments[2]))
        print("\n".join(wrong) or "All the same.")
        return bool(wrong)
    found = {"sample": record(*sample())}
    for name in arguments[1:]:
        found[Path(name).name] = record(*beir(Path(name)))
    Path(arguments[0]).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
