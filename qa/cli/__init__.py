"""The command line: one file a command, one output sink, one table of errors."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command `qa`; leaves with 0, 1 (nothing found), 2 (an error) or 130 (Ctrl-C)."""
    from qa.cli.stopping import stoppable

    with stoppable():
        _run()


def _run() -> None:
    import gc
    import os
    import sys

    # Most objects live as long as a command, so looking for garbage among them finds none; at
    # Python's 700 new ones at a time that is a twentieth of a question, and more of a long listing.
    gc.set_threshold(100_000, 20, 20)
    # numpy's and faiss's pools of threads spin while they wait; one question needs none of them.
    # (Indexing has threads of its own.) Read when they are imported, so set first.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    from qa.cli.errors import report_errors

    with report_errors():
        from qa.cli.app import app

        sys.exit(app(prog_name="qa", standalone_mode=False))
