"""What a person sees: `qa ask` in a terminal of 24 rows, compared with the files in screens/.

SCREENS=write pytest tests/test_screens.py writes them again; look at them before you commit.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from conftest import ARTICLE, REPOSITORY
from qa.assistant import Assistant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")

ROWS = 24
PROMPTS = 2  # rows: the command, and the next prompt
QUESTION = "Will Russia send food or medicine?"
LONG = "Who set foot on the Moon?"
SCREENS = {
    "answer": [QUESTION],
    "brief": [QUESTION, "--brief"],
    "one": [QUESTION, "-k", "1"],
    "explained": [QUESTION, "-k", "1", "--explain"],
    "abstention": ["qwertz uiop asdfgh"],
    "always": ["qwertz uiop asdfgh", "--always"],
    "long": [LONG],
}


@dataclass(frozen=True)
class Shown:
    """What a command left on a screen.

    Attributes:
        lines: of the screen, down to the cursor.
        sent: what came from the command.
        underlined: all that is, with single spaces.
        colours: that any character has.
        scrolled: whether a line has left the screen.
        status: of the command.
    """

    lines: list[str]
    sent: str
    underlined: str
    colours: set[str]
    scrolled: bool
    status: int


@pytest.fixture(scope="module", name="places")
def _places(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> dict[str, str]:
    """Give settings for a corpus that is indexed."""
    folder = tmp_path_factory.mktemp("screens")
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / ARTICLE.name).write_bytes(ARTICLE.read_bytes())
    around = [f"Nothing {n} is told of here, though it is told at length." for n in range(9)]
    told = "Neil Armstrong set foot on the Moon on 20 July 1969."
    (corpus / "moon.md").write_text(
        "# The Moon\n\n" + "\n".join(f"- {line}" for line in (*around, told, *around)), "utf-8"
    )
    (corpus / "a folder with a long name" / "and another below it").mkdir(parents=True)
    (corpus / "a folder with a long name" / "and another below it" / "crater.txt").write_text(
        "A crater of the Moon that is called Tycho is 85 km wide.\n", "utf-8"
    )
    places = {"QA_CORPUS": str(corpus), "QA_INDEX": str(folder / "i"), "QA_CACHE": str(cache)}
    with Assistant(corpus, folder / "i", cache=str(cache)) as assistant:
        assistant.refresh()
    return places


@pytest.fixture(name="show")
def _show(places: dict[str, str]) -> Callable[..., Shown]:
    """Give a function that runs `qa ask` in a terminal of so many columns."""
    termios, pexpect, fdpexpect, pyte = map(
        pytest.importorskip, ("termios", "pexpect", "pexpect.fdpexpect", "pyte")
    )

    def show(
        *arguments: str, columns: int = 80, rows: int = ROWS, leaves_after: str = "", **more: str
    ) -> Shown:
        environment = {
            key: value
            for key, value in os.environ.items()
            if key not in {"NO_COLOR", "PAGER", "LESS", "COLUMNS", "LINES", "VISUAL", "EDITOR"}
            and not key.startswith(("TERM", "SSH_", "VSCODE", "CURSOR"))
        }
        # pexpect's own way to start a program forks, and this process has threads.
        leader, follower = os.openpty()
        termios.tcsetwinsize(follower, (rows, columns))
        command = [sys.executable, "-m", "qa", "ask", *arguments]
        environment |= places | {"TERM": "xterm-256color"} | more
        with subprocess.Popen(
            command, stdin=follower, stdout=follower, stderr=follower, env=environment,
            start_new_session=True,
        ) as running:  # fmt: skip
            os.close(follower)
            asked = fdpexpect.fdspawn(leader, timeout=120)
            sent = b""
            if leaves_after:
                asked.expect(leaves_after)
                sent = asked.before + asked.after
                asked.send("q")
            asked.expect(pexpect.EOF)
            sent = (sent + asked.before).decode()
        asked.close()
        screen = pyte.HistoryScreen(columns, rows, history=1000)
        pyte.Stream(screen).feed(sent)
        cells = [screen.buffer[y][x] for y in range(rows) for x in range(columns)]
        underlined = "".join(cell.data if cell.underscore else "\0" for cell in cells)
        return Shown(
            lines=[line.rstrip() for line in screen.display[: screen.cursor.y]],
            sent=sent,
            underlined=re.sub(r"[\0\s]+", " ", underlined).strip(),
            colours={cell.fg for cell in cells} | {cell.bg for cell in cells},
            scrolled=bool(screen.history.top),
            status=running.returncode,
        )

    return show


@pytest.mark.parametrize("columns", [50, 80, 120])
@pytest.mark.parametrize("name", SCREENS)
def test_the_screen_is_the_one_that_was_looked_at_and_holds_all_of_it(
    name: str, columns: int, show: Callable[..., Shown]
) -> None:
    shown = show(*SCREENS[name], columns=columns)
    assert not shown.scrolled
    assert len(shown.lines) <= ROWS - PROMPTS
    assert shown.colours == {"default"}
    # A figure may differ in its last digit from one processor to the next.
    text = "".join(f"{line}\n" for line in shown.lines)
    text = re.sub(r"\b(\d\.\d)\d+", lambda match: match[1] + "#" * (len(match[0]) - 3), text)
    file = REPOSITORY / "tests" / "screens" / f"{name}-{columns}.txt"
    if os.environ.get("SCREENS") == "write":
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


def test_the_evidence_alone_is_underlined_and_what_stands_around_it_is_dim(
    show: Callable[..., Shown],
) -> None:
    shown = show(QUESTION)
    assert shown.underlined == (
        "3. **Humanitarian aid:** Russia has promised to give North Korea humanitarian aid, such "
        "as food and medical supplies."
    )
    assert "\x1b[2mgentler side of the alliance" in shown.sent
    assert "«" not in shown.sent
    assert "Armstrong" in show(LONG).underlined


@pytest.mark.parametrize("without", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_styles_the_evidence_is_marked_on_the_same_screen(
    without: dict[str, str], show: Callable[..., Shown]
) -> None:
    plain, styled = show(QUESTION, **without), show(QUESTION)
    assert "\x1b" not in plain.sent
    text = "\n".join(plain.lines)
    assert "«3. **Humanitarian aid:** Russia" in text
    assert "medical supplies.» Here" in text
    assert [re.sub("[«»]", "", line) for line in plain.lines] == styled.lines


def test_a_citation_is_a_link_to_its_line_where_the_editor_takes_links(
    show: Callable[..., Shown], places: dict[str, str]
) -> None:
    file = f"{places['QA_CORPUS']}/{ARTICLE.name}"
    assert f";file://{file}\x1b\\" in show(QUESTION, EDITOR="vi").sent
    assert f";vscode://file{file}:42\x1b\\" in show(QUESTION, EDITOR="code --wait").sent
    wanted = show(QUESTION, QA_EDITOR_LINK="x-edit:{path}?at={line}", TERM_PROGRAM="vscode").sent
    assert f";x-edit:{file}?at=42\x1b\\" in wanted


def test_what_is_longer_than_the_screen_goes_to_a_pager_with_its_styles(
    show: Callable[..., Shown], tmp_path: Path
) -> None:
    less = tmp_path / "less"
    less.write_text('#!/bin/sh\necho "PAGED $LESS"\ncat\n')
    less.chmod(0o755)
    paged = show(QUESTION, "--full", PAGER=str(less))
    assert "PAGED FRX" in paged.sent
    assert "\x1b[4m" in paged.sent
    assert "]8;" not in paged.sent  # an older less shows links as they are written
    assert paged.status == 0
    for arguments, more in (
        ([QUESTION, "--full", "--no-pager"], {"PAGER": str(less)}),
        ([QUESTION], {"PAGER": str(less)}),
        ([QUESTION, "--full"], {"PAGER": ""}),
        ([QUESTION, "--full"], {"PAGER": "cat"}),
        ([QUESTION, "--full"], {"PAGER": "no-such-program"}),
        ([QUESTION, "--full"], {"PAGER": str(less), "TERM": "dumb"}),
    ):
        assert "PAGED" not in show(*arguments, **more).sent
    assert "PAGED" in show(QUESTION, "--format", "markdown", PAGER=str(less)).sent


def test_a_pager_that_may_not_know_styles_gets_marks(
    show: Callable[..., Shown], tmp_path: Path
) -> None:
    for name, more in (("more", {}), ("less", {"LESS": "-i"})):
        pager = tmp_path / name
        pager.write_text('#!/bin/sh\necho "PAGED $LESS"\ncat\n')
        pager.chmod(0o755)
        sent = show(QUESTION, "--full", PAGER=str(pager), **more).sent
        assert "PAGED" in sent
        assert "\x1b[4m" not in sent
        assert "«3. **Humanitarian" in sent


def test_a_pager_that_is_left_early_ends_the_command_as_if_it_had_shown_all(
    show: Callable[..., Shown], tmp_path: Path
) -> None:
    (tmp_path / "less").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "less").chmod(0o755)
    left = show(QUESTION, "--full", PAGER=str(tmp_path / "less"))
    assert left.status == 0
    assert "qa:" not in left.sent


@pytest.mark.parametrize("rows", [5, 12, 16])
def test_a_small_screen_still_shows_the_evidence(rows: int, show: Callable[..., Shown]) -> None:
    assert "Neil Armstrong" in show(LONG, rows=rows, PAGER="").sent


def test_real_less_shows_the_styles(show: Callable[..., Shown]) -> None:
    import shutil

    if shutil.which("less") is None:
        pytest.skip("no less")
    shown = show(QUESTION, "--full", leaves_after="Closing Thoughts")
    assert "\x1b[4m" in shown.sent
    assert "ESC[" not in shown.sent
    assert "Inside Russia" not in shown.sent  # on the next screen
    assert shown.status == 0
