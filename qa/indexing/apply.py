"""What a plan says, done, in commits that each leave a whole index.

First the text of all documents is taken up, so that they are found by their words; then what has no
embedding yet is embedded. The files that changed last come first. What was committed is kept
whatever happens afterwards, and the next refresh goes on from there.
"""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from qa.corpus.walking import CHANGED, SIZE
from qa.indexing.pieces import FileBegins, FileEnds
from qa.store.rows import NewPassage
from qa.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qa.encoding.encoder import PassageInput
    from qa.indexing.executor import Executor
    from qa.indexing.plan import Outcomes, Plan
    from qa.indexing.progress import Meter
    from qa.store.protocol import Transaction

__all__ = ["Commits", "embed_pending", "take_up"]

_BATCH = 512  # passages in memory at once that are to be embedded
# What a commit keeps at most, so that little is lost when a refresh is stopped; the first one comes
# sooner, so that there is something to ask.
COMMIT_PASSAGES, COMMIT_SECONDS, FIRST_SECONDS = 2000, 5.0, 1.0
# New text that is committed before it is embedded; what is less is embedded in a moment.
_WORDS_FIRST = 128


class Commits:
    """Commits a transaction whenever enough was done since the last commit."""

    def __init__(
        self,
        transaction: Transaction,
        meter: Meter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a transaction that has begun, and a meter that is told of each commit."""
        self.transaction = transaction
        self.meter = meter
        self._clock = clock
        self._passages = 0
        self._due = clock() + FIRST_SECONDS

    def count(self, passages: int) -> None:
        """Take in that so many passages were done."""
        self._passages += passages

    def commit_if_due(self, most: int | None = None) -> None:
        """Commit where `most` passages were done, or much time has passed.

        What was done must be whole.
        """
        most = COMMIT_PASSAGES if most is None else most
        if self._passages >= most or self._clock() >= self._due:
            self.transaction.commit()
            self.meter.committed()
            self._passages = 0
            self._due = self._clock() + COMMIT_SECONDS


def take_up(
    plan: Plan, commits: Commits, executor: Executor, outcomes: Outcomes, *, now_ns: int
) -> None:
    """Bring files and the text in them in line; what can't be read is noted and left out.

    Memory is bounded by the largest file's text, and not by its passages.

    Args:
        plan: made of the index as it is.
        commits: of a transaction that has begun.
        executor: reads the files and splits them.
        outcomes: what comes of it is added to these.
        now_ns: when the plan's scan began.
    """
    transaction = commits.transaction
    stamps = plan.scan.stamps
    todo = sorted([*plan.added, *plan.changed], key=lambda path: (-stamps[path][CHANGED], path))
    pending = 0  # passages of the open file
    with closing(executor.pieces(todo, size=lambda path: stamps[path][SIZE])) as pieces:
        for piece in pieces:
            match piece:
                case FileBegins(path, sha256):
                    transaction.open_file(path, sha256, stamps[path], now_ns)
                case Document():
                    transaction.put_document(piece)
                case NewPassage():
                    pending += not transaction.put_passage(piece)
                    outcomes.passages += 1
                    commits.count(1)
                case FileEnds(path, problems, warnings):
                    transaction.close_file({**problems, **warnings})
                    outcomes.mark_read(path, problems, warnings)
                    commits.meter.read(path, bytes=stamps[path][SIZE], passages=pending)
                    pending = 0
                    commits.commit_if_due()
    for path in plan.removed:  # only now: a file that was renamed took its embeddings from there
        transaction.drop_file(path)
    transaction.restamp(plan.restamped, now_ns)
    commits.commit_if_due(_WORDS_FIRST)


def embed_pending(commits: Commits, executor: Executor, outcomes: Outcomes) -> None:
    """Embed the passages that have no embedding yet, each text once.

    Args:
        commits: of a transaction in which no document is half done.
        executor: embeds them.
        outcomes: what comes of it is added to these.
    """
    transaction, meter = commits.transaction, commits.meter
    pending = transaction.pending()
    meter.begin_embedding(len(pending))
    waiting: dict[bytes, list[int]] = {}  # the passages of each text that is being embedded

    def texts() -> Iterator[PassageInput]:
        rest = iter(pending)
        while rows := transaction.passages(islice(rest, _BATCH)):
            for row in rows:
                to_embed = row.to_embed()
                digest = to_embed.digest()
                if digest in waiting:
                    waiting[digest].append(row.id)
                elif transaction.put_known(row, digest):
                    meter.embedded()
                else:
                    waiting[digest] = [row.id]
                    yield to_embed

    if pending:
        with closing(executor.encode_passages(texts())) as vectors:
            for encoded in vectors:
                passages = waiting.pop(next(iter(waiting)))
                for passage in passages:
                    transaction.put_embedding(passage, encoded)
                outcomes.encoded += 1
                meter.embedded(len(passages))
                commits.count(len(passages))
                commits.commit_if_due()
    transaction.commit()
    meter.end()
