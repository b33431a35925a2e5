"""Make the graphs that come with the package: exported by torch, then freed of their weights.

    python -m qa.encoding.weightless [FOLDER]

writes those of the default model to a folder, by default where `qa.encoding.shipped` finds them.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from qa.encoding.export import ENCODER, write_graph
from qa.encoding.runtimes import GRAPH, INPUTS, SHIPPED_PASSAGE_GRAPH, optimise_graph
from qa.encoding.weights import WEIGHTS, places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from qa.encoding.encoder import Encoder
    from qa.encoding.reference import TorchRuntime
    from qa.encoding.weights import Place

    Found = tuple[str, Place, bool]

__all__ = ["made_with", "write_weightless"]

_LITTLE = 1024  # bytes of what stays in the graph
_MICROSOFT = "com.microsoft"  # the domain of what ONNX Runtime adds to ONNX


def made_with() -> dict[str, str]:
    """The versions that decide what is written: equal versions write equal bytes."""
    names = ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime")
    return {name: version(name).partition("+")[0] for name in names}


def write_weightless(reference: Encoder[TorchRuntime], weights: Path, folder: Path) -> None:
    """Write the graphs of a loaded model without its weights, and what encoder they make.

    Args:
        reference: the model, as `qa.encoding.reference.load_reference` gives it.
        weights: the safetensors file that it was loaded from.
        folder: where to; it is made where there is none.

    Raises:
        ValueError: the graph computes with a tensor that is not in the file, neither as it is nor
            transposed.
    """
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    output = "last_hidden_state"
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name) / "raw.onnx"
        write_graph(reference.runtime.transformer, raw, inputs=INPUTS, output=output)
        optimise_graph(raw, Path(name))
        questions, passages = onnx.load(str(Path(name) / GRAPH)), onnx.load(str(raw))
    digests = dict(_digests(weights))
    _point_to_file(questions, digests)
    _turn_into_inputs(passages, digests)
    for file, graph in ((GRAPH, questions), (SHIPPED_PASSAGE_GRAPH, passages)):
        used = {node.domain for node in graph.graph.node}
        opsets = [one for one in graph.opset_import if one.domain in used]
        del graph.opset_import[:]
        graph.opset_import.extend(opsets)
        onnx.helper.set_model_props(graph, made_with())
        (folder / file).write_bytes(graph.SerializeToString(deterministic=True))
    (folder / ENCODER).write_text(json.dumps(asdict(reference.spec), indent=1) + "\n", "utf-8")


def _digests(weights: Path) -> Iterator[tuple[bytes, tuple[str, Place]]]:
    data = np.memmap(weights, np.uint8, "r")
    for name, place in places(weights).items():
        held = data[place.offset : place.offset + place.length]
        yield hashlib.sha256(held.tobytes()).digest(), (name, place)


def _taken_out(
    graph: Any,  # noqa: ANN401 - protocol buffers are untyped
    digests: Mapping[bytes, tuple[str, Place]],
) -> Iterator[tuple[Any, Found]]:
    """Each large tensor of a graph, and which of the file's it is (name, place, transposed?)."""
    from onnx import numpy_helper

    for tensor in graph.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.nbytes < _LITTLE or value.dtype != np.float32:
            continue
        for transposed in (False, True):
            found = digests.get(_digest(value.T if transposed else value))
            if found is not None:
                yield tensor, (*found, transposed)
                break
        else:
            msg = f"{tensor.name} {value.shape} is not in the file of the weights"
            raise ValueError(msg)


def _digest(value: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(value).tobytes()).digest()


def _point_to_file(graph: Any, digests: Mapping[bytes, tuple[str, Place]]) -> None:  # noqa: ANN401
    """Have the graph for ONNX Runtime read its weights from their file.

    What stands there transposed is multiplied so: ONNX's own MatMul can't.
    """
    from onnx import TensorProto, helper

    transposed = set()
    for tensor, (_, place, turned) in list(_taken_out(graph, digests)):
        if turned:
            transposed.add(tensor.name)
        tensor.ClearField("raw_data")
        del tensor.dims[:]
        tensor.dims.extend(place.shape)
        tensor.data_location = TensorProto.EXTERNAL
        del tensor.external_data[:]
        where = {"location": WEIGHTS, "offset": place.offset, "length": place.length}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
    for node in graph.graph.node:
        if not transposed.intersection(node.input):
            continue
        if node.op_type != "MatMul" or node.input[0] in transposed:
            msg = f"{node.name} ({node.op_type}) takes a transposed tensor"
            raise ValueError(msg)
        node.op_type, node.domain = "FusedMatMul", _MICROSOFT
        node.attribute.append(helper.make_attribute("transB", 1))


def _turn_into_inputs(graph: Any, digests: Mapping[bytes, tuple[str, Place]]) -> None:  # noqa: ANN401
    """Have the graph for OpenVINO take its weights as inputs, under their names in the file.

    OpenVINO would look for a file of weights beside the graph.
    """
    from onnx import TensorProto, helper

    inputs, names, turns = {}, {}, []
    for tensor, (name, place, turned) in list(_taken_out(graph, digests)):
        inputs[name] = helper.make_tensor_value_info(name, TensorProto.FLOAT, place.shape)
        if turned:
            turns.append(helper.make_node("Transpose", [name], [tensor.name], perm=[1, 0]))
        else:
            names[tensor.name] = name
        graph.graph.initializer.remove(tensor)
    graph.graph.input.extend(inputs.values())
    for node in graph.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    nodes = [*turns, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _main() -> None:
    from qa.encoding.model import DEFAULT_MODEL, locate
    from qa.encoding.reference import load_reference

    folder = Path(__file__).with_name("graphs") / DEFAULT_MODEL
    with tempfile.TemporaryDirectory() as cache:
        files = locate(None, cache=Path(cache))
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else folder
    reference = cast("Encoder[TorchRuntime]", load_reference(files))
    write_weightless(reference, files.folder / WEIGHTS, target)


if __name__ == "__main__":
    _main()
