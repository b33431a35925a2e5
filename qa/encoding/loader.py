"""From the files of a model to what runs it: its exported graph, made where there is none."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.model import ModelFiles
    from qa.encoding.reranker import Reranker
    from qa.settings import Settings

# Tokens of a passage where nobody says otherwise: it is shown and cited whole, so it stays short
# even for a model that reads a book.
MAX_TOKENS = 512
_LEAST_ROOM = 24  # tokens that the prompts leave for a text

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
            from qa.encoding.options import options_of

            self._located = (
                name,
                locate(
                    name or None,
                    cache=self._settings.cache_path(),
                    trusted=named is not None,
                    options=options_of(self._settings),
                ),
            )
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
    from qa.encoding.export import folder_of, load_exported
    from qa.encoding.shipped import load_shipped

    folder = folder_of(cache, files.content)
    exported = load_shipped(files, cache=cache, workers=workers)
    exported = exported or load_exported(folder, workers=workers)
    if exported is None:
        slow = _prepare(files, folder, workers=workers, notify=notify)
        exported = slow or load_exported(folder, workers=workers)
    if exported is None:
        raise ModelError(f"{folder} can't be read", hint="See that nothing else changes it.")
    if device is None:
        return _as_set(exported, files)
    from qa.encoding.encoder import Encoder
    from qa.encoding.installed import require_torch

    require_torch(files.name)
    from qa.encoding.reference import load_reference

    passages = load_reference(files, device=device, threads=workers).runtime
    whole = Encoder(
        exported.spec, exported.tokens, exported.runtime, passages=passages, head=exported.head
    )
    return _as_set(whole, files)


def _prepare(
    files: ModelFiles, folder: Path, *, workers: int | None, notify: Callable[[str], None]
) -> Encoder[Runtime] | None:
    """Export a model to `folder`; where that can't be done, the model as torch runs it.

    Raises:
        ModelError: see `qa.encoding.reference.load_reference`; the graph that was asked for is
            not there or gives other vectors.
    """
    from qa.encoding.export import ExportError
    from qa.encoding.installed import require_torch
    from qa.encoding.own_graph import OWN_GRAPH, is_quantised

    require_torch(files.name)
    from qa.encoding.reference import export_encoder, load_reference

    notify(f"Preparing {files.name}: once per model, about 10 seconds …")
    if files.prompts.family:
        notify(f"Its configuration names no prompts; it gets those of {files.prompts.family}.")
    reference = load_reference(files, threads=workers)
    if (named := files.options.onnx) is not None:
        try:
            cosine = export_encoder(reference, folder, graph=files.folder / named)
        except ExportError as error:
            raise ModelError(
                f"The graph {named} of {files.name} can't be used: {error}",
                hint="Leave `onnx` out, or name another graph of the model.",
            ) from error
        notify(f"{named} gives vectors with a cosine of {cosine:.4f} or more to the model's own.")
        return None
    try:
        export_encoder(reference, folder)
    except ExportError as error:
        own = files.folder / OWN_GRAPH
        with suppress(ExportError):
            if own.is_file() and not is_quantised(own):
                export_encoder(reference, folder, graph=own)
                notify(f"{files.name} could not be exported; its own {OWN_GRAPH} is used.")
                return None
        notify(f"{files.name} could not be exported, so it works slowly: {error}")
        return reference
    return None


def _as_set(encoder: Encoder[Runtime], files: ModelFiles) -> Encoder[Runtime]:
    """An encoder of a model's files, used as the options say.

    Raises:
        ModelError: the prompts leave no room for text, or there are not so many dimensions.
    """
    from qa.encoding.encoder import Encoder

    options, spec = files.options, encoder.spec
    limit = min(spec.limit, options.max_tokens or MAX_TOKENS)
    size = options.truncate_dim or encoder.head.truncate_dim
    if options.truncate_dim is not None and options.truncate_dim > spec.dimension:
        raise ModelError(
            f"truncate_dim is {options.truncate_dim}, and {files.name} has {spec.dimension} "
            "dimensions",
            hint="Give a number that is not higher, or leave it out.",
        )
    spec = replace(
        spec,
        name=files.name,
        fingerprint=files.fingerprint,
        dimension=min(spec.dimension, size or spec.dimension),
        limit=limit,
        question_prompt=files.prompts.query,
        passage_prompt=files.prompts.passage,
    )
    for key, prompt in (
        ("query_prompt", spec.question_prompt),
        ("passage_prompt", spec.passage_prompt),
    ):
        count = encoder.tokens.count([prompt])[0]
        if limit - encoder.tokens.specials - count < _LEAST_ROOM:
            raise ModelError(
                f"{key} has {count} tokens, of {limit} that {files.name} reads",
                hint=f"Set a shorter one, or a higher max_tokens: {_LEAST_ROOM} must be left.",
            )
    head = replace(encoder.head, truncate_dim=size)
    return Encoder(spec, encoder.tokens, encoder.runtime, passages=encoder.passages, head=head)


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
