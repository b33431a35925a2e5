"""`qa verify`."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import Annotated

import typer

from qa.cli import options, render
from qa.cli.options import Format, open_assistant
from qa.cli.output import Output
from qa.errors import CitationError

EXAMPLES = """Examples:

qa ask "Who signed?" --format json > answer.json

qa verify answer.json"""

NOT_ALL = 1


def command(
    answer: Annotated[Path, typer.Argument(help="Saved with `qa ask … --format json`.")],
    *,
    corpus: options.Corpus = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="How to write it.")
    ] = Format.TEXT,
) -> None:
    """Check the quotes of a saved answer against the files as they are now.

    Each is verified, moved (the same words elsewhere), drifted (other words) or unresolvable (the
    file is gone or can't be read). Exit status: 0 where all are verified or moved, 1 where not, 2
    an error.
    """
    output = Output()
    try:
        saved = json.loads(answer.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CitationError(
            f"{answer} is no JSON ({error})",
            hint="Save an answer with `qa ask … --format json > answer.json`.",
        ) from error
    if not isinstance(saved, dict):
        saved = {}
    if corpus is None and isinstance(saved.get("corpus"), str) and saved["corpus"]:
        corpus = saved["corpus"]
        output.note(f"Checking against {corpus}, where it was asked.")
    with open_assistant(output, corpus=corpus) as assistant:
        verification = assistant.verify(saved)
    if output_format is Format.JSON:
        output.json(verification.to_dict())
    else:
        output.lines(render.verification(verification, width=output.width))
    if not verification.holds:
        raise typer.Exit(NOT_ALL)
