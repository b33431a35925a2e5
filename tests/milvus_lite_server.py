"""A real Milvus Lite server on this machine, started for tests and stopped after them.

Where `QA_MILVUS_URI` names another server, tests that need no restart run against that one.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
import uuid
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from qa.errors import QaError
from qa.place import MilvusPlace
from qa.store.milvus.index import MilvusIndex
from qa.store.milvus.snapshot import MilvusSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qa.assistant import Assistant

__all__ = [
    "Lite",
    "forget",
    "free_port",
    "is_installed",
    "kill_writers",
    "new_name",
    "started",
    "write_for_ever",
]

_SERVE = "import sys; from milvus_lite.cmdline import main; sys.exit(main())"
_SECONDS = 90


def is_installed() -> bool:
    """Whether both packages are there."""
    return bool(find_spec("pymilvus") and find_spec("milvus_lite"))


def free_port() -> int:
    """Give a port that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def new_name() -> str:
    """Give a name that no index has."""
    return f"test_{uuid.uuid4().hex[:12]}"


class Lite:
    """A server of its own data folder, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        from qa.store.milvus.server import Server

        arguments = ["server", "--data-dir", str(self._folder), "--host", "127.0.0.1"]
        with (self._folder.parent / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, *arguments, "--port", str(self._port)],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            with suppress(QaError), closing(Server(self.uri)) as server:
                server.version()
                return
            time.sleep(0.2)
        pytest.fail("Milvus Lite did not start")

    def kill(self) -> None:
        """Kill it -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def started(folder: Path) -> Iterator[Lite]:
    """Give a server that runs."""
    folder.mkdir(parents=True, exist_ok=True)
    lite = Lite(folder)
    lite.start()
    try:
        yield lite
    finally:
        lite.kill()


def forget(uri: str, name: str) -> None:
    """Delete an index of a test's."""
    MilvusIndex(MilvusPlace(uri, name)).remove()


CHILD = """
import sys
from milvus_lite_server import write_for_ever
write_for_ever(*sys.argv[1:])
"""
REBUILDS = 3  # of five rounds, the one that builds the index again
_MAX_SECONDS = 0.8  # that a writer goes on after its first refresh


def write_for_ever(uri: str, name: str, corpus: str, cache: str, first: str) -> None:
    """Go on from one round to the next, telling of each when the index has it."""
    from pathlib import Path

    import qa.indexing.apply
    from killing import make_round
    from qa.assistant import Assistant

    qa.indexing.apply.COMMIT_PASSAGES = 1  # a document or an embedding
    number = int(first)
    with Assistant(corpus, name, store="milvus", uri=uri, cache=cache) as assistant:
        while True:
            make_round(Path(corpus), number)
            assistant.refresh(rebuild=number % 5 == REBUILDS)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


def kill_writers(uri: str, corpus: Path, cache: Path, *, times: int, seed: int) -> dict[str, int]:
    """Start a writer and kill it -9 at a random instant; check; again.

    Returns:
        How many kills left the index that was told of, how many the one after it, and how many
        what is between them; how many left rows that no manifest names; how many refreshes were
        told done.
    """
    from crashing import contents, is_between
    from killing import indexed, kill_one, make_round
    from qa.assistant import Assistant

    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    here = os.path.dirname(__file__)  # noqa: PTH120 - a string is needed
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
    outcomes = {"old": 0, "new": 0, "between": 0, "with rows left": 0, "refreshes": 0}
    told, name = -1, new_name()
    corpus.mkdir(exist_ok=True)
    make_round(corpus, 0)
    with Assistant(corpus, name, store="milvus", uri=uri, cache=str(cache)) as assistant:
        for _ in range(times):
            command = [sys.executable, "-c", CHILD, uri, name, str(corpus), str(cache)]
            told, refreshes = kill_one(
                [*command, str(told + 1)], environment, chance, seconds=_MAX_SECONDS
            )
            found = contents(assistant)[0]
            old, new = indexed(told), indexed(told + 1)
            assert is_between(found, old, new, rebuilt=(told + 1) % 5 == REBUILDS)
            after = found == new
            outcomes["new" if after else "old" if found == old else "between"] += 1
            outcomes["with rows left"] += leftovers(assistant) > 0
            outcomes["refreshes"] += refreshes
            assert assistant.ask("Which round is this?", refresh=False).model
            assistant.refresh()
            on_disk = {path.name: [path.read_text()] for path in corpus.glob("[!.]*.txt")}
            assert contents(assistant)[0] == on_disk
            assert leftovers(assistant) == 0
            assert_counted(assistant)
            told = told + after  # the next writer starts from a round that the index has
            make_round(corpus, told)
            assistant.refresh()
            assert (
                f"round {told} " in assistant.ask("Which round is this?").passages[0].citation.quote
            )
    forget(uri, name)
    return outcomes


def leftovers(assistant: Assistant) -> int:
    """Count the rows that were written after the last commit."""
    index = assistant._index
    assert isinstance(index, MilvusIndex)
    with index.snapshot() as now:
        last = now._manifest.epoch
    names = index._names
    rows = list(index._server.scan(names.rows, f"born > {last}", ["file"], after=""))
    return len(rows) + len(list(index._server.scan(names.passages, f"born > {last}", ["file"])))


def assert_counted(assistant: Assistant) -> None:
    """Compare the kept numbers of passages with a term or token with the passages."""
    from collections import Counter

    terms: Counter[int] = Counter()
    tokens: Counter[int] = Counter()
    with assistant._index.snapshot() as now:
        assert isinstance(now, MilvusSnapshot)
        for _, new in now._catalog.stored("id > 0"):
            terms.update(set(new.terms.ids.tolist()))
            tokens.update(set(new.tokens.tolist()))
        for table, counts in (("term", terms), ("token", tokens)):
            kept = now._catalog.document_frequencies(table, list(counts))
            assert kept == list(counts.values())
        now.check_references()
