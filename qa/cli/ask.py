"""`qa ask`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options
from qa.cli.options import Format, open_assistant
from qa.cli.output import Output
from qa.errors import FilterError, QuestionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qa.answering.request import AskArguments

EXAMPLES = """Examples:

qa ask "Will Russia send food or medicine?"

qa ask "Who signed?" --corpus ~/papers -k 3 --format json

qa ask "Who signed?" --in "reports/**" --where author="A. Adams" --since 2024-01-01

echo "Who signed?" | qa ask

qa ask --batch questions.txt > answers.jsonl"""

NOT_ANSWERED, CANT_TELL = 1, 2


def command(
    question: Annotated[
        str | None, typer.Argument(help="In plain language; read from stdin if omitted.")
    ] = None,
    *,
    k: Annotated[
        int | None, typer.Option("-k", help="Show at most this many passages.  [default: 5]")
    ] = None,
    corpus: options.Corpus = None,
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
            metavar="FILE", help="Ask each line, as text or JSON (- is stdin); writes JSON lines."
        ),
    ] = None,
    rerank: Annotated[
        str | None,
        typer.Option(help="Rerank the best with a cross-encoder: local path or hub name."),
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
    output = Output(quiet=quiet)
    with open_assistant(
        output,
        corpus=corpus,
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
            "within": within or (),
            "where": _conditions(where or ()),
            "since": since,
            "until": until,
        }
        if batch is not None:
            from qa.cli.batch import ask_lines

            if question is not None or output_format not in {"text", "json", "jsonl"}:
                other = "QUESTION" if question is not None else f"--format {output_format}"
                raise QuestionError(
                    f"--batch and {other} don't go together", hint="Leave out one of them."
                )
            raise typer.Exit(ask_lines(assistant, batch, output, options_of_all))
        answer = assistant.ask(_asked(question), **options_of_all)
        root = assistant.root
    if output_format is Format.JSON:
        output.json(answer.to_dict())
    else:
        from qa.cli import render

        if output_format is Format.MARKDOWN:
            output.data(render.markdown(answer, always=always))
        else:
            lines = render.answer(answer, root, width=output.width, room=output.room, always=always)
            output.lines(lines)
    for note in answer.notes:
        output.note(note)
    if not answer.answered:
        raise typer.Exit(CANT_TELL if answer.complete is False else NOT_ANSWERED)


def _asked(question: str | None) -> str:
    if question is not None and question != "-":
        return question
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
