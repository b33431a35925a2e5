"""The walk over a corpus, whatever is in it: links, pipes, rights, depths, names, ignore files."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.corpus import FolderCorpus, Scan
from qa.corpus.regular import read_regular
from qa.errors import CorpusNotFoundError, UnreadableDocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and rights")

HANG = pytest.mark.timeout(30)


def scan(folder: Path, size: int = 1000, **more: Any) -> Scan:
    return FolderCorpus(folder, max_file_size=size, **more).scan()


# --- links ------------------------------------------------------------------------------


def test_a_link_to_itself_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "through").symlink_to("a.txt/b")
    (tmp_path / "z.txt").write_text("x")
    found = scan(tmp_path)
    assert list(found.stamps) == ["a.txt", "z.txt"]
    assert found.left_out == {"broken link": 4}


def test_a_link_into_a_folder_one_may_not_enter_costs_only_itself(
    tmp_path: Path, as_user: Callable[[], None]
) -> None:
    root = tmp_path / "docs"
    (root / "locked" / "in").mkdir(parents=True)
    (root / "a.txt").write_text("x")
    (root / "link").symlink_to("locked/in")
    (root / "locked").chmod(0)
    try:
        as_user()
        found = scan(root)
    finally:
        os.seteuid(os.getuid())
        (root / "locked").chmod(0o755)
    assert list(found.stamps) == ["a.txt"]
    assert found.unreadable == {"link": "Permission denied", "locked/": "Permission denied"}


def test_an_ignored_link_is_no_problem_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("x" * 300)
    assert scan(tmp_path).unreadable == {"link": "File name too long"}
    (tmp_path / ".qaignore").write_text("link\n")
    assert scan(tmp_path).unreadable == {}


@HANG
def test_links_between_folders_give_each_file_once_for_each_link_that_leads_to_it(
    tmp_path: Path,
) -> None:
    names = [f"f{number}" for number in range(12)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("x")
        for other in names:
            (tmp_path / name / f"to-{other}").symlink_to(f"../{other}")
    found = scan(tmp_path)
    assert len(found.stamps) == 12 + 12 * 11
    assert found.left_out == {
        "link to a folder above it": 12 + 12 * 11,  # each folder has one to itself, wherever
        "link to a folder, in a linked folder": 12 * 11 * 11,
    }


def test_the_index_is_passed_over_by_whatever_path_it_is_reached(tmp_path: Path) -> None:
    (tmp_path / "docs" / "index").mkdir(parents=True)
    (tmp_path / "docs" / "index" / "readme.txt").write_text("x")
    (tmp_path / "docs" / "other").symlink_to("index")
    (tmp_path / "link").symlink_to("docs")
    for root, index in [("docs", "docs"), ("link", "docs"), ("docs", "link"), ("link", "link")]:
        assert not scan(tmp_path / root, exclude=tmp_path / index / "index").stamps


# --- depth ------------------------------------------------------------------------------


@contextmanager
def deep(folder: Path, depth: int, *, every: int = 100) -> Iterator[None]:
    """Nest folders, with a file in some; Python's own tools don't reach or remove such a tree."""
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    try:
        for level in range(depth):
            os.mkdir("d", dir_fd=handle)
            below = os.open("d", os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = below
            if level % every == every - 1:
                os.close(os.open("a.txt", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        yield
    finally:
        os.close(handle)
        subprocess.run(["rm", "-rf", folder], check=True)  # noqa: S607


@HANG
@pytest.mark.parametrize("depth", [1500, 5000])
def test_folders_nested_deep_are_walked_as_far_as_a_path_can_reach(
    tmp_path: Path, depth: int
) -> None:
    with deep(tmp_path / "docs", depth):
        (tmp_path / "docs" / "z.txt").write_text("x")
        found = scan(tmp_path / "docs")
        reached = min(depth, (4096 - len(str(tmp_path / "docs"))) // 2) // 100
        assert len(found.stamps) in {reached, reached + 1}
        assert list(found.stamps)[-1] == "z.txt"
        assert list(found.unreadable.values()) == ["File name too long"] * (depth > 2000)
        longest = max(found.stamps, key=len)
        assert FolderCorpus(tmp_path / "docs", max_file_size=9).read_bytes(longest) == b""


# --- ignore files that can't be read ----------------------------------------------------


UNREADABLE = {
    "pipe": (os.mkfifo, "not a regular file"),
    "folder": (Path.mkdir, "not a regular file"),
    "dangling": (lambda path: path.symlink_to("nothing"), "leads nowhere"),
    "itself": (lambda path: path.symlink_to(path.name), "symbolic links"),
    "latin-1": (lambda path: path.write_bytes(b"# caf\xe9\n*.log\nb\xfcro/\n"), "line 3 is not"),
    "utf-16": (lambda path: path.write_text("*.log\n", "utf-16"), "line 1 is not UTF-8"),
    "large": (lambda path: path.write_text("*.log\n" * 11_000), "larger than 65,536 bytes"),
}


@HANG
@pytest.mark.parametrize("name", [".gitignore", ".qaignore"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_folder_whose_ignore_file_can_not_be_read_is_left_out_and_no_other(
    tmp_path: Path, kind: str, name: str
) -> None:
    make, reason = UNREADABLE[kind]
    for folder in ("a", "b/c", "d"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.txt").write_text("x")
    make(tmp_path / "b" / name)  # type: ignore[operator]
    found = scan(tmp_path)
    assert list(found.stamps) == ["a/x.txt", "d/x.txt"]
    assert list(found.unreadable) == [f"b/{name}"]
    assert reason in found.unreadable[f"b/{name}"]
    assert "repair or remove it" in found.unreadable[f"b/{name}"]


def test_an_ignore_file_without_rights_leaves_its_folder_out(
    tmp_path: Path, as_user: Callable[[], None]
) -> None:
    root = tmp_path / "docs"
    (root / "b").mkdir(parents=True)
    (root / "a.txt").write_text("x")
    (root / "b" / "x.txt").write_text("x")
    (root / "b" / ".gitignore").write_text("x.txt\n")
    (root / "b" / ".gitignore").chmod(0)
    as_user()
    found = scan(root)
    assert list(found.stamps) == ["a.txt"]
    assert "Permission denied" in found.unreadable["b/.gitignore"]


def test_an_ignore_file_that_can_not_be_read_is_named_and_ends_no_command(
    run: Run, corpus: Path
) -> None:
    (corpus / "deep" / ".gitignore").mkdir()
    for command in ("index", "status"):
        status, out, err = run(command)
        assert status == 0, err
        assert "deep/.gitignore" in out + err
    (corpus / ".qaignore").symlink_to("nothing")
    status, out, err = run("index")
    assert status
    assert ".qaignore" in err
    assert "defect" not in err


def test_an_ignore_file_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "common").write_text("*.log\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / ".qaignore").symlink_to("../common")
    (tmp_path / "docs" / "a.log").write_text("x")
    assert scan(tmp_path / "docs").left_out["ignored"] == 1


def test_lines_of_an_ignore_file_end_where_git_ends_them(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes("a.txt\r\nb\u2028c.txt\nd.txt \n# \xe9\n".encode())
    for name in ("a.txt", "b\u2028c.txt", "c.txt", "d.txt", "b"):
        (tmp_path / name).write_text("x")
    assert list(scan(tmp_path).stamps) == ["b", "c.txt"]


# --- reading ----------------------------------------------------------------------------


@HANG
def test_what_is_not_a_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "null.txt").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(tmp_path / "socket.txt"))
        corpus = FolderCorpus(tmp_path, max_file_size=99)
        for name in ("pipe.txt", "socket.txt", "folder.txt"):
            with pytest.raises(UnreadableDocumentError, match="not a regular file"):
                corpus.read_bytes(name)
        with pytest.raises(UnreadableDocumentError, match="outside"):
            corpus.read_bytes("null.txt")
        with pytest.raises(OSError, match="not a regular file"):
            read_regular("/dev/zero", 99)


@HANG
def test_a_pipe_put_in_a_files_place_between_two_looks_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    status = os.stat(path)  # noqa: PTH116
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(os, "stat", lambda *_, **__: status)
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(str(path), 99)


def test_a_file_over_the_limit_is_refused_with_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 1001)
    (tmp_path / "b.txt").write_text("x" * 1000)
    corpus = FolderCorpus(tmp_path, max_file_size=1000)
    with pytest.raises(UnreadableDocumentError, match=r"larger than 1,000 bytes.*max_file_size"):
        corpus.read_bytes("a.txt")
    assert corpus.read_bytes("b.txt") == b"x" * 1000


def test_a_file_that_grows_while_it_is_read_is_read_to_the_limit_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x" * 10)
    before = os.stat(path)  # noqa: PTH116
    monkeypatch.setattr(os, "fstat", lambda _: before)
    path.write_text("x" * 20)
    assert read_regular(str(path), 20) == b"x" * 20
    with pytest.raises(OSError, match="larger than 19 bytes"):
        read_regular(str(path), 19)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_file_that_tells_no_size_is_read() -> None:
    assert b"Name:" in read_regular("/proc/self/status", 10_000)


@HANG
@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_pipe_in_a_documents_place_hangs_no_command(
    run: Run, corpus: Path, tmp_path: Path, command: str
) -> None:
    status, saved, err = run("ask", "How long does the Moon take?", "--format", "json")
    assert status == 0, err
    (tmp_path / "saved.json").write_text(saved)
    (corpus / "moon.md").unlink()
    os.mkfifo(corpus / "moon.md")
    status, out, err = run(command, "saved.json" if command == "verify" else "moon.md:1")
    assert status
    assert "defect" not in out + err


# --- roots ------------------------------------------------------------------------------


def test_a_root_that_is_a_link_is_walked_and_read(tmp_path: Path) -> None:
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "sub" / "a.txt").write_text("x")
    (tmp_path / "docs" / "b.txt").symlink_to("sub/a.txt")
    (tmp_path / "docs" / "up").symlink_to(tmp_path / "link")
    (tmp_path / "link").symlink_to("docs")
    assert list(scan(tmp_path / "link").stamps) == ["b.txt", "sub/a.txt"]
    assert FolderCorpus(tmp_path / "link", max_file_size=9).read_bytes("b.txt") == b"x"


def test_a_link_to_a_file_elsewhere_can_be_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.txt").write_text("x")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link.txt").symlink_to("../there/a.txt")
    corpus = FolderCorpus(tmp_path / "here" / "link.txt", max_file_size=9)
    assert list(corpus.scan().stamps) == ["link.txt"]
    assert corpus.read_bytes("link.txt") == b"x"
    with pytest.raises(UnreadableDocumentError, match="outside"):
        corpus.read_bytes("../there/a.txt")


@HANG
@pytest.mark.parametrize("kind", ["pipe", "itself", "dangling", "nul", "long"])
def test_a_root_that_is_neither_folder_nor_file_is_said_to_be_none(
    run: Run, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / ("n" * 300 if kind == "long" else "root")
    if kind in UNREADABLE:
        UNREADABLE[kind][0](path)  # type: ignore[operator]
    if kind == "nul":
        path = Path(f"{path}\0")
    with pytest.raises(CorpusNotFoundError, match="corpus at"):
        scan(path)
    if kind != "nul":
        status, _, err = run("index", "--corpus", path)
        assert status
        assert "corpus at" in err
        assert "defect" not in err


@pytest.mark.parametrize("locked", ["docs", "above"])
def test_a_root_without_rights_is_named(
    tmp_path: Path, as_user: Callable[[], None], locked: str
) -> None:
    root = tmp_path / "above" / "docs"
    root.mkdir(parents=True)
    (root / "a.txt").write_text("x")
    (root if locked == "docs" else root.parent).chmod(0)
    as_user()
    if locked == "docs":
        assert scan(root).unreadable == {".": "Permission denied"}
    else:
        with pytest.raises(CorpusNotFoundError, match="Permission denied"):
            scan(root)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_single_file_whose_name_is_not_text_is_left_out(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_text("x")
    assert scan(path).left_out == {"name is not UTF-8": 1}


# --- what changes under the walk --------------------------------------------------------


class _Vanishing:
    """A folder's listing, of which some entries are gone by the time they are looked at."""

    def __init__(self, path: str) -> None:
        self._real = _SCANDIR(path)

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        for entry in self._real.__enter__():
            if entry.name.startswith("gone"):
                path = Path(entry.path)
                path.rmdir() if entry.is_dir() else path.unlink()
            yield entry

    def __exit__(self, *error: object) -> None:
        self._real.close()


