"""What a refresh has to do, found without a model: the corpus compared with the catalog."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import compress
from operator import ne
from typing import TYPE_CHECKING

from qa.corpus.walking import is_settled
from qa.counting import counted
from qa.errors import EmptyCorpusError, UnreadableDocumentError
from qa.reading.reasons import EXPECTED
from qa.types import Problem, Refresh

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qa.corpus import Corpus, Scan, Stamp
    from qa.progress import Status
    from qa.store.protocol import Snapshot, Store
    from qa.store.rows import FilesKnown, ProblemRow

__all__ = [
    "Outcomes",
    "Plan",
    "check_not_empty",
    "checked_plan",
    "coverage",
    "known_problems",
    "make_plan",
    "notes_on",
    "nothing_yet",
    "report",
    "take_stock",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a refresh has to do with files, found by comparing the corpus with the catalog.

    `removed` files are gone. `restamped` ones were read again and are the same, with other times.
    `problems` says of each document why it can't be read, `warnings` what can't be read of one
    that is indexed: of files that stay as they are.
    """

    scan: Scan
    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    removed: Sequence[str] = ()
    restamped: Mapping[str, Stamp] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the index is in line already."""
        return not (self.added or self.changed or self.removed)


@dataclass(slots=True)
class Outcomes:
    """What came of carrying out a plan, collected file by file.

    `unreadable` are the files that turned out to hold no document any more; `problems` and
    `warnings` are as in `Plan`, of files that were read. Of all `passages` of these, so many were
    `encoded`; the others' vectors were known.
    """

    unreadable: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    passages: int = 0
    encoded: int = 0

    def mark_read(
        self, file: str, problems: Mapping[str, str], warnings: Mapping[str, str]
    ) -> None:
        """Take in what reading a file gave."""
        self.problems |= problems
        self.warnings |= warnings
        if file in problems:
            self.unreadable.add(file)


def checked_plan(
    corpus: Corpus, known: FilesKnown | None, now_ns: int, *, scan: Scan | None = None
) -> Plan:
    """What `make_plan` finds.

    Raises:
        CorpusError: there is no corpus, or it holds no documents.
    """
    plan = make_plan(corpus, known, now_ns, scan=scan)
    check_not_empty(plan, corpus.location)
    return plan


def make_plan(
    corpus: Corpus, known: FilesKnown | None, now_ns: int, *, scan: Scan | None = None
) -> Plan:
    """Compare the corpus, or its scan, with what the index knows of it; None is no index.

    A file with the size, times and inode it had when it was read is taken to be the same, unless
    it was read so soon after its last change that another change might not show; what is in
    doubt is hashed. A file that could not be read is read again when it has changed, or when
    what it lacked is there.

    Raises:
        CorpusNotFoundError: there is no corpus.
    """
    scan = corpus.scan() if scan is None else scan
    stamps = known.stamps if known else {}
    noted = known.problems if known else ()
    unread = {row.path for row in noted if row.path == row.file and not row.indexed}
    retried = {row.file for row in noted if corpus.can_retry(row.reason)}
    is_in_line = stamps is scan.stamps or scan.in_line_with is stamps
    looked_at, removed = ([], []) if is_in_line else _compare(scan.stamps, stamps)
    if known and not is_in_line and not looked_at and not removed:
        scan.in_line_with = stamps  # a watched corpus gives the same scan until something changes
    if retried:
        again = retried.union(looked_at)
        looked_at = [path for path in scan.stamps if path in again]
    in_doubt = set(looked_at) - retried
    sha256s = _sha256s(known, in_doubt) if known and in_doubt else {}
    added: list[str] = []
    changed: list[str] = []
    restamped: dict[str, Stamp] = {}
    for path in looked_at:
        is_known = path in stamps
        if is_known and path not in retried and _sha256(corpus, path) == sha256s.get(path):
            stamp = scan.stamps[path]
            if is_settled(stamp, now_ns):  # else noting it would not spare the next look
                restamped[path] = stamp
        else:
            (changed if is_known and path not in unread else added).append(path)
    again = {*added, *changed, *removed}
    stay = [row for row in noted if row.file not in again]
    return Plan(
        scan,
        added=added,
        changed=changed,
        removed=removed,
        restamped=restamped,
        problems={row.path: row.reason for row in stay if not row.indexed},
        warnings={row.path: row.reason for row in stay if row.indexed},
        unchanged=len(scan.stamps) - len(added) - len(changed) - len(unread - again),
    )


def _compare(
    found: Mapping[str, Stamp], known: Mapping[str, Stamp | None]
) -> tuple[list[str], list[str]]:
    """The files that are new or may have changed, and those that are gone."""
    # This is all that is done for each file: so it is done by iterators that run in C.
    differing = list(compress(found, map(ne, found.values(), map(known.get, found))))
    new = sum(path not in known for path in differing)
    is_any_gone = len(found) - new < len(known)
    return differing, [path for path in known if path not in found] if is_any_gone else []


def _sha256s(known: FilesKnown, paths: set[str]) -> dict[str, str]:
    """The hashes of those of some files that are known."""
    rows = zip(known.stamps, known.sha256s, strict=True)
    return dict(compress(rows, map(paths.__contains__, known.stamps)))


def _sha256(corpus: Corpus, path: str) -> str:
    """Hash a file; "" where it can't be read, as the catalog has it of such files."""
    try:
        return hashlib.sha256(corpus.read_bytes(path)).hexdigest()
    except UnreadableDocumentError:
        return ""


