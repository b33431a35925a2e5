"""The terminal: what may reach it, what it shows of long work, how it is left behind."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ARTICLE
from qa import logs
from qa.assistant import Assistant
from qa.cli import formats, render
from qa.cli.layout import columns
from qa.cli.output import Output, Segment, visible
from qa.progress import Progress
from qa.visible import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run

QUESTION = "Who set foot on the Moon?"
READING = b"Reading"
posix = pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals of POSIX")

# PropList.txt: Bidi_Control. DerivedCoreProperties.txt: Default_Ignorable_Code_Point.
BIDI = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
IGNORABLE = [
    0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810),
    *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164,
    *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000),
]  # fmt: skip
CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
SENT = {0x0A}  # the only one that a line may hold: its end
HIDDEN = {*map(chr, {*CONTROLS, *BIDI, *IGNORABLE, 0x2028, 0x2029} - SENT)}


@pytest.mark.parametrize("around", [("a", "b"), (" ", " "), ("", ""), ("1", "2"), ("é", "Ж")])
def test_nothing_that_reorders_or_hides_passes(around: tuple[str, str]) -> None:
    before, after = around
    for character in HIDDEN:
        if before == "é" and unicodedata.category(character) == "Mn":
            continue  # a variation selector may follow it
        text = f"{before}{character}{after}"
        assert character not in visible(text), f"U+{ord(character):04X}"
        assert character not in escaped(text)


def test_a_letter_is_followed_by_one_selector_and_one_joiner_at_most() -> None:
    passing = sorted(one for one in HIDDEN if one in visible(f"か{one}か"))
    assert "\u200d" in passing
    assert "\ufe0f" in passing
    for hidden in (passing[:12], passing[-12:], ["\u200d"] * 9, ["\ufe0f"] * 9):
        shown = visible("か" + "".join(hidden) + "か")
        assert sum(one in HIDDEN for one in shown) <= 2


@pytest.mark.parametrize(
    "text",
    [
        "naïve 日本語 😀 “quoted” 1 000\u00a0km",
        "می\u200cخواهم",  # Persian
        "क्\u200dष র\u200d্য",  # Hindi, Bengali
        "ភាសា\u200bខ្មែរ",  # Khmer
        "👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 🙂\u200d↔\ufe0f 👩🏽\u200d⚕\ufe0f",
        "❤\ufe0f ©\ufe0f 1\ufe0f\u20e3 葛\U000e0100",
        "١\u0600",  # an Arabic sign of number
        "\ue000 \U0001f1eb\U0001f1f7",  # a glyph of an icon font, a flag
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert visible(text) == text
    assert escaped(text) == text


@given(st.text())
def test_what_is_visible_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert not any(unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} for one in shown)
    assert json.loads(escaped(json.dumps(text, ensure_ascii=False))) == text


def test_the_table_of_ignorable_characters_is_that_of_unicode() -> None:
    regex = pytest.importorskip("regex")
    for code in range(0x110000):
        if regex.match(r"[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}]", chr(code)):
            assert chr(code) in HIDDEN


def answers(character: str) -> Iterator[str]:
    """Give what the commands print of an answer that holds a character everywhere it can."""
    from test_layout import _CITATION

    from qa.types import Answer, CitedPassage, Evidence, Explanation, Mark, Scores

    bad = f"a{character}b"
    cited = replace(
        _CITATION, document=bad, file=bad, quote=f"{bad} c", end=5, heading_path=(bad, bad),
        label=bad, anchor=bad, encoding=bad,
    )  # fmt: skip
    best = Evidence(replace(cited, quote=bad, end=3), 1.0, (Mark("name", bad, 1, 2),))
    words = ((bad, 1.0),)
    passage = CitedPassage(
        cited, best, Scores(1, 1, 1, 1, 1), {"title": bad, "author": bad, "date": bad},
        Explanation(words, words), also=(cited, cited),
    )  # fmt: skip
    one = Answer(bad, answered=False, probability=0.1, passages=(), nearest=(passage,),
                 reason=bad, model=bad, corpus=bad, notes=(bad,))  # fmt: skip
    for kind in ("markdown", "code", "html"):
        of_kind = replace(passage, citation=replace(cited, format=kind))
        shown = replace(one, nearest=(of_kind,))
        for form in ("short", "full", "brief"):
            for line in render.answer(shown, None, width=80, room=80, form=form, always=True):
                yield "".join(visible(part.text) for part in line)
                yield "".join(visible(part.unstyled) for part in line)
    for text in (formats.markdown(one), formats.html(one, None), formats.csv(one, always=True),
                 *formats.vimgrep(one, None, always=True)):  # fmt: skip
        yield from map(visible, text.split("\n"))
    for record in formats.records(one, always=True):
        yield escaped(json.dumps(record, ensure_ascii=False))
    yield escaped(json.dumps(one.to_dict(), ensure_ascii=False))


def test_no_form_of_an_answer_holds_a_character_that_reorders_or_hides() -> None:
    for character in map(chr, {*CONTROLS, *BIDI, 0xAD, 0x200B, 0x200D, 0x2060, 0xFE0F, 0xE0041}):
        for line in answers(character):
            assert not HIDDEN & {*line}, (f"U+{ord(character):04X}", line)


def test_all_that_the_sink_writes_is_shown_and_never_obeyed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    bad = "".join(map(chr, [*CONTROLS, *BIDI, *IGNORABLE[:100]]))
    output = Output()
    output.note(bad)
    output.error(bad, bad)
    output.data(bad)
    output.lines([(Segment(bad), Segment(bad, "bold"))])
    output.json({bad: bad})
    out, err = capfd.readouterr()
    assert not HIDDEN & {*out, *err}
    assert json.loads(out[out.index("{\n") :]) == {bad: bad}


@posix
@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_no_command_sends_what_a_terminal_obeys(run: Run, tmp_path: Path, form: str) -> None:
    bad = "".join(map(chr, {*CONTROLS, *BIDI, 0xAD, 0x2060, 0xE0041} - {0, 0x2F}))
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / f"whales{bad}.md").write_text(f"# Whales {bad}\n\nWhales {bad} sing.\n", "utf-8")
    (folder / f"b{bad}.pdf").write_bytes(b"%PDF-1.7 no more")
    commands = [
        ("ask", f"Do whales {bad} sing?", "--always", "--explain", "--format", form),
        ("index", "--rebuild"), ("status",), ("status", "--problems", "--format", form),
        ("show", f"whales{bad}.md:3"), ("show", bad), ("verify", bad), ("doctor",),
        ("status", "--corpus", f"no{bad}"), ("ask", "x", "--model", f"no{bad}"),
        ("ask", f"--x{bad}"), ("ask", "x", "--since", bad), ("ask", "x", "--where", bad),
    ]  # fmt: skip
    for arguments in commands:
        _, out, err = run(*arguments)
        assert not HIDDEN & {*out, *err}, arguments


# --- progress ---------------------------------------------------------------------------


class Terminal(io.StringIO):
    """Stands for a terminal: keeps what its last line looks like."""

    line = ""
    at = 0
    widest = 0

    def isatty(self) -> bool:
        """Say so."""
        return True

    def write(self, text: str) -> int:
        """Draw over what stands there, as a terminal does."""
        for piece in re.split("(\r|\n)", text):
            if piece in {"\r", "\n"}:
                self.at = 0
                self.line = "" if piece == "\n" else self.line
            else:
                self.line = self.line[: self.at] + piece + self.line[self.at + len(piece) :]
                self.at += len(piece)
                self.widest = max(self.widest, columns(self.line))
        return super().write(text)


def on_screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Have a terminal in place of standard error."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "60")
    return screen


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Give it, in seconds."""
        return self.now


