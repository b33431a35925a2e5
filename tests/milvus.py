"""A real Milvus Lite server on this machine, started for tests and stopped after them.

Where `QA_MILVUS_URI` names another server, tests that need no restart run against that one.
"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Lite", "forget", "free_port", "is_installed", "new_name", "started"]

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
    from qa.place import MilvusPlace
    from qa.store.milvus.index import MilvusIndex

    MilvusIndex(MilvusPlace(uri, name)).remove()
