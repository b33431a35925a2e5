"""The last answer of a terminal: what is kept of it, for whom, and what opens and shows it."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.cli import last, viewers
from qa.cli.viewers import Place, Start, at_line, at_page, plan
from qa.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conftest import Run

QUESTION = "Who set foot on the Moon?"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")


class Terminal(io.StringIO):
    """Something that is a terminal, with the device of a real one."""

    def __init__(self, device: int) -> None:
        super().__init__()
        self._device = device

    def isatty(self) -> bool:
        """As a terminal says."""
        return True

    def fileno(self) -> int:
        """Give the device."""
        return self._device


@pytest.fixture(name="terminal")
def _terminal() -> Iterator[Terminal]:
    """Give a terminal."""
    leader, follower = os.openpty()
    yield Terminal(follower)
    os.close(leader)
    os.close(follower)


@pytest.fixture(name="typed")
def _typed(run: Run, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give what runs a command on that terminal."""

    def typed(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys, "stdout", terminal)  # pytest sets it when a test begins
        return run(*arguments)

    return typed


def kept(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "state").rglob("*") if path.is_file())


def test_an_answer_in_a_pipe_leaves_nothing_behind(run: Run, corpus: Path, tmp_path: Path) -> None:
    assert run("ask", QUESTION, "--corpus", corpus)[0] == 0
    assert not (tmp_path / "state").exists()
    status, out, err = run("show", "1", "--corpus", corpus)
    assert (status, out) == (2, "")
    assert "no last answer in this terminal" in err
    assert 'qa ask "Who …?"' in err


