"""An index that may only be read: it answers as any other, and nothing is written anywhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from qa.assistant import Assistant
from qa.encoding.export import ENCODER, appearing
from qa.store.lexical import LexicalIndex, build, grow, open_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")

QUESTION = "Who set foot on the Moon?"


class Sealed(NamedTuple):
    """Folders of which none can be written, and how to run `qa` there without rights."""

    top: Path
    temporary: Path
    environment: dict[str, str]
    without_rights: list[str]

    def run(self, *arguments: object) -> tuple[int, str, str]:
        """Run `qa` to its end: (status, stdout, stderr)."""
        done = subprocess.run(
            [*self.without_rights, sys.executable, "-m", "qa", *map(str, arguments)],
            cwd=self.top, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def files(self) -> dict[str, tuple[int, int, int]]:
        """Say of everything below what would show that it was written."""
        found = [self.top, *self.top.rglob("*")]
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size, path.stat().st_mode)
            for path in found
        }


def _without_rights() -> list[str]:
    """Give what runs a command as somebody whom the modes of files hold back."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root without setpriv")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]


def _protect(top: Path) -> None:
    for path in [*top.rglob("*"), top]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def _free(top: Path) -> None:
    for path in [top, *top.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture(name="sealed")
def _sealed(
    assistant: Assistant, corpus: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sealed]:
    """Give a corpus, its index, a saved answer and a cache that can't be written."""
    top = tmp_path_factory.mktemp("sealed")
    temporary = tmp_path_factory.mktemp("temporary")
    shutil.copytree(corpus, top / "corpus")
    shutil.copytree(cache, top / "cache", copy_function=os.link)
    names = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    environment = names | {
        "QA_CACHE": str(top / "cache"),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    one = Sealed(top, temporary, environment, _without_rights())
    with Assistant(top / "corpus", top / "index", cache=str(top / "cache")) as owner:
        owner.refresh()
    status, answer, _ = one.run("ask", QUESTION, "--format", "json")
    assert status == 0
    (top / "answer.json").write_text(answer)
    for name in ("corpus", "index"):
        _protect(top / name)
    for folder in [*(top / "cache").rglob("*/"), top / "cache"]:  # its files are others' as well
        if folder.is_dir():
            folder.chmod(0o555)
    top.chmod(0o555)
    yield one
    top.chmod(0o755)
    for folder in [top / "cache", *(top / "cache").rglob("*")]:
        if folder.is_dir():
            folder.chmod(0o755)
    for name in ("corpus", "index"):
        _free(top / name)


def test_no_command_that_reads_finds_fault_with_it_or_writes(sealed: Sealed) -> None:
    before = sealed.files()
    for command in (
        ["ask", QUESTION],
        ["ask", QUESTION, "--no-refresh"],
        ["ask", QUESTION, "--in", "*.md"],
        ["status"],
        ["show", "moon.md:7"],
        ["verify", "answer.json"],
        ["index"],
    ):
        status, out, err = sealed.run(*command)
        assert (status, bool(out)) == (0, True), err
        told = [line for line in err.splitlines() if not line.startswith("Checking against ")]
        assert not told, command
    assert sealed.files() == before
    assert not list(sealed.temporary.iterdir())


def test_its_answers_are_those_that_its_owner_gets(sealed: Sealed) -> None:
    saved = (sealed.top / "answer.json").read_text()
    assert sealed.run("ask", QUESTION, "--format", "json") == (0, saved, "")


def test_doctor_finds_its_accelerators_as_they_were_written(sealed: Sealed) -> None:
    status, out, err = sealed.run("doctor")
    assert status == 0, err
    assert "vectors and lexical index are those written" in out
    assert "damaged" not in out + err


def test_what_can_not_be_taken_up_is_told(sealed: Sealed) -> None:
    corpus = sealed.top / "corpus"
    corpus.chmod(0o755)
    (corpus / "new.txt").write_text("Penguins live in the south.")
    for _ in range(2):
        status, out, err = sealed.run("ask", QUESTION, "-k1")
        assert (status, out.splitlines()[2]) == (0, "1. moon.md:7")
        assert "3 of 4 documents are indexed" in err
        assert err.count("could not be refreshed") == 1
        assert len(err.splitlines()) == 2
    status, _, err = sealed.run("index")
    assert status == 2
    assert "can't be written" in err


def test_without_a_folder_for_temporary_files_it_still_answers(sealed: Sealed) -> None:
    """The lexical index is then made in memory; nothing is damaged, and nothing is called so."""
    without = "import sys, tempfile; tempfile._candidate_tempdir_list = lambda: []; import qa.cli;"
    code = f"{without} sys.argv[1:] = ['ask', {QUESTION!r}, '-k1', '--no-refresh']; qa.cli.main()"
    done = subprocess.run(
        [*sealed.without_rights, sys.executable, "-c", code],
        cwd=sealed.top, env=sealed.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "\n1. moon.md:7\n" in done.stdout
    assert "can't be used" in done.stderr
    assert "damaged" not in done.stderr


READER = """
import sys, qa
with qa.Assistant("corpus", "index", cache="cache", notify=print) as assistant:
    for _ in sys.stdin:
        answer = assistant.ask("Which animal lives in the south?", k=1, threshold=0)
        print([str(one.citation) for one in answer.passages], answer.notes, flush=True)
"""


def test_a_reader_follows_what_the_owner_writes(sealed: Sealed) -> None:
    """It may not share the catalog's log with the owner, and must not be left with old pages."""
    corpus, index = sealed.top / "corpus", sealed.top / "index"
    _free(index)
    for name in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
        (index / name).unlink(missing_ok=True)
    _protect(index)
    with subprocess.Popen(
        [*sealed.without_rights, sys.executable, "-c", READER], cwd=sealed.top,
        env=sealed.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip
        assert reader.stdin is not None
        assert reader.stdout is not None

        def asked() -> str:
            assert reader.stdin is not None
            assert reader.stdout is not None
            reader.stdin.write("again\n")
            reader.stdin.flush()
            return reader.stdout.readline()

        assert asked().endswith("()\n")
        for number in range(3):
            _free(corpus)
            _free(index)
            (corpus / f"new{number}.txt").write_text("Penguins live in the south." * (number + 1))
            (corpus / f"new{number - 1}.txt").unlink(missing_ok=True)
            with Assistant(corpus, index, cache=str(sealed.top / "cache")) as owner:
                owner.refresh()
            _protect(index)
            assert asked() == f"['new{number}.txt:1'] ()\n"
        reader.stdin.close()


@pytest.mark.parametrize("shared", [True, False], ids=["with its shm", "without its shm"])
def test_a_log_that_a_writer_left_behind_is_read_or_named(
    sealed: Sealed, tmp_path: Path, *, shared: bool
) -> None:
    """A copy of an index in use has the last changes in `catalog.sqlite-wal` alone."""
    corpus, index = sealed.top / "corpus", sealed.top / "index"
    sealed.top.chmod(0o755)
    _free(corpus)
    _free(index)
    holder = sqlite3.connect(index / "catalog.sqlite", isolation_level=None)
    holder.execute("BEGIN")
    holder.execute("SELECT count(*) FROM meta").fetchone()  # so that the log stays
    (corpus / "new.txt").write_text("Penguins live in the south.")
    with Assistant(corpus, index, cache=str(sealed.top / "cache")) as owner:
        owner.refresh()
    shutil.copytree(index, tmp_path / "copy")
    holder.close()
    shutil.rmtree(index)
    shutil.copytree(tmp_path / "copy", index)
    assert (index / "catalog.sqlite-wal").stat().st_size
    if not shared:
        (index / "catalog.sqlite-shm").unlink()
    for folder in (corpus, index):
        _protect(folder)
    before = sealed.files()
    status, out, err = sealed.run("ask", "Which animal lives in the south?", "-k1", "--always")
    if shared:
        assert (status, err) == (0, "")
        assert "\n1. new.txt:1\n" in out
    else:
        assert status == 2
        assert "catalog.sqlite-wal" in err
        assert "damaged" not in err
    assert sealed.files() == before


def test_what_is_written_has_the_rights_that_the_umask_gives(
    assistant: Assistant, tmp_path: Path
) -> None:
    """Else the index that one account makes is of no use to another."""
    assistant.refresh()
    umask = os.umask(0)
    os.umask(umask)
    for path in (tmp_path / "index").rglob("*"):
        given = 0o777 if path.is_dir() else 0o666
        assert path.stat().st_mode & 0o777 == given & ~umask, path
    with appearing(tmp_path / "encoders" / "one", ENCODER) as beside:
        assert beside.stat().st_mode & 0o777 == 0o777 & ~umask


def test_a_lexical_index_with_deletions_is_searched_where_it_can_not_be_written(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    build(old, ((one, ["harbour", "number", f"{one}"]) for one in range(1, 200)))
    assert grow(old, new, delete=[7, 9], add=[(200, ["harbour", "ship"])]) == 198
    code = (
        "import sys; from pathlib import Path; from qa.store.lexical import open_index;"
        "print(open_index(Path(sys.argv[1])).search(['ship', 'harbour'], 3)[0])"
    )
    _protect(new)
    done = subprocess.run(
        [*_without_rights(), sys.executable, "-c", code, new],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "200\n"
    _free(new)
    assert len(open_index(new)) == len(LexicalIndex(new)) == 198
