"""`qa show`."""

from __future__ import annotations

from typing import Annotated

import typer

from qa.cli import options, render
from qa.cli.options import open_assistant
from qa.cli.output import Output

EXAMPLES = """Examples:

qa show 2

qa show russia-north-korea-pact.md:42-44

qa show report.txt:7 --context 10

qa show "report.txt#char=120,310\""""


def offered(incomplete: str) -> list[tuple[str, str]]:
    """Complete a place with the results of the last answer; loads nothing else."""
    from qa.cli import last

    return last.completions(incomplete)


def command(
    citation: Annotated[
        str,
        typer.Argument(
            help="Number of a result of the last answer in this terminal, or a place as `qa ask` "
            "prints it: path:line.",
            autocompletion=offered,
        ),
    ],
    *,
    context: Annotated[
        int, typer.Option("--context", "-C", min=0, help="Lines of context before and after.")
    ] = 3,
    corpus: options.Corpus = None,
) -> None:
    """Show a cited place in context, from the file as it is now.

    A document that is called 2 is named ./2.
    """
    from qa.cli import last

    output, result = Output(), None
    place = citation.removeprefix("./")
    if last.is_number(citation):
        found, result = last.chosen(citation)
        # Its file alone: no corpus is walked for it, nor is one needed that all results are of.
        corpus, place = str(last.path_of(found, result, corpus)), result.exact_in_file
    with open_assistant(output, corpus=corpus) as assistant:
        shown = assistant.show(place, context=context)
    if result is not None and shown.citation.sha256 != result.sha256:
        output.note(f"{result.file} has changed since that answer: this stands there now.")
    output.lines(render.excerpt(shown, width=output.room))
