"""Diagnosis: whether an installation and an index are as they should be, and what to do if not.

Neither index nor documents are changed, and torch is not imported.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa.citations.source import open_source
from qa.corpus import FolderCorpus
from qa.counting import counted
from qa.errors import QaError
from qa.indexing.plan import make_plan, report
from qa.store.database import CATALOG
from qa.store.failures import REBUILD
from qa.store.index import LOCK
from qa.store.opening import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qa.encoding.model import ModelFiles
    from qa.place import MilvusPlace
    from qa.settings import Settings
    from qa.store.protocol import Snapshot

__all__ = ["Check", "Diagnosis", "Result", "diagnose"]

SCHEMA = "qa.diagnosis/1"
DISTRIBUTION = "retrieval-qa"
_OLDEST_SQLITE = (3, 35, 0)  # RETURNING
_SAMPLE = 20  # passages whose quotes are read again
_LITTLE_SPACE = 500_000_000  # bytes
# SQLite's write-ahead log shares memory between processes: not over a network.
_NETWORK = {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "nfs", "nfs4", "smb3", "smbfs", "virtiofs"}


class Result(StrEnum):
    """What a check came to: a warning costs time or freshness, a failure costs answers."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and what to do where that is not well."""

    name: str
    result: Result
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks, in order."""

    checks: tuple[Check, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing failed."""
        return all(check.result is not Result.FAILED for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        return {"schema": SCHEMA, "sound": self.sound, **asdict(self)}


def diagnose(settings: Settings) -> Diagnosis:
    """Check an installation, the corpus and the index that the settings name."""
    return Diagnosis(tuple(_all(settings)))


def _all(settings: Settings) -> Iterator[Check]:
    folder = settings.index_path().absolute()
    is_local = settings.store == "local"
    yield _run("python", _python)
    yield _run("dependencies", _dependencies)
    files: list[ModelFiles] = []
    yield _run("model", partial(_model, settings, files))
    yield _run("cache", partial(_cache, settings, files))
    yield _run("runtime", partial(_runtime, settings, files))
    yield (
        _run("disk", partial(_disk, folder))
        if is_local
        else _run("server", partial(_server, settings))
    )
    corpus = FolderCorpus(
        Path(settings.corpus), max_file_size=settings.max_file_size, exclude=folder
    )
    yield _run("corpus", partial(_corpus, corpus))
    if not is_local:
        yield from _on_server(settings, corpus)
        return
    if not (folder / CATALOG).exists():
        yield Check("index", Result.WARNING, f"none at {folder}", "Build it with `qa index`.")
        return
    yield _run("lock", partial(_lock, folder))
    index = partial(_index, corpus, folder)
    for name, look in {
        "index": partial(_catalog, folder),
        "accelerators": _accelerators,
        "quotes": partial(_quotes, corpus),
        "documents": partial(_documents, corpus),
    }.items():
        yield _run(name, partial(index, look))


def _on_server(settings: Settings, corpus: FolderCorpus) -> Iterator[Check]:
    """Check an index on a server."""
    index = partial(_index, corpus, settings.place())
    for name, look in {
        "index": _references,
        "quotes": partial(_quotes, corpus),
        "documents": partial(_documents, corpus),
    }.items():
        yield _run(name, partial(index, look))


def _run(name: str, look: Callable[[], Check]) -> Check:
    """Look; what is raised is a failure like others."""
    try:
        return look()
    except QaError as error:
        return Check(name, Result.FAILED, str(error), error.hint)
    except (OSError, ImportError) as error:
        return Check(name, Result.FAILED, str(error), "Install qa again, or check the disk.")


# --- the installation -------------------------------------------------------------------


def _python() -> Check:
    from qa import __version__

    found = (
        f"qa {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()} on {platform.machine()}"
    )
    if sys.version_info < (3, 11) or sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return Check("python", Result.FAILED, found, "Python 3.11 and SQLite 3.35 are the oldest.")
    return Check("python", Result.OK, found)


def _dependencies() -> Check:
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    name, wrong, found = "dependencies", [], []
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return Check(name, Result.WARNING, "qa runs from its source", "Install it: pip install .")
    for one in map(Requirement, lines):
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(one.name)
        except PackageNotFoundError:
            wrong.append(f"{one.name} is missing")
            continue
        found.append(f"{one.name} {there}")
        if not one.specifier.contains(there, prereleases=True):
            wrong.append(f"{one.name} is {there}, not {one.specifier}")
    if wrong:
        advice = f"pip install --upgrade {DISTRIBUTION}"
        return Check(name, Result.FAILED, "; ".join(wrong), advice)
    return Check(name, Result.OK, ", ".join(found))


def _model(settings: Settings, files: list[ModelFiles]) -> Check:
    from qa.encoding.model import locate
    from qa.encoding.options import options_of

    named, trusted = settings.model, True
    if named is None:
        try:
            with moment(settings.place()) as snapshot:
                named, trusted = snapshot.identity.model or None, False
        except QaError:
            pass  # said by the check of the index
    options = options_of(settings)
    cache = settings.cache_path()
    files.append(locate(named, cache=cache, trusted=trusted, options=options))
    return Check("model", Result.OK, f"{files[0].name}, {files[0].fingerprint[:12]}")


def _cache(settings: Settings, files: list[ModelFiles]) -> Check:
    from qa.encoding.export import folder_of, read_spec
    from qa.encoding.shipped import graphs_of

    cache = settings.cache_path()
    above = next(parent for parent in (cache, *cache.absolute().parents) if parent.exists())
    if not os.access(above, os.W_OK):
        advice = "Make it writable, or name another folder: QA_CACHE."
        return Check("cache", Result.WARNING, f"{cache} can't be written", advice)
    if files and graphs_of(files[0]) is not None:
        return Check("cache", Result.OK, f"{cache}; {files[0].name} needs no preparing")
    if files and read_spec(folder_of(cache, files[0].content)) is None:
        advice = "The first question takes ten seconds; `qa model prepare` takes them now."
        return Check("cache", Result.WARNING, f"{files[0].name} is not in {cache}", advice)
    return Check("cache", Result.OK, str(cache))


def _runtime(settings: Settings, files: list[ModelFiles]) -> Check:
    from qa.encoding.export import folder_of, question_runtime, read_spec
    from qa.encoding.runtimes import passages_by
    from qa.encoding.shipped import graphs_of
    from qa.encoding.static import StaticRuntime

    unready = Check("runtime", Result.WARNING, "not tried: no model is ready", "See above.")
    if not files:
        return unready
    shipped = graphs_of(files[0])
    folder, weights = shipped or (folder_of(settings.cache_path(), files[0].content), None)
    if read_spec(folder) is None:
        return unready
    advice = f"Delete {folder}; it is made again."
    if shipped:
        advice = f"Install {DISTRIBUTION} again: pip install --force-reinstall {DISTRIBUTION}"
    try:
        runtime = question_runtime(folder, weights=weights)
        [found] = runtime.forward_batch([[1, 2, 3]])
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common base
        return Check("runtime", Result.FAILED, f"{type(error).__name__}: {error}", advice)
    if isinstance(runtime, StaticRuntime):
        dimensions = counted(found.shape[1], "dimension")
        return Check("runtime", Result.OK, f"a table of token embeddings; {dimensions}")
    by = f"questions by ONNX Runtime in float32, passages by {passages_by(folder)}"
    return Check("runtime", Result.OK, f"{by}; {counted(found.shape[1], 'dimension')}")


def _disk(folder: Path) -> Check:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    kind = _file_system(there.resolve())
    free = shutil.disk_usage(there).free
    turned = there.with_name(there.name.swapcase())
    alike = there.name.swapcase() != there.name and turned.exists() and turned.samefile(there)
    case = "names differ by case" if not alike else "case of names is ignored"
    found = f"{folder} on {kind or 'a file system'}, {free / 1e9:,.1f} GB free, {case}"
    if kind in _NETWORK:
        advice = "SQLite needs a local disk: name a folder on one with --index."
        return Check("disk", Result.WARNING, found, advice)
    if free < _LITTLE_SPACE:
        return Check("disk", Result.WARNING, found, "Free some space, or use another disk.")
    if not os.access(there, os.W_OK):
        advice = "The index answers as it is, and can't follow the documents."
        return Check("disk", Result.WARNING, f"{found}; can't be written", advice)
    return Check("disk", Result.OK, found)


def _server(settings: Settings) -> Check:
    from qa.place import MilvusPlace
    from qa.store.milvus.server import Server

    place = settings.place()
    uri = place.uri if isinstance(place, MilvusPlace) else ""
    with closing(Server(uri)) as server:
        return Check("server", Result.OK, f"{uri}: {server.version()}")


def _file_system(folder: Path) -> str:
    """Name the type of the file system that holds a folder; "" where the system does not say."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    mounts = (line.split(" ")[1:3] for line in lines)
    # In that file a space of a path is written \040.
    places = ((place.replace("\\040", " "), kind) for place, kind in mounts)
    above = [(len(place), kind) for place, kind in places if folder.is_relative_to(place)]
    return max(above, default=(0, ""), key=lambda one: one[0])[1]  # the first of the longest


def _corpus(corpus: FolderCorpus) -> Check:
    scan = corpus.scan()
    left_out = ", ".join(f"{count} {reason}" for reason, count in scan.left_out.items() if count)
    found = f"{corpus.location}: {counted(len(scan.stamps), 'document')}"
    found += f"; left out: {left_out}" if left_out else ""
    if not scan.stamps:
        return Check("corpus", Result.WARNING, found, "Put documents there, or name another.")
    return Check("corpus", Result.OK, found)


# --- the index --------------------------------------------------------------------------


def _lock(folder: Path) -> Check:
    from filelock import FileLock, Timeout

    from qa.store.hardening import check_files

    check_files(folder)
    if not (folder / LOCK).exists():
        return Check("lock", Result.OK, "free")
    if not os.access(folder / LOCK, os.W_OK):
        return Check("lock", Result.OK, "not tried: the index can't be written")
    try:
        with FileLock(folder / LOCK, timeout=0):
            return Check("lock", Result.OK, "free")
    except Timeout:
        advice = "Wait for it; if none is running, restart the machine that holds the lock."
        return Check("lock", Result.WARNING, "another process is writing this index", advice)


def _index(
    corpus: FolderCorpus, place: Path | MilvusPlace, look: Callable[[Snapshot], Check]
) -> Check:
    with moment(place, corpus) as snapshot:
        return look(snapshot)


def _counted(snapshot: Snapshot) -> str:
    documents = counted(snapshot.count_documents(), "document")
    return f"{documents}, {counted(snapshot.count_passages(), 'passage')}"


def _references(snapshot: Snapshot) -> Check:
    snapshot.check_references()
    found = f"{_counted(snapshot)}; files, documents and passages are as many as were written"
    return Check("index", Result.OK, found)


def _catalog(folder: Path, snapshot: Snapshot) -> Check:
    from qa.store.health import check_integrity, is_healthy

    found = _counted(snapshot)
    if not is_healthy(folder):
        return Check("index", Result.FAILED, f"{found}; the catalog is damaged", REBUILD)
    if wrong := check_integrity(folder):
        return Check("index", Result.FAILED, f"{found}; {'; '.join(wrong)}", REBUILD)
    return Check("index", Result.OK, f"{found}; every row and file is what was written")


def _accelerators(snapshot: Snapshot) -> Check:
    if not snapshot.is_sound():
        advice = "`qa index` makes them again, without embedding anything."
        return Check("accelerators", Result.WARNING, "damaged or missing", advice)
    return Check("accelerators", Result.OK, "vectors and lexical index are those written")


def _quotes(corpus: FolderCorpus, snapshot: Snapshot) -> Check:
    rows = snapshot.some_passages(_SAMPLE)
    documents = snapshot.documents(row.document for row in rows)
    wrong, changed = [], 0
    for row in rows:
        known = documents[row.document]
        extract = None if known.encoding else snapshot.extract(row.document)
        source = open_source(corpus, known, extract)
        if source is None:
            changed += 1
        elif source.text[row.start : row.end] != row.text:
            wrong.append(known.path)
    found = f"{len(rows) - changed} of {len(rows)} read again from their files"
    if wrong:
        return Check("quotes", Result.FAILED, f"{found}; not as indexed: {min(wrong)}", REBUILD)
    if changed:
        return Check("quotes", Result.WARNING, f"{found}; the other files changed", "`qa index`")
    return Check("quotes", Result.OK, f"{found}, and the same")


def _documents(corpus: FolderCorpus, snapshot: Snapshot) -> Check:
    plan = make_plan(corpus, snapshot.known_files(), time.time_ns())
    seen = report(plan)
    stale = seen.added + seen.changed + seen.removed
    found = f"{seen.unchanged:,} as indexed"
    if seen.problems:
        found += f", {len(seen.problems)} can't be read"
    if stale:
        advice = "The next question takes them up, and so does `qa index`."
        return Check(
            "documents", Result.WARNING, f"{found}, {stale:,} differ{'s' * (stale == 1)}", advice
        )
    if seen.problems:
        return Check("documents", Result.WARNING, found, "`qa status --problems` names them.")
    return Check("documents", Result.OK, found)
