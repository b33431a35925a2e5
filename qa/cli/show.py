"""`qa show`."""

from __future__ import annotations

from typing import Annotated

import typer

from qa.cli import options, render
from qa.cli.options import open_assistant
from qa.cli.output import Output

EXAMPLES = """Examples:

qa show russia-north-korea-pact.md:42-44

qa show report.txt:7 --context 10

qa show "report.txt#char=120,310\""""


def command(
    citation: Annotated[str, typer.Argument(help="As `qa ask` prints it: path:line.")],
    *,
    context: Annotated[
        int, typer.Option("--context", "-C", min=0, help="Lines of context before and after.")
    ] = 3,
    corpus: options.Corpus = None,
) -> None:
    """Show a cited place in context, from the file as it is now."""
    output = Output()
    with open_assistant(output, corpus=corpus) as assistant:
        shown = assistant.show(citation, context=context)
    output.lines(render.excerpt(shown, width=output.room))
