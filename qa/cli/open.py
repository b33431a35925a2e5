"""`qa open`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options
from qa.cli.output import Output
from qa.cli.show import offered

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.assistant import Assistant
    from qa.cli.last import Last, Result
    from qa.cli.viewers import Place

EXAMPLES = """Examples:

qa open 1

qa open report.pdf#page=3

qa open russia-north-korea-pact.md:42-44"""


def command(
    place: Annotated[
        str,
        typer.Argument(
            help="Number of a result of the last answer in this terminal, or a place as `qa ask` "
            "prints it: path:line.",
            autocompletion=offered,
        ),
    ],
    *,
    corpus: options.Corpus = None,
) -> None:
    """Open a result in your editor at its line, or in the system's viewer.

    Text opens in $VISUAL or $EDITOR, all else in what the system opens such files with, at the
    page of a PDF where that can be told.
    """
    from qa.cli import last

    output = Output()
    if last.is_number(place):
        open_result(*last.chosen(place), note=output.note, corpus=corpus)
        return
    with options.open_assistant(output, corpus=corpus) as assistant:
        open_citation(place, assistant)


def open_result(
    found: Last, result: Result, *, note: Callable[[str], None], corpus: str | None = None
) -> None:
    """Open a result of an answer; `note` is told if its file has changed since.

    Raises:
        CitationError: its file is gone.
        SettingsError: nothing here can open it.
    """
    import hashlib

    from qa.cli.last import path_of
    from qa.cli.viewers import Place

    path = path_of(found, result, corpus)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != result.sha256:
        note(f"{result.file} has changed since that answer: the place may be another.")
    _open(Place(path, result.line, result.page))


def open_citation(citation: str, assistant: Assistant) -> None:
    """Open a place as `qa ask` prints it.

    Raises:
        CitationError: it names no place in the corpus.
        SettingsError: nothing here can open it.
    """
    from qa.cli.viewers import Place
    from qa.errors import CitationError

    cited = assistant.show(citation.removeprefix("./"), context=0).citation
    if (root := assistant.root) is None:
        raise CitationError(f"{citation} is not in a file", hint="`qa show` shows it.")
    line = cited.start_line if cited.encoding else 0
    _open(Place(root / cited.file, line, cited.page or 0))


def _open(place: Place) -> None:
    import os

    from qa.cli.viewers import paged, plan, start
    from qa.errors import SettingsError

    has_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    chosen = paged(plan(place, environment=os.environ, has_terminal=has_terminal), place)
    try:
        status = start(chosen)
    except OSError as error:
        raise SettingsError(
            f"{chosen.arguments[0]} can't be run: {error.strerror}", hint="Name another in EDITOR."
        ) from error
    if status:
        raise SettingsError(
            f"{chosen.arguments[0]} ended with status {status}",
            hint="`qa show` shows the place here.",
        )
