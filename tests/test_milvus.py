"""What is Milvus' own: servers that are away, refuse or come back, and writers that are killed."""

from __future__ import annotations

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from conftest import MILVUS
from crashing import contents
from milvus_lite_server import (
    Lite,
    forget,
    free_port,
    is_installed,
    kill_writers,
    new_name,
    started,
)
from qa.assistant import Assistant
from qa.errors import (
    CatalogDamagedError,
    IndexLockedError,
    MissingExtraError,
    ServerDeniedError,
    ServerUnreachableError,
    SettingsError,
    StorageError,
)
from qa.place import MilvusPlace, name_for, parse_place
from qa.settings import Settings
from qa.store.identity import Identity
from qa.store.milvus import manifest
from qa.store.milvus.index import MilvusIndex
from qa.store.milvus.lease import Lease
from qa.store.milvus.words import edits, words_of
from qa.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run
    from qa.store.milvus.transaction import MilvusTransaction

needs_milvus = pytest.mark.skipif(
    not (MILVUS or is_installed()), reason="pip install 'retrieval-qa[milvus-test]'"
)
needs_lite = pytest.mark.skipif(
    not is_installed(), reason="pip install 'retrieval-qa[milvus-test]'"
)


@pytest.fixture(name="lite", scope="module")
def _lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lite]:
    with started(tmp_path_factory.mktemp("milvus") / "data") as lite:
        yield lite


@pytest.mark.parametrize(
    ("text", "uri", "expected"),
    [
        ("milvus:papers", "http://a:1", "milvus:http://a:1/papers"),
        ("milvus:https://b.example:19530/papers", None, "milvus:https://b.example:19530/papers"),
        ("milvus:http://b/papers", "http://a:1", "milvus:http://b/papers"),
    ],
)
def test_an_index_on_a_server_is_named_by_its_place(
    text: str, uri: str | None, expected: str
) -> None:
    assert str(parse_place(text, uri)) == expected


@pytest.mark.parametrize(
    "text", ["milvus:", "milvus:a b", "milvus:http://x/", "milvus:http://u:p@x/papers", "milvus:1"]
)
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_place(text, "http://a:1")


def test_a_store_without_an_address_is_refused_before_anything_is_done(corpus: Path) -> None:
    with pytest.raises(SettingsError, match="uri"):
        Assistant(corpus, store="milvus")
    with pytest.raises(SettingsError, match="store"):
        Settings(store="oracle")  # type: ignore[arg-type]


def test_every_corpus_has_a_name_of_its_own_that_milvus_takes() -> None:
    named = ("", "äö", "My papers", "x" * 300)
    names = [name_for(name, str(digest)) for digest, name in enumerate(named)]
    assert len(set(names)) == 4
    for name in names:
        MilvusPlace("http://a", name)


def test_words_are_numbers_that_no_analyser_changes() -> None:
    assert words_of([1, -1]) == "0000000000000001 ffffffffffffffff"
    assert {"armstrong", "armstrng", "armstrnog", "armstrongs"} <= edits("armstrong")


@needs_milvus
def test_a_server_that_is_away_gives_one_error_that_says_what_to_do(
    corpus: Path, cache: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    with (
        Assistant(corpus, store="milvus", uri=uri, cache=str(cache)) as assistant,
        pytest.raises(ServerUnreachableError, match=uri),
    ):
        assistant.ask("Who?")
    monkeypatch.setenv("QA_STORE", "milvus")
    monkeypatch.setenv("QA_URI", uri)
    status, out, err = run("ask", "Who?", "--corpus", str(corpus))
    assert (status, out) == (2, "")
    assert uri in err
    assert "Traceback" not in err


@needs_milvus
@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        ("UNAUTHENTICATED", "auth check failure", ServerDeniedError),
        ("PERMISSION_DENIED", "no", ServerDeniedError),
        ("RESOURCE_EXHAUSTED", "disk quota exceeded", StorageError),
        ("INTERNAL", "something broke", StorageError),
    ],
)
def test_what_a_server_refuses_is_told_apart(code: str, said: str, expected: type) -> None:
    import grpc

    from qa.store.milvus.server import Server

    class Refusing(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, handler_call_details: Any) -> Any:
            del handler_call_details

            def refuse(_: object, context: Any) -> None:
                context.abort(grpc.StatusCode[code], said)

            return grpc.unary_unary_rpc_method_handler(refuse)

    refusing = grpc.server(ThreadPoolExecutor(2), handlers=[Refusing()])
    port = refusing.add_insecure_port("127.0.0.1:0")
    refusing.start()
    try:
        with closing(Server(f"http://127.0.0.1:{port}")) as server, pytest.raises(expected):
            server.names()
    finally:
        refusing.stop(0)


