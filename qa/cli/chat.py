"""`qa chat`."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.cli.background import Background, Told
    from qa.cli.session import Session

EXAMPLES = """Examples:

qa chat

qa chat --corpus ~/papers -k 3

qa chat --no-history"""

_SIGNALLED = 128  # and the number of the signal
_AS_BEFORE = b"\x1b[?2004l\x1b[?7h\x1b[?25h\r\n"  # no bracketed paste; lines wrap; the cursor shows
_LEAVING = 3.0  # seconds that an end waits for what goes on behind it


def command(
    *,
    k: Annotated[
        int | None, typer.Option("-k", help="Show at most this many passages.  [default: 5]")
    ] = None,
    corpus: options.Corpus = None,
    index: options.Index = None,
    model: options.Model = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Abstain below this probability, 0 to 1.  [default: 0.5]"),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Remember the lines that were typed.")
    ] = True,
) -> None:
    """Ask one question after another; `qa` alone does the same on a terminal.

    A line that begins with a colon is a command: :help lists them, Tab completes. Ctrl-C stops or
    clears, Ctrl-D leaves. "and in 2023?" leans on the question before; what is asked is shown.
    Documents that change meanwhile are indexed in the background.
    """
    from qa.errors import QuestionError

    if not all(one is not None and one.isatty() for one in (sys.stdin, sys.stdout)):
        raise QuestionError(
            "A session needs a terminal", hint='Ask one question like this: qa ask "Who …?"'
        )
    from importlib.util import find_spec

    from qa.cli.background import Background, Told
    from qa.cli.output import Output
    from qa.cli.session import Asking, Session

    output, told = Output(), Told()
    is_watched = sys.platform == "linux" and find_spec("inotify_simple") is not None
    assistant = options.open_assistant(
        told,
        corpus=corpus,
        index=index,
        model=model,
        k=k,
        threshold=threshold,
        fresh="watch" if is_watched else None,
    )
    background = Background(assistant, told)
    session = Session(assistant, output, told, background, Asking(assistant.settings.k))
    output.note("Ask a question. :help lists commands, Ctrl-D leaves; `qa --help` shows all of qa.")
    try:
        _converse(session, told, background, is_remembered=history)
    finally:
        if background.leave(_LEAVING):
            assistant.close()
        else:
            _end_at_once()


def _converse(session: Session, told: Told, background: Background, *, is_remembered: bool) -> None:
    import os
    import signal

    is_dumb = os.environ.get("TERM", "") in {"dumb", "unknown"}
    read = _plain() if is_dumb else _prompt(session, told, background, is_remembered=is_remembered)
    is_heard = is_dumb

    def interrupt(*_: object) -> None:
        # The prompt reads Ctrl-C as a key. What comes before or after that must not break it, nor
        # must a second one what is done about the first.
        nonlocal is_heard
        if is_heard:
            is_heard = False
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    ended = signal.signal(signal.SIGTERM, _ending(b"\r\n" if is_dumb else _AS_BEFORE))
    is_asked = False
    try:
        while True:
            try:
                if is_asked:  # and was stopped
                    session.stopped()
                is_asked, is_heard = False, is_dumb
                line = read()
                is_asked, is_heard = True, True
                if not session.take(line):
                    return
                is_asked, is_heard = False, is_dumb
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, ended)


def _ending(last: bytes) -> Callable[[int, object], None]:
    """What ends a session on a signal, whatever it is at, with the terminal as it was before.

    `last` is written then.
    An exception would have to find its way out of a prompt that may be waiting in other hands.
    """
    import os

    if sys.platform == "win32":
        return lambda number, _: os._exit(_SIGNALLED + number)
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def end(number: int, _: object) -> None:
        with suppress(OSError, termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, before)
            os.write(sys.stdout.fileno(), last)
        os._exit(_SIGNALLED + number)

    return end


def _prompt(
    session: Session, told: Told, background: Background, *, is_remembered: bool
) -> Callable[[], str]:
    """What reads a line, with completion, history and a toolbar."""
    from qa.cli.last import state_folder
    from qa.cli.layout import clip
    from qa.cli.progress import fitting
    from qa.cli.prompting import Completions, history, prompt
    from qa.counting import counted
    from qa.visible import visible

    def toolbar() -> str:
        width = prompted.output.get_size().columns - 1
        if (reached := told.reached) is not None:
            return fitting(reached, width)
        if background.problem is not None:
            return clip(visible(str(background.problem)), width)
        documents = counted(len(background.names), "document")
        return clip(f"{documents} · {session.asking} · :help", width)

    prompted = prompt(
        remembered=history(state_folder() / "history" if is_remembered else None),
        completions=Completions(background, session.citations),
        toolbar=toolbar,
    )
    told.changed = prompted.app.invalidate
    return prompted.prompt


def _plain() -> Callable[[], str]:
    """What reads a line on a terminal that can do nothing but write."""
    import io

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")

    def read() -> str:
        sys.stdout.write("qa> ")
        sys.stdout.flush()
        if not (line := sys.stdin.readline()):
            raise EOFError
        return line

    return read


def _end_at_once() -> None:
    """End without waiting: what is indexed so far is committed, and the next refresh goes on."""
    import os

    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
