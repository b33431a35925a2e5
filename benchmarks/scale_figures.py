"""What docs/performance.md shows of benchmarks/scale.json: tables, plots and what is calculated."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import linear_regression
from typing import TYPE_CHECKING, Any

from plots import Line, chart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FAR = 10_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of one size: what it is, in what, and the way to it in the JSON."""

    name: str
    unit: str
    way: str

    def of(self, one: dict[str, Any]) -> float | None:
        """Give the figure; None where it was not measured."""
        found: Any = one
        for key in self.way.split("/"):
            if not isinstance(found, dict) or key not in found:
                return None
            found = found[key]
        return float(found)


COLD = [
    Figure("fresh process, no check", "CPU s", "cold/no check/cpu_s"),
    Figure("fresh process, with the check", "CPU s", "cold/check/cpu_s"),
    Figure("fresh process, one document changed", "CPU s", "cold/one changed/cpu_s"),
]
WARM = [
    Figure("warm, no check", "CPU ms", "warm/no check/cpu_ms"),
    Figure("warm, with the check", "CPU ms", "warm/check/cpu_ms"),
    Figure("warm, no check, not answered", "CPU ms", "warm/not answered/cpu_ms"),
    Figure("warm, after 1 % changed", "CPU ms", "changed/no check/cpu_ms"),
    Figure("warm, in half of the tree", "CPU ms", "warm/in half of the tree/cpu_ms"),
    Figure("warm, since the middle day", "CPU ms", "warm/since the middle day/cpu_ms"),
]
INDEXING = [
    Figure("index all, without the model", "CPU s", "build/cpu_s"),
    Figure("take up 1 % changed", "CPU s", "changed/refresh_cpu_s"),
    Figure("merge all vectors", "CPU s", "merge/cpu_s"),
    Figure("first document found", "wall s", "build/first_document_s"),
    Figure("all documents found", "wall s", "build/all_documents_s"),
]
WITH_THE_MODEL = [
    Figure("index all, with the model", "CPU s", "build, model/cpu_s"),
    Figure("first document found, with the model", "wall s", "build, model/first_document_s"),
    Figure("all documents found, with the model", "wall s", "build, model/all_documents_s"),
    Figure("peak of indexing, with the model", "MB", "build, model/peak_mb"),
]
MEMORY = [
    Figure("index on disk", "MB", "build/disk_mb/all"),
    Figure("peak of indexing", "MB", "build/peak_mb"),
    Figure("peak of a fresh question", "MB", "cold/check/peak_mb"),
    Figure("peak of warm questions", "MB", "warm/peak_mb"),
    Figure("largest write-ahead log", "MB", "build/log_mb"),
]
ALIKE = [
    Figure("top 5 as from 1000 + 1000 candidates", "share", "agreement/share"),
    Figure("the same with stand-ins", "share", "agreement, stand-ins/share"),
]
CHECK = [
    *COLD[:2],
    *WARM[:3],
    Figure("to name all files and ask for their times", "CPU s", "looking/cpu_s"),
]
OF_SIZES = [*COLD, *WARM, *INDEXING, *MEMORY, *WITH_THE_MODEL, *ALIKE]
PLOTS = {
    "question": ("CPU time of a question", "ms", [*COLD, *WARM[:2], *WARM[3:5]]),
    "indexing": ("Indexing", "s", INDEXING),
    "memory": ("Memory and disk", "MB", MEMORY),
}


def scale(found: dict[str, Any]) -> str:
    """Show the plots and make the table of all sizes."""
    sizes = _ascending(found["sizes"])
    rows = [
        _row("passages", [f"{one['build']['passages']:,}" for one in sizes]),
        "|---" * (len(sizes) + 1) + "|",
        _row("documents", [f"{one['build']['documents']:,}" for one in sizes]),
        _row("vectors of passages", [one["vectors"] for one in sizes]),
        _row("index, without the model, CPU ms a passage", map(_each, sizes)),
    ]
    rows += _rows(OF_SIZES, sizes)
    judged = found["stand-in"]
    kind = (
        f"The stand-in's vectors have a mean cosine of {judged['cosine']} to the model's, and "
        f"{judged['nearest_10']:.0%} of the ten nearest passages are the same, on passages that it "
        "was not fitted to."
    )
    machine = ", ".join(f"{key} {value}" for key, value in found["machine"].items())
    commits = ", ".join(sorted({f"{one['commit']} of {one['date']}" for one in sizes}))
    pictures = [f"![{title}, {unit}](plots/{key}.svg)" for key, (title, unit, _) in PLOTS.items()]
    shown = "\n\n".join(pictures)
    table = "\n".join(rows)
    return f"{shown}\n\n{table}\n\n{kind}\n\nMeasured at {commits}; {machine}"


