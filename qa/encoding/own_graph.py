"""The graphs that models come with: which is taken, and how near it must come to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.encoding.export import ExportError, first_line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OWN_GRAPH", "QUANTISED_COSINE", "is_quantised", "least_cosine"]

# Where makers put them, relative to the model's folder.
OWN_GRAPH = "onnx/model.onnx"
# What a graph of rounded weights must reach, on each of a few texts.
QUANTISED_COSINE = 0.9
_FLOAT_COSINE = 0.99999
_ROUNDING = {
    *("DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul"),
    *("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulNBits", "QAttention"),
}


def is_quantised(graph: Path) -> bool:
    """Whether a graph computes in fewer bits than float32.

    Raises:
        ExportError: it can't be read.
    """
    import onnx

    try:
        model = onnx.load(str(graph), load_external_data=False)
    except Exception as error:
        raise ExportError(first_line(error)) from error
    halves = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    return any(node.op_type in _ROUNDING for node in model.graph.node) or any(
        weight.data_type in halves for weight in model.graph.initializer
    )


def least_cosine(graph: Path) -> float:
    """The cosine that vectors by a graph must have with the model's own.

    Raises:
        ExportError: see `is_quantised`.
    """
    return QUANTISED_COSINE if is_quantised(graph) else _FLOAT_COSINE
