"""`qa eval`."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options
from qa.cli.options import Format, open_assistant
from qa.cli.output import Output
from qa.errors import MissingExtraError, QuestionsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qa.cli.decisions import Decisions
    from qa.evaluation.evaluate import Outcome, Report

EXAMPLES = """Examples:

qa eval questions.jsonl

qa eval scifact/ --fail-under ndcg=0.7

qa eval questions.jsonl --foreign others.jsonl --plot curves.png

A line of questions.jsonl: {"question": "Who signed?", "documents": ["pact.md"], "answer": "Kim"}"""

BELOW = 1
_DRAWN = (".png", ".svg", ".pdf")


def command(
    questions: Annotated[
        Path, typer.Argument(help="A JSONL file about the corpus, or a folder in BEIR form.")
    ],
    *,
    foreign: Annotated[
        list[Path] | None,
        typer.Option(help="Questions that the corpus does not answer; repeatable."),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(help="Exit with status 1 below this, such as ndcg=0.7; repeatable."),
    ] = None,
    per_question: Annotated[
        Path | None, typer.Option(help="Write the outcome of each question to this JSONL file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Plot reliability and risk to this file (.png, .svg, .pdf).")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List every question that went wrong, not the first ten.")
    ] = False,
    corpus: options.Corpus = None,
    index: options.Index = None,
    model: options.Model = None,
    output_format: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
    quiet: options.Quiet = False,
) -> None:
    """Measure how good the answers are, on questions whose answers are known.

    What each figure means stands below it; then come the questions that were wrongly refused,
    wrongly answered, or answered without showing the answer.

    A folder in BEIR form brings its own corpus, indexed in a temporary folder unless --index
    names one. Exit status: 0, 1 if a measure is below --fail-under, 2 on an error.
    """
    wanted = dict(map(_bound, fail_under or []))
    output = Output(quiet=quiet)
    try:
        import ir_measures  # noqa: F401 - to say so before the work, not after

        from qa.evaluation.evaluate import evaluate, is_all_zero, report
        from qa.evaluation.measures import RANKING
    except ImportError as error:
        raise MissingExtraError("qa eval", "eval") from error
    from qa.cli.decisions import decide
    from qa.evaluation.questions import load_beir, load_foreign, load_questions

    unknown = sorted(wanted.keys() - {*RANKING, "answer@1", "answer@5", "evidence", "auroc"})
    if unknown:
        raise QuestionsError(
            f"--fail-under: there is no measure {unknown[0]!r}",
            hint=f"There are {', '.join(RANKING)}, answer@1, answer@5, evidence and auroc.",
        )
    for path in filter(None, (per_question, plot)):
        _check_place(path)
    if plot is not None and plot.suffix not in _DRAWN:
        raise QuestionsError(
            f"--plot: {plot} does not end in a format that can be drawn",
            hint=f"Give a name that ends in {', '.join(_DRAWN)}.",
        )
    documents = None
    if questions.is_dir():
        documents, asked = load_beir(questions)
    else:
        asked = load_questions(questions)
    asked += [
        question
        for number, path in enumerate(foreign or [])
        for question in load_foreign(path, number)
    ]
    with open_assistant(
        output, documents=documents, corpus=corpus, index=index, model=model
    ) as assistant:
        settings = assistant.settings
        assistant.refresh()
        outcomes = evaluate(
            assistant, asked, progress=partial(output.far, doing="Evaluating", things="questions")
        )
    found = report(outcomes, prior=assistant.settings.prior)
    made = decide(outcomes, threshold=settings.threshold, k=settings.k)
    _write(output, found, made, output_format, everything=everything)
    if truncated := sum(outcome.truncated for outcome in outcomes):
        output.note(
            f"{truncated:,} of {len(outcomes):,} questions are longer than the model reads: "
            "only their beginnings were embedded."
        )
    if is_all_zero(found):
        output.note("Nothing was found for any question: do the questions belong to this corpus?")
    if per_question is not None:
        per_question.write_text("".join(_line(outcome) for outcome in outcomes), "utf-8")
    if plot is not None:
        from qa.evaluation.plots import plot as draw

        draw(found, plot)
    missed = _missed(found, wanted)
    for line in missed:
        output.note(line)
    if missed:
        raise typer.Exit(BELOW)


def _check_place(path: Path) -> None:
    """Refuse a place to write to that is none, before the work rather than after."""
    if path.is_dir() or not path.parent.is_dir():
        what = (
            "is a folder"
            if path.is_dir()
            else f"can't be written: there is no folder {path.parent}"
        )
        raise QuestionsError(f"{path} {what}", hint="Name a file in a folder that exists.")


def _bound(text: str) -> tuple[str, float]:
    match = re.fullmatch(r"\s*([\w@]+)\s*=\s*(\d*\.?\d+)\s*", text)
    if match is None:
        raise QuestionsError(
            f"--fail-under: {text!r} is not a measure and a bound", hint="Write it like ndcg=0.7."
        )
    return match[1], float(match[2])


def _missed(found: Report, wanted: dict[str, float]) -> Sequence[str]:
    missed = []
    for name, least in wanted.items():
        measure = found.measures.get(name)
        if measure is None:
            missed.append(f"{name} can't be measured with these questions.")
        elif measure.value < least:
            missed.append(f"{name} is {measure.value:.4f}, below {least:g}.")
    return missed


def _write(
    output: Output, found: Report, made: Decisions, output_format: Format, *, everything: bool
) -> None:
    from qa.cli import decisions, measured

    if output_format is Format.JSON:
        output.json(found.to_dict() | {"decisions": made.to_dict()})
    elif output_format is Format.MARKDOWN:
        output.data(measured.measures_markdown(found))
        output.data(decisions.written(made, everything=everything))
    else:
        output.lines(
            line
            for name, one in zip(found.measures, measured.measures(found), strict=True)
            for line in (one, *decisions.meant(name, output.width))
        )
        output.lines(decisions.listed(made, width=output.width, everything=everything))


def _line(one: Outcome) -> str:
    documents = list(one.documents)[:10]
    row = {
        "id": one.question.id,
        "question": one.question.text,
        "unanswerable": one.question.unanswerable,
        "probability": round(one.probability, 4),
        "relevant": list(one.question.relevant),
        "documents": documents,
        "answer_rank": one.hit,
        "evidence_contains_answer": one.evidence,
        "seconds": round(one.seconds, 5),
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
