"""What runs an exported graph: ONNX Runtime for questions, the faster of two for passages."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from qa.encoding.encoder import PassageRuntime, TokenIds

__all__ = [
    "GRAPH",
    "INPUTS",
    "SHIPPED_PASSAGE_GRAPH",
    "FastestRuntime",
    "OnnxRuntime",
    "OpenVinoRuntime",
    "open_graph",
    "optimise_graph",
    "passages_by",
    "write_passage_graph",
]

INPUTS = ("input_ids", "attention_mask")
GRAPH, _WEIGHTS = "graph.onnx", "graph.bin"
_PASSAGE_GRAPH = "passages.xml"
SHIPPED_PASSAGE_GRAPH = "passages.onnx"
_COMPILED = "compiled"
# Passes after which packing the weights has paid: it takes 40 ms once and saves 4 ms a pass.
_WARM = 8


def _onnxruntime() -> Any:  # noqa: ANN401 - it is untyped
    """Import ONNX Runtime without its telemetry.

    Since 1.29 its official builds note a device id in the user's cache and report to their makers,
    unless the environment says otherwise before they are loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    if sys.platform == "win32":  # there it is the system that reports
        onnxruntime.disable_telemetry_events()
    return onnxruntime


def optimise_graph(raw: Path, folder: Path) -> None:
    """Write the graph with its nodes fused, and its weights in a file of their own.

    The weights are then mapped into memory: opening takes 10 ms instead of 170 (MiniLM), and
    only the pages that a question touches are read.
    """
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Not further: beyond, the graph would be made for this machine's processor.
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(folder / GRAPH)
    key = "session.optimized_model_external_initializers"
    options.add_session_config_entry(f"{key}_file_name", _WEIGHTS)
    options.add_session_config_entry(f"{key}_min_size_in_bytes", "1024")
    onnxruntime.InferenceSession(str(raw), options, providers=["CPUExecutionProvider"])


def write_passage_graph(raw: Path, folder: Path) -> None:
    """Write the graph for OpenVINO as well, where it is installed and computes in bfloat16."""
    if (core := _openvino_with_bfloat16()) is not None:
        import openvino

        graph = core.read_model(str(raw))
        openvino.save_model(graph, str(folder / _PASSAGE_GRAPH), compress_to_fp16=False)


@cache
def _openvino_with_bfloat16() -> Any:  # noqa: ANN401 - openvino.Core, or None
    # One for as long as the process lasts: each gives the thread that makes it a stack for signals,
    # and puts the one before back when it goes. Where two go in the order in which they came, that
    # is freed memory, and the next Ctrl-C a segmentation fault.
    # Its converter is not needed, takes half of the import's time, and brings a client of a
    # telemetry service; openvino does without where it is missing.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        return None
    core = openvino.Core()
    return core if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else None


