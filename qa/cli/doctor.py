"""`qa doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from qa.cli import options, render
from qa.cli.options import Format, settings_from
from qa.cli.output import Output

EXAMPLES = """Examples:

qa doctor

qa doctor --corpus ~/papers --format json"""

NOT_SOUND = 1


def command(
    *,
    corpus: options.Corpus = None,
    index: options.Index = None,
    model: options.Model = None,
    output_format: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
) -> None:
    """Check the installation and the index, and say how to fix what is wrong.

    Nothing is changed. Exit status: 0 if nothing failed (there may be warnings), 1 if something
    did, 2 on an error.
    """
    from qa.diagnosis import diagnose

    output = Output()
    settings = settings_from({"corpus": corpus, "index": index, "model": model})
    found = diagnose(settings)
    if output_format is Format.JSON:
        output.json(found.to_dict())
    else:
        output.lines(render.diagnosis(found, width=output.width))
    if not found.sound:
        raise typer.Exit(NOT_SOUND)
