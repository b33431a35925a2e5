"""What a refresh has to do, found without a model: the corpus compared with the catalog."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.counting import counted
from qa.errors import EmptyCorpusError, UnreadableDocumentError
from qa.reading.reasons import EXPECTED
from qa.types import Problem, Refresh, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qa.corpus import Corpus, Scan, Stamp
    from qa.store.catalog import Catalog

__all__ = [
    "Plan",
    "check_not_empty",
    "coverage",
    "known_problems",
    "make_plan",
    "notes_on",
    "report",
    "take_stock",
]


@dataclass(slots=True)
class Plan:
    """What a refresh has to do with files, found by comparing the corpus with the catalog.

    `problems` says of each document why it can't be read, `warnings` what can't be read of one
    that is indexed: of files that are to be read, once they have been.
    """

    scan: Scan
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    touched: dict[str, Stamp] = field(default_factory=dict)  # read again, and the same
    problems: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether the index is in line already."""
        return not (self.added or self.changed or self.removed)

    def settle(self, file: str, problems: Mapping[str, str], warnings: Mapping[str, str]) -> None:
        """Take in what reading a file gave: one that can't be read is no document any more."""
        self.problems |= problems
        self.warnings |= warnings
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
        CatalogDamagedError: the catalog lacks rows.
    """
    scan = corpus.scan()
    if catalog:
        catalog.check_counts()
    known = catalog.files() if catalog else {}
    problems = catalog.problems() if catalog else []
    unread = {row.path for row in problems if row.path == row.file and not row.indexed}
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
    for one in problems:
        if one.file not in again:
            (result.warnings if one.indexed else result.problems)[one.path] = one.reason
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
    problems = [
        *_named(plan.scan.unreadable, indexed=False),
        *_named(plan.problems, indexed=False),
        *_named(plan.warnings, indexed=True),
    ]
    return Refresh(
        added=len(plan.added),
        changed=len(plan.changed),
        removed=len(plan.removed),
        unchanged=plan.unchanged,
        passages=passages,
        encoded=encoded,
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
        problems=tuple(sorted(problems, key=lambda one: one.document)),
    )


def _named(reasons: Mapping[str, str], *, indexed: bool) -> list[Problem]:
    """Give problems with a name each; what is counted only is left out."""
    return [
        Problem(path, reason, indexed)
        for path, reason in reasons.items()
        if not reason.startswith(EXPECTED)
    ]


def known_problems(catalog: Catalog) -> list[Problem]:
    """Give the problems that the catalog knows of, without a look at the corpus."""
    rows = catalog.problems()
    return [one for row in rows for one in _named({row.path: row.reason}, indexed=row.indexed)]


def notes_on(problems: Iterable[Problem]) -> list[str]:
    """Say what an answer can't come from, a sentence each."""
    counts = Counter(one.indexed for one in problems)
    said = {False: "could not be read", True: "could be read only in part"}
    return [
        f"{counted(count, 'file')} {said[indexed]} (qa status --problems)."
        for indexed, count in sorted(counts.items())
    ]


def coverage(plan: Plan, *, is_written: bool) -> str:
    """Say how much of the corpus is indexed; "" where all of it is.

    Args:
        plan: what is left to do.
        is_written: whether another process is at it.
    """
    behind = len(plan.added) + len(plan.changed)
    if not behind:
        return ""
    total = len(plan.scan.stamps)
    state = "are indexed as they are now" if plan.changed else "are indexed"
    rest = "another process is indexing the rest" if is_written else "`qa index` adds the rest"
    return f"{total - behind:,} of {total:,} documents {state}; {rest}"


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
