"""The encoder of a model: the exported graph where there is one, else made and exported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.encoding.encoder import Encoder
from qa.encoding.export import ExportError, export, folder_of, load_exported, read_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qa.encoding.encoder import Runtime
    from qa.encoding.model import ModelFiles

__all__ = ["CachedModel", "cached_models", "load_encoder"]


def load_encoder(
    files: ModelFiles,
    *,
    cache: Path,
    device: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Encoder[Runtime]:
    """Load the encoder of the files that `qa.encoding.model.locate` found.

    The first time, sentence-transformers loads it and its graph is exported into `cache`; after
    that, neither torch nor sentence-transformers is imported.

    Args:
        files: the very files that were checked: a name might lead to others by now.
        cache: the folder for exports and digests; it need not exist or be writable.
        device: where torch embeds passages; by default the exported graph does, on the processor.
        tell: is told, in a sentence, of what takes long.

    Raises:
        ModelError: see `qa.encoding.reference.load_reference`.
    """
    folder = folder_of(cache, files.fingerprint)
    workers = os.cpu_count() or 1
    exported = load_exported(folder, workers=workers)
    if exported is not None and device is None:
        return exported
    from qa.encoding.reference import load_reference

    if exported is not None:
        passages = load_reference(files, device=device).runtime
        return Encoder(exported.spec, exported.tokens, exported.runtime, passages=passages)
    tell(f"Preparing {files.name}: once per model, about 10 seconds …")
    reference = load_reference(files)
    try:
        export(reference, folder)
    except ExportError as error:
        tell(f"{files.name} could not be exported, so it works slowly: {error}")
        return load_reference(files, device=device)
    return load_encoder(files, cache=cache, device=device, tell=tell)


@dataclass(frozen=True, slots=True)
class CachedModel:
    """A model whose graph is in the cache."""

    name: str
    fingerprint: str
    folder: Path
    size_bytes: int


def cached_models(cache: Path) -> list[CachedModel]:
    """List the models whose graphs are in the cache."""
    found = []
    for folder in sorted(cache.glob("encoders/*")):
        spec = read_spec(folder)
        if spec is not None:
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            found.append(CachedModel(spec.name, spec.fingerprint, folder, size))
    return found
