"""No network: nothing here reaches for one, and a test that did would fail (see `network/`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRY = """
import socket, urllib.request
try: {}
except OSError as error: print("refused", error)
"""


@pytest.mark.parametrize(
    "program",
    [
        "socket.create_connection(('192.0.2.1', 9))",
        "socket.getaddrinfo('example.org', 80)",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))",
        "urllib.request.urlopen('http://192.0.2.1/')",
    ],
)  # fmt: skip
def test_an_attempt_in_a_process_that_a_test_starts_is_refused_and_noted(
    program: str, tmp_path: Path
) -> None:
    log = tmp_path / "attempts"
    done = subprocess.run(
        [sys.executable, "-c", TRY.format(program)],
        env=os.environ | {"NETWORK_ATTEMPTS": str(log)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "refused" in done.stdout
    assert "a network was to be reached" in done.stdout
    assert len(log.read_text().splitlines()) == 1


def test_an_attempt_in_this_process_is_refused_and_noted() -> None:
    import socket

    log = Path(os.environ["NETWORK_ATTEMPTS"])
    with pytest.raises(OSError, match="a network was to be reached"):
        socket.create_connection(("192.0.2.1", 9))
    assert "192.0.2.1" in log.read_text()
    log.write_text("")


def test_what_stays_on_this_machine_is_not_a_network() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    one, other = socket.socketpair()
    one.close()
    other.close()


def test_the_first_question_reaches_for_no_network_even_where_the_hub_is_not_told_to_stay_offline(
    corpus: Path, tmp_path: Path
) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment["QA_CACHE"] = str(tmp_path / "cache")  # the model is loaded and exported as well
    for arguments in (["ask", "Who set foot on the Moon?"], ["index", "--rebuild"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-m", "qa", *arguments],
            env=environment, cwd=corpus.parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert Path(os.environ["NETWORK_ATTEMPTS"]).read_text() == ""


def test_the_runtime_notes_no_device_and_keeps_no_reports(cache: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from qa import Assistant\n"
        "with Assistant(documents=[('a', 'Whales eat krill.')], cache=sys.argv[1]) as assistant:\n"
        "    assert assistant.ask('What do whales eat?').answered\n"
    )
    environment = {name: one for name, one in os.environ.items() if name != "CI"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program, str(cache)], env=environment, check=True)
    assert not list(tmp_path.iterdir())
