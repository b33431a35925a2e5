"""The command line: one file a command, one output sink, one table of errors."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command `qa`; leaves with status 0, 1 (nothing found) or 2 (an error)."""
    from qa.cli.app import app
    from qa.cli.errors import report_errors

    with report_errors():
        app(prog_name="qa")
