"""A disk that is full or fails: the index is as it was, and the message names the disk."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crashing import change, contents, is_between
from qa.assistant import Assistant
from qa.errors import StorageError
from releasing import release
from tracing import STRACE, inject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUESTION = "Who set foot on the Moon?"
NEW = {"new.txt": ["Penguins live in the south. They can't fly."]}
POINTS = [
    "qa.store.durable_files.os.fsync",
    "qa.store.transaction.grow",
    "qa.store.transaction.build_vectors",
    "qa.store.vectors.sync",
    "qa.store.lexical.sync_folder",
    "qa.store.transaction.seal",
    "qa.store.transaction.sync_folder",
    "pathlib.Path.replace",
    "pathlib.Path.mkdir",
    "qa.store.embeddings.EmbeddingTables.put",
    "qa.store.passages.PassageTables.put",
    "qa.store.catalog.Catalog.commit",
]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fails_at_any_step_leaves_the_old_index(
    assistant: Assistant, corpus: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr("qa.store.transaction.UNMERGED", 0)

    def fail(*args: object, **named: object) -> None:
        raise OSError(code, os.strerror(code))

    assistant.refresh()
    before = contents(assistant)
    change(corpus, "add")
    after = before[0] | NEW
    for point in POINTS:
        with monkeypatch.context() as patch:
            patch.setattr(point, fail)
            with pytest.raises(StorageError, match="space|disk") as raised:
                assistant.refresh()
        assert raised.value.hint
        assert is_between(contents(assistant)[0], before[0], after), point
        assert assistant.ask(QUESTION, refresh=False).answered
    assistant.refresh()
    assert contents(assistant)[0] == after


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Give a function that mounts a disk of some KiB and gives where."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kib: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
        return folder

    yield mount
    if os.path.ismount(folder):
        subprocess.run(["umount", folder], check=True)  # noqa: S607 - where it is, differs


def test_a_disk_that_fills_up_at_any_point_leaves_the_old_index(
    small_disk: Callable[[int], Path],
    corpus: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is left free grows from nothing until it is enough."""
    monkeypatch.setattr("qa.store.transaction.UNMERGED", 0)
    disk = small_disk(2048)
    index = disk / "index"
    with Assistant(corpus, index, cache=str(cache)) as assistant:
        assistant.refresh()
        before = contents(assistant)
        change(corpus, "add")
        after = before[0] | NEW
        full = 0
        for free in range(0, 800, 16):
            release(assistant)
            room = os.statvfs(disk)
            (disk / "filler").write_bytes(bytes(room.f_bavail * room.f_bsize - free * 1024))
            try:
                assistant.refresh()
                break
            except StorageError as error:
                assert "No space left" in str(error)  # noqa: PT017 - a loop
                full += 1
            if free > 64:  # SQLite needs a little to read while another process may write
                assert is_between(contents(assistant)[0], before[0], after)
                assert assistant.ask(QUESTION, refresh=False).answered
            release(assistant)
            (disk / "filler").unlink()
            assert is_between(contents(assistant)[0], before[0], after)
        assert full >= 5
        assert len(contents(assistant)[0]) == len(before[0]) + 1


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize(
    ("call", "error", "number"),
    [
        ("fdatasync", "EIO", 1),
        ("fdatasync", "ENOSPC", 3),
        ("fsync", "EIO", 1),
        ("pwrite64", "ENOSPC", 12),
    ],
)
def test_a_system_call_that_fails_is_reported_with_status_2(
    assistant: Assistant,
    corpus: Path,
    tmp_path: Path,
    cache: Path,
    call: str,
    error: str,
    number: int,
) -> None:
    assistant.refresh()
    before = contents(assistant)
    release(assistant)
    change(corpus, "add")
    done = inject(
        [sys.executable, "-m", "qa", "index", "--corpus", corpus, "--index", tmp_path / "index"],
        call=call,
        error=error,
        number=number,
        below=tmp_path / "index",
        environment=os.environ | {"QA_CACHE": str(cache)},
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "space left" in done.stderr or "disk" in done.stderr
    assert is_between(contents(assistant)[0], before[0], before[0] | NEW)
    assert assistant.ask("Where do penguins live?").passages[0].citation.document == "new.txt"
