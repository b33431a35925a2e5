"""Wires the commands together."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import Annotated

import typer

from qa.cli import (
    ask,
    calibrate,
    doctor,
    eval,  # noqa: A004
    index,
    model,
    show,
    status,
    verify,
    watch,
)
from qa.cli.options import Command

__all__ = ["app"]

app = typer.Typer(
    help="Ask your own documents; get the passages that answer, each with a citation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
for module in (ask, index, watch, status, show, verify, eval, calibrate, doctor):
    name = module.__name__.rpartition(".")[2]
    app.command(name, cls=Command, epilog=module.EXAMPLES)(module.command)
app.add_typer(model.app, name="model")


def _version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if wanted:
        from qa import __version__
        from qa.cli.output import Output

        Output().data(f"qa {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    *,
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log-file", envvar="QA_LOG", help="Append an activity log (no document text)."
        ),
    ] = None,
    log_text: Annotated[
        bool,
        typer.Option("--log-text", envvar="QA_LOG_TEXT", help="Log questions and evidence, too."),
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback shows it
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    if log_file is not None:
        from qa import __version__, logs

        logs.to_file(log_file, text=log_text)
        logs.record("started", command=context.invoked_subcommand, version=__version__)
