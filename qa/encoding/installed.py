"""What the default model does without, and every other one needs."""

from __future__ import annotations

from importlib.util import find_spec

from qa.errors import ModelError

__all__ = ["require_torch"]

# Module and distribution; `qa` itself requires them, and runs without on its default model.
_TORCH = {"torch": "torch", "sentence_transformers": "sentence-transformers", "onnx": "onnx"}


def require_torch(name: str) -> None:
    """Refuse to load a model through torch where torch, or what goes with it, is not installed.

    Raises:
        ModelError: it is not; the hint is the line that installs it.
    """
    missing = [package for module, package in _TORCH.items() if find_spec(module) is None]
    if missing:
        raise ModelError(
            f"{name} needs {' and '.join(missing)}, which this installation of qa lacks",
            hint=f"pip install {' '.join(_TORCH.values())}. "
            "The default model on the processor needs none of them.",
        )
