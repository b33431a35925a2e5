"""The one table of errors: what a person sees, and the exit status."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["report_errors"]

FAILED = 2
TRACEBACK = "RETRIEVAL_QA_TRACEBACK"


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        from qa import logs

        logs.error(error)
        raise


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn expected failures into a message, a hint and exit status 2, without a traceback.

    Mistakes in how a command is typed are put in typer's words, with status 2 too.
    """
    try:
        with _logged():
            yield
    except Exception as error:
        from qa.cli.output import Output
        from qa.errors import QaError

        output = Output()
        if (show := getattr(error, "show", None)) is not None:  # typer's, of a command's words
            from qa.cli.suggest import explain

            explain(error, sys.argv[1:])
            said = io.StringIO()
            show(file=said)
            output.refuse(said.getvalue())
        elif isinstance(error, QaError):
            output.error(str(error), error.hint)
        elif isinstance(error, OSError):
            output.error(f"Operating-system error: {error}", "")
        else:
            output.error(
                f"Internal error (a bug in qa): {type(error).__name__}: {error}",
                "Please report it, with the command that you ran. "
                f"{TRACEBACK}=1 in the environment shows the traceback.",
            )
            if os.environ.get(TRACEBACK):
                raise
        sys.exit(FAILED)