def test_without_the_package_the_extra_is_named(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with (
        Assistant(corpus, store="milvus", uri="http://127.0.0.1:1") as assistant,
        pytest.raises(MissingExtraError) as raised,
    ):
        assistant.ask("Who?", refresh=False)
    assert "milvus" in raised.value.hint


@needs_lite
def test_an_assistant_goes_on_when_its_server_comes_back(
    tmp_path: Path, corpus: Path, cache: Path
) -> None:
    with started(tmp_path / "data") as lite:
        where: dict[str, Any] = {"store": "milvus", "uri": lite.uri, "cache": str(cache)}
        with Assistant(corpus, new_name(), **where) as assistant:
            assistant.refresh()
            lite.kill()
            with pytest.raises(ServerUnreachableError):
                assistant.ask("Who set foot on the Moon?", refresh=False)
            lite.start()
            answer = assistant.ask("Who set foot on the Moon?")
            assert answer.passages[0].citation.document == "moon.md"
            (corpus / "bread.txt").unlink()
            assert assistant.refresh().removed == 1


@needs_lite
def test_writers_killed_at_random_leave_whole_states_that_the_next_repairs(
    lite: Lite, tmp_path: Path, cache: Path
) -> None:
    outcomes = kill_writers(lite.uri, tmp_path / "corpus", cache, times=3, seed=3)
    assert outcomes["old"] + outcomes["new"] + outcomes["between"] == 3


@needs_lite
def test_a_writer_that_slept_through_its_lease_changes_nothing_any_more(
    lite: Lite, corpus: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = MilvusPlace(lite.uri, new_name())
    monkeypatch.setattr(Lease, "_renew", lambda _: None)  # asleep
    monkeypatch.setattr(Lease, "check", lambda _: None)  # and awake again after it was looked at
    arguments: dict[str, Any] = {"store": "milvus", "uri": lite.uri, "cache": str(cache)}
    with (
        closing(MilvusIndex(place, lease=0.5)) as sleeper,
        closing(MilvusIndex(place, lease=0.5, lock_timeout=20)) as other,
        Assistant(corpus, place.name, **arguments) as assistant,
    ):
        assistant.refresh()
        before = contents(assistant)
        with pytest.raises(IndexLockedError, match="took over"):
            sleep_while(sleeper, other)
        assert contents(assistant) == (before[0], "kept")
        with sleeper.snapshot() as now:
            assert now.document_named("late.txt") is None
        (corpus / "bread.txt").unlink()
        assert assistant.refresh().removed == 1
        assert "bread.txt" not in contents(assistant)[0]
    forget(lite.uri, place.name)


def sleep_while(sleeper: MilvusIndex, other: MilvusIndex) -> None:
    """Begin to write, let another take over and finish, and go on."""
    with sleeper.transaction() as asleep:
        asleep.begin(asleep.identity, rebuild=False)
        asleep.drop_file("moon.md")
        with other.transaction() as transaction:
            transaction.keep(calibration="kept")
        put_file(asleep, "late.txt", "It came too late.")
        asleep.commit()


def put_file(transaction: MilvusTransaction, path: str, text: str) -> None:
    """Put a file whose one document is kept as text."""
    transaction.open_file(path, "0" * 64, (1, 1, 1, 1), 1)
    transaction.put_document(
        Document(
            id=path,
            file=path,
            format="html",
            text=text,
            sha256="0" * 64,
            encoding="",
            sections=(),
            metadata={"title": "é" * 10},
        )
    )
    transaction.close_file({})


@needs_lite
def test_what_is_longer_than_a_field_is_kept_in_parts(lite: Lite) -> None:
    place = MilvusPlace(lite.uri, new_name())
    text = random.Random(1).randbytes(150_000).hex()  # noqa: S311 - can't be compressed by half
    with closing(MilvusIndex(place)) as index:
        with index.transaction() as transaction:
            transaction.begin(Identity("f", "m", ""), rebuild=False)
            put_file(transaction, "long.html", text)
        with index.snapshot() as now:
            row = now.document_named("long.html")
            assert row is not None
            assert now.extract(row.id) == text
            assert row.metadata == {"title": "é" * 10}
        [part] = index._server.scan(index._names.rows, 'id in ["xe1:1"]', ["payload"], after="")
        index._server.delete(index._names.rows, 'id in ["xe1:1"]')
        assert part
        with index.snapshot() as now, pytest.raises(CatalogDamagedError, match="parts"):
            now.extract(row.id)
    forget(lite.uri, place.name)


@needs_lite
def test_what_no_reader_can_see_any_more_is_deleted(
    lite: Lite, corpus: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name()
    with Assistant(corpus, name, store="milvus", uri=lite.uri, cache=str(cache)) as assistant:
        assistant.refresh()
        monkeypatch.setattr(manifest, "GRACE", 0.0)
        for year in range(1970, 1973):
            (corpus / "bread.txt").write_text(f"Sourdough rose for the first time in {year}.\n")
            assistant.refresh()
        assistant.refresh(rebuild=True)
        (corpus / "bread.txt").write_text("Sourdough rises.\n")
        assistant.refresh()
        (corpus / "bread.txt").write_text("Sourdough rises slowly.\n")
        assistant.refresh()
        index = assistant._index
        assert isinstance(index, MilvusIndex)
        with index.snapshot() as now:
            passages = now.count_passages()
        server, names = index._server, index._names
        stored = len(list(server.scan(names.passages, "id > 0", ["file"])))
        assert passages == 4
        assert stored <= passages + 2  # what the last commits replaced
        counted = [row["id"] for row in server.scan(names.state, "epoch > 0", ["epoch"], after="")]
        assert not [one for one in counted if one.startswith(("t1:", "k1:"))]
    forget(lite.uri, name)


@needs_lite
def test_doctor_status_and_copy_know_a_server(
    lite: Lite, corpus: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_name()
    assert run("index", "--corpus", str(corpus), "--index", str(tmp_path / "local"))[0] == 0
    target = f"milvus:{lite.uri}/{name}"
    status, _, err = run("copy", str(tmp_path / "local"), target)
    assert status == 0
    assert "4 passages" in err
    status, _, err = run("copy", str(tmp_path / "local"), target)
    assert status != 0
    assert "--replace" in err
    assert run("copy", target, str(tmp_path / "back"))[0] == 0
    monkeypatch.setenv("QA_STORE", "milvus")
    monkeypatch.setenv("QA_URI", lite.uri)
    status, out, err = run("doctor", "--corpus", str(corpus), "--index", name)
    assert status == 0, out + err
    assert "milvus_lite" in out
    status, out, _ = run("status", "--corpus", str(corpus), "--index", name)
    assert status == 0
    assert name in out
    forget(lite.uri, name)
