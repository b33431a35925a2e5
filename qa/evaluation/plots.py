"""Draw a reliability diagram and a risk-coverage curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from qa.evaluation.evaluate import Report

__all__ = ["plot"]


def plot(found: Report, path: Path) -> None:
    """Write both as one picture, in the format of the path's suffix (.png, .svg, .pdf).

    Raises:
        OSError: the file can't be written.
        ValueError: matplotlib has no such format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    if found.reliability:
        left.plot(
            [mean for mean, _, _ in found.reliability],
            [share for _, share, _ in found.reliability],
            marker="o",
        )
    else:
        left.text(0.5, 0.5, "needs unanswerable questions too", ha="center", color="0.4")
    left.set(title="Reliability", xlabel="probability said", ylabel="share that was answerable")
    left.set(xlim=(0, 1), ylim=(0, 1))
    right.plot(found.coverage, found.risk)
    right.set(title="Risk and coverage", xlabel="share answered", ylabel="of these, wrong")
    right.set(xlim=(0, 1), ylim=(0, None))
    figure.savefig(path)
