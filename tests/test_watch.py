"""`qa watch` and `Assistant.follow`: an index stays in line, whatever happens to its corpus."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import closing
from itertools import chain, pairwise, repeat
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

import qa
from conftest import ARTICLE
from qa.corpus import FolderCorpus
from qa.indexing import following
from qa.indexing.following import follow
from qa.types import Refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytest.importorskip("inotify_simple")

PATIENCE = 60  # seconds that anything may take: machines are shared


# --- when it refreshes, told by a clock that nobody waits for ----------------------------


class Clock:
    """Time that passes where somebody sleeps; changes are told of at given times."""

    def __init__(self, *, changes: list[float] | None = None) -> None:
        self.now = 0.0
        self.changes = changes
        self.looks: list[float] = []
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def told(self, seconds: float) -> int | None:
        """Wait for a change; each is a byte."""
        if self.changes is None:
            return None
        since = self.looks[-1] if self.looks else 0
        coming = [one for one in self.changes if one > since]
        if not coming or coming[0] > self.now + seconds:
            self.now += seconds
            return 0
        self.now = max(self.now, coming[0])
        return sum(one <= self.now for one in coming)


def followed(clock: Clock, outcomes: Iterator[Refresh | Exception], *, takes: float = 0) -> Any:
    """Follow a corpus whose refreshes come out so."""

    def refresh(*, thorough: bool) -> Refresh:
        assert thorough == (not clock.looks)
        clock.looks.append(clock.now)
        clock.now += takes
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return follow(refresh, clock.told, sleep=clock.sleep, clock=clock)


NOTHING, SOMETHING = Refresh(), Refresh(changed=1)
FULL = qa.StorageError("No space left", hint="Free some.")


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60).map(sorted))
def test_every_change_is_taken_up_soon_and_a_stream_of_them_in_few_looks(
    changes: list[float],
) -> None:
    clock = Clock(changes=changes)
    steps = followed(clock, repeat(SOMETHING))
    while clock.now < 60:
        next(steps)
    for change in changes:
        seen = next(look for look in clock.looks if look >= change)
        assert seen - change <= following._PATIENCE + following._QUIET + 1e-6
    waits = [later - one for one, later in pairwise(clock.looks[1:])]
    assert all(wait >= following._QUIET - 1e-6 for wait in waits)


def test_where_nothing_happens_it_looks_every_ten_seconds_and_gives_nothing() -> None:
    clock = Clock(changes=[])
    outcomes: Iterator[Refresh | Exception] = iter([SOMETHING, *[NOTHING] * 9])
    steps = followed(clock, outcomes)
    assert next(steps) == SOMETHING
    with pytest.raises(RuntimeError, match="StopIteration"):
        next(steps)
    assert clock.looks[:2] == [0, 0]  # the second sees what changed during the first
    assert [round(later - one) for one, later in pairwise(clock.looks[3:])] == [10] * 7


def test_where_changes_are_not_told_of_looks_take_a_twentieth_of_the_time_at_most() -> None:
    clock = Clock()
    steps = followed(clock, chain(repeat(NOTHING, 50), [FULL]), takes=1)
    assert next(steps) == NOTHING
    assert next(steps) is FULL
    assert 50 / clock.now <= 1 / 18


def test_what_fails_is_tried_again_more_and_more_rarely_and_then_given() -> None:
    clock = Clock(changes=[])
    steps = followed(clock, chain([NOTHING], repeat(FULL, 9), repeat(NOTHING)))
    assert [next(steps) for _ in range(11)] == [NOTHING, *[FULL] * 9, NOTHING]
    assert clock.slept == [1, 2, 4, 8, 16, 30, 30, 30, 30]


def test_a_corpus_that_is_gone_is_looked_for_every_second() -> None:
    clock = Clock(changes=[])
    gone = qa.CorpusNotFoundError("gone")
    steps = followed(clock, chain([NOTHING], repeat(gone, 5), repeat(NOTHING)))
    assert [next(steps) for _ in range(7)] == [NOTHING, *[gone] * 5, NOTHING]
    assert clock.slept == [1] * 5


def test_an_error_of_the_system_is_one_of_ours() -> None:
    steps = followed(Clock(changes=[]), chain([NOTHING], repeat(OSError(116, "Stale file handle"))))
    next(steps)
    error = next(steps)
    assert isinstance(error, qa.StorageError)
    assert "Stale file handle" in str(error)


@pytest.mark.parametrize("error", [FULL, qa.CorpusNotFoundError("gone"), OSError(5, "I/O error")])
def test_what_fails_at_the_start_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        next(followed(Clock(changes=[]), iter([error])))


@pytest.mark.parametrize("error", [qa.EmptyCorpusError("empty"), qa.IndexLockedError("locked")])
def test_an_empty_corpus_and_another_writer_are_waited_for(error: Exception) -> None:
    steps = followed(Clock(changes=[]), iter([error, SOMETHING]))
    assert next(steps) is error


def test_an_assistant_that_is_closed_follows_no_more(assistant: qa.Assistant) -> None:
    steps = assistant.follow()
    next(steps)
    assistant.close()
    with pytest.raises(qa.ClosedError):
        next(steps)


def test_without_a_watch_all_files_are_looked_at(assistant: qa.Assistant, corpus: Path) -> None:
    steps = assistant.follow()
    assert isinstance(next(steps), Refresh)
    (corpus / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
    done = next(steps)
    assert isinstance(done, Refresh)
    assert done.added == 1


def test_others_may_ask_and_look_while_an_index_is_followed(corpus: Path, tmp_path: Path) -> None:
    given: list[Refresh | qa.QaError] = []
    with qa.Assistant(corpus, tmp_path / "index", fresh="watch") as assistant:

        def go_on() -> None:
            try:
                for step in assistant.follow():
                    given.append(step)  # noqa: PERF402 - it raises at the end
            except qa.ClosedError:
                pass

        following_it = threading.Thread(target=go_on)
        following_it.start()
        for number in range(15):
            word = f"zebra{number}"
            (corpus / "deep" / f"{number}.txt").write_text(f"The {word} lives here.\n", "utf-8")
            if number % 3 == 0:
                shutil.rmtree(corpus / "moved", ignore_errors=True)
                shutil.copytree(corpus / "deep", corpus / "moved")
            answer = assistant.ask(f"Where does the {word} live?", k=1, threshold=0)
            assert word in answer.passages[0].citation.quote
            assert not assistant.status().stale
    following_it.join(PATIENCE)
    assert not following_it.is_alive()
    assert all(isinstance(step, Refresh) for step in given)


def test_waiting_for_changes_leaves_no_files_open(watched: FolderCorpus) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count
    assert [watched.told(0) for _ in range(50)] == [0] * 50
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_what_is_told_of_wakes_who_waits_and_stays_until_it_is_looked_at(
    watched: FolderCorpus,
) -> None:
    writing = threading.Timer(0.2, (watched.root / "new.txt").write_text, ["x"])
    writing.start()
    assert watched.told(PATIENCE)
    writing.join()
    assert watched.told(0) == watched.told(0)
    assert "new.txt" in watched.scan().stamps
    assert watched.told(0) == 0


def test_a_folder_above_that_is_moved_is_noticed_though_nothing_tells_of_it(
    watched: FolderCorpus,
) -> None:
    above = watched.root.parent
    above.rename(above.with_name("elsewhere"))
    assert watched.told(PATIENCE) is None


@pytest.fixture(name="watched")
def _watched(corpus: Path) -> Iterator[FolderCorpus]:
    """Give a folder that is watched."""
    (corpus.parent / "above").mkdir()
    folder = corpus.rename(corpus.parent / "above" / "corpus")
    one = FolderCorpus(folder, max_file_size=1000, notify=pytest.fail)
    assert one.told(0) is None
    for _ in range(2):  # the first of a process watches nothing yet
        one.scan()
    yield one
    one.stop_watching()


# --- the command ------------------------------------------------------------------------


class Watcher:
    """`qa watch` as a process of its own, and the lines that it has written."""

    def __init__(self, folder: Path, cache: Path, *options: str, index: Path | None = None) -> None:
        self.corpus = folder / "corpus"
        self.index = index or folder / "index"
        self.lines: list[str] = []
        places = ["--corpus", str(self.corpus), "--index", str(self.index)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "qa", "watch", *places, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "QA_CACHE": str(cache)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until(self, said: str, *, after: int = 0) -> int:
        """Wait for a line that holds it; gives how many lines there are up to that."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for number, line in enumerate(self.lines[after:], after + 1):
                if re.search(said, line):
                    return number
            assert self.process.poll() is None, self.lines
            time.sleep(0.02)
        pytest.fail(f"{said!r} was not said: {self.lines}")

    def until_in_line(self) -> None:
        """Wait until the index is in line with the corpus."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.is_in_line():
                return
            time.sleep(0.1)
        pytest.fail(f"The index lags behind: {self.lines}")

    def is_in_line(self) -> bool:
        """Whether the index has what the corpus has."""
        with qa.Assistant(self.corpus, self.index) as one:
            try:
                status = one.status()
            except qa.QaError:
                return False
            return not status.stale and not status.pending

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; gives the status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def close(self) -> None:
        """End it, if it has not ended."""
        self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(name="watch")
def _watch(corpus: Path, tmp_path: Path, cache: Path) -> Iterator[Callable[..., Watcher]]:
    """Give a function that starts `qa watch` and waits until it does."""
    assert corpus
    started: list[Watcher] = []

    def start(*options: str, index: Path | None = None) -> Watcher:
        started.append(Watcher(tmp_path, cache, *options, index=index))
        started[-1].until(": 3 documents")  # not "Reading 2 of 3 documents"
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_leaves_the_index_whole(
    watch: Callable[..., Watcher], number: int, status: int
) -> None:
    one = watch()
    assert one.stop(number) == status
    assert "Stopped. The index is whole" in "".join(one.lines)
    assert one.is_in_line()


def test_what_is_added_changed_and_removed_is_taken_up(
    watch: Callable[..., Watcher], corpus: Path
) -> None:
    one = watch()
    (corpus / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
    at = one.until("1 added: 4 documents")
    (corpus / "bread.txt").write_text("Rye bread rises slowly.\n", "utf-8")
    at = one.until("1 changed: 4 documents", after=at)
    (corpus / "moon.md").unlink()
    one.until("1 removed: 3 documents", after=at)
    one.until_in_line()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in one.lines[-3:])
    with qa.Assistant(corpus, one.index) as assistant:
        answer = assistant.ask("Where do penguins live?", refresh=False)
        assert [each.citation.document for each in answer.passages][:1] == ["new.txt"]


def _as_vim(path: Path, text: str) -> None:
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    path.write_text(text, "utf-8")
    backup.unlink()


def _as_editors_that_replace(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.tmp")
    new.write_text(text, "utf-8")
    new.replace(path)


@pytest.mark.parametrize("save", [_as_vim, _as_editors_that_replace])
def test_a_save_by_renaming_is_one_change(
    watch: Callable[..., Watcher], corpus: Path, save: Callable[[Path, str], None]
) -> None:
    one = watch()
    at = len(one.lines)
    for number in range(3):
        save(corpus / "bread.txt", f"Rye bread rises slowly, {number} hours.\n")
        at = one.until("changed|added|removed", after=at)
        assert "1 changed: 3 documents" in one.lines[at - 1]
    one.until_in_line()


def test_a_burst_of_more_events_than_linux_counts_is_one_change(
    watch: Callable[..., Watcher], corpus: Path
) -> None:
    one = watch()
    one.process.send_signal(signal.SIGSTOP)  # so that the queue runs over for certain
    with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as file:  # noqa: PTH123
        most = int(file.read())
    for number in range(max(10_000, most + 10)):
        os.utime(corpus / ("moon.md", "deep/whales.txt")[number % 2])
    (corpus / "deep" / "unseen.txt").write_text("Penguins live in the south.\n", "utf-8")
    one.process.send_signal(signal.SIGCONT)
    one.until("1 added: 4 documents")
    one.until_in_line()
    (corpus / "deep" / "next.txt").write_text("Owls live in the woods.\n", "utf-8")
    one.until("1 added: 5 documents")
    assert len(one.lines) < 8


def test_a_steady_stream_of_changes_does_not_hold_it_up(
    watch: Callable[..., Watcher], corpus: Path
) -> None:
    one = watch()
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.wait(0.02):
            (corpus / "log.txt").write_text(f"Line {number} of the log.\n", "utf-8")
            number += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        at = one.until("1 added: 4 documents")
        one.until("1 changed: 4 documents", after=at)
    finally:
        over.set()
        writing.join()
    one.until_in_line()


def test_folders_that_come_move_and_go_are_followed(
    watch: Callable[..., Watcher], corpus: Path
) -> None:
    one = watch()
    shutil.copytree(corpus / "deep", corpus / "new" / "a" / "b")
    at = one.until("1 added: 4 documents")
    (corpus / "new" / "a" / "b" / "owl.txt").write_text("Owls live in the woods.\n", "utf-8")
    at = one.until("1 added: 5 documents", after=at)
    (corpus / "new" / "a").rename(corpus / "moved")
    at = one.until("2 added, 2 removed: 5 documents", after=at)
    (corpus / "moved" / "b" / "owl.txt").write_text("Owls live in barns.\n", "utf-8")
    at = one.until("1 changed: 5 documents", after=at)
    shutil.rmtree(corpus / "moved")
    one.until("2 removed: 3 documents", after=at)
    one.until_in_line()


@pytest.mark.parametrize("way", ["removed", "moved", "moved with the folder above it"])
def test_a_corpus_that_goes_and_comes_again_is_followed_again(
    corpus: Path, tmp_path: Path, cache: Path, way: str
) -> None:
    (tmp_path / "above").mkdir()
    corpus.rename(tmp_path / "above" / "corpus")
    copy = shutil.copytree(tmp_path / "above", tmp_path / "copy")
    with closing(Watcher(tmp_path / "above", cache, index=tmp_path / "index")) as one:
        one.until("3 documents")
        if way == "removed":
            shutil.rmtree(one.corpus)
        elif way == "moved":
            one.corpus.rename(tmp_path / "other")
        else:
            one.corpus.parent.rename(tmp_path / "other")
        at = one.until("There is no corpus")
        shutil.copytree(copy, tmp_path / "above", dirs_exist_ok=True)
        at = one.until("over: the index is up to date again", after=at)
        assert sum("There is no corpus" in line for line in one.lines) == 1
        one.until_in_line()
        (one.corpus / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
        one.until("1 added: 4 documents", after=at)


def test_an_empty_folder_is_watched_until_there_is_a_document(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with closing(Watcher(tmp_path, cache)) as one:
        one.until("holds no documents that can be read.*keeps trying")
        shutil.copy(ARTICLE, one.corpus)
        one.until("1 added: 1 document")


def test_a_corpus_that_was_never_there_is_an_error(tmp_path: Path, cache: Path) -> None:
    with closing(Watcher(tmp_path, cache)) as one:
        assert one.process.wait(PATIENCE) == 2
        one._reader.join(PATIENCE)
        assert one.lines[0].startswith("qa: There is no corpus at")


def test_another_writer_is_waited_for(watch: Callable[..., Watcher], corpus: Path) -> None:
    one = watch("--lock-timeout", "0.2")
    with FileLock(one.index / "writer.lock"):
        (corpus / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
        one.until("Another process has been writing")
        time.sleep(2.5)
    one.until("over: the index is up to date again")
    one.until("1 added: 4 documents")
    assert sum("Another process has been writing" in line for line in one.lines) == 1


def test_a_disk_that_fills_up_is_said_once_and_recovered_from(
    watch: Callable[..., Watcher], corpus: Path, tmp_path: Path
) -> None:
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4096k", "tmpfs", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        one = watch(index=disk / "index")
        room = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(room.f_bavail * room.f_bsize))
        (corpus / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
        at = one.until("No space left for the index")
        time.sleep(2.5)
        assert sum("No space left" in line for line in one.lines) == 1
        (disk / "filler").unlink()
        one.until("over: the index is up to date again", after=at)
        one.until_in_line()
        one.stop()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)  # noqa: S607 - where it is, differs


@pytest.fixture(name="mine")
def _mine(
    corpus: Path, tmp_path: Path, cache: Path, as_user: Callable[[], None]
) -> Iterator[qa.Assistant]:
    """Give an assistant that watches, and that permissions hold for."""
    index = tmp_path / "mine" / "index"
    index.parent.mkdir()
    for folder in (index.parent, corpus, corpus / "deep"):
        folder.chmod(0o777)
        os.chown(folder, 65534, 65534)
    for folder in (cache, *cache.rglob("*"), *cache.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    with qa.Assistant(corpus, tmp_path / "other") as other:
        other.ask("Who?")  # imports what the user may not read where root has installed it
    as_user()
    if os.geteuid() == 0:
        pytest.skip("root may do everything")
    with qa.Assistant(corpus, index, fresh="watch", cache=str(cache)) as assistant:
        yield assistant


def test_an_index_that_may_not_be_written_for_a_while_is_written_after_that(
    mine: qa.Assistant, corpus: Path
) -> None:
    index = mine.settings.index_path()
    steps = mine.follow()
    assert isinstance(next(steps), Refresh)
    index.chmod(0o555)
    (corpus / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
    assert isinstance(next(steps), qa.IndexUnusableError)
    index.chmod(0o755)
    done = next(steps)
    while not isinstance(done, Refresh):
        done = next(steps)
    assert done.added == 1


def test_a_folder_that_may_not_be_read_for_a_while_is_taken_up_after_that(
    mine: qa.Assistant, corpus: Path
) -> None:
    steps = mine.follow()
    next(steps)
    (corpus / "deep").chmod(0)
    done = next(steps)
    assert isinstance(done, Refresh)
    assert (done.removed, [one.document for one in done.problems]) == (1, ["deep/"])
    (corpus / "deep").chmod(0o755)
    done = next(steps)
    assert isinstance(done, Refresh)
    assert (done.added, done.problems) == (1, ())


def test_a_corpus_that_may_not_be_read_for_a_while_leaves_the_index_as_it_was(
    mine: qa.Assistant, corpus: Path
) -> None:
    steps = mine.follow()
    next(steps)
    corpus.chmod(0)
    assert isinstance(next(steps), qa.CorpusError)
    corpus.chmod(0o755)
    done = next(steps)
    while not isinstance(done, Refresh):
        done = next(steps)
    assert (done.added, done.removed, done.unchanged) == (0, 0, 3)


def test_two_may_watch_the_same_corpus(watch: Callable[..., Watcher], corpus: Path) -> None:
    both = watch(), watch()
    for number in range(4, 7):
        (corpus / f"{number}.txt").write_text(f"Number {number} is a number.\n", "utf-8")
        both[0].until_in_line()
    assert [one.stop() for one in both] == [143, 143]
    assert not [line for one in both for line in one.lines if "qa: " in line and "Stop" not in line]
    assert both[0].is_in_line()


def test_a_corpus_that_linux_does_not_tell_of_is_looked_at(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    (corpus / "second.txt").hardlink_to(corpus / "bread.txt")
    with closing(Watcher(tmp_path, cache)) as one:
        one.until("The corpus can't be watched: a file or folder in it has a second name")
        (corpus / "deep" / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
        at = one.until("1 added: 5 documents")
        (corpus / "second.txt").unlink()  # from here on, it can be
        one.until("1 removed: 4 documents", after=at)
        one.until_in_line()
    assert sum("can't be watched" in line for line in one.lines) == 1


def test_an_index_that_was_removed_is_made_again(
    watch: Callable[..., Watcher], corpus: Path
) -> None:
    one = watch()
    one.index.rename(one.index.with_name("removed"))
    (corpus / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
    one.until("4 added: 4 documents")
    one.until_in_line()


def test_a_document_that_cant_be_read_is_named_once(
    watch: Callable[..., Watcher], corpus: Path
) -> None:
    one = watch()
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    at = one.until("broken.pdf: ")
    (corpus / "new.txt").write_text("Penguins live in the south.\n", "utf-8")
    one.until("1 added: 4 documents", after=at)
    assert sum("broken.pdf: " in line for line in one.lines) == 1


def test_a_signal_in_the_midst_of_a_long_refresh_keeps_what_is_done(
    watch: Callable[..., Watcher], corpus: Path
) -> None:
    one = watch()
    for number in range(400):
        text = "\n\n".join(
            f"Paragraph {n} of document {number} on subject {n * n}." for n in range(40)
        )
        (corpus / f"{number}.txt").write_text(text, "utf-8")
    end = time.monotonic() + PATIENCE
    with qa.Assistant(corpus, one.index) as assistant:
        while assistant.status().running is None:
            assert time.monotonic() < end
        assert one.stop(signal.SIGINT) == 130
        assert assistant.ask("Who set foot on the Moon?", refresh=False).passages


def _terminal_alone() -> dict[str, str]:
    """Give an environment in which nothing but the terminal says how wide it is."""
    return {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES"}}


@pytest.mark.parametrize("width", [50, 80, 120])
def test_on_a_terminal_one_line_is_rewritten(
    corpus: Path, tmp_path: Path, cache: Path, width: int
) -> None:
    import pty

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    shown = b""
    process = subprocess.Popen(
        [sys.executable, "-m", "qa", "watch", "--corpus", corpus, "--index", tmp_path / "index"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**_terminal_alone(), "QA_CACHE": str(cache)},
        start_new_session=True,
    )
    os.close(follower)

    def until(said: str) -> None:
        nonlocal shown
        while said.encode() not in shown:
            shown += os.read(leader, 4096)

    try:
        until("Watching: 3 documents")
        for number in range(4, 7):
            (corpus / f"{number}.txt").write_text(f"Number {number} is a number.\n", "utf-8")
            until(f"Watching: {number} documents")
        drawn = shown[shown.index(b"Watching") :].decode()
        assert "\n" not in drawn
        assert "\x1b" not in drawn
        assert all(len(part) < width for part in drawn.split("\r"))
        assert "1 added" in drawn or width < 60
        (corpus / "moon.md").unlink()
        until("5 documents")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        os.close(leader)
