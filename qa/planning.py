"""What a refresh has to do, found without a model: the corpus compared with the catalog."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.errors import UnreadableDocumentError
from qa.reading.decoding import BINARY
from qa.types import Problem, Refresh

if TYPE_CHECKING:
    from qa.reading.corpus import Corpus, Scan, Stamp
    from qa.store.catalog import Catalog

__all__ = ["Plan", "make_plan", "report"]


@dataclass(slots=True)
class Plan:
    """What a refresh has to do, found by comparing the corpus with the catalog."""

    scan: Scan
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)  # read again, and the same
    problems: dict[str, tuple[str, Stamp, int]] = field(default_factory=dict)
    problems_changed: bool = False
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether the index is in line already."""
        return not (self.added or self.changed or self.removed or self.problems_changed)


def make_plan(corpus: Corpus, catalog: Catalog | None, now_ns: int) -> Plan:
    """Compare the corpus with what the catalog knows of it.

    A file with the size, times and inode it had when it was read is taken to be the same, unless
    it was read so soon after its last change that another change might not show; what is in
    doubt is hashed.

    Raises:
        CorpusNotFoundError: there is no corpus.
    """
    scan = corpus.scan()
    known = catalog.documents() if catalog else {}
    unread = catalog.problems() if catalog else {}
    result = Plan(scan)
    for path, stamp in scan.stamps.items():
        row = known.get(path)
        if row and row.stamp == stamp and stamp.is_settled(row.seen_ns):
            result.unchanged += 1
            continue
        if path in unread and unread[path][1] == stamp and stamp.is_settled(unread[path][2]):
            result.problems[path] = unread[path]
            continue
        try:
            raw = corpus.read_bytes(path)
        except UnreadableDocumentError as error:
            result.problems[path] = (error.reason, stamp, now_ns)
            continue
        if row and hashlib.sha256(raw).hexdigest() == row.sha256:
            result.touched.append(path)
            result.unchanged += 1
        else:
            (result.changed if row else result.added).append(path)
    current = scan.stamps.keys() - result.problems.keys()
    result.removed = [path for path in known if path not in current]
    result.problems_changed = {p: x[0] for p, x in result.problems.items()} != {
        p: x[0] for p, x in unread.items()
    }
    return result


def report(plan: Plan, *, passages: int = 0, encoded: int = 0) -> Refresh:
    """Say what a plan does, or did."""
    left_out = Counter(plan.scan.left_out)
    left_out[BINARY] += sum(reason == BINARY for reason, _, _ in plan.problems.values())
    unreadable = {
        **plan.scan.unreadable,
        **{p: reason for p, (reason, _, _) in plan.problems.items() if reason != BINARY},
    }
    return Refresh(
        added=len(plan.added),
        changed=len(plan.changed),
        removed=len(plan.removed),
        unchanged=plan.unchanged,
        passages=passages,
        encoded=encoded,
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
        problems=tuple(Problem(p, reason) for p, reason in sorted(unreadable.items())),
    )
