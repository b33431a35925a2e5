"""`qa serve`."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options
from qa.cli.options import open_assistant
from qa.cli.output import Output
from qa.errors import MissingExtraError, QaError, SettingsError

if TYPE_CHECKING:
    from qa.progress import Progress
    from qa.serving.following import Follower

EXAMPLES = """Examples:

qa serve

qa serve --corpus ~/papers --port 0

qa serve --mcp

qa serve --host 0.0.0.0 --token-file ~/qa-token --allow-host qa.example.org"""

TOKEN = "RETRIEVAL_QA_TOKEN"  # noqa: S105 - the name of a variable
_SHORTEST = 16  # characters of a token
_PATIENCE = 5.0  # seconds that a refresh gets to end


def command(
    *,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; others than this machine's: token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 for any that is free.")
    ] = 8642,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help=f"File with the token to ask for.  [default: {TOKEN}]"),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="Name that it is called by; repeatable."),
    ] = None,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Serve agents at /mcp, too: streamable HTTP.")
    ] = False,
    corpus: options.Corpus = None,
    index: options.Index = None,
    model: options.Model = None,
    ocr: options.Ocr = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", help="Cores to read and embed with.  [default: all]"),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Answer questions over HTTP, for programs and in a browser, until stopped.

    The index is kept up to date meanwhile. Only this machine can ask, unless `--host` says
    otherwise; then a token is needed, in RETRIEVAL_QA_TOKEN or a file. What is under way when it
    is stopped is finished first. Exit status: 130 when stopped with Ctrl-C, 143 by a terminate
    signal.
    """
    from importlib.util import find_spec

    if any(
        find_spec(name) is None for name in ("fastapi", "jinja2", "prometheus_client", "uvicorn")
    ):
        raise MissingExtraError("`qa serve`", "serve")
    if mcp and find_spec("mcp") is None:
        raise MissingExtraError("`qa serve --mcp`", "mcp")
    from qa.serving.api import make_app
    from qa.serving.following import Follower
    from qa.serving.guard import Rules
    from qa.serving.server import is_loopback, listen, make_server

    output = _Output(quiet=quiet)
    rules = Rules(
        names=frozenset(one.lower() for one in (host, *(allow_host or ()))),
        is_local=is_loopback(host),
        token=_token(token_file),
    )
    if not rules.is_local and not rules.token:
        raise SettingsError(
            f"On {host} others can ask, and there is no token",
            hint=f"Put {_SHORTEST} characters or more into {TOKEN} or a `--token-file`: "
            "openssl rand -hex 32",
        )
    is_told = sys.platform == "linux" and find_spec("inotify_simple") is not None
    output.follower = follower = Follower(output.error)
    with (
        listen(host, port) as listening,
        open_assistant(
            output,
            corpus=corpus,
            index=index,
            model=model,
            ocr=ocr or None,
            jobs=jobs,
            fresh="watch" if is_told else "check",
        ) as assistant,
    ):
        app = make_app(
            assistant,
            rules,
            problem=lambda: follower.problem,
            tell=output.failed,
            for_agents=mcp,
        )
        follower.start(assistant)
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listening.getsockname()[1]}/"
        output.data(address)
        if mcp:
            output.note(f"For agents: {address}mcp")
        try:
            make_server(app).run(sockets=[listening])
        finally:
            follower.leave(_PATIENCE)


class _Output(Output):
    """Shows notes and errors; a refresh goes on in silence."""

    follower: Follower | None = None

    def failed(self, error: Exception) -> None:
        """Show what a request failed with."""
        if isinstance(error, QaError):
            self.error(str(error), error.hint)
        else:
            self.error(f"Internal error (a bug in qa): {error!r}", "Please report it.")

    def progress(self, one: Progress) -> None:
        """End a refresh when the server does."""
        if self.follower is not None:
            self.follower.progress(one)


def _token(file: Path | None) -> str:
    """The token that is asked for; "" where there is none.

    Raises:
        SettingsError: it can't be read, or could be guessed.
    """
    token, place = os.environ.get(TOKEN, ""), TOKEN
    if file is not None:
        place = str(file)
        try:
            token = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The token in {file} can't be read: {error}", hint="Write one into it as text."
            ) from error
    if (token or file) and not (len(token) >= _SHORTEST and token.isascii() and token.isalnum()):
        raise SettingsError(
            f"The token in {place} is not {_SHORTEST} or more letters and digits",
            hint="Make one: openssl rand -hex 32",
        )
    return token
