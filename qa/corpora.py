"""The corpora at hand: those that qa.toml names, and the indexes in the user's data directory."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qa.errors import IndexLockedError, IndexMissingError, IndexUnusableError, QaError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qa.settings import Settings

__all__ = ["Corpora", "Known", "Lost", "look", "remove"]

_OURS = re.compile(r".*-[0-9a-f]{12}")  # see Settings.index_path
_REMOVED = ".removed-"
_NOT_INDEXED = "not indexed yet"
_GONE = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class Known:
    """A corpus: what qa.toml calls it ("" where it has no name), and what is indexed of it.

    `stale` counts the documents that a refresh would add, change or remove; `problem` says why
    nothing is known of the index, or of the corpus.
    """

    name: str
    corpus: str
    index: str
    documents: int = 0
    size_bytes: int = 0
    stale: int = 0
    pending: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """An index whose corpus is not there any more; `unmounted` where its folder is not, either."""

    index: str
    corpus: str
    size_bytes: int
    unmounted: bool


@dataclass(frozen=True, slots=True)
class Corpora:
    """All corpora at hand, and the indexes in `folder` that have lost theirs."""

    folder: str
    known: tuple[Known, ...]
    lost: tuple[Lost, ...]
    schema: Literal["qa.corpora/1"] = "qa.corpora/1"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        return {"schema": self.schema, **asdict(self)}


def look(usual: Settings, named: Mapping[str, Settings]) -> Corpora:
    """Look at every corpus that has a name or an index; nothing is changed.

    Args:
        usual: the settings for the corpus that is asked where none is named.
        named: those for each that has a name.
    """
    shelf = usual.shelf()
    known = [_known(name, settings) for name, settings in named.items()]
    seen = {os.path.realpath(one.index) for one in known}
    lost = []
    if os.path.realpath(usual.index_path()) not in seen:
        one = _known("", usual)
        known += [one] * (one.problem != _NOT_INDEXED)
        seen.add(os.path.realpath(one.index))
    for folder in _stored(shelf):
        if os.path.realpath(folder) in seen:
            continue
        try:
            corpus = _corpus_of(folder)
        except QaError as error:
            known.append(Known("", "", str(folder), size_bytes=_size(folder), problem=str(error)))
            continue
        if is_lost(corpus):
            is_unmounted = is_lost(os.path.dirname(corpus))  # noqa: PTH120
            lost.append(Lost(str(folder), corpus, _size(folder), is_unmounted))
        else:
            known.append(_known("", _settings(usual, corpus=corpus, index=str(folder))))
    return Corpora(str(shelf), tuple(known), tuple(lost))


def remove(one: Lost) -> None:
    """Remove an index that has lost its corpus.

    Raises:
        IndexLockedError: somebody writes it, or its corpus is there again.
        StorageError: it can't be removed.
    """
    from qa.store.index import Index

    folder = Path(one.index)
    hint = "Run `qa corpora` again."
    if Index(folder).is_written():
        raise IndexLockedError(f"Another process is writing {folder}", hint=hint)
    if not is_lost(one.corpus):
        raise IndexLockedError(f"{one.corpus} is there again: its index stays", hint=hint)
    try:
        # Under another name first: what is removed only in part must not be taken for an index.
        aside = folder.with_name(_REMOVED + folder.name)
        for left in folder.parent.glob(f"{_REMOVED}*"):  # by a removal that was cut short
            shutil.rmtree(left, ignore_errors=True)
        folder.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise StorageError(
            f"{folder} can't be removed: {error.strerror}", hint="Remove it yourself."
        ) from error


def is_lost(corpus: str) -> bool:
    """Whether there is surely nothing at a path: not what may not be looked at, or fails."""
    try:
        os.lstat(corpus)
    except _GONE:
        return True
    except (OSError, ValueError):
        return False
    return False


def _settings(usual: Settings, **values: str) -> Settings:
    from qa.settings import override

    return override(usual, values)


def _known(name: str, settings: Settings) -> Known:
    from qa.assistant import Assistant

    index = settings.index_path().absolute()
    corpus = os.path.abspath(settings.corpus)  # noqa: PTH100 - as it was named
    try:
        with Assistant(settings=settings) as assistant:
            found = assistant.status()
    except IndexMissingError:
        return Known(name, corpus, str(index), problem=_NOT_INDEXED)
    except QaError as error:
        return Known(name, corpus, str(index), size_bytes=_size(index), problem=str(error))
    return Known(
        name=name,
        corpus=corpus,
        index=str(index),
        documents=found.documents,
        size_bytes=found.size_bytes,
        stale=found.stale,
        pending=found.pending,
    )


def _stored(shelf: Path) -> Iterator[Path]:
    with suppress(OSError):
        for entry in sorted(os.scandir(shelf), key=lambda one: one.name):
            is_ours = _OURS.fullmatch(entry.name) and not entry.name.startswith(_REMOVED)
            if is_ours and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _corpus_of(folder: Path) -> str:
    """The absolute path of the corpus that an index was made from.

    Raises:
        IndexUnusableError: it does not tell.
    """
    from qa.store.opening import moment

    with moment(folder) as snapshot:
        known = snapshot.identity.corpus
    if not known:
        raise IndexUnusableError("it does not tell what it was made from", hint="")
    return os.path.normpath(os.path.join(os.path.realpath(folder), known))  # noqa: PTH118


def _size(folder: Path) -> int:
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a writer may remove it meanwhile
                total += Path(inside, name).lstat().st_size
    return total
