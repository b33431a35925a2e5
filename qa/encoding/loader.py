"""From the files of a model to what runs it: its exported graph, made where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.model import ModelFiles
    from qa.encoding.reranker import Reranker
    from qa.settings import Settings

__all__ = ["CachedModel", "ModelLoader", "cached_models", "load_encoder", "load_reranker"]


class ModelLoader:
    """Finds the models that the settings or an index name, and keeps what was loaded of them."""

    def __init__(self, settings: Settings, notify: Callable[[str], None] = lambda _: None) -> None:
        self._settings = settings
        self._notify = notify
        self._located: tuple[str, ModelFiles] | None = None
        self._reranker: Reranker | None = None
        self.loaded: Encoder[Runtime] | None = None  # the encoder that was loaded last

    def locate(self, indexed: str = "") -> ModelFiles:
        """The files of the model that the settings name, else of the index's, else the default.

        What an index names may come from a stranger, so it must not decide what is fetched, or
        which folder is read.

        Args:
            indexed: the name of the model that the index was made with, or "".

        Raises:
            ModelError: see `qa.encoding.model.locate`.
        """
        named = self._settings.model
        name = named or indexed
        if self._located is None or self.loaded is None or self._located[0] != name:
            from qa.encoding.model import locate

            cache = self._settings.cache_path()
            self._located = name, locate(name or None, cache=cache, trusted=named is not None)
        return self._located[1]

    def encoder(self, files: ModelFiles) -> Encoder[Runtime]:
        """The encoder of these files, loaded once.

        Raises:
            ModelError: see `load_encoder`.
        """
        if self.loaded is None or self.loaded.spec.fingerprint != files.fingerprint:
            self.loaded = load_encoder(
                files,
                cache=self._settings.cache_path(),
                device=self._settings.device,
                workers=self._settings.jobs,
                notify=self._notify,
            )
        return self.loaded

    def close(self) -> None:
        """Let go of what was loaded, which takes hundreds of megabytes."""
        self.loaded = self._reranker = None

    def default_encoder(self) -> Encoder[Runtime]:
        """The default model's encoder, beside the one that is loaded.

        Raises:
            ModelError: its files are not there, or not the published ones.
        """
        from qa.encoding.model import locate

        cache = self._settings.cache_path()
        files = locate(None, cache=cache)
        return load_encoder(files, cache=cache, workers=self._settings.jobs, notify=self._notify)

    def reranker(self) -> Reranker | None:
        """The cross-encoder that the settings name, loaded once; None where they name none.

        Raises:
            ModelError: see `load_reranker`.
        """
        if self._reranker is None and self._settings.rerank is not None:
            from qa.encoding.model import locate

            cache = self._settings.cache_path()
            files = locate(self._settings.rerank, cache=cache, setting="rerank")
            self._reranker = load_reranker(files, cache=cache, notify=self._notify)
        return self._reranker


def load_encoder(
    files: ModelFiles,
    *,
    cache: Path,
    device: str | None = None,
    workers: int | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Encoder[Runtime]:
    """Load the encoder of the files that `qa.encoding.model.locate` found.

    For the default model that is all: its graph comes with the package. Of any other, the first
    time, sentence-transformers loads it and its graph is exported into `cache`; after that, neither
    torch nor sentence-transformers is imported.

    Args:
        files: the very files that were checked: a name might lead to others by now.
        cache: the folder for exports and digests; it need not exist or be writable.
        device: where torch embeds passages; by default the exported graph does, on the processor.
        workers: how many cores embed passages; by default all that this process may use.
        notify: is told, in a sentence, of what takes long.

    Raises:
        ModelError: see `qa.encoding.reference.load_reference`; or torch is needed, and missing.
    """
    from qa.encoding.encoder import Encoder
    from qa.encoding.export import ExportError, folder_of, load_exported
    from qa.encoding.shipped import load_shipped

    folder = folder_of(cache, files.fingerprint)
    exported = load_shipped(files, cache=cache, workers=workers)
    exported = exported or load_exported(folder, workers=workers)
    if exported is not None and device is None:
        return exported
    from qa.encoding.installed import require_torch

    require_torch(files.name)
    from qa.encoding.reference import export_encoder, load_reference

    if exported is not None:
        passages = load_reference(files, device=device, threads=workers).runtime
        return Encoder(exported.spec, exported.tokens, exported.runtime, passages=passages)
    notify(f"Preparing {files.name}: once per model, about 10 seconds …")
    reference = load_reference(files, threads=workers)
    try:
        export_encoder(reference, folder)
    except ExportError as error:
        notify(f"{files.name} could not be exported, so it works slowly: {error}")
        return load_reference(files, device=device, threads=workers)
    return load_encoder(files, cache=cache, device=device, workers=workers, notify=notify)


def load_reranker(
    files: ModelFiles, *, cache: Path, notify: Callable[[str], None] = lambda _: None
) -> Reranker:
    """Load a cross-encoder; the first time it is exported into `cache`.

    Raises:
        ModelError: torch is needed, and missing; or see
            `qa.encoding.cross_encoders.load_torch_reranker`.
    """
    from qa.encoding.export import RERANKER, ExportError, folder_of
    from qa.encoding.installed import require_torch
    from qa.encoding.reranker import load_exported_reranker

    folder = folder_of(cache, files.fingerprint, RERANKER)
    if (exported := load_exported_reranker(folder)) is not None:
        return exported
    require_torch(files.name)
    from qa.encoding.cross_encoders import export_reranker, load_torch_reranker

    notify(f"Preparing {files.name}: once per model, some seconds …")
    reference = load_torch_reranker(files)
    try:
        export_reranker(reference, folder)
    except ExportError as error:
        notify(f"{files.name} could not be exported, so it works slowly: {error}")
        return reference
    return load_exported_reranker(folder) or reference


@dataclass(frozen=True, slots=True)
class CachedModel:
    """A model that is ready, and what of it is in the cache: little, where its graph is shipped."""

    name: str
    fingerprint: str
    folder: Path
    size_bytes: int
    shipped: bool = False


def cached_models(cache: Path) -> list[CachedModel]:
    """List the models that are ready: their graphs came with the package, or are in the cache."""
    from qa.encoding.export import read_spec
    from qa.encoding.shipped import compiled_in, shipped

    found = []
    for _, spec in shipped():
        folder = compiled_in(cache, spec.fingerprint)
        found.append(CachedModel(spec.name, spec.fingerprint, folder, _size(folder), shipped=True))
    for folder in sorted(cache.glob("encoders/*")):
        exported = read_spec(folder)
        if exported is not None:
            size = _size(folder)
            found.append(CachedModel(exported.name, exported.fingerprint, folder, size))
    return found


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
