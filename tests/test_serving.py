"""`qa serve`: a real server on loopback, asked by programs that mean well and by others."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from qa.answering.asking import Asking
from qa.serving.api import make_app
from qa.serving.guard import COOKIE, Rules
from qa.serving.server import _Protocol, is_loopback, listen, make_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run
    from qa.assistant import Assistant

PATIENCE = 60  # seconds that anything may take: machines are shared
TOKEN = "a1b2c3d4e5f6a7b8c9d0"  # noqa: S105
JSON = {"content-type": "application/json"}


class Reply(NamedTuple):
    """A response of the server."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """Its body, parsed."""
        return json.loads(self.body)


class Server:
    """A server on loopback."""

    def __init__(self, port: int) -> None:
        """Take where it listens."""
        self.port = port

    def __call__(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Send a request; a body that is not bytes is sent as JSON."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as one:
            sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            one.request(
                method, path, sent, {**(JSON if body is not None else {}), **(headers or {})}
            )
            reply = one.getresponse()
            return Reply(reply.status, reply.headers, reply.read())

    def raw(self, sent: bytes) -> bytes:
        """Send bytes as they are; gives all that comes back until the server ends it.

        That may be nothing, where it ends it with some of them unread.
        """
        with closing(socket.create_connection(("127.0.0.1", self.port), PATIENCE)) as one:
            received = b""
            with suppress(ConnectionError):
                one.sendall(sent)
                while more := one.recv(65536):
                    received += more
            return received


@contextmanager
def served(assistant: Assistant, rules: Rules | None = None, **more: Any) -> Iterator[Server]:
    """Serve an assistant from a thread."""
    app = make_app(assistant, rules or Rules(), **more)
    with listen("127.0.0.1", 0) as listening:
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Server(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(name="ask")
def _ask(assistant: Assistant) -> Iterator[Server]:
    assistant.refresh()
    with served(assistant) as server:
        yield server


# --- what programs ask ------------------------------------------------------------------


def test_a_question_is_answered_as_the_library_answers_it(
    ask: Server, assistant: Assistant
) -> None:
    question = "Who set foot on the Moon?"
    reply = ask("POST", "/ask", {"question": question, "k": 2, "within": ["*.md"]})
    own = assistant.ask(question, 2, within=["*.md"], refresh=False).to_dict()
    assert reply.status == 200
    assert reply.json == {**json.loads(json.dumps(own)), "corpus": ""}
    assert "Armstrong" in reply.json["passages"][0]["evidence"]["citation"]["quote"]


def test_nothing_that_is_said_names_a_folder_of_the_machine(
    ask: Server, corpus: Path, tmp_path: Path
) -> None:
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    said = ask("POST", "/ask", {"question": "Why do whales sing?"}).body
    said += ask("GET", "/status").body + ask("GET", "/metrics").body
    assert str(tmp_path).encode() not in said
    assert b"broken.pdf" not in said


def test_the_status_counts_and_the_server_is_healthy(ask: Server) -> None:
    status = ask("GET", "/status").json
    assert (status["documents"], status["pending"], status["healthy"]) == (3, 0, True)
    assert ask("GET", "/healthz").body == b"ok\n"


def test_metrics_count_by_route_and_hold_no_question(ask: Server) -> None:
    ask("POST", "/ask", {"question": "Who baked xylophones?"})
    ask("GET", "/secret-path-of-a-stranger")
    said = ask("GET", "/metrics").body.decode()
    assert 'qa_requests_total{route="/ask",status="200"} 1.0' in said
    assert 'qa_requests_total{route="none",status="404"} 1.0' in said
    assert "xylophones" not in said
    assert "stranger" not in said


def test_the_description_has_an_example_of_every_question(ask: Server) -> None:
    described = ask("GET", "/openapi.json").json
    assert {"/ask", "/status", "/healthz", "/metrics"} <= set(described["paths"])
    body = described["components"]["schemas"]["AskBody"]
    for example in body["examples"]:
        assert ask("POST", "/ask", example).status == 200 or "since" in example
    assert described["paths"]["/ask"]["post"]["responses"]["200"]["content"]["application/json"]


def test_questions_that_arrive_together_are_all_answered(ask: Server) -> None:
    def one(number: int) -> int:
        return ask("POST", "/ask", {"question": f"How long is bread kneaded, {number}?"}).status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(one, range(48))) == {200}


def test_a_connection_that_is_kept_waits_for_no_acknowledgement(ask: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", ask.port, timeout=PATIENCE)) as one:
        started = time.monotonic()
        for _ in range(200):
            one.request("GET", "/openapi.json")
            one.getresponse().read()
        assert time.monotonic() - started < 6  # .04 s each is what waiting costs


def test_where_nothing_is_indexed_yet_it_says_to_come_back(assistant: Assistant) -> None:
    with served(assistant) as ask:
        reply = ask("POST", "/ask", {"question": "Who set foot on the Moon?"})
        assert (reply.status, reply.headers["retry-after"]) == (503, "2")
        assert "indexed" in reply.json["error"]


def test_a_filter_that_lets_nothing_pass_is_refused_by_name(ask: Server) -> None:
    reply = ask("POST", "/ask", {"question": "Who?", "within": ["nowhere/"]})
    assert reply.status == 422
    assert "nowhere" in reply.json["error"]


# --- what others try --------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.168.1.5", "", "a b", "[::1"],
)
def test_a_request_for_another_host_is_refused(ask: Server, host: str) -> None:
    for method, path in (("GET", "/status"), ("POST", "/ask"), ("GET", "/healthz")):
        assert ask(method, path, headers={"host": host}).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8642"])
def test_this_machine_is_known_by_its_names(ask: Server, host: str) -> None:
    assert ask("GET", "/healthz", headers={"host": host}).status == 200


def test_two_hosts_and_no_host_are_refused(ask: Server) -> None:
    two = b"GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n"
    two += b"Connection: close\r\n\r\n"
    assert ask.raw(two).split()[1] in {b"400", b"421"}
    assert ask.raw(b"GET /status HTTP/1.0\r\n\r\n").split()[1] == b"421"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
def test_pages_of_other_sites_may_not_ask(ask: Server, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/ask"), ("GET", "/status"), ("OPTIONS", "/ask")):
        reply = ask(method, path, {"question": "Who?"}, headers)
        assert reply.status == 403
        assert "access-control-allow-origin" not in reply.headers


def test_a_page_of_its_own_may_ask_and_a_link_may_lead_here(ask: Server) -> None:
    own = {"origin": f"http://127.0.0.1:{ask.port}", "sec-fetch-site": "same-origin"}
    assert ask("POST", "/ask", {"question": "Who?"}, own).status == 200
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert ask("GET", "/healthz", headers=link).status == 200


def test_every_response_is_strict_about_what_a_page_may_do(ask: Server) -> None:
    for path in ("/healthz", "/status", "/nonsense"):
        headers = ask("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"Who?"',
        b"\xff\xfe\x00",
        b"[" * 60_000,
        b'{"question": 1}',
        b'{"question": ""}',
        b'{"question": "  \\n "}',
        b'{"question": "\\ud800"}',
        b'{"question": "Who?", "k": 0}',
        b'{"question": "Who?", "k": 101}',
        b'{"question": "Who?", "k": true}',
        b'{"question": "Who?", "k": 1e400}',
        b'{"question": "Who?", "k": ' + b"9" * 5_000 + b"}",
        b'{"question": "Who?", "threshold": NaN}',
        b'{"question": "Who?", "threshold": 2}',
        b'{"question": "Who?", "refresh": true}',
        b'{"question": "Who?", "since": "yesterday"}',
        b'{"question": "Who?", "within": "*.md"}',
        b'{"question": "Who?", "within": ["["]}',
        b'{"question": "Who?", "within": ["' + b"a" * 2_000 + b'"]}',
        b'{"question": "Who?", "where": {"title": 1}}',
        json.dumps({"question": "a" * 10_001}).encode(),
    ],
)
def test_what_can_not_be_asked_is_refused_in_one_form(ask: Server, body: bytes) -> None:
    reply = ask("POST", "/ask", body)
    assert reply.status in {400, 422}
    assert reply.json["schema"] == "qa.error/1"
    assert reply.json["error"]
    assert ask("GET", "/healthz").status == 200


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda one: json.dumps(one).encode()))
def test_no_body_makes_the_server_fail(body: bytes) -> None:
    from qa.serving.shapes import AskBody

    with pytest.raises(ValueError, match="AskBody"):
        AskBody.model_validate_json(body)


@pytest.mark.parametrize(
    "question",
    ["Who\x00 set foot\x1b[31m?", "\u202eMoon", "🌕" * 500, "?", "\r\nSet-Cookie: a=b", "'\""],
)
def test_whatever_characters_a_question_has_it_is_answered(ask: Server, question: str) -> None:
    reply = ask("POST", "/ask", {"question": question})
    assert reply.status == 200
    assert reply.json["question"] == question
    assert "set-cookie" not in reply.headers


def test_a_body_that_is_too_large_is_refused_before_it_is_read(ask: Server) -> None:
    assert ask("POST", "/ask", b"{" + b" " * 70_000).status == 413
    head = b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n"
    assert ask.raw(head).split()[1] == b"413"
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    head = b"POST /ask HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (ask.raw(head + chunk + b"1\r\na\r\n").split() or [b"", b"413"])[1] == b"413"
    assert ask("GET", "/healthz").status == 200


def test_a_head_that_is_too_large_is_refused(ask: Server) -> None:
    said = ask.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000)
    assert (said.split() or [b"", b"400"])[1] == b"400"
    assert ask("GET", "/healthz").status == 200


def test_who_sends_slowly_is_not_waited_for_while_others_are_answered(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.refresh()
    monkeypatch.setattr(_Protocol, "seconds", 0.5)
    with served(assistant, Rules(seconds=0.5)) as ask, ThreadPoolExecutor(3) as pool:
        head = b"POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n"
        body = pool.submit(ask.raw, head + b'{"question": "')
        half = pool.submit(ask.raw, b"GET /status HTTP/1.1\r\nHost: local")
        none = pool.submit(ask.raw, b"")
        assert ask("GET", "/healthz").status == 200
        assert body.result(PATIENCE).split()[1] == b"408"
        assert half.result(PATIENCE) == b""
        assert none.result(PATIENCE) == b""


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "TRACE", "PATCH"])
def test_other_methods_are_refused(ask: Server, method: str) -> None:
    assert ask(method, "/ask").status == 405


def test_more_than_may_wait_is_told_to_come_back(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.refresh()
    held, usual = threading.Event(), Asking.answer

    def slow(*given: Any, **more: Any) -> Any:
        held.wait(PATIENCE)
        return usual(*given, **more)

    monkeypatch.setattr(Asking, "answer", slow)
    with served(assistant, most=2) as ask, ThreadPoolExecutor(3) as pool:
        try:
            sent = [pool.submit(ask, "POST", "/ask", {"question": "Who?"}) for _ in range(3)]
            refused = next(
                one.result() for one in _as_done(sent) if one.done() and one.result().status == 503
            )
            assert refused.headers["retry-after"] == "2"
            assert ask("GET", "/healthz").status == 200
        finally:
            held.set()
        assert sorted(one.result(PATIENCE).status for one in sent) == [200, 200, 503]
        assert ask("POST", "/ask", {"question": "Who?"}).status == 200


def _as_done(sent: list[Any]) -> Iterator[Any]:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        yield from sent
        time.sleep(0.01)


def test_what_takes_too_long_is_not_waited_for_and_still_counts(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.ask("Who set foot on the Moon?")  # what was cancelled before it began would not count
    held = threading.Event()
    monkeypatch.setattr(Asking, "answer", lambda *_, **__: held.wait(PATIENCE))
    with served(assistant, most=1, seconds=1) as ask:
        assert ask("POST", "/ask", {"question": "Who?"}).status == 503
        assert b"qa_under_way 1.0" in ask("GET", "/metrics").body
        held.set()


# --- the token --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer  {TOKEN} "}, 200),
        ({"cookie": f"{COOKIE}={TOKEN}"}, 200),
        ({"cookie": f"a=b; {COOKIE}={TOKEN}; c=d"}, 200),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"authorization": TOKEN}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": "Bearer \u00e9"}, 401),
        ({"cookie": f"{COOKIE}="}, 401),
        ({"cookie": "\x01;;;=; \u00e9"}, 401),
    ],
)
def test_only_who_has_the_token_is_let_in(
    assistant: Assistant, headers: dict[str, str], status: int
) -> None:
    assistant.refresh()
    with served(assistant, Rules(is_local=False, token=TOKEN)) as ask:
        for path in ("/status", "/metrics"):
            reply = ask("GET", path, headers=headers)
            assert reply.status == status
            assert TOKEN.encode() not in reply.body
        assert ask("GET", f"/status?token={TOKEN}").status == 401
        assert ask("GET", "/healthz").status == 200


def test_beyond_loopback_it_is_known_by_addresses_and_the_names_it_was_given() -> None:
    rules = Rules(names=frozenset({"qa.example.org"}), is_local=False, token=TOKEN)
    for host in ("192.168.1.5:8642", "[fe80::1]", "QA.example.org", "localhost"):
        assert rules.is_host(host)
    for host in ("evil.example", "qa.example.org.evil.example", "qa.example.org@evil", "0x7f.1"):
        assert not rules.is_host(host)
    assert all(is_loopback(one) for one in ("127.9.9.9", "::1", "localhost"))
    assert not any(is_loopback(one) for one in ("0.0.0.0", "", "::", "localhost.example"))  # noqa: S104


def test_beyond_loopback_a_token_is_needed_that_can_not_be_guessed(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status, _, said = run("serve", "--host", "0.0.0.0")  # noqa: S104 - it refuses
    assert status == 2
    assert "token" in said
    monkeypatch.setenv("RETRIEVAL_QA_TOKEN", "short")
    status, _, said = run("serve")
    assert status == 2
    assert "short" not in said
    file = tmp_path / "token"
    status, _, said = run("serve", "--token-file", file)
    assert status == 2
    file.write_text("geheim" * 4 + "é", "utf-8")
    status, _, said = run("serve", "--token-file", file)
    assert (status, "geheim" in said) == (2, False)


def test_a_port_that_is_taken_is_said_to_be(run: Run) -> None:
    with listen("127.0.0.1", 0) as listening:
        status, _, said = run("serve", "--port", listening.getsockname()[1])
    assert status == 2
    assert "can't listen" in said
    assert "--port" in said


# --- the command ------------------------------------------------------------------------


@contextmanager
def started(
    corpus: Path, tmp_path: Path, *more: str
) -> Iterator[tuple[subprocess.Popen[str], Server]]:
    """Run the command; killed at the end, whatever happens."""
    places = ["--corpus", str(corpus), "--index", str(tmp_path / "index")]
    command = ["serve", "--port", "0", *places, *more]
    with subprocess.Popen(
        [sys.executable, "-m", "qa", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RETRIEVAL_QA_TOKEN": TOKEN},
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline()
            yield process, Server(int(address.rstrip("/\n").rpartition(":")[2]))
        finally:
            process.kill()


def test_the_index_follows_the_corpus_and_a_signal_ends_the_server(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    own = {"authorization": f"Bearer {TOKEN}"}

    def found(question: str, word: str) -> bool:
        body = {"question": question, "threshold": 0, "k": 1}
        return word in ask("POST", "/ask", body, own).body.decode()

    def soon(question: str, word: str) -> None:
        until = time.monotonic() + PATIENCE
        while not found(question, word):
            assert time.monotonic() < until
            time.sleep(0.1)

    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    with started(corpus, tmp_path) as (process, ask):
        soon("Who set foot on the Moon?", "Armstrong")
        (corpus / "zebra.txt").write_text("Zebras have black and white stripes.\n", "utf-8")
        soon("What stripes do zebras have?", "zebra.txt")
        with closing(socket.create_connection(("127.0.0.1", ask.port), PATIENCE)) as idle:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE)
            assert idle.recv(1) == b""
    assert process.returncode == 143
    assert TOKEN not in out + err
    assert "Who" not in out + err
    assert err.count("broken.pdf") == 1


def test_what_is_under_way_is_finished_before_the_server_ends(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant.refresh()
    begun, held, usual = threading.Event(), threading.Event(), Asking.answer

    def slow(*given: Any, **more: Any) -> Any:
        begun.set()
        held.wait(PATIENCE)
        return usual(*given, **more)

    monkeypatch.setattr(Asking, "answer", slow)
    with ThreadPoolExecutor(1) as pool:
        with served(assistant) as ask:
            sent = pool.submit(ask, "POST", "/ask", {"question": "Who?"})
            assert begun.wait(PATIENCE)
            threading.Timer(0.3, held.set).start()
        assert sent.result(PATIENCE).status == 200


# --- documents --------------------------------------------------------------------------


def test_documents_are_listed_a_page_at_a_time_and_read(ask: Server) -> None:
    first = ask("GET", "/documents?limit=2").json
    rest = ask("GET", f"/documents?limit=2&after={first['next']}").json
    assert [one["id"] for one in first["documents"] + rest["documents"]] == [
        "bread.txt",
        "deep/whales.txt",
        "moon.md",
    ]
    assert rest["next"] is None
    assert [one["id"] for one in ask("GET", "/documents?within=deep/").json["documents"]] == [
        "deep/whales.txt"
    ]
    whole = ask("GET", "/documents/moon.md").json
    assert [one["title"] for one in whole["outline"]] == ["The Moon", "Landing"]
    part = ask("GET", "/documents/moon.md?start=2&limit=8").json
    assert (part["text"], part["characters"]) == ("The Moon", len(whole["text"]))
    assert "krill" in ask("GET", "/documents/deep%2Fwhales.txt").json["text"]


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "deep/../moon.md",
        "./moon.md",
        "moon.md%00",
        "moon.md%00.txt",
        "..\\moon.md",
        "%ff%fe",
        "deep",
        "deep/",
        ".qa",
        "hidden.secret",
        "link.txt",
        "a" * 4_000,
    ],
)
def test_no_path_leads_out_of_the_documents(ask: Server, corpus: Path, path: str) -> None:
    (corpus / "hidden.secret").write_bytes(b"\x00\x01 secret")
    (corpus / "link.txt").symlink_to("/etc/passwd")
    reply = ask("GET", f"/documents/{path}")
    assert reply.status == 404
    assert b"root:" not in reply.body


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=a", "within=[", "after=", "limit=1&limit=2", "limit=&limit=1"],
)
def test_a_list_that_makes_no_sense_is_refused(ask: Server, query: str) -> None:
    assert ask("GET", f"/documents?{query}").status == 422
