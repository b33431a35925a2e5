"""qa.toml: found upwards, read carefully, and allowed what lies outside of its folder once."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ARTICLE
from qa.errors import SettingsError
from qa.settings import Settings, load_settings
from qa.settings_file import find_settings_file
from qa.trust import UntrustedError, allow
from typing_on import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners, links and pipes")


@pytest.fixture(name="home", autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home directory, with consents of its own."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


def made(folder: Path, text: str = "k = 3\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "qa.toml").write_text(text, "utf-8")
    return folder / "qa.toml"


def loaded(folder: Path, **arguments: object) -> Settings:
    return load_settings(arguments, folder=folder, environment={})


# --- where it is looked for -------------------------------------------------------------


def test_the_nearest_file_counts_up_to_home_or_the_top_of_a_repository(home: Path) -> None:
    deep = home / "a" / "b" / "c"
    deep.mkdir(parents=True)
    assert find_settings_file(deep) is None
    at_home = made(home)
    assert find_settings_file(deep) == at_home
    (home / "a" / ".git").mkdir()
    assert find_settings_file(deep) is None  # above the repository it is another's project
    in_repository = made(home / "a")
    assert find_settings_file(deep) == in_repository
    own = made(deep)
    assert find_settings_file(deep) == own


def test_nothing_above_home_counts_nor_anything_above_a_folder_outside_of_it(
    home: Path, tmp_path: Path
) -> None:
    made(tmp_path)
    assert find_settings_file(home) is None
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    assert find_settings_file(elsewhere) is None
    assert find_settings_file(tmp_path) == tmp_path / "qa.toml"


def test_a_worktree_is_a_repository_though_its_git_is_a_file(home: Path) -> None:
    made(home)
    (home / "tree").mkdir()
    (home / "tree" / ".git").write_text("gitdir: elsewhere")
    assert find_settings_file(home / "tree") is None


def test_a_home_that_is_the_root_makes_nobody_look_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path)
    (tmp_path / "sub").mkdir()
    monkeypatch.setenv("HOME", tmp_path.anchor)
    assert find_settings_file(tmp_path / "sub") is None


@POSIX
def test_a_working_directory_that_has_gone_has_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find_settings_file() is None


# --- what its paths are relative to -----------------------------------------------------


def test_relative_paths_are_of_its_folder_from_wherever_one_asks(home: Path) -> None:
    made(home / "p", 'corpus = "papers"\nindex = "here/index"\nmodel = "./m"\nrerank = "r/x"\n')
    (home / "p" / "sub" / "deep").mkdir(parents=True)
    (home / "p" / "r" / "x").mkdir(parents=True)
    (home / ".git").mkdir()
    found = loaded(home / "p" / "sub" / "deep")
    assert found.corpus == str(home / "p" / "papers")
    assert found.index == str(home / "p" / "here" / "index")
    assert found.model == str(home / "p" / "m")
    assert found.rerank == str(home / "p" / "r" / "x")
    assert found == loaded(home / "p")


def test_the_usual_corpus_has_its_index_beside_it_from_wherever_one_asks(home: Path) -> None:
    made(home / "p", 'corpus = "corpus"\n')
    (home / "p" / "sub").mkdir()
    assert loaded(home / "p" / "sub").index_path() == home / "p" / "index"


def test_the_index_of_the_file_is_not_taken_for_another_corpus(home: Path) -> None:
    made(home, 'corpus = "papers"\nindex = "i"\n')
    assert loaded(home).index == str(home / "i")
    assert loaded(home, corpus="other").index is None
    assert loaded(home, corpus=f"{home}/x/../papers/").index == str(home / "i")
    assert loaded(home, corpus="other", index="mine").index == "mine"


def test_a_tilde_is_the_home_directory(home: Path) -> None:
    made(home, 'corpus = "~/papers"\n')
    assert loaded(home).corpus == str(home / "papers")


# --- consent ----------------------------------------------------------------------------

OUTSIDE = {
    "corpus": 'corpus = "../other"',
    "an absolute corpus": 'corpus = "/etc"',
    "index": 'index = "../../index"',
    "the home directory": 'index = "~/other"',
    "a model": 'model = "../model"',
    "a model of a hub": 'model = "someone/something"',
    "a name that is a corpus, too": 'model = "gpt2"\n[corpora.gpt2]\ncorpus = "c"',
    "a cache that is such a name": 'cache = "c"\n[corpora.c]\ncorpus = "c"',
    "a cross-encoder": 'rerank = "someone/something"',
    "a cache, even inside": 'cache = "cache"',
    "a program to start": "ocr = true",
    "a corpus of a name": '[corpora.notes]\ncorpus = "../notes"',
    "an index of a name": '[corpora.notes]\ncorpus = "notes"\nindex = "/var/index"',
}


@pytest.mark.parametrize("text", OUTSIDE.values(), ids=OUTSIDE)
def test_what_leads_out_of_its_folder_needs_consent_once(home: Path, text: str) -> None:
    file = made(home / "p", text)
    with pytest.raises(UntrustedError) as raised:
        loaded(home / "p")
    assert str(file) in str(raised.value)
    assert text.splitlines()[0].split(" = ")[0] in str(raised.value) or "corpora.notes" in str(
        raised.value
    )
    assert "qa trust" in raised.value.hint
    assert f"QA_TRUST={file}" in raised.value.hint
    allow(raised.value.file, raised.value.wishes)
    loaded(home / "p")
    file.write_text(f"{text}\n# another text now", "utf-8")
    with pytest.raises(UntrustedError):
        loaded(home / "p")


def test_what_stays_inside_needs_none(home: Path) -> None:
    (home / "p" / "model").mkdir(parents=True)
    made(
        home / "p",
        'corpus = "."\nindex = "./i"\nk = 2\nthreshold = 0.4\nmodel = "model"\nocr = false\n'
        'rerank = "all-MiniLM-L6-v2"\njobs = 1\ndevice = "cuda"\nmax_age = 1\nlock_timeout = 1\n'
        'fresh = "watch"\nmax_file_size = 9\n[corpora.notes]\ncorpus = "notes"\nindex = "n"\n',
    )
    assert loaded(home / "p").k == 2


@POSIX
def test_a_link_that_leads_elsewhere_by_now_is_asked_for_again(home: Path, tmp_path: Path) -> None:
    made(home / "p", 'index = "link"\ncache = "c"\n')
    (home / "p" / "inside").mkdir()
    (home / "p" / "link").symlink_to("inside")
    with pytest.raises(UntrustedError) as raised:
        loaded(home / "p")
    allow(raised.value.file, raised.value.wishes)
    loaded(home / "p")
    (home / "p" / "link").unlink()
    (home / "p" / "link").symlink_to(tmp_path)
    with pytest.raises(UntrustedError, match=f"index = {tmp_path}"):
        loaded(home / "p")


def test_a_copy_of_an_allowed_file_is_not_allowed(home: Path) -> None:
    text = 'corpus = "/etc"\n'
    made(home / "p", text)
    with pytest.raises(UntrustedError) as raised:
        loaded(home / "p")
    allow(raised.value.file, raised.value.wishes)
    made(home / "q", text)
    with pytest.raises(UntrustedError):
        loaded(home / "q")


def test_the_environment_can_allow_a_file_and_only_that_one(home: Path) -> None:
    file, other = made(home / "p", "ocr = true"), made(home / "q", "ocr = true")
    environment = {"QA_TRUST": os.pathsep.join(["", str(file), "relative"])}
    assert load_settings(folder=file.parent, environment=environment).ocr
    with pytest.raises(UntrustedError):
        load_settings(folder=other.parent, environment=environment)
    with pytest.raises(UntrustedError):
        load_settings(folder=other.parent, environment={"QA_TRUST": "1"})


@pytest.mark.parametrize("noted", [b"", b"[]", b"\xff", b'{"x": 1}', b"[" * 100_000, b"{}"])
def test_notes_of_consent_that_are_damaged_allow_nothing(
    home: Path, tmp_path: Path, noted: bytes
) -> None:
    file = made(home / "p", "ocr = true")
    with pytest.raises(UntrustedError) as raised:
        loaded(home / "p")
    allow(raised.value.file, raised.value.wishes)
    [store] = (tmp_path / "config").rglob("trusted.json")
    store.write_bytes(noted.replace(b'"x"', json.dumps(str(file)).encode()))
    with pytest.raises(UntrustedError):
        loaded(home / "p")
    allow(raised.value.file, raised.value.wishes)
    assert loaded(home / "p").ocr
    if os.name == "posix":
        assert store.stat().st_mode & 0o077 == 0
    assert [one.name for one in store.parent.iterdir()] == ["trusted.json"]


@POSIX
def test_a_consent_that_can_not_be_kept_says_so(home: Path, tmp_path: Path) -> None:
    made(home / "p", "ocr = true")
    with pytest.raises(UntrustedError) as raised:
        loaded(home / "p")
    (tmp_path / "config").write_text("a file where the folder would be")
    with pytest.raises(SettingsError, match="can't be kept") as refused:
        allow(raised.value.file, raised.value.wishes)
    assert "QA_TRUST" in refused.value.hint


@POSIX
@pytest.mark.skipif("os.geteuid() != 0")
@pytest.mark.parametrize("target", ["file", "link"])
def test_a_file_of_another_user_needs_consent_for_all_of_it(
    home: Path, tmp_path: Path, target: str
) -> None:
    file = made(home / "p", "k = 3\n")
    if target == "file":
        os.chown(file, 12345, 12345)
    else:
        file.rename(tmp_path / "qa.toml")
        file.symlink_to(tmp_path / "qa.toml")
        os.lchown(file, 12345, 12345)
    with pytest.raises(UntrustedError, match="another user's") as raised:
        loaded(home / "p")
    allow(raised.value.file, raised.value.wishes)
    assert loaded(home / "p").k == 3


@POSIX
@pytest.mark.skipif("os.geteuid() != 0")
def test_a_file_of_root_is_as_good_as_ones_own(home: Path, as_user: object) -> None:
    made(home / "p", "k = 3\n")
    home.chmod(0o755)
    as_user()  # type: ignore[operator]
    assert loaded(home / "p").k == 3


# --- files that nobody would write ------------------------------------------------------

LINES = {
    "not TOML": (b"k = 3\n\nthreshold = \n", "line 3, can't be read: "),
    "an open end": (b'k = 3\nmodel = "', "line 2, can't be read: "),
    "not UTF-8": (b"k = 3\n# caf\xe9\n", "line 2, can't be read: it is not UTF-8"),
    "UTF-16": ("k = 3\n".encode("utf-16"), "not UTF-8"),
    "an unknown key": (b"# what for\n\nkay = 3\n", "line 3: unknown setting 'kay'"),
    "a wrong type": (b"model = 'm'\r\nk = 'three'\r\n", "line 2: k is 'three'"),
    "a key of a table": (b"[k]\nk = 3\n", "k is {'k': 3}"),
    "corpora that are none": (b"corpora = 3\n", "not a table of tables"),
    "a corpus that is none": (b"[corpora]\nnotes = 'x'\n", "not a table of tables"),
    "a corpus without one": (b"[corpora.notes]\nindex = 'i'\n", "[corpora.notes]: it names no"),
    "a corpus with more": (b"[corpora.n]\ncorpus = 'c'\nk = 3\n", "[corpora.n]: unknown setting"),
    "a corpus of no text": (b"[corpora.n]\ncorpus = 3\n", "[corpora.n]: corpus is 3"),
    "a name that is a path": (b"[corpora.'../x']\ncorpus = 'c'\n", "letters, digits"),
    "a name that is an option": (b"[corpora.-k]\ncorpus = 'c'\n", "letters, digits"),
    "no name": (b"[corpora.'']\ncorpus = 'c'\n", "letters, digits"),
    "a name of two lines": (b'[corpora."a\\nb"]\ncorpus = "c"\n', "letters, digits"),
    "a path with a NUL": (b'index = "a\\u0000b"\n', "can't be a path"),
    "a number without end": (b"k = " + b"9" * 50_000, "can't be read"),
    "too much": (b"#" * 70_000, "larger than 65,536 bytes"),
}


@pytest.mark.parametrize(("raw", "said"), LINES.values(), ids=LINES)
def test_what_is_wrong_in_it_is_said_with_the_file_and_the_line(
    home: Path, raw: bytes, said: str
) -> None:
    file = made(home)
    file.write_bytes(raw)
    with pytest.raises(SettingsError) as raised:
        loaded(home)
    assert str(file) in str(raised.value)
    assert said in str(raised.value)
    assert raised.value.hint


def test_a_byte_order_mark_and_other_ends_of_lines_are_read(home: Path) -> None:
    made(home).write_bytes(b"\xef\xbb\xbfk = 3\r\nthreshold = 0.4\r\n")
    assert loaded(home).k == 3


@POSIX
def test_a_link_to_nothing_a_loop_a_folder_and_a_pipe_are_refused_at_once(home: Path) -> None:
    file = home / "qa.toml"
    file.symlink_to("nothing")
    with pytest.raises(SettingsError, match="No such file"):
        loaded(home)
    file.unlink()
    file.symlink_to("qa.toml")
    with pytest.raises(SettingsError, match="symbolic links"):
        loaded(home)
    file.unlink()
    file.mkdir()
    with pytest.raises(SettingsError, match="not a regular file"):
        loaded(home)
    file.rmdir()
    os.mkfifo(file)
    with pytest.raises(SettingsError, match="not a regular file"):
        loaded(home)


@POSIX
def test_a_file_that_may_not_be_read_is_named(home: Path, as_user: object) -> None:
    file = made(home)
    file.chmod(0)
    home.chmod(0o755)
    as_user()  # type: ignore[operator]
    with pytest.raises(SettingsError, match=r"qa\.toml can't be read: Permission denied"):
        loaded(home)


@given(text=st.text(max_size=80), key=st.sampled_from(["index", "corpus", "model", "cache"]))
def test_no_way_of_writing_a_path_leads_out_unasked(
    text: str, key: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("p")
    written = text.replace("x", "../").encode("utf-8", "replace").decode()
    (folder / "qa.toml").write_text(f"{key} = {json.dumps(written)}\n", "utf-8")
    try:
        found = getattr(loaded(folder), key)
    except SettingsError:
        return
    assert found == "all-MiniLM-L6-v2" or os.path.realpath(found).startswith(
        os.path.realpath(folder)
    )
    assert key != "cache"


# --- the command line -------------------------------------------------------------------


def test_a_question_below_the_folder_of_a_qa_toml_is_answered_by_it_and_status_names_it(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made(home / "p", 'corpus = "docs"\nindex = "i"\nk = 1\n')
    (home / "p" / "docs").mkdir()
    (home / "p" / "docs" / ARTICLE.name).write_bytes(ARTICLE.read_bytes())
    (home / "p" / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(home / "p" / "deep" / "er")
    status, out, err = run("ask", "Will Russia send food or medicine?", "--format", "json")
    assert status == 0, err
    assert len(json.loads(out)["passages"]) == 1
    assert (home / "p" / "i" / "catalog.sqlite").exists()
    assert f"settings  {file}\n" in run("status")[1]
    assert json.loads(run("status", "--format", "json")[1])["settings"] == str(file)


def test_without_a_terminal_an_error_names_the_file_what_it_asks_for_and_the_ways_out(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made(home / "p", 'index = "/elsewhere/index"\n')
    monkeypatch.chdir(home / "p")
    for arguments in (["ask", "Who?"], ["status"], ["doctor"], ["model"], ["index"]):
        status, out, err = run(*arguments)
        assert status == 2
        assert not out
        assert f"{file} asks for what needs your consent: index = /elsewhere/index" in err
        assert "`qa trust`" in err
        assert f"QA_TRUST={file}" in err
    status, out, _ = run("trust")
    assert status == 0
    assert "is now allowed: index = /elsewhere/index" in out
    assert "has it" in run("trust")[1]
    assert "no index at /elsewhere/index" in run("status")[2]
    assert "no longer" in run("trust", "--forget")[1]
    assert "needs your consent" in run("status")[2]
    assert "not allowed anything" in run("trust", "--forget", str(file))[1]
    assert run("trust", str(home / "p"))[0] == 0
    assert "There is no qa.toml at nowhere" in run("trust", "nowhere")[2]


@POSIX
@pytest.mark.parametrize(("typed", "allowed"), [("y", True), ("", False), ("no", False)])
def test_on_a_terminal_a_person_is_asked_once(
    home: Path, cache: Path, *, typed: str, allowed: bool
) -> None:
    made(home / "p", 'index = "/elsewhere/index"\n')
    environment = os.environ | {"QA_CACHE": str(cache)}
    for again in (False, True):
        talk = [] if again and allowed else [("[y/N]", typed + "\n")]
        status, shown = on_terminal(
            [sys.executable, "-m", "qa", "index", "-q"],
            *talk,
            cwd=home / "p",
            environment=environment,
        )
        assert status == 2
        assert ("There is no corpus" in shown) is allowed
        assert ("needs your consent" in shown) is not allowed
        assert not talk or "  index = /elsewhere/index" in shown
