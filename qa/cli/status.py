"""`qa status`."""

from __future__ import annotations

from typing import Annotated

import typer

from qa.cli import options, render
from qa.cli.options import Format, open_assistant
from qa.cli.output import Output, Segment

EXAMPLES = """Examples:

qa status

qa status --problems

qa status --corpus ~/papers --format json"""


def command(
    *,
    corpus: options.Corpus = None,
    index: options.Index = None,
    problems: Annotated[
        bool,
        typer.Option("--problems", help="List every document that can't be read in full, and why."),
    ] = False,
    output_format: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
) -> None:
    """Show what is indexed, how many documents have changed since, and what is being indexed."""
    output = Output()
    with open_assistant(output, corpus=corpus, index=index) as assistant:
        status = assistant.status()
    from qa.settings_file import find_settings_file

    file = find_settings_file()
    if output_format is Format.JSON:
        output.json(status.to_dict() | {"settings": str(file) if file else None})
    elif problems:
        output.lines(render.problems(status, width=output.room))
    else:
        said = (Segment("settings  ", "dim"), Segment(str(file or "no qa.toml here or above")))
        output.lines([said, *render.status(status, width=output.room)])
