"""How far a refresh is, who is at it, and what there is: values, as those in `types.py`.

They are apart because making them takes 2 ms, which a question that refreshes nothing need not pay.
"""

from __future__ import annotations

# What types are made of is imported for whoever resolves them at run time: pydantic, FastAPI.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import asdict, dataclass
from typing import Any, Literal

from qa.types import Problem  # noqa: TC001

__all__ = ["Progress", "Running", "Status"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a refresh is.

    Documents that are new or have changed are read first (`phase` is "reading"); then the
    passages that have no vectors yet are embedded ("embedding"). `document` is the one that was
    read last. `passages` are embedded, of `passages_total`, which is not known before that phase:
    both are 0 while documents are read. What is `kept` (documents) and `passages_kept` stays if
    the refresh is stopped now. `seconds_left` is an estimate for all that is left of both phases:
    None as long as there is nothing to make one from, and 0 only when the refresh is done.
    """

    phase: Literal["reading", "embedding"]
    documents: int
    documents_total: int
    bytes: int
    bytes_total: int
    passages: int = 0
    passages_total: int = 0
    kept: int = 0
    passages_kept: int = 0
    document: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A refresh that is under way: the process that does it, its host, and how far it is.

    `started` counts seconds since 1970 (UTC). `progress` is at most some seconds old; None before
    the first document is taken up.
    """

    process: int
    host: str
    started: float
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What is indexed, and how far the corpus has moved on since.

    `pending` passages of all `passages` are found by their words alone so far: they are yet to be
    embedded. `running` is the refresh that is under way at this moment, in whatever process.
    """

    corpus: str
    index: str
    model: str
    documents: int
    passages: int
    size_bytes: int
    stale: int
    left_out: Mapping[str, int]
    problems: tuple[Problem, ...]
    running: Running | None = None
    pending: int = 0
    schema: Literal["qa.status/1"] = "qa.status/1"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        return {"schema": self.schema, **asdict(self)}
