"""What an index is bound to: the encoder of its vectors, and the corpus that it was made from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from qa.errors import EncoderMismatchError, ForeignIndexError

__all__ = ["Identity", "check_corpus", "check_encoder", "seen_from"]


@dataclass(frozen=True, slots=True)
class Identity:
    """The encoder's fingerprint and name, and the corpus as seen from the index; "" where unknown.

    As the corpus is kept relative to the index, both may be moved or copied together.
    """

    fingerprint: str
    model: str
    corpus: str


def seen_from(folder: Path, corpus: str) -> str:
    """The way from an index's folder to a corpus; "" for a corpus without a place."""
    if not corpus:
        return ""
    try:
        return os.path.relpath(corpus, folder.resolve())
    except ValueError:  # on another drive
        return corpus


def check_corpus(known: Identity, folder: Path, corpus: str) -> None:
    """Refuse an index that was made for a corpus elsewhere, unless that one is gone.

    Args:
        known: what the index is bound to.
        folder: of the index.
        corpus: the absolute path of the one that is asked, or "".

    Raises:
        ForeignIndexError: it was.
    """
    theirs = folder.resolve() / known.corpus
    elsewhere = theirs.exists() and theirs.resolve() != Path(corpus)
    if known.corpus and known.corpus != seen_from(folder, corpus) and elsewhere:
        raise ForeignIndexError(
            f"The index {folder} was made for the corpus {theirs.resolve()}",
            hint="Name another folder with --index, or replace it with `qa index --rebuild`.",
        )


def check_encoder(known: Identity, place: str | Path, *, fingerprint: str, model: str) -> None:
    """Refuse to mix vectors of different encoders.

    Raises:
        EncoderMismatchError: the index was made with another one.
    """
    if known.fingerprint and known.fingerprint != fingerprint:
        same = "another version of it, or otherwise set" if known.model == model else model
        raise EncoderMismatchError(
            f"The index {place} was made with {known.model}; this is {same}",
            hint="Ask with the model of the index (leave --model out) and the passage_prompt, "
            "truncate_dim, max_tokens and onnx that it was made with, or embed all documents again "
            "with `qa index --model NAME`, which keeps the old index until that is done.",
        )
