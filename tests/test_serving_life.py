"""A real `qa serve` from its start to its end: signals, and what goes away underneath it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from test_serving import PATIENCE, TOKEN, started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from test_serving import Server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

OWN = {"authorization": f"Bearer {TOKEN}"}
MOON = "Who set foot on the Moon?"


def soon(what: Callable[[], bool]) -> None:
    """Wait for something to become so."""
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


def found(ask: Server, question: str, word: str) -> bool:
    """Whether an answer has a word; whatever else comes, the server does not fail."""
    reply = ask("POST", "/ask", {"question": question, "threshold": 0, "k": 1}, OWN)
    assert reply.status in {200, 503}
    return word in reply.body.decode()


def head(method: str, path: str, size: int = 0) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKEN}"]
    lines += [f"Content-Length: {size}", "Content-Type: application/json", "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode()


def rest(one: socket.socket, *, slowly: bool = False) -> bytes:
    """Read until the server ends it."""
    received = b""
    while more := one.recv(65_536):
        received += more
        if slowly and len(received) < 500_000:
            time.sleep(0.1)
    return received


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_what_is_under_way_be_finished(
    corpus: Path, tmp_path: Path, encoder: object, number: signal.Signals, status: int
) -> None:
    long = "The tide comes in and goes out. " * 100_000
    (corpus / "long.txt").write_text(long, "utf-8")
    question = json.dumps({"question": MOON, "k": 1, "threshold": 0}).encode()
    with started(corpus, tmp_path) as (process, ask):
        soon(lambda: ask("GET", "/documents/long.txt?limit=1", headers=OWN).status == 200)
        soon(lambda: found(ask, MOON, "Armstrong"))
        place = ("127.0.0.1", ask.port)
        with (
            closing(socket.create_connection(place, PATIENCE)) as asking,
            closing(socket.create_connection(place, PATIENCE)) as reading,
            closing(socket.create_connection(place, PATIENCE)) as idle,
        ):
            asking.sendall(head("POST", "/ask", len(question)) + question[:9])
            reading.sendall(head("GET", "/documents/long.txt?limit=1000000"))
            assert reading.recv(1) == b"H"
            process.send_signal(number)
            assert idle.recv(1) == b""  # it ends now
            with pytest.raises(ConnectionError):
                socket.create_connection(place, PATIENCE)
            asking.sendall(question[9:])
            answer = rest(asking)
            document = b"H" + rest(reading, slowly=True)
        out, err = process.communicate(timeout=PATIENCE)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Neil Armstrong" in answer
    body = json.loads(document.partition(b"\r\n\r\n")[2])
    assert body["text"] == long[:1_000_000]
    assert process.returncode == status
    assert "Traceback" not in out + err


def test_a_corpus_that_goes_and_comes_again_is_served_again(
    corpus: Path, tmp_path: Path, encoder: object
) -> None:
    pytest.importorskip("inotify_simple", reason="where Linux tells of changes")
    kept = tmp_path / "kept"
    with started(corpus, tmp_path) as (process, ask):
        soon(lambda: found(ask, MOON, "Armstrong"))
        shutil.copytree(corpus, kept)
        shutil.rmtree(corpus)

        def healthy() -> bool:
            reply = ask("GET", "/status", headers=OWN)
            assert reply.status in {200, 503}
            return reply.status == 200 and bool(reply.json["healthy"])

        assert process.stderr is not None
        said = next(line for line in process.stderr if "keeps trying" in line)  # once it noticed
        assert not healthy()
        assert not found(ask, MOON, "Armstrong")  # what can't be checked is not cited
        assert ask("GET", "/documents/moon.md", headers=OWN).status in {404, 503}
        assert ask("GET", "/healthz").status == 200
        shutil.copytree(kept, corpus)
        soon(lambda: found(ask, MOON, "Armstrong"))
        soon(healthy)
        (corpus / "zebra.txt").write_text("Zebras have black and white stripes.\n", "utf-8")
        soon(lambda: found(ask, "What stripes do zebras have?", "zebra.txt"))
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert "Traceback" not in out + said + err


def test_an_index_that_is_removed_is_made_again(
    corpus: Path, tmp_path: Path, encoder: object
) -> None:
    with started(corpus, tmp_path) as (process, ask):
        soon(lambda: found(ask, MOON, "Armstrong"))
        shutil.rmtree(tmp_path / "index")
        found(ask, MOON, "Armstrong")
        for path in ("/status", "/documents", "/documents/moon.md", "/metrics"):
            assert ask("GET", path, headers=OWN).status in {200, 503}
        soon((tmp_path / "index" / "catalog.sqlite").exists)
        soon(lambda: found(ask, MOON, "Armstrong"))
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert "Traceback" not in out + err