class OnnxRuntime:
    """An exported graph, run in float32 by ONNX Runtime, each pass on one thread.

    Threads that wait for each other inside a pass spin, and cost more CPU than they bring
    (docs/decisions.md).
    """

    def __init__(
        self, folder: Path, *, weights: Path | None = None, workers: int = 1, warm: bool = False
    ) -> None:
        """Open the graph; `warm` packs the weights at once, for many passes.

        `weights` is the model's safetensors file, for a graph that has none of its own.
        """
        self._workers = workers
        self._folder = folder
        self._weights = weights
        self._passes = 0
        self._packed = warm
        self._session = self._open()
        self._inputs, self._output = _columns(self._session)

    def forward(self, texts: Iterable[TokenIds]) -> Iterator[NDArray[np.float32]]:
        """The token embeddings `[n, d]` of each text, in order."""
        if self._workers == 1:
            yield from map(self._run, texts)
            return
        from qa.ahead import in_order

        yield from in_order(self._run, texts, workers=self._workers, most=2 * self._workers)

    def forward_batch(self, texts: Sequence[TokenIds]) -> list[NDArray[np.float32]]:
        """The same of a few texts in one pass; equal to about 1e-6."""
        self._passes += 1
        if not self._packed and self._passes > _WARM:
            self._packed = True
            self._session = self._open()
        ids = np.zeros((len(texts), max(map(len, texts))), np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        columns = {"input_ids": ids, "attention_mask": mask}
        if len(self._inputs) > 2:
            columns["token_type_ids"] = np.zeros_like(ids)
            columns["position_ids"] = np.arange(ids.shape[1])[None].repeat(len(ids), axis=0)
        [found] = self._session.run([self._output], {name: columns[name] for name in self._inputs})
        return [np.asarray(found[row, : len(text)], np.float32) for row, text in enumerate(texts)]

    def _run(self, ids: TokenIds) -> NDArray[np.float32]:
        return self.forward_batch([ids])[0]

    def _open(self) -> Any:  # noqa: ANN401 - onnxruntime is untyped
        return open_graph(self._folder, packed=self._packed, weights=self._weights)


def _columns(session: Any) -> tuple[list[str], str]:  # noqa: ANN401 - onnxruntime is untyped
    """The inputs of a graph, and which of its outputs gives token embeddings.

    Raises:
        ValueError: it has others than are known: it is a model's own, and not of text alone.
    """
    inputs = [one.name for one in session.get_inputs()]
    if unknown := set(inputs) - {"input_ids", "attention_mask", "token_type_ids", "position_ids"}:
        raise ValueError(f"it wants {min(unknown)}")
    outputs = [one.name for one in session.get_outputs() if len(one.shape) == 3]
    if not outputs:
        raise ValueError("it gives no token embeddings")
    named = [name for name in ("last_hidden_state", "token_embeddings") if name in outputs]
    return inputs, (named or outputs)[0]


def open_graph(folder: Path, *, packed: bool = True, weights: Path | None = None) -> Any:  # noqa: ANN401 - onnxruntime is untyped
    """Open what `optimise_graph` wrote, for one thread; packing is for many passes.

    `weights` is the safetensors file that a shipped graph reads. ONNX Runtime maps it into memory,
    and refuses a graph that names a file outside its folder.
    """
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    disabled = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # it is optimised already
    options.graph_optimization_level = disabled
    options.add_session_config_entry("session.disable_prepacking", "0" if packed else "1")
    graph: str | bytes = str(folder / GRAPH)
    if weights is not None:
        graph = (folder / GRAPH).read_bytes()
        key = "session.model_external_initializers_file_folder_path"
        options.add_session_config_entry(key, str(weights.parent))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class OpenVinoRuntime:
    """An exported graph, run in bfloat16 by OpenVINO, as many passes at once as there are cores.

    Requests are started and awaited from one thread: inputs handed over from several threads at
    the same time can lock each other out for ever (seen with OpenVINO 2026.4).
    """

    def __init__(self, graph: Any, core: Any, *, compiled: Path, workers: int) -> None:  # noqa: ANN401 - untyped
        """Compile a graph: the path of one, or an `openvino.Model`."""
        options = {
            "INFERENCE_PRECISION_HINT": "bf16",
            "INFERENCE_NUM_THREADS": workers,
            "NUM_STREAMS": workers,
        }
        with suppress(OSError):  # where nothing can be written, it is compiled each time
            compiled.mkdir(parents=True, exist_ok=True)
            options["CACHE_DIR"] = str(compiled)
        model = core.compile_model(graph, "CPU", options)
        # Twice the streams: while one result is pooled here, no stream is idle.
        self._requests = [model.create_infer_request() for _ in range(2 * workers)]
        self._lock = threading.Lock()

    def forward(self, texts: Iterable[TokenIds]) -> Iterator[NDArray[np.float32]]:
        """The token embeddings `[n, d]` of each text, in order."""
        with self._lock:
            free = list(self._requests)
            running: deque[Any] = deque()
            try:
                for ids in texts:
                    if not free:
                        free.append(running.popleft())
                        yield _finished(free[-1])
                    request = free.pop()
                    row = np.array([ids], np.int64)
                    request.start_async([row, np.ones_like(row)])
                    running.append(request)
                while running:
                    yield _finished(running.popleft())
            finally:
                for request in running:
                    request.wait()


def _finished(request: Any) -> NDArray[np.float32]:  # noqa: ANN401 - openvino is untyped
    request.wait()
    return np.array(request.get_output_tensor(0).data[0], np.float32)


def _with_weights(core: Any, graph: Path, weights: Path) -> Any:  # noqa: ANN401 - untyped
    """A shipped graph, whose inputs of a tensor's name are that tensor of the weights."""
    from openvino.op import Constant

    from qa.encoding.weights import mapped

    model = core.read_model(graph.read_bytes())
    tensors = mapped(weights)
    for parameter in list(model.get_parameters()):
        if (name := parameter.get_friendly_name()) not in INPUTS:
            constant = Constant(tensors[name], shared_memory=True)
            parameter.output(0).replace(constant.output(0))
            model.remove_parameter(parameter)
    return model


def passages_by(folder: Path) -> str:
    """Name what embeds passages with the graphs of a folder, and in which numbers."""
    graphs = (folder / _PASSAGE_GRAPH, folder / SHIPPED_PASSAGE_GRAPH)
    fast = any(graph.is_file() for graph in graphs) and _openvino_with_bfloat16() is not None
    return "OpenVINO in bfloat16" if fast else "ONNX Runtime in float32"


class FastestRuntime:
    """The fastest runtime for many passages on this machine, opened when first needed."""

    def __init__(
        self,
        folder: Path,
        *,
        weights: Path | None = None,
        compiled: Path | None = None,
        workers: int | None = None,
    ) -> None:
        """Take how many cores are to be used; by default all that this process may use.

        `weights` is as for `OnnxRuntime`; `compiled` is where OpenVINO keeps what it compiled, by
        default beside the graphs.
        """
        self._workers = workers
        self._folder = folder
        self._weights = weights
        self._compiled = compiled or folder / _COMPILED
        self._chosen: PassageRuntime | None = None
        self._lock = threading.Lock()

    def forward(self, texts: Iterable[TokenIds]) -> Iterator[NDArray[np.float32]]:
        """The token embeddings `[n, d]` of each text, in order."""
        if self._chosen is None:
            with self._lock:
                self._chosen = self._chosen or self._choose()
        return self._chosen.forward(texts)

    def _choose(self) -> PassageRuntime:
        from qa.cores import usable_cores

        workers = self._workers or usable_cores()
        core = _openvino_with_bfloat16() if self._has_passage_graph() else None
        if core is None:
            return OnnxRuntime(self._folder, weights=self._weights, workers=workers, warm=True)
        graph: Any = str(self._folder / _PASSAGE_GRAPH)
        if self._weights is not None:
            graph = _with_weights(core, self._folder / SHIPPED_PASSAGE_GRAPH, self._weights)
        return OpenVinoRuntime(graph, core, compiled=self._compiled, workers=workers)

    def _has_passage_graph(self) -> bool:
        name = _PASSAGE_GRAPH if self._weights is None else SHIPPED_PASSAGE_GRAPH
        return (self._folder / name).is_file()
