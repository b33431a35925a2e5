"""How an assistant that lives long learns what has changed: kept rows, `max_age`, watching."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_walk import as_nobody

from qa.assistant import Assistant
from qa.corpus import FolderCorpus, watching
from qa.errors import CatalogDamagedError, MissingExtraError, SettingsError
from qa.indexing import apply as applying
from qa.indexing.plan import make_plan
from qa.store.catalog import Catalog
from qa.store.index import Index
from qa.store.rows import FilesKnown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qa.corpus import Scan, Stamp
    from qa.reading.files import Reading

MOON = "Who set foot on the Moon?"
HARBOUR = "How many cranes has the harbour?"
HARBOUR_TEXT = "The harbour has nine cranes. Each of the cranes lifts forty tonnes.\n"


@pytest.fixture(name="make")
def _make(corpus: Path, tmp_path: Path, cache: Path) -> Iterator[Callable[..., Assistant]]:
    """Give a function that makes an assistant over the three documents."""
    made: list[Assistant] = []

    def make(**more: Any) -> Assistant:
        made.append(Assistant(corpus, tmp_path / "index", cache=cache, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


# --- what the catalog says is kept ------------------------------------------------------


def test_what_is_known_of_files_is_read_once_for_each_change(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    assistant.refresh()
    index = Index(tmp_path / "index")
    with closing(index):
        with index.snapshot() as snapshot:
            known = snapshot.known_files()
        with index.snapshot() as snapshot:
            assert snapshot.known_files() is known
        (corpus / "harbour.txt").write_text(HARBOUR_TEXT)
        assistant.refresh()
        with index.snapshot() as snapshot:
            assert set(snapshot.known_files().stamps) == {*known.stamps, "harbour.txt"}


def test_what_another_process_noted_of_a_file_that_is_the_same_is_taken_up(
    assistant: Assistant, tmp_path: Path
) -> None:
    assistant.refresh()
    stamp, later = (1, 2, 3, 4), 10**19 // 2
    with closing(Index(tmp_path / "index")) as index, closing(Index(tmp_path / "index")) as other:
        for found in (None, stamp):
            with index.snapshot() as snapshot:
                known = snapshot.known_files().stamps["moon.md"]
            assert (known == stamp) is (found == stamp)
            other.tidy({"moon.md": stamp}, later, listing="")


def test_an_assistant_that_lives_on_sees_what_another_has_indexed(
    make: Callable[..., Assistant], corpus: Path
) -> None:
    first, second = make(), make()
    first.ask(MOON)
    (corpus / "harbour.txt").write_text(HARBOUR_TEXT)
    assert second.refresh().added == 1
    assert first.refresh().unchanged == 4
    assert first.ask(HARBOUR).answered


@pytest.mark.parametrize("table", ["file", "document"])
def test_rows_lost_under_an_assistant_that_has_read_them_are_missed(
    assistant: Assistant, tmp_path: Path, table: str
) -> None:
    assert assistant.ask(MOON).complete
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        db.execute(f"DELETE FROM {table} WHERE path LIKE '%whales%'")
        db.commit()
    with pytest.raises(CatalogDamagedError, match="lacks"):
        assistant.ask(MOON)


def test_a_file_that_changed_within_its_times_resolution_is_found_by_its_content(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.txt").write_text("x")
    corpus = FolderCorpus(tmp_path, max_file_size=9)
    stamps: dict[str, Stamp | None] = {"a.txt": None}  # read too soon after it was written
    for sha256, changed in [("", ["a.txt"]), (HASH_OF_X, [])]:
        known = FilesKnown(stamps, [sha256], ())
        plan = make_plan(corpus, known, now_ns=0)
        assert plan.changed == changed
        assert plan.unchanged == 1 - len(changed)
        assert not plan.restamped


HASH_OF_X = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


# --- one digest of all files ------------------------------------------------------------


@pytest.fixture(name="later")
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a refresh take place when the times of all files can be trusted."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**10)


def listing(folder: Path) -> str:
    """Give the digest that the index keeps of all files."""
    with closing(Index(folder)) as index, index.snapshot() as snapshot:
        return snapshot.listing


@pytest.mark.usefixtures("later")
def test_files_that_are_all_the_same_are_told_by_one_digest(
    make: Callable[..., Assistant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().refresh()
    assert listing(tmp_path / "index")
    monkeypatch.setattr(Catalog, "known_files", lambda _: pytest.fail("it read all rows"))
    assert make().ask(MOON).answered


def _edit_in_place(corpus: Path) -> None:
    file = corpus / "moon.md"
    before = file.stat()
    file.write_text(file.read_text().replace("Moon", "Noon"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


WHAT_CHANGES: dict[str, Callable[[Path], object]] = {
    "edited in place, its time set back": _edit_in_place,
    "added": lambda corpus: (corpus / "harbour.txt").write_text(HARBOUR_TEXT),
    "removed": lambda corpus: (corpus / "moon.md").unlink(),
    "renamed": lambda corpus: (corpus / "moon.md").rename(corpus / "noon.md"),
    "two that changed places": lambda corpus: [
        (corpus / "moon.md").rename(corpus / "third"),
        (corpus / "bread.txt").rename(corpus / "moon.md"),
        (corpus / "third").rename(corpus / "bread.txt"),
    ],
}


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("change", WHAT_CHANGES.values(), ids=WHAT_CHANGES.keys())
def test_whatever_changes_is_found_though_a_digest_was_kept(
    make: Callable[..., Assistant], corpus: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    make().refresh()
    change(corpus)
    make().ask(MOON)
    assert make().refresh().unchanged == len(list(corpus.iterdir()))


def test_while_times_can_not_be_trusted_no_digest_is_kept(
    make: Callable[..., Assistant], tmp_path: Path
) -> None:
    make().refresh()
    assert not listing(tmp_path / "index")


@pytest.mark.usefixtures("later")
def test_files_that_were_looked_at_again_and_are_the_same_bring_the_digest_back(
    make: Callable[..., Assistant], corpus: Path, tmp_path: Path
) -> None:
    make().refresh()
    before = listing(tmp_path / "index")
    os.utime(corpus / "moon.md", ns=(0, 10**18))
    assert make().ask(MOON).answered
    assert listing(tmp_path / "index") not in {"", before}


@pytest.mark.usefixtures("later")
def test_a_refresh_that_is_cut_off_keeps_no_digest(
    make: Callable[..., Assistant], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().refresh()
    for number in range(4):
        (corpus / f"new{number}.txt").write_text(f"Harbour {number} has {number} cranes.\n")
    with monkeypatch.context() as patch:
        patch.setattr(applying, "COMMIT_PASSAGES", 1)
        patch.setattr(FolderCorpus, "read", _fails_at(3))
        with pytest.raises(KeyboardInterrupt):
            make().refresh()
    assert not listing(tmp_path / "index")
    assert make().refresh().unchanged >= 3
    assert make().refresh().unchanged == 7


def _fails_at(turn: int) -> Callable[[FolderCorpus, str], Reading]:
    """Give what reads files, but is stopped at one of them."""
    read, turns = FolderCorpus.read, iter(range(1, 100))

    def failing(corpus: FolderCorpus, file: str) -> Reading:
        if next(turns) == turn:
            raise KeyboardInterrupt
        return read(corpus, file)

    return failing


@pytest.mark.usefixtures("later")
def test_rows_that_are_lost_are_missed_though_a_digest_was_kept(
    make: Callable[..., Assistant], tmp_path: Path
) -> None:
    make().refresh()
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        db.execute("DELETE FROM file WHERE path LIKE '%whales%'")
        db.commit()
    with pytest.raises(CatalogDamagedError, match="lacks"):
        make().ask(MOON)


# --- max_age ----------------------------------------------------------------------------


def test_within_max_age_an_answer_is_given_without_a_look_and_says_so(
    make: Callable[..., Assistant], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = make(max_age=3600)
    assert assistant.ask(MOON).complete is True
    (corpus / "new.txt").write_text("Neil Armstrong, again, set foot on the Moon.\n")
    with monkeypatch.context() as patch:
        patch.setattr(FolderCorpus, "scan", lambda _: pytest.fail("it looked"))
        answer = assistant.ask(MOON)
    assert answer.answered
    assert answer.complete is None
    assert assistant.refresh().added == 1


def test_within_max_age_nothing_is_denied_without_a_look(
    make: Callable[..., Assistant], corpus: Path
) -> None:
    assistant = make(max_age=3600)
    assert not assistant.ask(HARBOUR).answered
    (corpus / "harbour.txt").write_text(HARBOUR_TEXT)
    answer = assistant.ask(HARBOUR)
    assert answer.answered
    assert answer.complete is True


def test_within_max_age_a_file_that_was_to_be_cited_and_changed_is_read_again(
    make: Callable[..., Assistant], corpus: Path
) -> None:
    assistant = make(max_age=3600)
    assistant.ask(MOON)
    (corpus / "moon.md").write_text("# The Moon\n\nIn 1969 Neil Armstrong set foot on the Moon.\n")
    answer = assistant.ask(MOON)
    assert (
        answer.passages[0].evidence.citation.quote == "In 1969 Neil Armstrong set foot on the Moon."
    )
    assert answer.complete is True


def test_without_max_age_each_question_looks(assistant: Assistant, corpus: Path) -> None:
    assistant.ask(MOON)
    (corpus / "harbour.txt").write_text(HARBOUR_TEXT)
    assert assistant.ask(HARBOUR).passages[0].citation.document == "harbour.txt"


@pytest.mark.parametrize(
    "wrong", [{"max_age": -1}, {"max_age": float("nan")}, {"max_age": "1"}, {"fresh": "always"}]
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Assistant(**wrong)


# --- watch: what it needs ---------------------------------------------------------------


def test_without_its_extra_watch_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(MissingExtraError) as raised:
        Assistant(fresh="watch")
    assert "pip install 'retrieval-qa[watch]'" in str(raised.value.hint)


def test_where_there_is_no_inotify_watch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SettingsError, match="only Linux"):
        Assistant(fresh="watch")


# --- watch ------------------------------------------------------------------------------

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify")


class Watched:
    """A folder that is watched, and one scan of it after the other."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("inotify_simple")
        self.folder = folder
        self.told: list[str] = []
        self.corpus = FolderCorpus(folder, max_file_size=1000, notify=self.told.append)

    def close(self) -> None:
        """Stop watching."""
        self.corpus.stop_watching()

    def scan(self) -> Scan:
        """Give what the watch says, once it was compared with a full check."""
        seen = self.corpus.scan()
        full = FolderCorpus(self.folder, max_file_size=1000).scan()
        assert list(seen.stamps.items()) == list(full.stamps.items())
        assert seen.left_out == full.left_out
        assert seen.unreadable == full.unreadable
        return seen

    def is_settled(self) -> bool:
        """Whether the next scan looks at nothing."""
        return self.scan() is self.scan()


