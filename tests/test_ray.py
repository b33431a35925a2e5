"""Indexing on a Ray cluster: the same index, whatever happens to workers, nodes and the driver."""

from __future__ import annotations

import dataclasses
import os
import random
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from test_switching import rows

from conftest import ARTICLE
from qa import __version__
from qa.assistant import Assistant
from qa.corpus import FolderCorpus
from qa.encoding.encoder import PassageInput
from qa.errors import SettingsError
from qa.indexing.on_ray.worker import Embedded, Refusal, Work, embed, split, unpacked
from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Run
    from qa.encoding.encoder import Encoder, Runtime

TESTS = Path(__file__).parent
IP = shutil.which("ip") or ""
MARK = "TEST_THAT_STARTED_IT"  # in the environment of all that a test starts
# Ray reports to nobody, finds a lost node soon, and its question for what cloud this is leads
# nowhere (see `qa.indexing.on_ray.cluster`).
ALONE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "no_proxy": "localhost",
}


@pytest.fixture(name="ray")
def _ray() -> None:
    """Skip where Ray is not installed."""
    pytest.importorskip("ray", reason="needs the extra `ray`", exc_type=ImportError)


@pytest.fixture(name="environment")
def _environment(cache: Path, encoder: Encoder[Runtime]) -> Iterator[dict[str, str]]:
    """Give the environment of all that a test starts, and end what of it is left."""
    mark = uuid.uuid4().hex
    yield os.environ | ALONE | {"QA_CACHE": str(cache), MARK: mark}
    for process in marked(mark):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


@pytest.fixture(name="large")
def _large(corpus: Path) -> Path:
    """Give a corpus of some formats, with texts that stand in it twice, of 150 passages or so."""
    words = ARTICLE.read_text("utf-8").split()
    pick = random.Random(7)  # noqa: S311 - the same texts each time
    for number in range(40):
        paragraphs = [" ".join(pick.choices(words, k=60)) + "." for _ in range(4)]
        (corpus / f"made-{number:02}.txt").write_text("\n\n".join(paragraphs), "utf-8")
    (corpus / "same.txt").write_bytes((corpus / "made-00.txt").read_bytes())
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    (corpus / "page.html").write_text("<title>Tea</title><h1>Leaves</h1><p>Tea is of leaves.</p>")
    (corpus / "table.csv").write_text("name,year\nMoon,1969\n")
    return corpus


