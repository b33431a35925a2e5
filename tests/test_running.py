"""A refresh as it is seen from another process: a small file, believed only while it is written."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from test_progress import EMBEDDING, READING, Clock

from qa.assistant import Assistant
from qa.cli.progress import running
from qa.errors import ForeignIndexError, IndexLockedError, IndexMissingError, QaError
from qa.progress import Progress, Running
from qa.store.index import Index
from qa.store.running import announcing, clearing, read_running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Run

HOLDER = """
import sys, time, qa
reports = []
def hold(progress):
    reports.append(progress)
    if len(reports) == 3:  # the second one is in the file
        print("held", flush=True)
        time.sleep(600)
corpus, index = sys.argv[1:]
with qa.Assistant(corpus, index, progress=hold) as assistant:
    assistant.refresh()
"""
RUNNING = "refresh.json"
SAID = Running(4711, "nas", 1_700_000_000.0, replace(READING, seconds_left=244.0))


@contextmanager
def held(corpus: Path, index: Path, cache: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process index, and hold it once it has begun."""
    command = [sys.executable, "-c", HOLDER, str(corpus), str(index)]
    with subprocess.Popen(
        command, env=os.environ | {"QA_CACHE": str(cache)}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_status_shows_a_first_refresh_that_another_process_is_at(
    corpus: Path, tmp_path: Path, cache: Path, run: Run
) -> None:
    index = tmp_path / "index"
    started = time.time()
    with held(corpus, index, cache) as process, Assistant(corpus, index) as assistant:
        status = assistant.status()
        assert status.running is not None
        assert (status.running.process, status.running.host) == (process.pid, socket.gethostname())
        assert started <= status.running.started <= time.time()
        assert status.running.progress is not None
        assert status.running.progress.documents_total == 3
        assert (status.documents, status.stale) == (0, 3)
        code, out, _ = run("status", "--corpus", corpus, "--index", index)
        said = f"Indexing now (process {process.pid}): 0 of 3 documents, 0.0 of 0."
        assert code == 0
        assert said in out
        assert "qa index" not in out
        form = ("--format", "json")
        written = json.loads(run("status", "--corpus", corpus, "--index", index, *form)[1])
        assert written["running"]["process"] == process.pid
        assert written["running"]["progress"]["phase"] == "reading"


def test_what_a_killed_process_said_is_not_believed_and_goes(
    assistant: Assistant, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    index = tmp_path / "index"
    assistant.refresh()
    (corpus / "new.txt").write_text("Penguins live in the south.")
    with held(corpus, index, cache) as process:
        process.kill()
        process.wait()
    assert (index / RUNNING).exists()
    assert assistant.status().running is None
    (corpus / "new.txt").unlink()
    assistant.refresh()  # with nothing to do
    assert not (index / RUNNING).exists()


def test_nothing_is_left_of_a_refresh_that_ended_or_failed(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    def fail(_: Progress) -> None:
        raise ValueError("no more")

    index = tmp_path / "index"
    with (
        Assistant(corpus, index, cache=cache, progress=fail) as one,
        pytest.raises(ValueError, match="no more"),
    ):
        one.refresh()
    assert not list(index.glob("*.json"))
    with Assistant(corpus, index, cache=cache) as one:
        one.refresh()
        assert one.status().running is None
    assert not list(index.glob("*.json"))


def test_a_program_sees_its_own_refresh_in_status(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    index = tmp_path / "index"
    seen: list[Running | None] = []

    def look(_: Progress) -> None:
        if index.exists():
            seen.append(other.status().running)

    with Assistant(corpus, index, cache=cache) as other:
        with Assistant(corpus, index, cache=cache, progress=look) as one:
            one.refresh()
        assert other.status().running is None
    assert {one.process for one in seen if one is not None} == {os.getpid()}
    assert None not in seen


def test_progress_is_told_before_anything_is_loaded_that_takes_long(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    program = (
        "import sys, qa\n"
        "def told(one):\n"
        "    print(one.documents_total, {'numpy', 'tantivy', 'onnxruntime'} & {*sys.modules})\n"
        "    raise SystemExit\n"
        "qa.Assistant(*sys.argv[1:], progress=told).refresh()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, corpus, tmp_path / "index"],
        env=os.environ | {"QA_CACHE": str(cache)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "3 set()\n"


def test_a_refresh_that_waits_for_another_does_not_claim_to_read(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    told: list[Progress] = []
    index = tmp_path / "index"
    with (
        held(corpus, index, cache),
        Assistant(corpus, index, cache=cache, lock_timeout=0.1, progress=told.append) as one,
        pytest.raises(IndexLockedError),
    ):
        one.refresh()
    assert not told


def test_to_look_who_writes_makes_no_folder(corpus: Path, tmp_path: Path, cache: Path) -> None:
    index = Index(tmp_path / "index")
    assert not index.is_written()
    assert index.running() is None
    with Assistant(corpus, tmp_path / "index", cache=cache) as one, pytest.raises(QaError):
        one.status()
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("progress", [None, READING])
def test_status_says_what_runs_where_nothing_can_be_read_yet(
    corpus: Path, tmp_path: Path, run: Run, progress: Progress | None
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    said = replace(SAID, progress=progress, host=socket.gethostname())
    (index / RUNNING).write_text(json.dumps(asdict(said)))
    with Assistant(corpus, index) as one:
        with FileLock(index / "writer.lock"):
            status = one.status()
            code, out, _ = run("status", "--corpus", corpus, "--index", index)
        with pytest.raises(IndexMissingError):
            one.status()
    assert (status.documents, status.stale, status.running) == (0, 3, said)
    assert code == 0
    assert "Indexing now (process 4711)" in out


# --- the file ---------------------------------------------------------------------------


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    for far in (READING, EMBEDDING, replace(READING, document="\udcff\x1b[2J" + "é" * 5000)):
        tell = announcing(tmp_path)
        begun = read_running(tmp_path)
        assert begun == Running(os.getpid(), socket.gethostname(), begun.started if begun else 0)
        tell(far)
        read = read_running(tmp_path)
        assert read is not None
        assert read.progress == replace(far, document=far.document[:1000])
    with clearing(tmp_path):
        assert read_running(tmp_path) is None
        announcing(tmp_path)
        assert read_running(tmp_path) is not None
    assert not list(tmp_path.iterdir())


def test_it_is_written_once_a_second_and_at_a_change_of_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr("qa.store.running._write", lambda _, one: written.append(one.progress))
    clock = Clock()
    tell = announcing(tmp_path, clock)
    for done in range(100):
        tell(replace(READING, documents=done))
        clock.now += 0.1
    tell(EMBEDDING)
    assert [one and one.documents for one in written] == [None, *range(0, 100, 10), 1571]


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_what_can_not_be_written_stops_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    tell = announcing(tmp_path / place)
    tell(READING)
    with clearing(tmp_path / place):
        pass
    assert read_running(tmp_path / place) is None


GOOD = asdict(SAID)
WRONG_FIELDS: dict[str, tuple[object, ...]] = {
    "process": (-1, True, 1.5, "1", None, 10**20, []),
    "host": (1, None, "a" * 5000),
    "started": ("now", True, -1, 1e300, None),
    "progress": (1, "", [], {}),
}
WRONG_PROGRESS: dict[str, tuple[object, ...]] = {
    "phase": ("writing", 1, [], None),
    "documents": (-1, True, 0.5, "1", 10**17),
    "bytes_total": (None, {}),
    "document": (None, 5, "a" * 2000),
    "seconds_left": ("soon", -1, True, 1e300),
}
WRONG: dict[str, object] = {
    "nothing": "", "half": json.dumps(GOOD)[:200], "a list": [], "a number": 5, "null": None,
    "text": "refresh", "deep": "[" * 60_000, "huge": " " * 70_000 + json.dumps(GOOD),
    "bytes": b"\xff\xfe\x00", "long number": '{"progress": ' + "9" * 9000 + "}",
    **{f"without {key}": {k: v for k, v in GOOD.items() if k != key} for key in GOOD},
    **{
        f"{key} is {value!r:.9}": GOOD | {key: value}
        for key, values in WRONG_FIELDS.items()
        for value in values
    },
    **{
        f"progress {key} is {value!r:.9}": GOOD | {"progress": GOOD["progress"] | {key: value}}
        for key, values in WRONG_PROGRESS.items()
        for value in values
    },
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_no_writer_of_ours_wrote_says_nothing(tmp_path: Path, name: str) -> None:
    wrong = WRONG[name]
    raw = wrong if isinstance(wrong, str) else json.dumps(wrong, default=repr)
    data = wrong if isinstance(wrong, bytes) else raw.encode()
    (tmp_path / RUNNING).write_bytes(data)
    assert read_running(tmp_path) is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_says_nothing(tmp_path: Path, number: str) -> None:
    for key in ("244.0", "1700000000.0", "4711"):
        (tmp_path / RUNNING).write_text(json.dumps(GOOD).replace(key, number))
        assert read_running(tmp_path) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from([*GOOD, *GOOD["progress"]]) | st.text(), inner)
        ),
    )
)
def test_whatever_is_read_it_is_of_the_right_types_or_nothing(value: object) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / RUNNING).write_text(json.dumps(GOOD | {"progress": value}), "utf-8")
        read = read_running(Path(folder))
        assert read is None or value is None
        (Path(folder) / RUNNING).write_text(json.dumps(value), "utf-8")
        assert read_running(Path(folder)) is None


def make_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def make_pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path, victim: Path) -> None:
    path.mkdir()
    (path / "precious").write_bytes(victim.read_bytes())


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
@pytest.mark.parametrize("name", [RUNNING, f"new-{RUNNING}"])
@pytest.mark.parametrize("make", [make_link, make_pipe, make_folder])
def test_a_strangers_link_pipe_or_folder_in_its_place_harms_nobody(
    assistant: Assistant,
    corpus: Path,
    tmp_path: Path,
    name: str,
    make: Callable[[Path, Path], None],
) -> None:
    assistant.refresh()
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious" * 1000)
    make(tmp_path / "index" / name, victim)
    assert assistant.status().running is None
    (corpus / "new.txt").write_text("Something new.")
    assert assistant.refresh().added == 1
    assert assistant.status().running is None
    assert victim.read_bytes() == b"precious" * 1000


@pytest.mark.parametrize("name", [RUNNING, f"new-{RUNNING}"])
@pytest.mark.parametrize("beside", ["", "notes.txt"])
def test_another_programs_file_of_that_name_is_never_touched(
    corpus: Path, tmp_path: Path, cache: Path, name: str, beside: str
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for file in filter(None, (name, beside)):
        (folder / file).write_text('{"token": 5}')
    with Assistant(corpus, folder, cache=cache) as one:
        for rebuild in (False, True):
            with pytest.raises(ForeignIndexError):
                one.refresh(rebuild=rebuild)
    for file in filter(None, (name, beside)):
        assert (folder / file).read_text() == '{"token": 5}'


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
@pytest.mark.parametrize("make", [make_link, make_pipe, make_folder])
def test_a_folder_with_a_link_pipe_or_folder_of_that_name_is_not_taken_for_an_index(
    corpus: Path, tmp_path: Path, cache: Path, make: Callable[[Path, Path], None]
) -> None:
    folder, victim = tmp_path / "other", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("")
    make(folder / RUNNING, victim)
    with Assistant(corpus, folder, cache=cache) as one, pytest.raises(ForeignIndexError):
        one.refresh()
    assert os.path.lexists(folder / RUNNING)


@pytest.mark.parametrize("name", [RUNNING, f"new-{RUNNING}"])
@pytest.mark.parametrize("content", ["", json.dumps(GOOD)])
def test_what_a_power_cut_left_of_a_first_refresh_is_no_obstacle(
    corpus: Path, tmp_path: Path, cache: Path, name: str, content: str
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    (index / name).write_text(content)
    with Assistant(corpus, index, cache=cache) as one:
        assert one.refresh().added == 3
    assert not list(index.glob("*.json"))


# --- in words ---------------------------------------------------------------------------


def test_who_is_indexing_is_said_in_a_line() -> None:
    here = replace(SAID, host=socket.gethostname())
    assert running(SAID) == (
        "Indexing now (process 4711 on nas): 412 of 1,571 documents, 18 of 96 MB, about 4 min left"
    )
    assert running(replace(here, progress=EMBEDDING)) == (
        "Indexing now (process 4711): 12,400 of 48,210 passages embedded, about 4 min left"
    )
    assert running(replace(here, progress=None)) == "Indexing now (process 4711)"
