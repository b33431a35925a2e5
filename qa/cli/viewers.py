"""Which program shows a file, and how it is told the line or the page. No shell is ever run."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qa.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Place", "Start", "at_line", "at_page", "paged", "plan", "start"]

_PLUS = frozenset(
    """
    emacs emacsclient ex gedit geany gnome-text-editor gvim jed jmacs joe kak less mcedit mg micro
    mvim nano ne nvim nvim-qt pico pluma rvim vi view vim vimx xed
    """.split()
)
_COLON = frozenset("atom helix hx pulsar subl sublime_text zed zeditor".split())
_GOTO = frozenset("code code-insiders codium cursor positron vscodium windsurf".split())
_SHORT = frozenset("kate kwrite mate mousepad".split())
_LONG = frozenset("charm clion goland idea phpstorm pycharm rider rubymine webstorm".split())
_FORMS = (
    (_PLUS, ("+{line}", "{path}")),
    (_COLON, ("{path}:{line}",)),
    (_GOTO, ("-g", "{path}:{line}")),
    (_SHORT, ("-l", "{line}", "{path}")),
    (_LONG, ("--line", "{line}", "{path}")),
    ({"notepad++"}, ("-n{line}", "{path}")),
)
# These bring a window of their own; all others are taken for editors in the terminal.
_WINDOWS = (
    (_COLON - {"helix", "hx"})
    | _GOTO
    | _SHORT
    | _LONG
    | frozenset("gedit geany gnome-text-editor gvim mvim nvim-qt pluma xed".split())
)
_PAGED = {"zathura": "--page={}", "evince": "--page-index={}", "okular": "--page={}"}
# What the system may open by a file's name: documents, and nothing that it could run. A format is
# told by content here, so a document may have any name.
_WRITTEN = frozenset(
    """
    .adoc .asciidoc .atom .csv .eml .htm .html .ipynb .jsonl .log .markdown .md .ndjson .rss .rst
    .tab .text .tsv .txt .xhtml
    """.split()
)
_SHOWN = _WRITTEN | frozenset(
    ".doc .docx .epub .mbox .msg .odp .ods .odt .pdf .ppt .pptx .rtf .xls .xlsx".split()
)
_MOMENT = 2.0  # seconds that a viewer may take to say that it can't
_NO_EDITOR = "Name an editor, as in: export EDITOR=nano. `qa show` shows the place here."


@dataclass(frozen=True, slots=True)
class Place:
    """A file and where in it: `line` or `page`, counted from 1; 0 where it is not known."""

    path: Path
    line: int = 0
    page: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """What to run, and whether it takes over the terminal until it ends."""

    arguments: tuple[str, ...]
    waits: bool


def plan(
    place: Place,
    *,
    environment: Mapping[str, str],
    has_terminal: bool,
    which: Callable[[str], str | None] = shutil.which,
    platform: str = sys.platform,
) -> Start:
    """Decide what opens a file: the editor for text, the system's viewer for all else.

    Args:
        place: what to open.
        environment: names the editor, and tells whether there is a display.
        has_terminal: whether an editor can be used in the terminal.
        which: finds a program.
        platform: as Python names it.

    Raises:
        SettingsError: nothing here can open it.
    """
    suffix = place.path.suffix.lower()
    has_display = platform in {"darwin", "win32"} or bool(
        environment.get("WAYLAND_DISPLAY") or environment.get("DISPLAY")
    )
    viewer = _viewer(which, platform) if has_display and suffix in _SHOWN else ()
    is_text = place.line > 0
    if is_text or (suffix in _WRITTEN and not viewer):
        editor = _editor(environment, which, platform)
        if editor and (has_terminal or _name(editor[0]) in _WINDOWS):
            return Start((*at_line(editor, str(place.path), place.line),), waits=True)
        if editor and not viewer:
            raise SettingsError(
                f"{editor[0]} needs a terminal to open {place.path}",
                hint="Run this in a terminal, without a pipe.",
            )
    if viewer:
        return Start((*viewer, str(place.path)), waits=False)
    if is_text:
        raise SettingsError(f"No editor is set to open {place.path} with", hint=_NO_EDITOR)
    if suffix not in _SHOWN:
        raise SettingsError(
            f"{place.path} is not opened: by its name it is not a document",
            hint="Open it by yourself; `qa show` shows its text here.",
        )
    raise SettingsError(
        f"There is no display, or no xdg-open, to open {place.path} with",
        hint="`qa show` shows its text here.",
    )


def at_line(editor: Sequence[str], path: str, line: int) -> tuple[str, ...]:
    """An editor's arguments for a line of a file; the file alone where its way isn't known."""
    known = _name(editor[0])
    form = next((form for names, form in _FORMS if known in names and line > 0), ("{path}",))
    return (*editor, *(one.format(path=path, line=line) for one in form))


def at_page(default: str, path: str, page: int) -> tuple[str, ...]:
    """What opens a PDF at a page, where the system's viewer can: "evince.desktop" and the like."""
    name = next((one for one in _PAGED if one in default.lower()), "")
    return (name, _PAGED[name].format(page), path) if name and page > 0 else ()