@pytest.fixture(name="watched")
def _watched(tmp_path: Path) -> Iterator[Watched]:
    """Give a folder of two files, watched, and looked at once."""
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "a.txt").write_text("a")
    (tmp_path / "docs" / "sub" / "b.txt").write_text("b")
    with closing(Watched(tmp_path / "docs")) as one:
        one.scan()  # the first of a process watches nothing yet
        assert one.is_settled()
        yield one


def _edit_keeping_the_time(path: Path) -> None:
    status = path.stat()
    path.write_text("c")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def make_again(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda docs: (docs / "sub" / "b.txt").write_text("other"),
    "edited within its size and time": lambda docs: _edit_keeping_the_time(docs / "sub" / "b.txt"),
    "added": lambda docs: (docs / "sub" / "aa.txt").write_text("new"),
    "removed": lambda docs: (docs / "sub" / "b.txt").unlink(),
    "replaced": lambda docs: (docs / "a.txt").replace(docs / "sub" / "b.txt"),
    "no longer readable": lambda docs: (docs / "sub").chmod(0),
    "folder added": lambda docs: shutil.copytree(docs / "sub", docs / "more" / "deep"),
    "folder removed": lambda docs: shutil.rmtree(docs / "sub"),
    "folder moved": lambda docs: (docs / "sub").rename(docs / "A"),
    "folder made again": lambda docs: make_again(docs / "sub"),
    "ignored": lambda docs: (docs / ".gitignore").write_text("b.txt\n"),
    "hidden": lambda docs: (docs / "sub" / ".b").write_text("x"),
}


