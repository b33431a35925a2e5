"""Settings: defaults < qa.toml < QA_* environment < arguments; unknown keys are refused."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from qa.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qa.place import MilvusPlace

__all__ = ["MAX_K", "Settings", "SettingsArguments", "load_settings", "named_corpora", "override"]

PREFIX = "QA_"
MAX_K = 10_000  # passages of an answer, each read again from its file
_MOST_JOBS = 1024
MIN_TOKENS = 32  # of a passage
_NAMES = ("corpus", "index", "model", "onnx", "cache", "rerank", "device")
_PROMPTS = ("query_prompt", "passage_prompt")
_FRESH = ("check", "watch")
_STORES = ("local", "milvus")
# An address in printable ASCII, whose braces hold nothing but what is filled in.
_EDITOR_LINK = (
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[!-z|~]|\{line\}|\{page\})*"
    r"\{path\}(?:[!-z|~]|\{(?:path|line|page)\})*"
)
_NO_SETTINGS = {"QA_LOG", "QA_LOG_TEXT", "QA_TRUST"}  # the command line's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a person can set.

    Attributes:
        corpus: the folder, or the one file, to answer from.
        index: the folder of the index; by default `index/` for the default corpus, and for any
            other corpus a folder of its own in the user's data directory.
        model: a local path or a hub name; by default the model that the index was made with,
            and for a new index all-MiniLM-L6-v2.
        query_prompt: what the model is given before a question; by default what its configuration
            or its model card asks for (docs/models.md). "" for nothing.
        passage_prompt: the same before a passage.
        truncate_dim: how many dimensions of a vector are kept, the first, of a model that was
            trained for that (Matryoshka); by default what its configuration says, else all.
        max_tokens: how many tokens of the model a passage, or a question, has at most, prompt and
            headings included; by default what the model reads, and 512 at most.
        onnx: a graph in the model's folder to compute with, such as "onnx/model_quint8_avx2.onnx";
            by default it is exported here.
        k: how many passages an answer shows at most.
        threshold: the probability, from 0 to 1, below which a question counts as not answered.
        prior: the share of questions, between 0 and 1, that you expect the documents to answer; it
            raises or lowers every probability.
        max_file_size: files of more bytes than this are left out.
        ocr: whether PDFs that are pictures of pages are read by `ocrmypdf`; where that is not
            installed, they are reported as files that can't be read.
        cache: the folder for what can be made again (exported models); by default the user's
            cache directory.
        rerank: a local path or a hub name of a cross-encoder that orders the best passages
            again; by default none does.
        device: what embeds documents, as torch names it ("cuda"); by default the processor,
            without torch.
        jobs: how many cores indexing uses at most, to embed passages and to read files; by default
            all that this process may use.
        lock_timeout: seconds to wait for another process that writes the same index.
        max_age: seconds for which an assistant that has compared the corpus with its index answers
            without another look; where there is no answer, it looks all the same.
        fresh: how a long-lived assistant learns of changes: "check" looks at all files, "watch" has
            Linux tell it what has changed (needs the extra `watch`).
        editor_link: where a click on a citation leads on a terminal, with `{path}` and `{line}` or
            `{page}` to be filled in, as "vscode://file/{path}:{line}"; by default the editor that
            the environment names, where it is known to take links, else the file.
        store: where the index is kept: "local" is in a folder, "milvus" on a Milvus server (needs
            the extra `milvus`), under the last part of `index` as its name.
        uri: the address of the Milvus server, as "http://127.0.0.1:19530"; its token is taken from
            the environment variable MILVUS_TOKEN.
    """

    corpus: str = "corpus"
    index: str | None = None
    model: str | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    truncate_dim: int | None = None
    max_tokens: int | None = None
    onnx: str | None = None
    k: int = 5
    threshold: float = 0.5
    prior: float = 0.75  # people ask mostly what is there; docs/quality.md has other shares
    max_file_size: int = 64 * 1024 * 1024
    ocr: bool = False
    cache: str | None = None
    rerank: str | None = None
    device: str | None = None
    jobs: int | None = None
    lock_timeout: float = 60.0
    max_age: float = 0.0
    fresh: Literal["check", "watch"] = "check"
    editor_link: str | None = None
    store: Literal["local", "milvus"] = "local"
    uri: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                _check(field.name, value)
        for key in (*_NAMES, *_PROMPTS):
            value = getattr(self, key)
            if value == "" and key not in _PROMPTS:
                raise SettingsError(f"{key} is empty", hint="Give it a value, or leave it out.")
            if value is not None and not _is_utf8(value):
                raise SettingsError(
                    f"{key} is {value!r}, which is not UTF-8", hint="Rename it, or name another."
                )
        if not 1 <= self.k <= MAX_K:
            raise SettingsError(f"k is {self.k}", hint=f"It goes from 1 to {MAX_K:,}.")
        _check_probabilities(self)
        if self.max_file_size < 1:
            raise SettingsError(
                f"max_file_size is {self.max_file_size}", hint="Give a number of bytes above 0."
            )
        _check_sizes(self)
        if self.jobs is not None and not 1 <= self.jobs <= _MOST_JOBS:
            raise SettingsError(f"jobs is {self.jobs}", hint=f"It goes from 1 to {_MOST_JOBS}.")
        for key in ("lock_timeout", "max_age"):
            if not getattr(self, key) >= 0:
                raise SettingsError(
                    f"{key} is {getattr(self, key)}", hint="Give seconds, 0 or more."
                )
        if self.fresh not in _FRESH:
            raise SettingsError(f"fresh is {self.fresh!r}", hint='Give "check" or "watch".')
        if self.store not in _STORES:
            raise SettingsError(f"store is {self.store!r}", hint='Give "local" or "milvus".')
        _check_editor_link(self.editor_link)

    def place(self) -> Path | MilvusPlace:
        """Where the index is: its folder, absolute, or its place on a server.

        Raises:
            SettingsError: it is on a server, and the address or the name can't be one.
        """
        if self.store == "local":
            return self.index_path().absolute()
        from qa.place import MilvusPlace, name_for

        if self.index is not None:  # a settings file's is a path by now
            return MilvusPlace(self.uri or "", Path(self.index).name)
        corpus = Path(os.path.realpath(self.corpus))
        return MilvusPlace(self.uri or "", name_for(corpus.name, _digest(corpus)))

    def index_path(self) -> Path:
        """The folder of the index (see `index`)."""
        if self.index is not None:
            return Path(self.index)
        if self.corpus == Settings().corpus:
            return Path("index")
        corpus = Path(os.path.realpath(self.corpus))
        return self.shelf() / f"{corpus.name}-{_digest(corpus)}"

    def shelf(self) -> Path:
        """The folder in the user's data directory that indexes lie in by default."""
        from platformdirs import user_data_path

        return user_data_path("retrieval-qa") / "indexes"

    def cores(self) -> int:
        """How many cores indexing uses (see `jobs`)."""
        from qa.cores import usable_cores

        return self.jobs or usable_cores()

    def cache_path(self) -> Path:
        """The folder of the cache (see `cache`)."""
        from platformdirs import user_cache_path

        return Path(self.cache) if self.cache else user_cache_path("retrieval-qa")