def start(one: Start) -> int:
    """Run it; gives its exit status, or 0 where it goes on in a window of its own.

    Raises:
        OSError: it can't be run.
    """
    if one.waits:
        with _interrupts_left_to_it():
            return subprocess.run(one.arguments, check=False).returncode  # noqa: S603 - the user's own
    if sys.platform == "win32":
        os.startfile(one.arguments[-1])  # noqa: S606 - only what `plan` lets pass
        return 0
    nothing = subprocess.DEVNULL
    started = subprocess.Popen(  # noqa: S603 - only what `plan` lets pass
        one.arguments, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    try:
        return started.wait(_MOMENT)  # xdg-open hands on and ends, or can't and says so
    except subprocess.TimeoutExpired:
        threading.Thread(target=started.wait, daemon=True).start()
        return 0


def paged(one: Start, place: Place) -> Start:
    """The same, at the page of a PDF where the system's viewer is one that can be told."""
    if one.arguments[:1] != ("xdg-open",) or place.page < 1 or place.path.suffix.lower() != ".pdf":
        return one
    try:
        asked = subprocess.run(
            ("xdg-mime", "query", "default", "application/pdf"),  # noqa: S607 - found as any other
            capture_output=True,
            check=False,
            timeout=5,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return one
    arguments = at_page(asked.stdout, str(place.path), place.page)
    return Start(arguments, waits=False) if arguments and shutil.which(arguments[0]) else one


def _viewer(which: Callable[[str], str | None], platform: str) -> tuple[str, ...]:
    if platform == "win32":
        return ("startfile",)
    if platform == "darwin":
        return ("open",)
    return next(((one,) for one in ("xdg-open", "wslview") if which(one)), ())


def _editor(
    environment: Mapping[str, str], which: Callable[[str], str | None], platform: str
) -> tuple[str, ...]:
    for variable in ("VISUAL", "EDITOR"):
        if not (named := environment.get(variable, "").strip()):
            continue
        try:
            words = shlex.split(named, posix=platform != "win32")
        except ValueError as error:
            raise SettingsError(f"{variable} is {named!r}: {error}", hint=_NO_EDITOR) from error
        words = [word.strip('"') for word in words] if platform == "win32" else words
        if not words or not which(words[0]):
            raise SettingsError(f"{variable} is {named!r}, which can't be run", hint=_NO_EDITOR)
        return tuple(words)
    return ()


def _name(program: str) -> str:
    return Path(program.replace("\\", "/")).name.lower().removesuffix(".exe").removesuffix(".cmd")


@contextmanager
def _interrupts_left_to_it() -> Iterator[None]:
    """Ctrl-C is for the editor; a handler, unlike ignoring, isn't handed down to it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
