"""The encoder of a model: the exported graph where there is one, else made and exported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qa.encoding.export import ExportError, export, folder_of, load_exported
from qa.encoding.model import locate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qa.encoding.encoder import Encoder, Runtime

__all__ = ["load_encoder"]


def load_encoder(
    name: str | None, *, cache: Path, tell: Callable[[str], None] = lambda _: None
) -> Encoder[Runtime]:
    """Load the encoder of a model, by default all-MiniLM-L6-v2.

    The first time, sentence-transformers loads it and its graph is exported into `cache`; after
    that, neither torch nor sentence-transformers is imported.

    Args:
        name: a local folder, a hub name, or None.
        cache: the folder for exports and digests; it need not exist or be writable.
        tell: is told, in a sentence, of what takes long.

    Raises:
        ModelError: see `qa.encoding.model.locate` and `qa.encoding.reference.load_reference`.
    """
    files = locate(name, cache=cache)
    folder = folder_of(cache, files.fingerprint)
    workers = os.cpu_count() or 1
    exported = load_exported(folder, workers=workers)
    if exported is not None:
        return exported
    from qa.encoding.reference import load_reference

    tell(f"Preparing {files.name}: once per model, about 10 seconds …")
    reference = load_reference(files)
    try:
        export(reference, folder)
    except ExportError as error:
        tell(f"{files.name} could not be exported, so it works slowly: {error}")
    return load_exported(folder, workers=workers) or reference
