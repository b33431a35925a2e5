"""Wires the commands together."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from qa.cli.options import Command

__all__ = ["app"]

COMMANDS = (
    "ask",
    "chat",
    "mcp",
    "index",
    "watch",
    "serve",
    "status",
    "corpora",
    "copy",
    "show",
    "open",
    "verify",
    "eval",
    "export",
    "map",
    "calibrate",
    "doctor",
    "trust",
    "model",
)


class _Commands(Mapping[str, Any]):
    """The commands by name, each made when it is looked up: a command pays for itself alone."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer vendors click without its types
        if name not in COMMANDS:
            raise KeyError(name)
        module = import_module(f"qa.cli.{name}")
        own = getattr(module, "app", None)
        if own is None:
            own = typer.Typer(rich_markup_mode=None, add_completion=False)
            own.command(name, cls=Command, epilog=module.EXAMPLES)(module.command)
        made = typer.main.get_command(own)
        made.name = name
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Program(TyperGroup):
    """The program: it knows what is meant without a command, too."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**given)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is added to it

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - as above
        """Parse what was typed (see click); nothing, on a terminal, begins a session."""
        if not args and not ctx.resilient_parsing and _on_terminal():
            args = ["chat"]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        """Find the command (see click); words in quotes in its place are a question."""
        if args and len(args[0].split()) > 1 and args[0] not in self.commands:
            args = ["ask", *args]
        return super().resolve_command(ctx, args)


def _on_terminal() -> bool:
    return all(one is not None and one.isatty() for one in (sys.stdin, sys.stdout))


app = typer.Typer(
    cls=_Program,
    help="Ask your own documents; get the passages that answer, each with a citation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


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
            "--version", "-v", "-V", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    if log_text:
        from qa.cli import last

        last.allow_text()
    if log_file is not None:
        from qa import __version__, logs

        logs.to_file(log_file, text=log_text)
        logs.record("started", command=context.invoked_subcommand, version=__version__)
