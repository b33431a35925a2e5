"""`qa watch`."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options
from qa.cli.options import open_assistant
from qa.cli.output import Output
from qa.errors import QaError

if TYPE_CHECKING:
    from qa.assistant import Assistant
    from qa.types import Refresh

EXAMPLES = """Examples:

qa watch

qa watch --corpus ~/papers --quiet"""


def command(
    *,
    corpus: options.Corpus = None,
    index: options.Index = None,
    model: options.Model = None,
    ocr: options.Ocr = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", help="Cores to read and embed with.  [default: all]"),
    ] = None,
    lock_timeout: options.LockTimeout = None,
    quiet: options.Quiet = False,
) -> None:
    """Keep the index up to date while documents change, until stopped.

    Changes are taken up once nothing has changed for a moment. What fails is said once and tried
    again. On a terminal one line shows the state; elsewhere each change is a line with its time.
    Exit status: 130 when stopped with Ctrl-C, 143 by a terminate signal; the index is whole.
    """
    from importlib.util import find_spec

    output = Output(quiet=quiet)
    is_told = sys.platform == "linux" and find_spec("inotify_simple") is not None
    with open_assistant(
        output,
        corpus=corpus,
        index=index,
        model=model,
        ocr=ocr or None,
        jobs=jobs,
        lock_timeout=lock_timeout,
        fresh="watch" if is_told else "check",
    ) as assistant:
        if not is_told:
            output.note(_why_not_told())
        screen = _Screen(assistant, output, quiet=quiet)
        for step in assistant.follow():
            screen.show(step)


def _why_not_told() -> str:
    every = "all files are looked at every 2 s or more"
    if sys.platform == "linux":
        return f"Without `pip install 'retrieval-qa[watch]'`, {every}."
    return f"Only Linux tells of changes; here {every}."


class _Screen:
    """Shows what happened: one line on a terminal, a line each time elsewhere."""

    def __init__(self, assistant: Assistant, output: Output, *, quiet: bool) -> None:
        self._assistant = assistant
        self._output = output
        self._quiet = quiet
        self._is_terminal = sys.stdout is not None and sys.stdout.isatty()
        self._problem = ""  # that was said last, and is not over
        self._known: dict[str, str] = {}  # documents that can't be read, and why
        self._counts = "nothing indexed yet"
        self._changed = ""  # the last change, and when

    def show(self, step: Refresh | QaError) -> None:
        """Show what a refresh did, or why it failed."""
        now = time.strftime("%H:%M:%S" if self._is_terminal else "%Y-%m-%d %H:%M:%S")
        if isinstance(step, Exception):
            if str(step) != self._problem:
                self._problem = str(step)
                self._say(f"{now} {step}", f"{step.hint} Until then, qa keeps trying.".lstrip())
            self._draw("Trying again")
            return
        self._count()
        if change := _change(step):
            self._changed = f"; {now} {change}"
        if self._problem:
            self._problem = ""
            self._say(f"{now} That is over: the index is up to date again.")
        if not self._quiet:
            problems = {one.document: one.reason for one in step.problems}
            for document, reason in problems.items() - self._known.items():
                self._say(f"{now} {document}: {reason}")
            self._known = problems
            if not self._is_terminal:
                self._output.data(f"{now} {change or 'Watching'}: {self._counts}")
        self._draw("Watching")

    def _draw(self, doing: str) -> None:
        if self._is_terminal:
            self._output.doing(f"{doing}: {self._counts}{self._changed}")

    def _say(self, text: str, hint: str = "") -> None:
        if self._is_terminal:
            self._output.error(text, hint)
        else:
            self._output.data(f"{text}. {hint}" if hint else text)

    def _count(self) -> None:
        from qa.counting import counted

        with suppress(QaError):  # the next refresh says what is wrong
            status = self._assistant.status()
            documents = counted(status.documents, "document")
            self._counts = f"{documents}, {counted(status.passages, 'passage')}"


def _change(done: Refresh) -> str:
    """What a refresh did, in a few words; "" where it did nothing."""
    counts = (("added", done.added), ("changed", done.changed), ("removed", done.removed))
    return ", ".join(f"{count:,} {word}" for word, count in counts if count)
