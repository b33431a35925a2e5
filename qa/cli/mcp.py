"""`qa mcp`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from qa.cli import options
from qa.cli.options import open_assistant
from qa.cli.output import Output
from qa.errors import ClosedError, MissingExtraError

if TYPE_CHECKING:
    from qa.progress import Progress

EXAMPLES = """Examples:

qa mcp

qa mcp --corpus ~/papers"""


def command(
    *,
    corpus: options.Corpus = None,
    index: options.Index = None,
    model: options.Model = None,
    ocr: options.Ocr = False,
    lock_timeout: options.LockTimeout = None,
    quiet: options.Quiet = False,
) -> None:
    """Serve the documents to an agent, by the Model Context Protocol over stdin and stdout.

    An agent starts this by itself, once it is told to: docs/mcp.md has the lines for the usual
    ones. It ends when the agent does.
    """
    try:
        import anyio

        from qa.serving.mcp import Access, make_server
    except ImportError as error:
        if (error.name or "").startswith("qa"):
            raise
        raise MissingExtraError("qa mcp", "mcp") from error
    output = _Output(quiet=quiet)
    if sys.stdin is not None and sys.stdin.isatty():
        output.note("This is for an agent to start (see docs/mcp.md). Ctrl-C ends it.")
    with open_assistant(
        output,
        corpus=corpus,
        index=index,
        model=model,
        ocr=ocr or None,
        lock_timeout=lock_timeout,
    ) as assistant:
        # Whatever is under way may be cut off at any moment: what was committed stays.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        anyio.run(make_server(Access(assistant)).run_stdio_async)
        output.has_reader = False


class _Output(Output):
    """Notes and progress go to stderr, and a refresh that is under way ends with the agent."""

    has_reader = True

    def progress(self, one: Progress) -> None:
        """Show how far indexing is; what was committed stays when it ends here."""
        if not self.has_reader:
            raise ClosedError("The agent has gone")
        super().progress(one)
