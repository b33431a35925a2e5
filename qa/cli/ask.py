"""`qa ask`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import last, options
from qa.cli.options import open_to_ask
from qa.cli.output import Output
from qa.errors import FilterError, QuestionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from qa.answering.request import AskArguments
    from qa.cli.render.answers import Form
    from qa.types import Answer

EXAMPLES = """Examples:

qa ask "Will Russia send food or medicine?"

qa ask "Who signed?" --corpus ~/papers -k 3 --format json

qa ask "Who signed?" --in "reports/**" --where author="A. Adams" --since 2024-01-01

qa ask who signed the pact --corpus notes --corpus papers

echo "Who signed?" | qa ask

qa ask --batch questions.txt > answers.jsonl

qa ask --batch questions.parquet --output answers.parquet"""

NOT_ANSWERED, CANT_TELL = 1, 2


class Format(StrEnum):
    """How an answer is written to stdout."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    MARKDOWN = "markdown"
    CSV = "csv"
    VIMGREP = "vimgrep"
    HTML = "html"


def command(
    question: Annotated[
        list[str] | None, typer.Argument(help="In plain language; read from stdin if omitted.")
    ] = None,
    *,
    k: Annotated[
        int | None, typer.Option("-k", help="Show at most this many passages.  [default: 5]")
    ] = None,
    corpus: options.Corpora = None,
    index: options.Index = None,
    model: options.Model = None,
    output_format: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
    threshold: Annotated[
        float | None,
        typer.Option(help="Abstain below this probability, 0 to 1.  [default: 0.5]"),
    ] = None,
    always: Annotated[
        bool, typer.Option("--always", help="If it abstains, show all the closest passages.")
    ] = False,
    within: Annotated[
        list[str] | None,
        typer.Option("--in", help='Only paths matching "reports/**", "*.pdf" …; repeatable.'),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", help="Only metadata matching KEY=VALUE, such as author=…; repeatable."
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only documents dated this day or later: 2024-01-31.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only documents dated this day or earlier.")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Ask each line, as text or JSON (- is stdin), or each row of a .parquet or .arrow "
            'file with a column "question"; writes JSON lines.',
        ),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="With --batch, write there instead: .jsonl, .parquet or .arrow.",
        ),
    ] = None,
    rerank: options.Rerank = None,
    full: Annotated[
        bool, typer.Option("--full", help="Show every passage whole, not the first alone.")
    ] = False,
    brief: Annotated[
        bool, typer.Option("--brief", help="Show a line for each passage, and no more.")
    ] = False,
    no_pager: Annotated[
        bool, typer.Option("--no-pager", help="Show what is longer than the screen all at once.")
    ] = False,
    per_document: Annotated[
        int | None,
        typer.Option(
            help="At most N passages of a document before those of others.  [default: 0, any]",
            metavar="N",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what each passage's score is made of.")
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option("--refresh/--no-refresh", help="Index changed documents first."),
    ] = True,
    ocr: options.Ocr = False,
    lock_timeout: options.LockTimeout = None,
    quiet: options.Quiet = False,
) -> None:
    """Answer a question with cited passages, best first.

    The index is built on first use and updated when documents have changed. If the documents
    probably don't hold the answer, qa says so and shows the closest passages. Exit status: 0 if
    answered, 1 if not, 2 on an error or if too little is indexed to tell; with --batch, the highest
    of all lines.
    """
    if full and brief:
        raise typer.BadParameter("--full and --brief exclude each other.")
    if (full or brief) and output_format is not Format.TEXT:
        raise typer.BadParameter(f"--full and --brief are of --format text, not {output_format}.")
    if into is not None and batch is None:
        raise typer.BadParameter("--output names a file, with --batch. Did you mean --format?")
    output = Output(quiet=quiet, paged=not no_pager and batch is None)
    with open_to_ask(
        output,
        corpus,
        index=index,
        model=model,
        k=k,
        threshold=threshold,
        rerank=rerank,
        ocr=ocr or None,
        lock_timeout=lock_timeout,
    ) as assistant:
        options_of_all: AskArguments = {
            "refresh": refresh,
            "explain": explain,
            "per_document": per_document,
            "within": within or (),
            "where": _conditions(where or ()),
            "since": since,
            "until": until,
        }
        if batch is not None:
            from qa.cli.batch import ask_lines
            from qa.cli.several import Several

            if question or output_format not in {"text", "json", "jsonl"}:
                other = "QUESTION" if question else f"--format {output_format}"
                raise QuestionError(
                    f"--batch and {other} don't go together", hint="Leave out one of them."
                )
            if isinstance(assistant, Several):
                raise QuestionError("--batch asks one corpus", hint="Name one with --corpus.")
            raise typer.Exit(ask_lines(assistant, batch, output, options_of_all, into))
        answer = assistant.ask(_asked(question), **options_of_all)
        root = assistant.root
        link = assistant.settings.editor_link
    form: Form = "full" if full else "brief" if brief else "short"
    _write(output, answer, root, output_format, form, always=always, link=link)
    for note in answer.notes:
        output.note(note)
    last.keep(answer)
    if not answer.answered:
        raise typer.Exit(CANT_TELL if answer.complete is False else NOT_ANSWERED)


def _write(
    output: Output,
    one: Answer,
    root: Path | None,
    wanted: Format,
    form: Form,
    *,
    always: bool,
    link: str | None,
) -> None:
    if wanted is Format.TEXT:
        from qa.cli import render

        rows = output.rows
        if rows is not None:
            from qa.cli.editor import editor_link

            rows -= len(one.notes)
            link = link or editor_link(os.environ)
        lines = render.answer(
            one,
            root,
            width=output.width,
            room=output.room,
            always=always,
            form=form,
            rows=rows,
            editor_link=link,
        )
        output.lines(lines)
        return
    if wanted is Format.JSON:
        output.json(one.to_dict())
        return
    from qa.cli import formats

    match wanted:
        case Format.JSONL:
            for record in formats.records(one, always=always):
                output.json(record, indent=None)
        case Format.MARKDOWN:
            output.data(formats.markdown(one, always=always))
        case Format.CSV:
            output.data(formats.csv(one, always=always))
        case Format.VIMGREP:
            for line in formats.vimgrep(one, root, always=always):
                output.data(line)
        case Format.HTML:
            output.data(formats.html(one, root, always=always))
    if wanted in {Format.JSONL, Format.CSV, Format.VIMGREP} and one.reason:
        output.note(one.reason)


def _asked(question: list[str] | None) -> str:
    if question and question != ["-"]:
        return " ".join(question)
    if sys.stdin is None or sys.stdin.isatty():
        raise QuestionError("No question", hint='Ask like this: qa ask "Who …?"')
    return sys.stdin.buffer.read().decode("utf-8", "replace").strip()


def _conditions(texts: Iterable[str]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for key, value in map(_condition, texts):
        if key in wanted:
            raise FilterError(
                f"--where names {key!r} twice", hint="One value a key; `*` stands for anything."
            )
        wanted[key] = value
    return wanted


def _condition(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise FilterError(
            f"--where {text!r} is not a condition", hint="Write it like author=Adams."
        )
    return key.strip(), value.strip()