_SCANDIR = os.scandir


def test_what_is_removed_during_the_walk_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "gone.txt", "z.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "gone").mkdir()
    monkeypatch.setattr(os, "scandir", _Vanishing)
    found = scan(tmp_path)
    assert list(found.stamps) == ["a.txt", "z.txt"]
    assert not found.unreadable
    assert not found.left_out


def test_a_file_dated_after_the_year_2262_is_indexed(run: Run, corpus: Path) -> None:
    os.utime(corpus / "moon.md", ns=(0, 13_569_465_600 * 10**9))
    if (corpus / "moon.md").stat().st_mtime_ns < 2**63:
        pytest.skip("this file system keeps no such times")
    for command in (["index"], ["index"], ["ask", "How long does the Moon take?"]):
        status, out, err = run(*command)
        assert status == 0, out + err


# --- laws -------------------------------------------------------------------------------

NAMES = st.sampled_from(
    [b"a", b"b.txt", b"c\nd", b" e ", b".f", b"g\xff", b"h.png", b"n" * 255, "ü.md".encode()]
)
TARGETS = st.one_of(
    st.sampled_from([b".", b"..", b"../..", b"/etc", b"/etc/hostname", b"nothing", b"a/b.txt"]),
    st.lists(st.one_of(NAMES, st.just(b"..")), min_size=1, max_size=3).map(b"/".join),
)
NODES = st.recursive(
    st.one_of(
        st.tuples(st.just("file"), st.sampled_from([0, 7, 2000])),
        st.tuples(st.just("link"), TARGETS),
        st.tuples(st.just("pipe"), st.none()),
        st.tuples(st.just("locked file"), st.none()),
    ),
    lambda children: st.tuples(
        st.sampled_from(["folder", "folder", "folder", "unlisted", "closed"]),
        st.dictionaries(NAMES, children, max_size=4),
    ),
    max_leaves=25,
)