def files(found: dict[str, Any]) -> str:
    """Make the table of the check for changes in very many small files."""
    sizes = _ascending(found["files"])
    rows = [
        _row("files", [f"{one['build']['documents']:,}" for one in sizes]),
        "|---" * (len(sizes) + 1) + "|",
        *_rows(CHECK, sizes),
    ]
    return "\n".join(rows)


def charts(found: dict[str, Any]) -> dict[str, str]:
    """Draw the plots: SVG by name."""
    sizes = _ascending(found["sizes"])
    made = {}
    for name, (title, unit, figures) in PLOTS.items():
        lines = []
        for figure in figures:
            factor = 1e3 if unit == "ms" and figure.unit == "CPU s" else 1
            points = [
                (float(one["build"]["passages"]), value * factor, one["vectors"] == "real")
                for one in sizes
                if (value := figure.of(one))
            ]
            if points:
                lines.append(Line(figure.name, points))
        made[name] = chart(f"{title}, {unit}", "passages (○ with stand-in vectors)", lines)
    return made


def ten_million(found: dict[str, Any]) -> str:
    """Say what ten million passages would take, by straight lines through what was measured."""
    sizes = _ascending(found["sizes"])
    if len(sizes) < 3:
        return "Not calculated: that takes three sizes."
    passages = [float(one["build"]["passages"]) for one in sizes]
    last = sizes[-1]
    rows = [
        f"| | {passages[-1]:,.0f}, measured | each million more | {FAR:,}, calculated |",
        "|---|---|---|---|",
    ]
    for figure in [*COLD, *WARM, *INDEXING, *MEMORY]:
        values = [figure.of(one) for one in sizes]
        known = [value for value in values if value is not None]
        if len(known) == len(sizes):
            slope, start = linear_regression(passages, known)
            told = [_told(known[-1]), _told(slope * 1e6), _told(start + slope * FAR)]
            rows.append(_row(f"{figure.name}, {figure.unit}", told))
    documents = FAR * last["build"]["documents"] / passages[-1]
    return (
        f"{FAR:,} passages would be about {documents:,.0f} documents like these. That was not "
        "measured: the last column is the straight line (least squares) through the figures of "
        f"all {len(sizes)} sizes, drawn on.{_embedding(sizes)}\n\n" + "\n".join(rows)
    )


def _embedding(sizes: Sequence[dict[str, Any]]) -> str:
    """Say how long the model would take, from the largest size that it has embedded."""
    real = [one for one in sizes if "build, model" in one]
    if not real:
        return ""
    one = real[-1]
    each = (one["build, model"]["cpu_s"] - one["build"]["cpu_s"]) / one["build"]["passages"]
    return (
        f" To embed them takes {FAR * each / 3600:,.0f} hours of CPU more, at {1 / each:.0f} "
        f"passages a CPU second as in the index of {one['build']['passages']:,}."
    )


def _ascending(sizes: dict[str, Any]) -> list[dict[str, Any]]:
    return [sizes[key] for key in sorted(sizes, key=int)]


def _rows(figures: Sequence[Figure], sizes: Sequence[dict[str, Any]]) -> list[str]:
    known = [(figure, [figure.of(one) for one in sizes]) for figure in figures]
    return [
        _row(f"{figure.name}, {figure.unit}", map(_told, values))
        for figure, values in known
        if any(value is not None for value in values)
    ]


def _row(name: str, values: Iterable[str]) -> str:
    return f"| {name} | " + " | ".join(values) + " |"


def _each(one: dict[str, Any]) -> str:
    return _told(one["build"]["cpu_s"] / one["build"]["passages"] * 1e3)


def _told(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
