"""The one table of errors: what a person sees, and the exit status."""

from __future__ import annotations

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

    Mistakes in how a command is typed are typer's to report, with the same status.
    """
    from qa.errors import QaError

    try:
        with _logged():
            yield
    except QaError as error:
        from qa.cli.output import Output

        Output().error(str(error), error.hint)
        sys.exit(FAILED)
    except OSError as error:
        from qa.cli.output import Output

        Output().error(f"The system refused: {error}", "")
        sys.exit(FAILED)
    except Exception as error:
        from qa.cli.output import Output

        where = f"{type(error).__name__}: {error}"
        Output().error(
            f"A defect of qa: {where}",
            f"Please report it with the command that you ran; {TRACEBACK}=1 shows where it was.",
        )
        if os.environ.get(TRACEBACK):
            raise
        sys.exit(FAILED)