def _digest(corpus: Path) -> str:
    import hashlib

    return hashlib.sha256(str(corpus).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _check_probabilities(settings: Settings) -> None:
    if not 0 <= settings.threshold <= 1:
        raise SettingsError(f"threshold is {settings.threshold}", hint="It goes from 0 to 1.")
    if not 0 < settings.prior < 1:
        raise SettingsError(f"prior is {settings.prior}", hint="Give a number between 0 and 1.")


def _check_sizes(settings: Settings) -> None:
    for key, least in (("truncate_dim", 1), ("max_tokens", MIN_TOKENS)):
        value = getattr(settings, key)
        if value is not None and value < least:
            raise SettingsError(f"{key} is {value}", hint=f"Give {least} or more.")


def _check_editor_link(link: str | None) -> None:
    if link is not None and not re.fullmatch(_EDITOR_LINK, link):
        raise SettingsError(
            f"editor_link is {link!r:.80}",
            hint='Give an address with {path}, such as "vscode://file/{path}:{line}".',
        )


class SettingsArguments(TypedDict, total=False):
    """The settings that `qa.Assistant` takes by keyword, beside `corpus` and `index`."""

    model: str | os.PathLike[str] | None
    query_prompt: str | None
    passage_prompt: str | None
    truncate_dim: int | None
    max_tokens: int | None
    onnx: str | None
    k: int
    threshold: float
    prior: float
    max_file_size: int
    ocr: bool
    cache: str | os.PathLike[str] | None
    rerank: str | os.PathLike[str] | None
    device: str | None
    jobs: int | None
    lock_timeout: float
    max_age: float
    fresh: Literal["check", "watch"]
    editor_link: str | None
    store: Literal["local", "milvus"]
    uri: str | None


def override(settings: Settings, values: Mapping[str, object]) -> Settings:
    """Settings of which some have other values; paths may be path objects.

    Raises:
        SettingsError: an unknown setting, or a value of the wrong type or out of range.
    """
    if not isinstance(settings, Settings):
        raise SettingsError(f"settings is {settings!r:.80}", hint="Give an instance of Settings.")
    given: dict[str, Any] = {}
    for key, value in values.items():
        _kind(key)
        given[key] = os.fspath(value) if isinstance(value, os.PathLike) else value
    return replace(settings, **given)


def load_settings(
    arguments: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Merge the layers; an argument that is None counts as not given.

    A corpus may be given by a name that the settings file has for it (`[corpora.NAME]`). The index
    that the file names beside a corpus is not taken for another corpus, given elsewhere.

    Args:
        arguments: what the caller was given, strongest.
        folder: where `qa.toml` is looked for, and above; by default the working directory.
        environment: by default that of the process.

    Raises:
        SettingsError: an unknown key, a value of the wrong type, or a qa.toml that can't be read or
            that asks for what nobody has allowed it (`qa.trust.UntrustedError`).
    """
    environment = os.environ if environment is None else environment
    inherited, corpora = _from_file(folder, environment)
    given: dict[str, Any] = {}
    for name, text in environment.items():
        if name.startswith(PREFIX) and name not in _NO_SETTINGS:
            key = name.removeprefix(PREFIX).lower()
            given[key] = _parse(key, text, f"environment variable {name}: ")
    given |= {key: value for key, value in (arguments or {}).items() if value is not None}
    values = inherited | given
    if isinstance(corpus := values.get("corpus"), str) and corpus in corpora:
        values |= {"index": None, **corpora[corpus]}
        values |= {key: given[key] for key in ("index",) if key in given}
    elif "index" not in given and not _is_same(values.get("corpus"), inherited.get("corpus")):
        values["index"] = None
    return override(Settings(), {k: value for k, value in values.items() if value is not None})


def named_corpora(
    *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, Settings]:
    """The settings for each corpus that the settings file has a name for, by that name.

    Raises:
        SettingsError: see `load_settings`.
    """
    environment = os.environ if environment is None else environment
    rest = {key: text for key, text in environment.items() if key not in {"QA_CORPUS", "QA_INDEX"}}
    _, corpora = _from_file(folder, environment)
    return {
        name: load_settings({"corpus": name}, folder=folder, environment=rest) for name in corpora
    }


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _from_file(
    folder: Path | None, environment: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What the settings file sets, and the corpora that it names."""
    from qa.settings_file import find_settings_file, read_settings_file, wishes

    if (path := find_settings_file(folder)) is None:
        return {}, {}
    file = read_settings_file(path, _check)
    if asked := wishes(file):
        from qa.trust import VARIABLE, UntrustedError, is_allowed

        if not is_allowed(file, asked, environment.get(VARIABLE, "")):
            raise UntrustedError(file, asked)
    return file.resolved()


def _is_same(corpus: object, inherited: str | None) -> bool:
    """Whether a corpus is the one of the settings file; where that names none, any is."""
    if inherited is None or corpus == inherited:
        return True
    return isinstance(corpus, str | os.PathLike) and (
        os.path.realpath(corpus) == os.path.realpath(inherited)
    )


def _kind(key: str, where: str = "") -> type:
    kinds: dict[str, type] = {
        **dict.fromkeys(("k", "max_file_size", "jobs", "truncate_dim", "max_tokens"), int),
        **dict.fromkeys(("threshold", "prior", "lock_timeout", "max_age"), float),
        "ocr": bool,
    }
    known = [field.name for field in fields(Settings)]
    if key not in known:
        near = difflib.get_close_matches(key, known, 1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        raise SettingsError(
            f"{where}unknown setting {key!r}",
            hint=f"{meant}The settings are: {', '.join(known)}.",
        )
    return kinds.get(key, str)


def _check(key: str, value: object, where: str = "") -> object:
    kind = _kind(key, where)
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or isinstance(value, bool) != (kind is bool):
        raise SettingsError(
            f"{where}{key} is {value!r:.80}", hint=f"Give a value of type {kind.__name__}."
        )
    return value


_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _parse(key: str, text: str, where: str) -> object:
    kind = _kind(key, where)
    try:
        return _BOOLEANS[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError) as error:
        raise SettingsError(
            f"{where}{text!r} is not of type {kind.__name__}", hint="Fix or unset it."
        ) from error