def report(plan: Plan, outcomes: Outcomes | None = None) -> Refresh:
    """Say what a plan would do; with its outcomes, what it did.

    A file that was indexed and can't be read any more counts as removed.
    """
    outcomes = outcomes or Outcomes()
    unreadable = outcomes.unreadable
    problems = {**plan.problems, **outcomes.problems}
    left_out = Counter(plan.scan.left_out)
    left_out.update(reason for reason in problems.values() if reason.startswith(EXPECTED))
    named = [
        *_named(plan.scan.unreadable, indexed=False),
        *_named(problems, indexed=False),
        *_named({**plan.warnings, **outcomes.warnings}, indexed=True),
    ]
    lost = sum(path in unreadable for path in plan.changed)
    return Refresh(
        added=sum(path not in unreadable for path in plan.added),
        changed=len(plan.changed) - lost,
        removed=len(plan.removed) + lost,
        unchanged=plan.unchanged,
        passages=outcomes.passages,
        encoded=outcomes.encoded,
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
        problems=tuple(sorted(named, key=lambda problem: problem.document)),
    )


def _named(reasons: Mapping[str, str], *, indexed: bool) -> list[Problem]:
    """Problems with a name each; what is counted only is left out."""
    return [
        Problem(path, reason, indexed)
        for path, reason in reasons.items()
        if not reason.startswith(EXPECTED)
    ]


def known_problems(rows: Iterable[ProblemRow]) -> list[Problem]:
    """The problems that an index knows of, without a look at the corpus."""
    return [
        problem for row in rows for problem in _named({row.path: row.reason}, indexed=row.indexed)
    ]


def notes_on(problems: Iterable[Problem]) -> list[str]:
    """Say what an answer can't come from, a sentence each."""
    counts = Counter(problem.indexed for problem in problems)
    said = {False: "could not be read", True: "could be read only in part"}
    return [
        f"{counted(count, 'file')} {said[indexed]} (qa status --problems)."
        for indexed, count in sorted(counts.items())
    ]


def coverage(plan: Plan, *, passages: int, pending: int, is_written: bool) -> str:
    """Say how much of the corpus is indexed; "" where all of it is.

    Args:
        plan: what is left to do.
        passages: how many are indexed.
        pending: how many of these have no embedding yet.
        is_written: whether somebody is at it.
    """
    behind = len(plan.added) + len(plan.changed)
    if not behind and not pending:
        return ""
    total = len(plan.scan.stamps)
    state = "are indexed as they are now" if plan.changed else "are indexed"
    said = f"{total - behind:,} of {total:,} documents {state}"
    if pending:
        said += f", {pending:,} of {passages:,} passages by their words alone"
    return f"{said}; {'the rest is being indexed' if is_written else '`qa index` does the rest'}"


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
        + "".join(f" ({problem.document}: {problem.reason})" for problem in seen.problems[:3]),
        hint="Put documents there, or name another corpus with --corpus.",
    )


def take_stock(corpus: Corpus, index: Store, snapshot: Snapshot, now_ns: int) -> Status:
    """Tell what is indexed, and how far the corpus has moved on since."""
    seen = report(make_plan(corpus, snapshot.known_files(), now_ns))
    from qa.progress import Status

    return Status(
        corpus=corpus.location,
        index=index.address,
        model=snapshot.identity.model,
        documents=snapshot.count_documents(),
        passages=snapshot.count_passages(),
        pending=snapshot.count_pending(),
        size_bytes=index.size_bytes(),
        stale=seen.added + seen.changed + seen.removed,
        left_out=seen.left_out,
        problems=seen.problems,
    )


def nothing_yet(corpus: Corpus, index: Store, now_ns: int) -> Status:
    """Tell the same of an index that is being made, of which nothing can be read yet."""
    seen = report(make_plan(corpus, None, now_ns))
    from qa.progress import Status

    return Status(
        corpus=corpus.location,
        index=index.address,
        model="",
        documents=0,
        passages=0,
        size_bytes=index.size_bytes(),
        stale=seen.added,
        left_out=seen.left_out,
        problems=seen.problems,
    )