def test_the_last_answer_is_the_users_own_and_has_no_text(
    typed: Run, corpus: Path, tmp_path: Path
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    (file,) = kept(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    text = file.read_text()
    assert "moon.md:7" in text
    assert "Armstrong" not in text
    assert "set foot" not in text


def test_the_evidence_is_kept_where_the_log_may_have_it(
    typed: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last, "_text_is_allowed", False)
    typed("--log-text", "ask", QUESTION, "--corpus", corpus)
    assert "Armstrong" in kept(tmp_path)[0].read_text()
    assert ("1", "moon.md:7") in last.completions("")
    assert dict(last.completions("moon"))["moon.md:7"].startswith("Neil Armstrong")


def test_show_acts_on_the_last_answer_with_its_corpus(
    typed: Run, corpus: Path, terminal: Terminal
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    terminal.truncate(0)
    assert typed("show", "1")[0] == 0
    assert "Neil Armstrong" in terminal.getvalue()
    (corpus / "moon.md").write_text("# The Moon\n\n" + "Other words. " * 20, "utf-8")
    status, _, err = typed("show", "1")
    assert status == 0
    assert "moon.md has changed since that answer" in err
    status, _, err = typed("show", "99")
    assert status == 2
    assert "There is no result 99" in err
    assert typed("show", "0")[0] == 2
    (corpus / "moon.md").unlink()
    status, _, err = typed("show", "1")
    assert status == 2
    assert "moon.md" in err
    assert "Traceback" not in err


def test_a_document_that_is_called_like_a_number_is_shown_by_its_path(
    typed: Run, corpus: Path, terminal: Terminal
) -> None:
    (corpus / "2").write_text("The second of two.\n", "utf-8")
    typed("ask", QUESTION, "--corpus", corpus)
    terminal.truncate(0)
    assert typed("show", "./2", "--corpus", corpus)[0] == 0
    assert "The second of two." in terminal.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b"{}",
        b'{"schema": "qa.last/1"}', b'{"schema": "qa.last/1", "corpus": 1, "results": []}',
        b'{"schema": "qa.last/1", "corpus": "", "results": [{}]}',
        b'{"schema": "qa.last/1", "corpus": "", "results": "x"}',
        b'{"schema": "qa.last/2", "corpus": "", "results": []}',
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_counts_as_none(
    typed: Run, corpus: Path, tmp_path: Path, content: bytes
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    (file,) = kept(tmp_path)
    file.write_bytes(content)
    status, _, err = typed("show", "1")
    assert status == 2
    assert "no last answer" in err
    assert last.completions("") == []
    assert typed("ask", QUESTION, "--corpus", corpus)[0] == 0
    assert last.last() is not None


@pytest.mark.parametrize("field", ["line", "start", "file", "citation"])
def test_a_field_of_another_type_counts_as_damage(
    typed: Run, corpus: Path, tmp_path: Path, field: str
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    (file,) = kept(tmp_path)
    wrongs: tuple[object, ...] = (None, True, -1, [], 1.5)
    for wrong in wrongs:
        found = json.loads(file.read_text())
        found["results"][0][field] = wrong
        file.write_text(json.dumps(found))
        assert last.last() is None


def test_a_link_in_its_place_is_neither_read_nor_written_through(
    typed: Run, corpus: Path, tmp_path: Path
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    (file,) = kept(tmp_path)
    victim = tmp_path / "victim"
    victim.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(victim)
    assert last.last() is None
    before = victim.read_bytes()
    typed("ask", "How large are blue whales?", "--corpus", corpus)
    assert victim.read_bytes() == before
    assert not file.is_symlink()


def test_a_folder_that_others_may_look_into_is_closed(
    typed: Run, corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "retrieval-qa" / "last"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    typed("ask", QUESTION, "--corpus", corpus)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_answer_is_given_where_nothing_can_be_kept(
    typed: Run, corpus: Path, tmp_path: Path, terminal: Terminal
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    assert typed("ask", QUESTION, "--corpus", corpus)[0] == 0
    assert "Neil Armstrong" in terminal.getvalue()


def test_old_ones_are_swept_once_a_new_terminal_asks(
    typed: Run, corpus: Path, tmp_path: Path
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    (file,) = kept(tmp_path)
    old, young = file.with_name("1-1.json"), file.with_name("2-2.json")
    for one, days in ((old, 8), (young, 6), (file.with_name("3-3.json.99"), 8)):
        one.write_text("{}")
        os.utime(one, (time.time() - days * 86400,) * 2)
    file.unlink()
    typed("ask", QUESTION, "--corpus", corpus)
    assert kept(tmp_path) == sorted([file, young])


def test_each_terminal_has_its_own(
    typed: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    leader, follower = os.openpty()
    monkeypatch.setattr(sys, "stdout", Terminal(follower))
    assert last.last() is None
    os.close(leader)
    os.close(follower)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_last_answers_numbers_and_citations(
    typed: Run, run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    monkeypatch.setattr(sys, "stdout", sys.__stdout__)  # a shell reads what is offered
    for name, value in {
        "_QA_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "qa open moon",
        "COMP_CWORD": "2",
        "_TYPER_COMPLETE_ARGS": "qa open moon",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }.items():
        monkeypatch.setenv(name, value)
    _, out, _ = run()
    assert "moon.md" in out
    assert "whales" not in out


def test_nothing_that_a_shell_would_run_is_offered_to_one(
    typed: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last, "_text_is_allowed", True)
    text = (corpus / "moon.md").read_text("utf-8").replace("July", "`id` $(id)")
    (corpus / "moon.md").unlink()
    for name in ("$(touch x).md", "`id`.md", "a;b.md", "a'b.md", 'a"b.md', "a\\nb.md", "ok.md"):
        (corpus / name).write_text(f"{text}\n{name} is another.", "utf-8")
    typed("ask", QUESTION, "--corpus", corpus, "-k", 10)
    offered = last.completions("")
    assert len([place for place, _ in offered if place.isdigit()]) > 5
    assert not [one for pair in offered for one in pair if set(one) & set("$`;'\"\\\n()|&<>")]


# --- which program ----------------------------------------------------------------------


def found(*programs: str) -> object:
    return lambda name: f"/usr/bin/{name}" if name in programs else None


def planned(
    place: Place, environment: Mapping[str, str], *programs: str, has_terminal: bool = True
) -> Start:
    which = found(*programs)
    return plan(
        place,
        environment=environment,
        has_terminal=has_terminal,
        which=which,  # type: ignore[arg-type]
        platform="linux",
    )


TEXT = Place(Path("/corpus/a b.md"), line=7)
PDF = Place(Path("/corpus/a.pdf"), page=3)


@pytest.mark.parametrize(
    ("editor", "arguments"),
    [
        ("vim", ["+7", "FILE"]),
        ("/opt/bin/nvim -u NONE", ["-u", "NONE", "+7", "FILE"]),
        ("nano", ["+7", "FILE"]),
        ("emacs -nw", ["-nw", "+7", "FILE"]),
        ("micro", ["+7", "FILE"]),
        ("hx", ["FILE:7"]),
        ("code --wait", ["--wait", "-g", "FILE:7"]),
        ("subl -w", ["-w", "FILE:7"]),
        ("kate", ["-l", "7", "FILE"]),
        ("pycharm", ["--line", "7", "FILE"]),
        ("my-own-editor", ["FILE"]),
        ("'my editor' --x='a b'", ["--x=a b", "FILE"]),
    ],
)
def test_an_editor_is_told_the_line_in_its_own_way(editor: str, arguments: list[str]) -> None:
    import shlex

    program = shlex.split(editor)[0]
    done = planned(TEXT, {"EDITOR": editor}, program)
    shown = [one.replace(str(TEXT.path), "FILE") for one in done.arguments[1:]]
    assert (done.arguments[0], shown, done.waits) == (program, arguments, True)


def test_visual_goes_before_editor_and_an_empty_one_counts_as_none() -> None:
    both = {"VISUAL": "nano", "EDITOR": "vim"}
    assert planned(TEXT, both, "nano", "vim").arguments[0] == "nano"
    assert planned(TEXT, {**both, "VISUAL": " "}, "nano", "vim").arguments[0] == "vim"


def test_what_an_editor_is_called_never_reaches_a_shell() -> None:
    done = planned(TEXT, {"EDITOR": "vim ; rm -rf /"}, "vim")
    assert done.arguments == ("vim", ";", "rm", "-rf", "/", "+7", str(TEXT.path))
    with pytest.raises(SettingsError, match="EDITOR"):
        planned(TEXT, {"EDITOR": "vim 'unclosed"}, "vim")
    with pytest.raises(SettingsError, match="can't be run"):
        planned(TEXT, {"EDITOR": "no-such-editor"})


def test_without_an_editor_or_a_display_it_says_what_to_do() -> None:
    with pytest.raises(SettingsError) as told:
        planned(TEXT, {}, "xdg-open")
    assert "export EDITOR=nano" in told.value.hint
    with pytest.raises(SettingsError) as told:
        planned(PDF, {"EDITOR": "vim"}, "vim", "xdg-open")
    assert "no display" in str(told.value)
    with pytest.raises(SettingsError, match="needs a terminal"):
        planned(TEXT, {"EDITOR": "vim"}, "vim", has_terminal=False)
    assert planned(TEXT, {"EDITOR": "code"}, "code", has_terminal=False).waits


def test_what_is_not_text_opens_in_the_systems_viewer() -> None:
    display = {"DISPLAY": ":0", "EDITOR": "vim"}
    assert planned(PDF, display, "xdg-open", "vim") == Start(("xdg-open", str(PDF.path)), False)  # noqa: FBT003
    page = Place(Path("/corpus/page.html"))
    assert planned(page, display, "xdg-open", "vim").arguments[0] == "xdg-open"
    assert planned(page, {"EDITOR": "vim"}, "vim").arguments == ("vim", str(page.path))
    assert planned(TEXT, {"DISPLAY": ":0"}, "xdg-open").arguments[0] == "xdg-open"


@pytest.mark.parametrize("name", ["run.desktop", "run.exe", "run.bat", "run.lnk", "run", "a.docm"])
def test_a_document_that_its_name_makes_a_program_is_not_handed_to_the_system(name: str) -> None:
    with pytest.raises(SettingsError, match="by its name it is not a document"):
        planned(Place(Path("/corpus") / name), {"DISPLAY": ":0"}, "xdg-open")
    with pytest.raises(SettingsError, match="No editor"):
        planned(Place(Path("/corpus") / name, line=1), {"DISPLAY": ":0"}, "xdg-open")


def test_a_viewer_that_takes_a_page_gets_it() -> None:
    assert at_page("org.gnome.Evince.desktop\n", "/a.pdf", 3) == (
        "evince", "--page-index=3", "/a.pdf",
    )  # fmt: skip
    assert at_page("okularApplication_pdf.desktop", "/a.pdf", 3)[0] == "okular"
    assert at_page("org.pwmt.zathura.desktop", "/a.pdf", 3)[1] == "--page=3"
    assert at_page("firefox.desktop", "/a.pdf", 3) == ()
    assert at_page("evince.desktop", "/a.pdf", 0) == ()


@given(
    st.sampled_from([*viewers._PLUS, *viewers._COLON, *viewers._GOTO, "other"]),
    st.text().filter(lambda one: "\0" not in one),
    st.integers(0, 10**9),
)
def test_the_file_is_one_argument_whatever_it_is_called(name: str, rest: str, line: int) -> None:
    path = f"/corpus/{rest}"
    told = at_line([name], path, line)
    assert told[0] == name
    assert sum(one in {path, f"{path}:{line}"} for one in told) == 1


def editor(tmp_path: Path, body: str) -> str:
    program = tmp_path / "vim"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture(name="edited")
def _edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an editor that writes its arguments down; give the file that it writes."""
    told = tmp_path / "told"
    body = f"open({str(told)!r}, 'w').write('\\n'.join(sys.argv[1:]))"
    monkeypatch.setenv("EDITOR", editor(tmp_path, body))
    monkeypatch.delenv("VISUAL", raising=False)
    return told


def test_open_starts_the_editor_at_the_line_of_the_evidence(
    typed: Run, corpus: Path, edited: Path
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    status, _, err = typed("open", "1")
    assert (status, err) == (0, "")
    assert edited.read_text().split("\n") == ["+7", str(corpus / "moon.md")]
    assert typed("open", "moon.md:3", "--corpus", corpus)[0] == 0
    assert edited.read_text().split("\n")[0] == "+3"


def test_a_file_that_has_changed_is_opened_with_a_note(
    typed: Run, corpus: Path, edited: Path
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    (corpus / "moon.md").write_text("New.\n", "utf-8")
    status, _, err = typed("open", "1")
    assert status == 0
    assert "moon.md has changed since that answer" in err
    assert edited.exists()
    (corpus / "moon.md").unlink()
    status, _, err = typed("open", "1")
    assert status == 2
    assert "can't be read" in err
    assert typed("open", "99")[0] == 2


def test_an_editor_that_fails_is_told_of(
    typed: Run, corpus: Path, edited: Path, tmp_path: Path
) -> None:
    typed("ask", QUESTION, "--corpus", corpus)
    editor(tmp_path, "sys.exit(3)")
    status, _, err = typed("open", "1")
    assert status == 2
    assert "ended with status 3" in err


@pytest.fixture(name="desktop")
def _desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a desktop whose programs write their arguments to a file, which is given."""
    told, programs = tmp_path / "told", tmp_path / "bin"
    programs.mkdir()
    for name in ("xdg-open", "evince"):
        (programs / name).write_text(
            f'#!/bin/sh\necho {name} "$@" > {told}.new\nmv {told}.new {told}\n'
        )
    (programs / "xdg-mime").write_text("#!/bin/sh\necho org.gnome.Evince.desktop\n")
    for one in programs.iterdir():
        one.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    return told


def written(file: Path) -> str:
    end = time.monotonic() + 20
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return file.read_text()


def test_a_web_page_opens_in_the_systems_viewer_which_is_not_waited_for(
    run: Run, corpus: Path, desktop: Path
) -> None:
    (corpus / "page.html").write_text("<h1 id=a>Mars</h1><p>Mars is red.</p>", "utf-8")
    assert run("open", "page.html#a", "--corpus", corpus)[0] == 0
    assert written(desktop) == f"xdg-open {corpus}/page.html\n"


def test_a_pdf_opens_at_its_page(run: Run, corpus: Path, desktop: Path) -> None:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_font("Helvetica", size=12)
    for number in (1, 2, 3):
        pdf.add_page()
        pdf.multi_cell(0, 8, f"This is what page {number} says about quays.")
    pdf.output(str(corpus / "quays.pdf"))
    assert run("open", "quays.pdf#page=3", "--corpus", corpus)[0] == 0
    assert written(desktop) == f"evince --page-index=3 {corpus}/quays.pdf\n"


def test_a_viewer_that_fails_is_told_of_and_one_that_stays_is_left_alone(
    run: Run, corpus: Path, desktop: Path, tmp_path: Path
) -> None:
    (corpus / "page.html").write_text("<h1 id=a>Mars</h1><p>Mars is red.</p>", "utf-8")
    program = tmp_path / "bin" / "xdg-open"
    program.write_text("#!/bin/sh\nexit 3\n")
    status, _, err = run("open", "page.html#a", "--corpus", corpus)
    assert status == 2
    assert "xdg-open ended with status 3" in err
    program.write_text("#!/bin/sh\nsleep 5\n")
    assert run("open", "page.html#a", "--corpus", corpus)[0] == 0


def test_a_web_page_that_is_called_like_a_program_is_not_opened(
    run: Run, corpus: Path, desktop: Path
) -> None:
    (corpus / "page.desktop").write_text("<html><body><p>Mars is red.</p></body></html>", "utf-8")
    status, _, err = run("open", "page.desktop", "--corpus", corpus)
    assert status == 2
    assert "by its name it is not a document" in err or "No editor" in err
    assert not desktop.exists()


def test_a_result_in_a_folder_or_in_another_file_is_shown_without_walking_the_corpus(
    typed: Run, corpus: Path, terminal: Terminal
) -> None:
    mail = (
        b"From: a@b.c\nTo: d@e.f\nSubject: Quays\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="x"\n\n'
        b"--x\nContent-Type: text/plain\n\nSee below.\n"
        b'--x\nContent-Type: text/plain; name="n.txt"\n'
        b'Content-Disposition: attachment; filename="n.txt"\n\n'
        b"The quay of Rotterdam is long.\n--x--\n"
    )
    (corpus / "deep" / "mail.eml").write_bytes(mail)
    for question, shown in {
        "How large are blue whales?": "Blue whales are the largest animals.",
        "How long is the quay of Rotterdam?": "The quay of Rotterdam is long.",
    }.items():
        typed("ask", question, "--corpus", corpus)
        terminal.truncate(0)
        assert typed("show", "1")[0] == 0
        assert shown in terminal.getvalue()
