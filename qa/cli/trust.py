"""`qa trust`, and the question that a settings file is allowed by."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli.output import Output
from qa.errors import SettingsError

if TYPE_CHECKING:
    from qa.trust import UntrustedError

EXAMPLES = """Examples:

qa trust

qa trust ~/project/qa.toml

qa trust --forget"""


def command(
    file: Annotated[
        Path | None, typer.Argument(help="A qa.toml.  [default: the one that is in effect here]")
    ] = None,
    *,
    forget: Annotated[
        bool, typer.Option("--forget", help="Take your consent back instead.")
    ] = False,
) -> None:
    """Allow a qa.toml what it asks for outside of its folder.

    A qa.toml may come along with what others made. Paths that lead out of its folder, models by
    their names on a hub, a cache and --ocr are therefore allowed once by you, for the file as it
    is: when it changes, you are asked again. On a terminal, each command asks by itself.
    """
    from qa import trust
    from qa.settings import load_settings
    from qa.settings_file import NAME, find_settings_file

    output = Output()
    path = find_settings_file() if file is None else file.absolute()
    if path is not None and path.is_dir():
        path /= NAME
    if path is None or path.name != NAME or not path.exists():
        raise SettingsError(
            f"There is no {NAME} here or above"
            if file is None
            else f"There is no {NAME} at {file}",
            hint="Name one: qa trust PATH",
        )
    if forget:
        was = trust.forget(path)
        output.data(f"{path} is {'no longer' if was else 'not'} allowed anything.")
        return
    try:
        load_settings(folder=path.parent, environment={})
    except trust.UntrustedError as error:
        trust.allow(error.file, error.wishes)
        output.data(f"{path} is now allowed: {'; '.join(error.wishes)}")
    else:
        output.data(f"{path} needs no consent, or has it.")


def allowed_now(error: UntrustedError) -> bool:
    """Ask on a terminal whether a settings file may have what it asks for; note a yes."""
    output = Output()  # even when quiet: a question that nobody sees waits for ever
    if not (sys.stdin and sys.stderr and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    output.note(f"{error.file.path} asks for:")
    for wish in error.wishes:
        output.note(f"  {wish}")
    output.note("Allow this for the file as it is now? Only if you know who wrote it. [y/N]")
    if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
        return False
    from qa import trust

    trust.allow(error.file, error.wishes)
    return True
