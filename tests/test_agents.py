"""`qa serve --mcp`: agents ask over real HTTP, by the SDK's client, and get what stdio gives."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("mcp")
pytest.importorskip("httpx2")

import httpx2 as httpx
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from test_mcp import CITATION, assert_neutral, said

from qa.answering.asking import Asking
from qa.assistant import Assistant
from qa.errors import IndexUnusableError
from qa.serving.guard import Rules
from test_serving import PATIENCE, TOKEN, served, started

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from conftest import Run
    from test_serving import Server

OWN = {"authorization": f"Bearer {TOKEN}"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
SPOKEN = {"accept": "application/json, text/event-stream"}


def talk(ask: Server, saying: Callable[[Client], Awaitable[Any]], token: str = "") -> Any:
    """Speak to a server as an agent does."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    address = f"http://127.0.0.1:{ask.port}/mcp"

    async def speak() -> Any:
        with anyio.fail_after(PATIENCE):
            async with (
                httpx.AsyncClient(headers=headers, timeout=PATIENCE) as http,
                Client(streamable_http_client(address, http_client=http)) as client,
            ):
                return await saying(client)

    return anyio.run(speak)


def call(ask: Server, tool: str, **arguments: object) -> Any:
    return talk(ask, lambda client: client.call_tool(tool, arguments))


def told(ask: Server, tool: str, **arguments: object) -> str:
    result = call(ask, tool, **arguments)
    assert not result.is_error, said(result)
    return said(result)


def refused(ask: Server, tool: str, **arguments: object) -> str:
    result = call(ask, tool, **arguments)
    assert result.is_error, said(result)
    assert_neutral(said(result))
    return said(result)


@pytest.fixture(name="ask")
def _ask(assistant: Assistant) -> Iterator[Server]:
    assistant.refresh()
    with served(assistant, for_agents=True) as server:
        yield server


# --- what an agent gets -----------------------------------------------------------------


def test_an_agent_lists_the_tools_asks_and_reads_what_is_cited(ask: Server) -> None:
    async def saying(client: Client) -> None:
        tools = (await client.list_tools()).tools
        names = {tool.name for tool in tools}
        assert names == {"ask", "read", "outline", "list_documents", "status"}
        asked = {"question": "Who set foot on the Moon?", "k": 2, "within": ["*.md"]}
        text = said(await client.call_tool("ask", asked))
        assert text.startswith("ANSWERED")
        read = await client.call_tool("read", {"citation": CITATION.findall(text)[0]})
        assert ">7| Neil Armstrong set foot on it" in said(read)
        assert "## Landing" in said(await client.call_tool("outline", {"document": "moon.md"}))

    talk(ask, saying)


def test_an_abstention_is_told_as_such(ask: Server) -> None:
    text = told(ask, "ask", question="Which bank raised its interest rates in 2019?")
    assert text.startswith("NO ANSWER")
    assert "(not an answer)" in text


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("ask", {"question": "Who?", "k": 0}, "k"),
        ("ask", {"question": ""}, "question"),
        ("ask", {"question": "Who?", "path": "deep"}, "path"),
        ("ask", {"question": "Who?", "within": ["nowhere/"]}, "nowhere"),
        ("read", {"citation": "../../etc/passwd"}, "citation"),
        ("outline", {"document": "/etc/passwd"}, "list_documents"),
        ("delete", {}, "delete"),
    ],
)
def test_what_makes_no_sense_is_an_error_of_the_tool(
    ask: Server, tool: str, arguments: dict[str, object], named: str
) -> None:
    assert named in refused(ask, tool, **arguments)