def _grow(path: bytes, kind: str, what: object) -> None:
    if kind in {"folder", "unlisted", "closed"}:
        os.mkdir(path)  # noqa: PTH102 - names of bytes, here and below
        for name, node in what.items():  # type: ignore[attr-defined]
            _grow(path + b"/" + name, *node)
        os.chmod(path, {"folder": 0o755, "unlisted": 0o311, "closed": 0}[kind])  # noqa: PTH101
    elif kind == "link":
        os.symlink(what, path)  # type: ignore[arg-type]  # noqa: PTH211
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        size = what if isinstance(what, int) else 3
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
        os.write(descriptor, b"x" * size)
        os.close(descriptor)
        os.chmod(path, 0 if kind == "locked file" else 0o644)  # noqa: PTH101


def _simply(root: str, folder: str = "", *, linked: bool = False) -> Iterator[str]:
    """Give the documents there should be, in order, by rules as they are written in the docs."""
    try:
        names = sorted(os.listdir(f"{root}/{folder}"))  # noqa: PTH208
    except OSError:
        return
    for name in names:
        path = f"{root}/{folder}{name}"
        real = os.path.realpath(path)
        outside = not real.startswith(root + "/") and real != root
        if name.startswith(".") or name != os.fsencode(name).decode("utf-8", "ignore"):
            continue
        is_link = os.path.islink(path)  # noqa: PTH114
        if is_link and outside:
            continue
        if os.path.isdir(path):  # noqa: PTH112
            above = f"{os.path.realpath(f'{root}/{folder}')}/".startswith(real + "/")
            if not (is_link and (linked or above)):
                yield from _simply(root, f"{folder}{name}/", linked=linked or is_link)
            continue
        with suppress(OSError):
            status = os.stat(path)  # noqa: PTH116
            if stat.S_ISREG(status.st_mode) and status.st_size < 1000 and name != "h.png":
                yield folder + name


@contextmanager
def as_nobody() -> Iterator[None]:
    """Take root's rights from this process for a while."""
    if os.getuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@settings(max_examples=150)
@given(st.dictionaries(NAMES, NODES, max_size=5))
def test_a_scan_never_fails_and_finds_all_that_may_be_found_and_nothing_outside(
    tree: dict[bytes, object],
) -> None:
    with tempfile.TemporaryDirectory() as holder:
        os.chmod(holder, 0o755)  # noqa: PTH101, S103
        root = os.path.realpath(holder) + "/root"
        try:
            _grow(os.fsencode(root), "folder", tree)
            with as_nobody():
                corpus = FolderCorpus(Path(root), max_file_size=1000)
                found = corpus.scan()
                assert list(found.stamps) == list(_simply(root))
                for document, (size, *_) in found.stamps.items():
                    assert os.path.realpath(f"{root}/{document}").startswith(root + "/")
                    with suppress(UnreadableDocumentError):
                        assert len(corpus.read_bytes(document)) == size
                for names in (found.stamps, found.unreadable, found.left_out):
                    "".join(names).encode()
        finally:
            subprocess.run(["chmod", "-R", "u+rwx", holder], check=False, capture_output=True)  # noqa: S607
