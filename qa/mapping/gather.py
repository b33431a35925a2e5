"""Which passages are drawn, where, and in which group."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np

from qa.errors import IndexMissingError
from qa.mapping.plane import on_plane

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qa.assistant import Assistant
    from qa.mapping.plane import Layout
    from qa.types import Answer

__all__ = ["Grouping", "Map", "Point", "gather"]

Grouping = Literal["auto", "document", "folder", "heading"]
MAX_GROUPS = 7  # that have a colour of their own; the smallest share one
MOST = 5000  # passages; more are not told apart
_SHOWN = 300  # characters of a passage
REST = "others"


@dataclass(frozen=True, slots=True)
class Point:
    """A passage: where it is on the plane, in which group, and its rank for the question, from 1.

    `label` is its document and the headings above it.
    """

    x: float
    y: float
    group: int
    label: str
    text: str
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """Passages on a plane; `groups` names their groups, the largest first.

    `question` is where the question is, and `verdict` what became of it. `total` passages have
    vectors; where they are more than the points, those are every so-manieth of them.
    """

    points: tuple[Point, ...]
    groups: tuple[str, ...]
    total: int
    asked: str = ""
    question: tuple[float, float] | None = None
    verdict: str = ""


def gather(
    assistant: Assistant,
    question: str | None = None,
    *,
    k: int | None = None,
    grouping: Grouping = "auto",
    layout: Layout = "auto",
    limit: int = MOST,
) -> Map:
    """Place the passages of an index, and a question with what answers it.

    Args:
        assistant: whose index is drawn as it is.
        question: what is asked, if anything is.
        k: how many passages answer it at most.
        grouping: what shares a colour; "auto" is the document, or of a single one the heading.
        layout: see `qa.mapping.plane.on_plane`.
        limit: how many passages are drawn at most, besides those that answer.

    Raises:
        IndexUnusableError: there is no index, or nothing in it has a vector.
        QuestionError: the question can't be asked.
        MissingExtraError: see `qa.mapping.plane.on_plane`.
    """
    answer = assistant.ask(question, k) if question else None
    ranks = _ranks(answer)
    total = assistant.status().passages
    keys, vectors = [], []
    for number, row in enumerate(assistant.rows("vectors")):
        is_drawn = number * limit // max(total, limit) != (number - 1) * limit // max(total, limit)
        if is_drawn or (row["document"], row["start"]) in ranks:
            keys.append(row["passage"])
            vectors.append(row["vector"])
    if not vectors:
        raise IndexMissingError("No passage has a vector yet", hint="Run `qa index`.")
    asked = [assistant.embed(question)] if question else []
    dimension = len(np.asarray(vectors[0]))
    placed, star = on_plane(
        np.array(vectors, np.float32), np.array(asked, np.float32).reshape(-1, dimension), layout
    )
    place = dict(zip(keys, placed.tolist(), strict=True))
    rows = [row for row in assistant.rows("passages") if row["passage"] in place]
    names = _grouped(rows, grouping)
    counts = Counter(names)
    groups = [name for name, _ in counts.most_common(MAX_GROUPS)]
    numbers = {name: groups.index(name) for name in groups}
    if len(counts) > len(groups):
        groups.append(REST)
    points = (
        Point(
            place[row["passage"]][0],
            place[row["passage"]][1],
            numbers.get(name, MAX_GROUPS),
            " › ".join([str(row["document"]), *_path(row)]),
            " ".join(str(row["text"]).split())[:_SHOWN],
            ranks.get((row["document"], row["start"])),
        )
        for row, name in zip(rows, names, strict=True)
    )
    return Map(
        tuple(points),
        tuple(groups),
        total,
        question or "",
        (float(star[0][0]), float(star[0][1])) if len(star) else None,
        answer.verdict if answer else "",
    )


def _ranks(answer: Answer | None) -> dict[tuple[object, object], int]:
    """The rank of each passage that answers, or is nearest, by document and beginning."""
    shown = answer.shown if answer else ()
    cited = [passage.citation for passage in shown]
    return {(one.document, one.start): rank for rank, one in enumerate(cited, 1)}


def _path(row: Mapping[str, object]) -> list[str]:
    found = row["heading_path"]
    return [str(one) for one in found] if isinstance(found, list) else []


def _grouped(rows: Sequence[Mapping[str, object]], grouping: Grouping) -> list[str]:
    """The name of each passage's group."""
    documents = [str(row["document"]) for row in rows]
    if grouping == "auto":
        grouping = "document" if len(set(documents)) > 1 else "heading"
    if grouping == "folder":
        return [one.rpartition("/")[0] or "." for one in documents]
    if grouping == "heading":
        return _headings(list(map(_path, rows)))
    return documents


def _headings(paths: Iterable[list[str]]) -> list[str]:
    """The heading on the first level that tells passages apart."""
    found = list(paths)
    level = next(
        (n for n in range(8) if len({tuple(islice(one, n, n + 1)) for one in found}) > 1), 0
    )
    return [one[level] if len(one) > level else "no heading" for one in found]
