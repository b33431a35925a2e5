"""`qa calibrate`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import Annotated

import typer

from qa.cli import options
from qa.cli.options import open_assistant
from qa.cli.output import Output

EXAMPLES = """Examples:

qa calibrate questions.jsonl

qa calibrate --reset

A line of questions.jsonl: {"question": "Who signed?"} or, for what the corpus does not
answer, {"question": "Who won in 1966?", "unanswerable": true}"""


def command(
    questions: Annotated[
        Path | None, typer.Argument(help="JSONL: answerable and unanswerable questions.")
    ] = None,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="Return to the default.")] = False,
    corpus: options.Corpus = None,
    index: options.Index = None,
    lock_timeout: options.LockTimeout = None,
    quiet: options.Quiet = False,
) -> None:
    """Fit the probability of an answer to your own questions, and keep it in the index."""
    output = Output(quiet=quiet)
    if (questions is None) != reset:
        raise typer.BadParameter("give a file of questions, or --reset")
    with open_assistant(output, corpus=corpus, index=index, lock_timeout=lock_timeout) as assistant:
        if questions is None:
            assistant.calibrate(None)
            output.note("The default calibration is back.")
            return
        from qa.evaluation.questions import load_questions

        fitted = assistant.calibrate(load_questions(questions))
    output.data(", ".join(f"{name} {number:.3f}" for name, number in asdict(fitted).items()))
