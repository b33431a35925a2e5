"""What `qa eval` shows: measures, as styled lines or as a Markdown table. No I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.cli.output import Line, Segment
from qa.counting import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qa.evaluation.evaluate import Report

__all__ = ["measures", "measures_markdown"]


def measures(found: Report) -> Iterator[Line]:
    """Lay out measures with their 95 % intervals."""
    for name, one in found.measures.items():
        figure = f"{one.value:8.2f}" if name.endswith("ms") else f"{one.value:8.4f}"
        interval = "" if one.low is None else f"  [{one.low:.4f}, {one.high:.4f}]"
        yield (
            Segment(f"{name:10}", "dim"),
            Segment(figure),
            Segment(f"{interval:20}  {counted(one.questions, 'question')}", "dim"),
        )


def measures_markdown(found: Report) -> str:
    """Write the same as a Markdown table."""
    rows = ["| measure | value | 95 % interval | questions |", "|---|---|---|---|"]
    for name, one in found.measures.items():
        interval = "" if one.low is None else f"{one.low:.4f} to {one.high:.4f}"
        rows.append(f"| {name} | {one.value:.4f} | {interval} | {one.questions} |")
    return "\n".join(rows)