def marked(mark: str, title: str = "") -> list[int]:
    """Processes that a test started and that run still, whose titles hold some words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() not in (folder / "environ").read_bytes():
                continue
            if title in (folder / "cmdline").read_bytes().decode(errors="replace"):
                found.append(int(folder.name))
    return found


def eventually(what: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends
        time.sleep(0.02)


def embedded(index: Path) -> int:
    """How many passages have their embedding, as far as it is committed."""
    with suppress(sqlite3.Error):
        connection = sqlite3.connect(f"{(index / 'catalog.sqlite').as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM embedding").fetchone()[0])
        finally:
            connection.close()
    return 0


def same(index: Path, other: Path) -> bool:
    """Whether two indexes hold the same, but for when files were seen."""
    one, two = rows(index), rows(other)
    for found in (one, two):
        found["files"] = [row[:-1] for row in found["files"]]
    return one == two


def made_here(corpus: Path, index: Path, cache: Path) -> int:
    """Make an index in this process; gives how many texts were embedded."""
    with Assistant(corpus, index, cache=cache) as assistant:
        return assistant.refresh().encoded


@contextmanager
def indexing(
    corpus: Path, index: Path, environment: dict[str, str], *more: str, within: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Run `qa index --on ray` until the end of this; `within` names a network namespace."""
    enter = (IP, "netns", "exec", within) if within else ()
    command = [*enter, sys.executable, str(TESTS / "driving.py"), "index", str(corpus)]
    with subprocess.Popen(
        [*command, "--index", str(index), "--on", "ray", *more],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_an_index_made_on_ray_is_bit_for_bit_that_of_this_process_though_a_worker_dies(
    ray: None, large: Path, tmp_path: Path, cache: Path, environment: dict[str, str]
) -> None:
    index, mark = tmp_path / "index", environment[MARK]
    made_here(large, tmp_path / "here", cache)
    with indexing(large, index, environment, "--jobs", "2") as process:
        eventually(lambda: embedded(index) or process.poll() is not None)
        eventually(lambda: marked(mark, "ray::embed") or process.poll() is not None)
        os.kill(marked(mark, "ray::embed")[0], signal.SIGKILL)
        with Assistant(large, index, cache=cache) as reader:  # answers meanwhile
            answer = reader.ask("Who set foot on the Moon?", refresh=False)
        assert answer.passages[0].citation.document == "moon.md"
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Can't read broken.pdf" in out
    assert same(index, tmp_path / "here")
    eventually(lambda: not marked(mark), 20)  # the cluster that was started has ended


def test_what_a_stopped_driver_did_is_kept_and_a_killed_node_costs_nothing(
    ray: None, large: Path, tmp_path: Path, cache: Path, environment: dict[str, str]
) -> None:
    index, mark = tmp_path / "index", environment[MARK]
    total = made_here(large, tmp_path / "here", cache)
    with subprocess.Popen(
        [sys.executable, str(TESTS / "clustering.py")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as cluster:
        assert cluster.stdin is not None
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        with indexing(large, index, environment, "--address", address) as process:
            eventually(lambda: embedded(index) or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=5)
        assert process.returncode == 130, err
        assert "run the same command to go on" in err
        eventually(lambda: not marked(mark, "ray::embed"), 30)  # nobody works on for nobody
        before = embedded(index)
        assert 0 < before < total
        with indexing(large, index, environment, "--address", address, "--format", "json") as again:
            eventually(lambda: embedded(index) > before or again.poll() is not None)
            cluster.stdin.write("kill\n")
            cluster.stdin.flush()
            out, err = again.communicate(timeout=120)
        assert again.returncode == 0, err
        assert f'"encoded": {total - before}' in out
        assert same(index, tmp_path / "here")
        cluster.communicate("end\n", timeout=60)


@contextmanager
def two_nodes(environment: dict[str, str]) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Start a Ray node in each of two network namespaces that are joined by a cable.

    Gives the first one's namespace, the cluster's address, and what kills the second one.
    """
    name = f"qa-{os.getpid()}"
    spaces, hosts = (f"{name}-a", f"{name}-b"), ("10.203.0.1", "10.203.0.2")
    environment["NETWORK_NODES"] = " ".join(
        [*hosts, "0.0.0.0", socket.gethostname()]  # noqa: S104 - in a namespace
    )
    with ExitStack() as held:

        def ip(*words: str) -> None:
            subprocess.run([IP, *words], check=True, capture_output=True)

        for space in spaces:
            ip("netns", "add", space)
            held.callback(ip, "netns", "delete", space)
        cable = ("netns", "exec", spaces[0], IP, "link", "add", "cable", "type", "veth")
        ip(*cable, "peer", "name", "cable", "netns", spaces[1])
        for space, host in zip(spaces, hosts, strict=True):
            ip("-n", space, "address", "add", f"{host}/30", "dev", "cable")
            ip("-n", space, "link", "set", "cable", "up")
            ip("-n", space, "link", "set", "lo", "up")
        head = ("--head", "--port=6399", "--include-dashboard=false", "--disable-usage-stats")
        roles = (head, (f"--address={hosts[0]}:6399",))
        for space, host, role in zip(spaces, hosts, roles, strict=True):
            sizes = ("--num-cpus=1", f"--object-store-memory={80 * 2**20}")
            start = ("-m", "ray.scripts.scripts", "start", *role, f"--node-ip-address={host}")
            started = subprocess.run(
                [IP, "netns", "exec", space, sys.executable, *start, *sizes],
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert started.returncode == 0, started.stdout + started.stderr
        yield (
            spaces[0],
            f"{hosts[0]}:6399",
            lambda: kill(spaces[1]),
        )


def kill(space: str) -> None:
    """Kill all processes in a network namespace."""
    told = subprocess.run([IP, "netns", "pids", space], check=True, capture_output=True)
    for process in told.stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)


def has_namespaces() -> bool:
    """Whether this process may make network namespaces."""
    if sys.platform != "linux" or os.geteuid() != 0 or not IP:
        return False
    name = f"qa-{os.getpid()}"
    made = subprocess.run([IP, "netns", "add", name], check=False, capture_output=True)
    subprocess.run([IP, "netns", "delete", name], check=False, capture_output=True)
    return made.returncode == 0


def test_of_two_machines_one_may_be_killed_in_the_middle(
    ray: None, large: Path, tmp_path: Path, cache: Path, environment: dict[str, str]
) -> None:
    if not has_namespaces():
        pytest.skip("needs root and network namespaces")
    index = tmp_path / "index"
    environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "1"
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    total = made_here(large, tmp_path / "here", cache)
    with two_nodes(environment) as (space, address, kill_second):
        more = ("--address", address, "--format", "json")
        with indexing(large, index, environment, *more, within=space) as process:
            eventually(lambda: embedded(index) or process.poll() is not None)
            kill_second()
            out, err = process.communicate(timeout=120)
        kill(space)
    assert process.returncode == 0, err
    assert f'"encoded": {total}' in out
    assert same(index, tmp_path / "here")


# --- without a cluster ------------------------------------------------------------------


@pytest.fixture(name="work")
def _work(corpus: Path, cache: Path, encoder: Encoder[Runtime]) -> Work:
    """Give what a worker has to know."""
    files = FolderCorpus(corpus, max_file_size=10**6)
    spec = encoder.spec
    key = uuid.uuid4().hex
    return Work(key, __version__, "all-MiniLM-L6-v2", spec.fingerprint, str(cache), files)


def test_a_worker_refuses_a_model_whose_files_are_others(work: Work) -> None:
    refused = embed(dataclasses.replace(work, fingerprint="0" * 64), [("Tea.", (Span(0, 4),))])
    assert isinstance(refused, Refusal)
    assert "has other files of the model all-MiniLM-L6-v2 than are here" in refused.message


def test_a_worker_refuses_another_version_and_a_model_that_it_has_not(work: Work) -> None:
    refused = split(dataclasses.replace(work, version="0.0.7"), [])
    assert isinstance(refused, Refusal)
    assert f"has retrieval-qa {__version__}, and here is 0.0.7" in refused.message
    refused = split(dataclasses.replace(work, model="/nowhere/at all"), [])
    assert isinstance(refused, Refusal)
    assert "can't load the model: There is no model '/nowhere/at all'" in refused.message


def test_vectors_come_back_as_they_were_made(work: Work, encoder: Encoder[Runtime]) -> None:
    texts = [("Tea is of leaves.", (Span(0, 17),)), ("A. B.", (Span(0, 2), Span(3, 5))), ("", ())]
    made = embed(work, texts)
    assert isinstance(made, Embedded)
    expected = encoder.encode_passages([PassageInput(*one) for one in texts])
    for one, other in zip(unpacked(made), expected, strict=True):
        np.testing.assert_array_equal(one.vector, other.vector)
        np.testing.assert_array_equal(one.sentences, other.sentences)


def test_an_index_in_line_asks_for_no_cluster_and_a_missing_one_is_told_in_a_line(
    ray: None, run: Run, corpus: Path
) -> None:
    away = ("--on", "ray", "--address", "127.0.0.1:1")
    status, _, err = run("index", *away)
    assert status == 2
    assert "qa: There is no Ray cluster at 127.0.0.1:1: Connection refused" in err
    assert run("index")[0] == 0
    status, out, _ = run("index", *away)
    assert (status, out.split(";")[0]) == (0, "Nothing changed")


@pytest.mark.parametrize("address", ["nonsense", "host:0", "host:99999", "http://host:1", "a b:1"])
def test_what_is_no_address_is_refused(assistant: Assistant, address: str) -> None:
    with pytest.raises(SettingsError, match="address is "):
        assistant.refresh(ray=address)


def test_an_address_needs_ray(run: Run) -> None:
    status, _, err = run("index", "--address", "auto")
    assert status == 2
    assert "give --on ray as well" in err