def reading(done: int, total: int, document: str = "", left: float | None = None) -> Progress:
    """Give progress with a thousand bytes a document."""
    return Progress(
        "reading", done, total, done * 1000, total * 1000, document=document, seconds_left=left
    )


def test_on_a_terminal_one_line_is_redrawn_and_then_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    output = Output()
    output.progress(reading(0, 1571))
    assert screen.line == "Reading 0 of 1,571 documents (0.0 of 1.6 MB)"
    monkeypatch.setenv("COLUMNS", "80")
    output.progress(reading(157, 1571, "deep/notes\x1b[2J.md"))
    assert screen.line.startswith("Reading 157 of 1,571 documents (0.2 of 1.6 MB)  deep/notes")
    output.note("By the way.")
    assert "\x1b" not in screen.getvalue()
    output.progress(reading(160, 1571, "日本語の長い名前のファイル" * 3))
    output.progress(reading(160, 1571, left=244.0))
    assert screen.line.rstrip().endswith(", about 4 min left")
    assert screen.widest < 80
    output.progress(reading(1571, 1571, left=0.0))
    assert not screen.line.strip()


@pytest.mark.parametrize("room", [40, 50, 60, 79, 80, 120])
def test_the_line_of_progress_stays_one_line_with_room_for_what_ctrl_c_echoes(
    monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    screen = on_screen(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(room))
    output = Output()
    for done in (0, 9, 10, 999, 1000, 1570):
        output.progress(reading(done, 1571, "a" * done, left=done * 60.0 + 1))
        assert screen.line.startswith("Reading ")
        assert screen.line.rstrip().endswith((" left", "a", "…"))
    assert screen.widest + 2 < room


def test_an_error_takes_the_line_of_progress_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    Output().progress(reading(0, 5))
    Output().error("It failed.", "")
    assert screen.getvalue().splitlines()[-1] == "qa: It failed."
    assert not screen.line


def test_elsewhere_a_line_is_written_after_a_second_and_then_every_ten_seconds_or_five_percent(
    capfd: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    output = Output(clock=clock)
    for done in range(1001):
        output.progress(reading(done, 1000))
        clock.now += 0.4  # 20 s for 5 %
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "Reading 3 of 1,000 documents (0.0 of 1.0 MB)"
    assert lines[1] == "Reading 53 of 1,000 documents (0.1 of 1.0 MB)"
    assert len(lines) == 20
    for done in range(101):
        output.progress(reading(done, 100))
        clock.now += 5.1
    assert len(capfd.readouterr().err.splitlines()) == 20
    for done in range(101):
        output.progress(reading(done, 100))
        clock.now += 0.009
    assert capfd.readouterr().err == ""
    embedding = replace(reading(100, 100), phase="embedding", passages_total=5)
    output.progress(embedding)
    clock.now += 1.5
    output.progress(replace(embedding, passages=3))
    assert capfd.readouterr().err == "Embedding 3 of 5 passages\n"


def test_other_long_work_is_shown_in_the_same_way(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    output = Output(clock=clock)
    for done in range(1, 101):
        output.far(done, 100, doing="Evaluating", things="questions")
        clock.now += 0.5
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "Evaluating 3 of 100 questions (3 %)"
    assert lines[1] == "Evaluating 23 of 100 questions (23 %), about 35 s left"
    screen = on_screen(monkeypatch)
    output.far(1, 100, doing="Evaluating", things="questions")
    assert screen.line.startswith("Evaluating 1 of 100 questions (1 %)")
    output.far(100, 100, doing="Evaluating", things="questions")
    assert not screen.line.strip()


def test_quiet_says_nothing_of_progress(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    output = Output(quiet=True, clock=clock)
    for screen in (None, on_screen(monkeypatch)):
        for done in range(3):
            output.progress(reading(done, 2))
            output.far(done, 2, doing="Evaluating", things="questions")
            clock.now += 60
        assert capfd.readouterr().err == (screen.getvalue() if screen else "") == ""


def test_progress_is_recorded_at_once_and_then_at_the_same_pace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    told: list[Progress] = []
    progress = logs.indexing(told.append, clock)
    with caplog.at_level(logging.INFO, logger="qa"):
        for done in range(101):
            progress(replace(reading(done, 100, "secret.md", left=done / 3), kept=done // 2))
            clock.now += 0.5
        progress(replace(reading(100, 100), phase="embedding", passages=1, passages_total=7))
    lines = [one.getMessage() for one in caplog.records]
    assert lines == [
        *(
            f'indexing phase="reading" done={done * 1000} total=100000 documents={done} '
            f"documents_total=100 kept={done // 2} seconds_left={round(done / 3)}"
            for done in range(0, 101, 20)
        ),
        (
            'indexing phase="embedding" done=1 total=7 documents=100 documents_total=100 kept=0 '
            "seconds_left=null"
        ),
    ]
    assert len(told) == 102


def test_a_program_hears_of_progress(
    corpus: Path, tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Progress] = []
    with (
        Assistant(corpus, tmp_path / "index", cache=cache, progress=told.append) as one,
        caplog.at_level(logging.INFO, logger="qa"),
    ):
        one.refresh()
        done = len(told)
        one.refresh()
    assert (told[0].documents, told[0].documents_total) == (0, 3)
    assert (told[-1].documents, told[-1].kept, told[-1].seconds_left) == (3, 3, 0)
    assert len(told) == done
    assert 'indexing phase="reading" done=0' in caplog.text


# --- the end ----------------------------------------------------------------------------


@pytest.fixture(name="large")
def _large(tmp_path: Path) -> Path:
    """Give a corpus that takes some seconds to index."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    words = ARTICLE.read_text("utf-8").split()
    for number in range(120):
        body = " ".join(words[number * 7 % 900 :] + words)
        (folder / f"{number}.txt").write_text(f"Number {number}. {body}", "utf-8")
    return folder


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Kill it at the end, should it not have ended: Popen itself would wait for ever."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stopped(
    arguments: list[str], when: bytes, *, by: int, folder: Path, twice: bool = False
) -> tuple[int, str]:
    """Run a command on a terminal of its own and stop it; give its status and all it showed."""
    import pty

    leader, follower = pty.openpty()

    def take_terminal() -> None:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    command = [sys.executable, "-m", "qa", *arguments]
    announced = folder / "index" / "refresh.json"
    shown, done = b"", False
    with ended(subprocess.Popen(
        command, cwd=folder, stdin=follower, stdout=follower, stderr=follower,
        start_new_session=True, env=os.environ | {"TERM": "xterm"},
        preexec_fn=take_terminal,  # noqa: PLW1509 - no threads here
    )) as one:  # fmt: skip
        os.close(follower)
        while True:
            try:
                shown += os.read(leader, 65536)
            except OSError:
                break
            if not done and when in shown:
                done = True
                while when == READING and one.poll() is None and not announced.exists():
                    time.sleep(0.01)  # until the lock is taken, and the transaction begun
                for _ in range(1 + twice):
                    if by == signal.SIGINT:
                        os.write(leader, b"\x03")
                    else:
                        one.send_signal(by)
        status = one.wait()
    os.close(leader)
    assert done, shown
    return status, shown.decode()


@posix
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("arguments", [["index"], ["ask", QUESTION]])
def test_a_command_that_is_stopped_says_what_is_kept_and_leaves_the_terminal_as_it_was(
    run: Run, large: Path, arguments: list[str], by: int, *, twice: bool
) -> None:
    status, shown = stopped(arguments, READING, by=by, twice=twice, folder=large.parent)
    assert status == 128 + by
    assert "Traceback" not in shown
    assert "\x1b[?25l" not in shown  # the cursor is never hidden
    said = "Stopped. Nothing was indexed yet; run the same command to start again."
    assert shown.splitlines()[-1].endswith(said)
    status_now = json.loads(run("status", "--format", "json")[1])
    assert (status_now["documents"], status_now["running"]) == (0, None)


@posix
@pytest.mark.parametrize(
    "busy",
    [
        "try: import broken\nexcept BaseException: print('swallowed')",
        "weakref.finalize(set(), os.kill, os.getpid(), 2)",  # Python drops what it raises
        "lock = threading.Lock(); lock.acquire(); lock.acquire()",
        "class A:\n def __set_name__(self, *_): os.kill(os.getpid(), 15)\nclass B: a = A()",
    ],
)
def test_a_signal_ends_a_command_whatever_it_is_at(tmp_path: Path, busy: str) -> None:
    (tmp_path / "broken.py").write_text("import os, time\nos.kill(os.getpid(), 2)\ntime.sleep(9)")
    program = (
        "import os, threading, time, weakref; from qa.cli.stopping import stoppable\n"
        "threading.Timer(1, os.kill, [os.getpid(), 15]).start()\n"
        f"with stoppable():\n {busy.replace(chr(10), chr(10) + ' ')}\n time.sleep(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert done.returncode in {130, 143}
    assert (done.stdout, done.stderr) == (b"", b"qa: Stopped.\n")


@posix
def test_what_is_half_made_is_dropped_by_a_signal_even_where_the_log_fails(tmp_path: Path) -> None:
    program = (
        "import os, time; from pathlib import Path; from qa.cli.stopping import stoppable\n"
        "from qa.encoding.export import appearing\n"
        "from qa import logs; logs.record = None\n"
        "with stoppable(), appearing(Path('cache/model'), 'last') as beside:\n"
        " (beside / 'graph').write_bytes(bytes(9)); os.kill(os.getpid(), 15); time.sleep(9)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 143, done.stderr
    assert list((tmp_path / "cache").iterdir()) == []


@posix
def test_an_index_whose_refresh_was_stopped_answers_as_before(run: Run, large: Path) -> None:
    later = large.rename(large.with_name("later"))
    large.mkdir()
    (large / "moon.txt").write_text("Neil Armstrong set foot on the Moon in 1969.")
    assert run("index")[0] == 0
    for path in later.iterdir():
        path.rename(large / path.name)
    status, _ = stopped(["index"], READING, by=signal.SIGINT, folder=large.parent)
    assert status == 130
    assert json.loads(run("status", "--format", "json")[1])["documents"] == 1
    assert "Armstrong" in run("ask", QUESTION, "--no-refresh")[1]


@posix
def test_what_evaluates_or_waits_can_be_stopped(run: Run, corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("ir_measures")
    line = json.dumps({"question": QUESTION, "documents": ["moon.md"]})
    (tmp_path / "q.jsonl").write_text(f"{line}\n" * 5000)
    assert run("index")[0] == 0
    status, shown = stopped(["eval", "q.jsonl"], b"Evaluating", by=signal.SIGINT, folder=tmp_path)
    assert (status, shown.splitlines()[-1].strip()) == (130, "qa: Stopped.")
    assert "Evaluating 1 of 5,000 questions" in shown


@posix
def test_a_command_that_must_not_be_interrupted_is_not(corpus: Path, tmp_path: Path) -> None:
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "import os; from qa.cli.stopping import stoppable\n"
        "with stoppable(): os.kill(os.getpid(), signal.SIGINT)\n"
        "print('went on')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.stdout == b"went on\n"


def test_a_command_leaves_the_signals_of_its_program_alone(run: Run) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run("status")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@posix
def test_a_log_tells_that_a_command_was_stopped(large: Path, tmp_path: Path) -> None:
    log = tmp_path / "qa.log"
    arguments = ["--log-file", str(log), "index"]
    stopped(arguments, READING, by=signal.SIGTERM, folder=tmp_path)
    assert "stopped signal=15" in log.read_text()


@posix
@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", "2> >(true)", ">&-"])
def test_a_stream_that_nobody_reads_stops_no_work(
    run: Run, corpus: Path, tmp_path: Path, streams: str
) -> None:
    saved = tmp_path / "answer.json"
    saved.write_text(run("ask", QUESTION, "--format", "json")[1], "utf-8")
    if not os.path.exists("/dev/full") and "full" in streams:  # noqa: PTH110 - a device
        pytest.skip("no such device")
    shell = f'"{sys.executable}" -m qa verify answer.json {streams}'
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, check=False)  # noqa: S607
    assert done.returncode == 0, done
    assert (b" verified\n" in done.stdout) == ("2>" in streams)
    assert b"Traceback" not in done.stderr


@posix
def test_a_disk_that_is_full_is_said_once(run: Run, corpus: Path, tmp_path: Path) -> None:
    run("index")
    shell = f'"{sys.executable}" -m qa status > /dev/full'
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, check=False)  # noqa: S607
    assert done.returncode == 2
    assert done.stderr.decode().startswith("qa: Operating-system error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_bug_is_called_one_and_says_how_to_report_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.settings.load_settings", lambda *_: 1 / 0)
    status, _, err = run("status")
    assert status == 2
    assert err.startswith("qa: Internal error (a bug in qa): ZeroDivisionError")
    assert "Traceback" not in err
    assert "RETRIEVAL_QA_TRACEBACK=1" in err