def test_the_status_names_no_file_that_cannot_be_read_and_no_folder(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    assistant.refresh()
    with served(assistant, for_agents=True) as ask:
        text = told(ask, "status")
        assert "3 documents" in text
        assert "1 document can't be read" in text
        (corpus / "new.txt").write_text("New words.\n", "utf-8")
        text += told(ask, "status") + refused(ask, "read", citation="broken.pdf")
    assert "the server takes that up" in text
    assert str(tmp_path) not in text
    assert "broken.pdf" not in text


def test_a_file_that_is_not_indexed_cannot_be_read(ask: Server, corpus: Path) -> None:
    (corpus / "draft.txt").write_text("A secret word.\n", "utf-8")
    assert "secret" not in refused(ask, "read", citation="draft.txt")


def test_where_nothing_is_indexed_yet_an_agent_is_told_so_and_to_come_back(
    assistant: Assistant,
) -> None:
    with served(assistant, for_agents=True) as ask:
        assert "nothing is indexed yet" in told(ask, "status")
        assert "Ask again in a moment" in refused(ask, "ask", question="Who?")


@pytest.mark.parametrize(
    "error", [IndexUnusableError("/secret/place is broken"), ValueError("/secret/place")]
)
def test_what_fails_here_is_told_to_who_runs_the_server_and_not_to_the_agent(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    assistant.refresh()
    shown: list[Exception] = []
    monkeypatch.setattr(Asking, "answer", fail)
    monkeypatch.setattr(Assistant, "outline", fail)
    with served(assistant, for_agents=True, tell=shown.append) as ask:
        for tool, given in (("ask", {"question": "Who?"}), ("outline", {"document": "moon.md"})):
            text = refused(ask, tool, **given)
            assert "Whoever runs the server" in text
            assert "secret" not in text
    assert shown == [error, error]


def test_more_than_may_wait_is_told_to_come_back(assistant: Assistant) -> None:
    assistant.refresh()
    with served(assistant, for_agents=True, most=0) as ask:
        assert "Too much is asked at once" in refused(ask, "ask", question="Who?")


def test_agents_programs_and_people_are_counted_by_route(ask: Server) -> None:
    told(ask, "status")
    assert 'qa_requests_total{route="/mcp",status="200"}' in ask("GET", "/metrics").body.decode()


# --- who is let in ----------------------------------------------------------------------


def test_only_an_agent_that_has_the_token_is_let_in(assistant: Assistant) -> None:
    assistant.refresh()
    with served(assistant, Rules(is_local=False, token=TOKEN), for_agents=True) as ask:
        assert ask("POST", "/mcp", LIST, SPOKEN).status == 401
        assert ask("POST", "/mcp", LIST, {**SPOKEN, "authorization": "Bearer no"}).status == 401
        found = ask("POST", "/mcp", LIST, {**SPOKEN, **OWN})
        assert found.status == 200
        assert len(found.json["result"]["tools"]) == 5
        assert "default-src 'none'" in found.headers["content-security-policy"]
        assert talk(ask, lambda client: client.list_tools(), TOKEN).tools


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_a_foreign_host_and_pages_of_other_sites_are_refused(
    ask: Server, headers: dict[str, str], status: int
) -> None:
    assert ask("POST", "/mcp", LIST, {**SPOKEN, **headers}).status == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 60_000,
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "\\ud800"}}',
        json.dumps([LIST] * 500).encode(),
    ],
)
def test_what_is_no_message_is_refused_and_the_server_goes_on(ask: Server, body: bytes) -> None:
    for version in ({}, {"mcp-protocol-version": "2025-06-18"}, {"mcp-protocol-version": "x" * 99}):
        reply = ask("POST", "/mcp", body, {**SPOKEN, **version})
        assert 400 <= reply.status < 500
        assert b"Traceback" not in reply.body
    assert ask("POST", "/mcp", b" " * 70_000, SPOKEN).status == 413
    assert ask("POST", "/mcp", LIST, SPOKEN).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nothing_is_streamed_and_no_session_kept(ask: Server, method: str) -> None:
    assert ask(method, "/mcp", headers={"accept": "text/event-stream"}).status == 405
    assert "mcp-session-id" not in ask("POST", "/mcp", LIST, SPOKEN).headers


def test_without_the_option_there_is_nothing_for_agents(assistant: Assistant) -> None:
    with served(assistant) as ask:
        assert ask("POST", "/mcp", LIST, SPOKEN).status == 404


# --- the command ------------------------------------------------------------------------


def test_the_command_serves_agents_and_says_where(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    async def saying(client: Client) -> str:
        for _ in range(10 * PATIENCE):
            result = await client.call_tool("ask", {"question": "Who set foot on the Moon?"})
            if said(result).startswith("ANSWERED"):
                return said(result)
            await anyio.sleep(0.1)
        raise TimeoutError

    with started(corpus, tmp_path, "--mcp") as (process, ask):
        assert "Neil Armstrong" in talk(ask, saying, TOKEN)
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143 or sys.platform == "win32"
    assert f"http://127.0.0.1:{ask.port}/mcp" in err
    assert "Armstrong" not in out + err
    assert "Traceback" not in err


def test_without_the_extra_the_command_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    usual = importlib.util.find_spec

    def without(name: str) -> Any:
        return None if name == "mcp" else usual(name)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    status, out, err = run("serve", "--mcp", "--port", "0")
    assert (status, out) == (2, "")
    assert "pip install 'retrieval-qa[mcp]'" in err
