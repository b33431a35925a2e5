"""What a refresh has to do, found without a model: the corpus compared with the catalog."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.errors import EmptyCorpusError, UnreadableDocumentError
from qa.reading.reasons import EXPECTED
from qa.types import Problem, Refresh, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qa.reading.corpus import Corpus, Scan, Stamp
    from qa.store.catalog import Catalog

__all__ = ["Plan", "check_not_empty", "make_plan", "report", "take_stock"]


@dataclass(slots=True)
class Plan:
    """What a refresh has to do with files, found by comparing the corpus with the catalog.

    `problems` says of each document why it can't be read: of files that are to be read, once
    they have been.
    """

    scan: Scan
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    touched: dict[str, Stamp] = field(default_factory=dict)  # read again, and the same
    problems: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether the index is in line already."""
        return not (self.added or self.changed or self.removed)

    def settle(self, file: str, problems: Mapping[str, str]) -> None:
        """Take in what reading a file gave: one that can't be read is no document any more."""
        self.problems |= problems
        if file not in problems:
            return
        if file in self.changed:
            self.changed.remove(file)
            self.removed.append(file)
        else:
            self.added.remove(file)


def make_plan(corpus: Corpus, catalog: Catalog | None, now_ns: int) -> Plan:
    """Compare the corpus with what the catalog knows of it.

    A file with the size, times and inode it had when it was read is taken to be the same, unless
    it was read so soon after its last change that another change might not show; what is in
    doubt is hashed. A file that could not be read is read again when it has changed, or when
    what it lacked is there.

    Raises:
        CorpusNotFoundError: there is no corpus.
    """
    scan = corpus.scan()
    known = catalog.files() if catalog else {}
    problems = catalog.problems() if catalog else []
    unread = {row.path for row in problems if row.path == row.file}
    curable = {row.file for row in problems if corpus.can_mend(row.reason)}
    result = Plan(scan)
    for path, stamp in scan.stamps.items():
        row = known.get(path)
        if row is None or path in curable:
            (result.changed if row and path not in unread else result.added).append(path)
        elif row.stamp == stamp and stamp.is_settled(row.seen_ns):
            result.unchanged += path not in unread
        elif _sha256(corpus, path) == row.sha256:
            if stamp.is_settled(now_ns):  # else noting it would not spare the next look
                result.touched[path] = stamp
            result.unchanged += path not in unread
        else:
            (result.added if path in unread else result.changed).append(path)
    result.removed = [path for path in known if path not in scan.stamps]
    again = {*result.added, *result.changed, *result.removed}
    result.problems = {row.path: row.reason for row in problems if row.file not in again}
    return result


def _sha256(corpus: Corpus, path: str) -> str:
    """Hash a file; "" where it can't be read, as the catalog has it of such files."""
    try:
        return hashlib.sha256(corpus.read_bytes(path)).hexdigest()
    except UnreadableDocumentError:
        return ""


def report(plan: Plan, *, passages: int = 0, encoded: int = 0) -> Refresh:
    """Say what a plan does, or did."""
    left_out = Counter(plan.scan.left_out)
    left_out.update(reason for reason in plan.problems.values() if reason.startswith(EXPECTED))
    unreadable = {
        **plan.scan.unreadable,
        **{
            path: reason
            for path, reason in plan.problems.items()
            if not reason.startswith(EXPECTED)
        },
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


def check_not_empty(plan: Plan, location: str) -> None:
    """Refuse a corpus without documents, so that a mistaken path never empties an index.

    Raises:
        EmptyCorpusError: it has none.
    """
    if plan.scan.stamps:
        return
    seen = report(plan)
    left_out = ", ".join(f"{count} {reason}" for reason, count in seen.left_out.items())
    raise EmptyCorpusError(
        f"{location or 'The corpus'} holds no documents that can be read"
        + (f" (left out: {left_out})" if left_out else "")
        + "".join(f" ({one.document}: {one.reason})" for one in seen.problems[:3]),
        hint="Put documents there, or name another corpus with --corpus.",
    )


def take_stock(corpus: Corpus, catalog: Catalog, now_ns: int) -> Status:
    """Tell what is indexed, and how far the corpus has moved on since."""
    seen = report(make_plan(corpus, catalog, now_ns))
    files = (path for path in catalog.folder.rglob("*") if path.is_file())
    return Status(
        corpus=corpus.location,
        index=str(catalog.folder.resolve()),
        model=catalog.meta("model"),
        documents=catalog.count_documents(),
        passages=catalog.number("passages"),
        size_bytes=sum(path.stat().st_size for path in files),
        stale=seen.added + seen.changed + seen.removed,
        left_out=seen.left_out,
        problems=seen.problems,
    )
