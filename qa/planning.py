"""What a refresh has to do, found without a model: the corpus compared with the catalog."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qa.errors import UnreadableDocumentError
from qa.reading.decoding import BINARY
from qa.store.rows import ProblemRow
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
    touched: dict[str, Stamp] = field(default_factory=dict)  # read again, and the same
    problems: dict[str, ProblemRow] = field(default_factory=dict)
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
        bad = unread.get(path)
        if bad and bad.stamp == stamp and stamp.is_settled(bad.seen_ns):
            result.problems[path] = bad
            continue
        try:
            raw = corpus.read_bytes(path)
        except UnreadableDocumentError as error:
            result.problems[path] = ProblemRow(error.reason, "", stamp, now_ns)
            continue
        sha256 = hashlib.sha256(raw).hexdigest()
        if row and sha256 == row.sha256:
            if stamp.is_settled(now_ns):  # else noting it would not spare the next look
                result.touched[path] = stamp
            result.unchanged += 1
        elif bad and sha256 == bad.sha256:
            result.problems[path] = replace(bad, stamp=stamp, seen_ns=now_ns)
            if stamp.is_settled(now_ns):
                result.touched[path] = stamp
        else:
            (result.changed if row else result.added).append(path)
    current = scan.stamps.keys() - result.problems.keys()
    result.removed = [path for path in known if path not in current]
    result.problems_changed = {p: x.reason for p, x in result.problems.items()} != {
        p: x.reason for p, x in unread.items()
    }
    return result


def report(plan: Plan, *, passages: int = 0, encoded: int = 0) -> Refresh:
    """Say what a plan does, or did."""
    left_out = Counter(plan.scan.left_out)
    left_out[BINARY] += sum(x.reason == BINARY for x in plan.problems.values())
    unreadable = {
        **plan.scan.unreadable,
        **{p: x.reason for p, x in plan.problems.items() if x.reason != BINARY},
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