@on_linux
@pytest.mark.parametrize("change", CHANGES)
def test_a_watch_sees_the_next_change_and_the_one_after(watched: Watched, change: str) -> None:
    CHANGES[change](watched.folder)
    watched.scan()
    (watched.folder / "last.txt").write_text("x")
    assert "last.txt" in watched.scan().stamps
    (watched.folder / "sub").chmod(0o755) if (watched.folder / "sub").exists() else None
    assert watched.is_settled()


@on_linux
def test_folders_in_which_nothing_changed_are_not_looked_into(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    scandir = os.scandir

    def look(path: str) -> object:
        looked.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", look)
    (watched.folder / "sub" / "b.txt").write_text("other")
    watched.corpus.scan()
    assert looked == [str(watched.folder / "sub")]
    watched.corpus.scan()
    assert len(looked) == 1


@on_linux
def test_where_linux_lost_count_everything_is_looked_at(watched: Watched) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 50_000:
        pytest.skip("it would take long")
    for number in range(limit + 100):  # the same twice in a row counts once
        os.utime(watched.folder / ("a.txt", "sub/b.txt")[number % 2])
    (watched.folder / "sub" / "unseen.txt").write_text("x")
    assert "sub/unseen.txt" in watched.scan().stamps
    assert watched.is_settled()


@on_linux
@pytest.mark.parametrize("kind", ["link", "hard link", "link to a folder", "link for a rule"])
def test_a_corpus_with_links_is_looked_at_in_full_and_that_is_said_once(
    watched: Watched, tmp_path: Path, kind: str
) -> None:
    folder = watched.folder
    other = tmp_path / "docs2"
    other.mkdir()
    (other / "rules").write_text("none\n")
    if kind == "hard link":
        (other / "a.txt").hardlink_to(folder / "a.txt")
        (folder / "other.txt").write_text("x")
    else:
        target: dict[str, str | Path] = {
            "link": "a.txt",
            "link to a folder": "sub",
            "link for a rule": other / "rules",
        }
        name = ".qaignore" if kind == "link for a rule" else "link"
        (folder / name).symlink_to(target[kind])
    for _ in range(3):
        assert watched.scan() is not watched.scan()
    assert len(watched.told) == 1
    assert "can't be watched: a file or folder in it has a second name" in watched.told[0]
    with suppress(FileNotFoundError):
        (folder / "link").unlink()
        assert watched.is_settled()


@on_linux
def test_what_was_written_through_a_second_name_is_seen_where_that_stays(watched: Watched) -> None:
    (watched.folder / "sub" / "second.txt").hardlink_to(watched.folder / "a.txt")
    (watched.folder / "sub" / "second.txt").write_text("other")
    before = watched.scan()
    (watched.folder / "sub" / "second.txt").write_text("another")
    assert watched.scan().stamps["a.txt"] != before.stamps["a.txt"]


@on_linux
def test_a_corpus_on_a_network_file_system_is_not_watched(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = watched.folder.resolve()
    mounts = [
        (f"1 0 0:1 / / rw - ext4 disk rw\n2 1 0:2 / {there} rw - nfs4 server:/ rw\n", "nfs4"),
        (f"1 0 0:1 / / rw - ext4 disk rw\n2 1 0:2 / {there}/a\\040b rw - ext4 disk rw\n", "a b"),
    ]
    for text, named in mounts:
        monkeypatch.setattr(watching, "_mounts", lambda text=text: text)
        assert watched.scan() is not watched.scan()
        assert named in watched.told[-1]
    monkeypatch.setattr(watching, "_mounts", lambda: "1 0 0:1 / / rw - ext4 disk rw\n")
    assert watched.is_settled()
    monkeypatch.setattr(watching, "_mounts", lambda: "1 0 0:1 / / rw - xfs disk rw\n")
    assert watched.is_settled()


@on_linux
def test_a_walk_that_was_interrupted_is_not_gone_on_from(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for change in ("sub", ""):
        (watched.folder / change / "new.txt").write_text("x")
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                watched.corpus.scan()
        assert watched.is_settled()


def _interrupted(_: object) -> object:
    raise KeyboardInterrupt


@on_linux
@pytest.mark.parametrize("error", [PermissionError(13, "no"), OSError(28, "No space left")])
def test_where_a_folder_can_not_be_watched_everything_is_looked_at(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    from inotify_simple import INotify

    def refuse(*_: object) -> int:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(INotify, "add_watch", refuse)
        (watched.folder / "sub2").mkdir()
        for number in range(3):
            (watched.folder / "sub2" / f"{number}.txt").write_text("x")
            watched.scan()
    assert len(watched.told) == 1
    assert str(error.strerror) in watched.told[0]
    assert watched.is_settled() is (error.errno == 13)  # with no watches left it is given up


@on_linux
def test_a_child_process_does_not_take_its_parents_news(watched: Watched) -> None:
    (watched.folder / "sub" / "new.txt").write_text("x")
    child = os.fork()
    if not child:
        os._exit("sub/new.txt" not in watched.corpus.scan().stamps)
    assert os.waitpid(child, 0)[1] == 0
    assert "sub/new.txt" in watched.scan().stamps


@on_linux
def test_a_root_that_is_another_folder_now_is_looked_at(watched: Watched, tmp_path: Path) -> None:
    watched.folder.rename(tmp_path / "old")
    watched.folder.mkdir()
    (watched.folder / "z.txt").write_text("x")
    assert list(watched.scan().stamps) == ["z.txt"]
    assert watched.is_settled()


@on_linux
def test_an_assistant_that_watches_answers_from_what_is_there(
    make: Callable[..., Assistant], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("inotify_simple")
    told: list[str] = []
    assistant = make(fresh="watch", notify=told.append)
    assert not assistant.ask(HARBOUR).answered
    (corpus / "harbour.txt").write_text(HARBOUR_TEXT)
    assert assistant.ask(HARBOUR).complete is True
    (corpus / "harbour.txt").write_text(HARBOUR_TEXT.replace("nine", "ten"))
    answer = assistant.ask(HARBOUR)
    assert "ten cranes" in answer.passages[0].evidence.citation.quote
    (corpus / "harbour.txt").unlink()
    assert not assistant.ask(HARBOUR).answered
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", lambda path: pytest.fail(f"it looked into {path}"))
        assert assistant.ask(MOON).complete is True
    assert not told


# --- a law ------------------------------------------------------------------------------

PLACES = st.sampled_from(["a.txt", "b.txt", "d", "d/a.txt", "d/e", "d/e/b.txt", "f", "f/c.txt"])
STEPS = st.one_of(
    st.tuples(st.just("write"), PLACES, st.sampled_from(["", "x", "y", "long" * 300])),
    st.tuples(st.just("folder"), PLACES, st.just("")),
    st.tuples(st.just("remove"), PLACES, st.just("")),
    st.tuples(st.just("move"), PLACES, PLACES),
    st.tuples(st.just("rights"), PLACES, st.sampled_from(["755", "0"])),
    st.tuples(st.just("link"), PLACES, st.sampled_from(["a.txt", "../a.txt", "d", "nothing"])),
    st.tuples(st.just("rule"), PLACES, st.sampled_from(["b.txt\n", "e/\n", "!b.txt\n"])),
)


def _take(step: tuple[str, str, str], root: Path) -> None:
    kind, place, what = step
    path = root / place
    match kind:
        case "write":
            path.write_text(what)
        case "folder":
            path.mkdir()
        case "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        case "move":
            path.rename(root / what)
        case "rights":
            path.chmod(int(what, 8))
        case "link":
            path.symlink_to(what)
        case "rule":
            (path / ".gitignore").write_text(what)


@contextmanager
def _tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as holder:
        root = Path(holder, "docs")
        root.mkdir()
        for one in (root.parent, root):
            one.chmod(0o777)
        try:
            with as_nobody():
                for folder in ("d/e", "f"):
                    (root / folder).mkdir(parents=True)
                for file in ("a.txt", "d/a.txt", "d/e/b.txt"):
                    (root / file).write_text(file)
                yield root
        finally:
            subprocess.run(["chmod", "-R", "u+rwx", holder], check=False, capture_output=True)  # noqa: S607


@on_linux
@settings(max_examples=200)
@given(st.lists(st.lists(STEPS, max_size=5), max_size=6))
def test_a_watch_gives_what_a_full_check_would_whatever_happens_in_between(
    rounds: list[list[tuple[str, str, str]]],
) -> None:
    pytest.importorskip("inotify_simple")
    with _tree() as root, closing(Watched(root)) as watched:
        for _ in range(2):
            watched.scan()
        for steps in rounds:
            for step in steps:
                with suppress(OSError):
                    _take(step, root)
            watched.scan()
