"""Models that need no preparing: their graphs come with the package, without weights.

A graph reads the weights from the model's own file, at the offsets that they have there. So it
serves files with one fingerprint only; `qa.encoding.weightless` makes it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qa.encoding.encoder import Encoder
from qa.encoding.export import TOKENIZER, read_spec
from qa.encoding.runtimes import FastestRuntime, OnnxRuntime
from qa.encoding.tokens import Tokens
from qa.encoding.weights import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.encoding.encoder import EncoderSpec, Runtime
    from qa.encoding.model import ModelFiles

__all__ = ["compiled_in", "graphs_of", "load_shipped", "shipped"]

_GRAPHS = Path(__file__).with_name("graphs")


def shipped() -> Iterator[tuple[Path, EncoderSpec]]:
    """The folder of each model's graphs, and what encoder they make with its weights."""
    for folder in sorted(_GRAPHS.glob("*")):
        if (spec := read_spec(folder)) is not None:
            yield folder, spec


def compiled_in(cache: Path, fingerprint: str) -> Path:
    """The folder in `cache` of what OpenVINO compiles of a model's graph."""
    return cache / "compiled" / fingerprint[:32]


def graphs_of(files: ModelFiles) -> tuple[Path, Path] | None:
    """The folder of the graphs for these files, and the file of the weights.

    None where no graphs are shipped for them. Where the weights are a link, it is followed: ONNX
    Runtime reads no file outside the folder that it is told.
    """
    for folder, spec in shipped():
        weights = (files.folder / WEIGHTS).resolve()
        if spec.fingerprint == files.content and weights.name == WEIGHTS:
            return folder, weights
    return None


def load_shipped(
    files: ModelFiles, *, cache: Path, workers: int | None = None
) -> Encoder[Runtime] | None:
    """The encoder of files for which graphs are shipped; None for others.

    Args:
        files: as `qa.encoding.model.locate` gives them.
        cache: the folder for what is compiled; it need not exist or be writable.
        workers: how many cores embed passages; by default all that this process may use.
    """
    found = graphs_of(files)
    if found is None or (spec := read_spec(found[0])) is None:
        return None
    folder, weights = found
    try:
        tokens = Tokens((files.folder / TOKENIZER).read_text("utf-8"))
        questions = OnnxRuntime(folder, weights=weights)
    except Exception:  # noqa: BLE001 - onnxruntime's errors have no common base; torch may do
        return None
    passages = FastestRuntime(
        folder,
        weights=weights,
        compiled=compiled_in(cache, files.content),
        workers=workers,
    )
    return Encoder(replace(spec, name=files.name), tokens, questions, passages=passages)
