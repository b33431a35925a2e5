"""`qa calibrate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options
from qa.cli.options import open_assistant
from qa.cli.output import Output, Segment
from qa.errors import MissingExtraError

if TYPE_CHECKING:
    from qa.cli.decisions import Decisions

EXAMPLES = """Examples:

qa calibrate questions.jsonl

qa calibrate questions.jsonl --rerank ./my-cross-encoder

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
    rerank: options.Rerank = None,
    lock_timeout: options.LockTimeout = None,
    quiet: options.Quiet = False,
) -> None:
    """Fit the probability of an answer to your own questions, and keep it in the index.

    A fit is of the index's model, and with --rerank of that reranker, whose scores it weighs:
    it serves whoever asks with both.
    """
    output = Output(quiet=quiet)
    if (questions is None) != reset:
        raise typer.BadParameter("give a file of questions, or --reset")
    with open_assistant(
        output, corpus=corpus, index=index, rerank=rerank, lock_timeout=lock_timeout
    ) as assistant:
        if questions is None:
            assistant.calibrate(None)
            output.note("The default calibration is back.")
            return
        try:
            import scipy  # noqa: F401 - to say so before the work, not after

            from qa.evaluation.evaluate import evaluate
        except ImportError as error:
            raise MissingExtraError("qa calibrate", "eval") from error
        from qa.cli.decisions import decide, told
        from qa.cli.layout import wrap
        from qa.evaluation.questions import load_questions

        asked = load_questions(questions)
        assistant.refresh()

        def decided(doing: str) -> Decisions:
            progress = partial(output.far, doing=doing, things="questions")
            outcomes = evaluate(assistant, asked, progress=progress)
            return decide(outcomes, threshold=assistant.settings.threshold, k=assistant.settings.k)

        before = decided("Asking before")
        assistant.calibrate(asked)
        now = decided("Asking now")
    output.lines((Segment(line),) for line in wrap(told(now, before), output.room))
    output.note(
        "Counted on the questions that it was fitted to, so others may come out worse. "
        "`qa calibrate --reset` goes back."
    )
