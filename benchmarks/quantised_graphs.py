"""How near quantised graphs come to a model: the default one, rounded in four ways.

Usage: python benchmarks/quantised_graphs.py BENCH

Writes benchmarks/quantised_graphs.json: the lowest cosine with the model's own vectors, of the
texts that every graph is compared on, and of a hundred questions of XQuAD.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import cast

from onnxruntime.quantization import QuantType, quantize_dynamic

from qa.encoding.encoder import EncodedQuestion, Encoder
from qa.encoding.export import write_graph
from qa.encoding.model import locate
from qa.encoding.reference import PROBES, TorchRuntime, load_reference
from qa.encoding.runtimes import OnnxRuntime, optimise_graph
from qa.evaluation.questions import load_beir

HERE = Path(__file__).parent
ASKED = 100


def main() -> None:
    """Measure and write the file."""
    _, questions = load_beir(Path(sys.argv[1]) / "xquad-en")
    texts = {"probes": list(PROBES), "questions": [one.text for one in questions[:ASKED]]}
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="qa-quantised-") as temporary:
        folder = Path(temporary)
        reference = load_reference(locate(None, cache=folder), threads=1)
        write_graph(
            cast("TorchRuntime", reference.runtime).transformer,
            folder / "graph.onnx",
            inputs=("input_ids", "attention_mask"),
            output="last_hidden_state",
        )
        for kind in (QuantType.QInt8, QuantType.QUInt8):
            for by_channel in (False, True):
                name = f"{kind.name}, by {'channel' if by_channel else 'tensor'}"
                made = folder / name
                made.mkdir()
                rounded = folder / f"{name}.onnx"
                quantize_dynamic(
                    folder / "graph.onnx", rounded, weight_type=kind, per_channel=by_channel
                )
                optimise_graph(rounded, made)
                encoder = Encoder(reference.spec, reference.tokens, OnnxRuntime(made))
                found[name] = {
                    what: lowest(reference.encode_questions(some), encoder.encode_questions(some))
                    for what, some in texts.items()
                }
    (HERE / "quantised_graphs.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def lowest(one: list[EncodedQuestion], other: list[EncodedQuestion]) -> float:
    """Give the lowest cosine of the vectors of the same questions."""
    return round(min(float(a.vector @ b.vector) for a, b in zip(one, other, strict=True)), 4)


if __name__ == "__main__":
    main()
