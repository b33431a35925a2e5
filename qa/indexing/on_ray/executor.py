"""Batches of work on a Ray cluster, in order, a bounded number at a time.

A batch is named by nothing but what is in it, and gives the same wherever and however often it is
done: Ray does what was lost with a worker again elsewhere, and what comes back is put once.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from qa.errors import ClusterError, UnreadableDocumentError
from qa.indexing.on_ray.cluster import cores_of_cluster
from qa.indexing.on_ray.worker import Refusal, embed, split, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from qa.corpus import Corpus
    from qa.encoding.encoder import EncodedPassage, PassageInput
    from qa.indexing.executor import Executor
    from qa.indexing.on_ray.worker import Numbers, Work
    from qa.indexing.pieces import Piece

__all__ = ["RayExecutor"]

PASSAGES = 64  # of a batch: about 0.3 s of a core, so that a task's 2 ms don't count
_FILES, _BYTES = 64, 2**20  # of a batch, unless one file alone has more
_LARGE = 16 * 2**20  # bytes of a file that is read here: its passages would all be in memory
_BATCHES_A_CORE = 2  # one that is done, and one that waits
_MOST_BATCHES, _MOST_BYTES = 512, 64 * 2**20  # in flight
_RETRIES = 3  # of a batch whose worker was lost, before it is done here
_COUNTED = 5.0  # seconds after which the cluster's cores are counted again
_PATIENCE = 30.0  # seconds without a batch after which that is said

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Batch(Generic[T]):
    items: list[T]
    size: int  # bytes that it has in the cluster's memory, where they can be many


class RayExecutor:
    """Works on a cluster; what is lost there again and again is done here."""

    def __init__(
        self,
        corpus: Corpus,
        here: Executor,
        work: Work,
        mine: Callable[[], Numbers],
        notify: Callable[[str], None],
    ) -> None:
        """Take what to work with.

        Args:
            corpus: whose files are read here and sent to the workers.
            here: does what the cluster can't.
            work: what the workers have to know.
            mine: tells what embeds passages in this process.
            notify: is told of what went wrong without harm.
        """
        self._corpus = corpus
        self._has_files = corpus.root is not None  # texts that were given would all go to each
        self._here = here
        self._mine = mine
        self._notify = notify
        self._seen: set[Numbers] = set()
        self._said: set[str] = set()
        self._cores, self._counted = 0, float("-inf")
        remote = ray.remote(num_cpus=1, max_retries=_RETRIES, scheduling_strategy="SPREAD")
        self._split, self._embed = remote(split), remote(embed)
        self._work = ray.put(work)

    def pieces(self, files: Iterable[str], *, size: Callable[[str], int]) -> Generator[Piece]:
        """Read and split files; each that is very large is split here, in bounded memory."""
        for batch, found in self._done(_bundles(files, size), self._read):
            if found is None:
                yield from self._here.pieces(batch.items, size=size)
            else:
                yield from found

    def encode_passages(self, inputs: Iterable[PassageInput]) -> Generator[EncodedPassage]:
        """The vectors of each input, in order."""
        rest = iter(inputs)
        batches = iter(lambda: _Batch(list(islice(rest, PASSAGES)), 0), _Batch([], 0))
        for batch, found in self._done(batches, self._sent):
            if found is None:
                yield from self._here.encode_passages(batch.items)
            else:
                self._compare(found.numbers)
                yield from unpacked(found)

    def _read(self, batch: _Batch[str]) -> Any | None:  # noqa: ANN401 - a reference of Ray's
        """Have a batch of files split; None where that is to be done here."""
        if batch.size > _LARGE or not self._has_files:
            return None
        files: list[tuple[str, bytes | str]] = []
        for path in batch.items:
            try:
                files.append((path, self._corpus.read_bytes(path)))
            except UnreadableDocumentError as error:
                files.append((path, error.reason))
        return self._split.remote(self._work, files)

    def _sent(self, batch: _Batch[PassageInput]) -> Any:  # noqa: ANN401 - as above
        return self._embed.remote(self._work, [(one.text, one.sentences) for one in batch.items])

    def _done(
        self, batches: Iterable[_Batch[T]], send: Callable[[_Batch[T]], Any]
    ) -> Generator[tuple[_Batch[T], Any]]:
        """Each batch with what was made of it, in order; None where it is to be done here."""
        running: deque[tuple[_Batch[T], Any]] = deque()
        held = 0
        try:
            for batch in batches:
                while running and (len(running) >= self._most() or held + batch.size > _MOST_BYTES):
                    first, sent = running.popleft()
                    held -= first.size
                    yield first, self._result(sent)
                running.append((batch, send(batch)))
                held += batch.size
            while running:
                first, sent = running.popleft()
                yield first, self._result(sent)
        finally:
            for _, sent in running:
                if sent is not None:
                    with suppress(RayError):
                        ray.cancel(sent, force=True)

    def _most(self) -> int:
        """How many batches may be in flight: by the cores that the cluster has by now."""
        if (now := time.monotonic()) - self._counted > _COUNTED:
            self._cores = cores_of_cluster()
            self._counted = now
        return min(max(1, self._cores) * _BATCHES_A_CORE + 1, _MOST_BATCHES)

    def _result(self, sent: Any) -> Any:  # noqa: ANN401 - what a task gave
        if sent is None:
            return None
        if not ray.wait([sent], timeout=_PATIENCE)[0]:
            self._say_once(
                f"No Ray worker has finished a batch for {_PATIENCE:.0f} s: they may be starting, "
                "or be taken by other jobs. Stopping keeps what is done."
            )
        try:
            found = ray.get(sent)
        except RayTaskError as error:
            if isinstance(error.cause, ImportError):
                raise ClusterError(
                    f"A Ray worker can't run retrieval-qa: {error.cause}",
                    hint="Install the same version of it on every node.",
                ) from error
            raise
        except RayError as error:
            self._say_once(
                f"Ray lost a batch {_RETRIES + 1} times ({type(error).__name__}); it is done here."
            )
            return None
        if isinstance(found, Refusal):
            raise ClusterError(found.message, hint=found.hint)
        return found

    def _compare(self, numbers: Numbers) -> None:
        """Say once of each machine whose vectors are not bit for bit those of this one."""
        if numbers in self._seen:
            return
        self._seen.add(numbers)
        mine = self._mine()
        if numbers.digest != mine.digest:
            self._say_once(
                f"Vectors from {numbers.host} ({numbers.runtime}) differ in their last digits from "
                f"those of this machine ({mine.runtime}): its processor or libraries are others."
            )

    def _say_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._notify(message)


def _bundles(files: Iterable[str], size: Callable[[str], int]) -> Iterator[_Batch[str]]:
    """Files in batches, in order: a few, or one that is large."""
    open_: list[str] = []
    held = 0
    for path in files:
        one = size(path)
        if open_ and (held + one > _BYTES or len(open_) >= _FILES):
            yield _Batch(open_, held)
            open_, held = [], 0
        open_.append(path)
        held += one
    if open_:
        yield _Batch(open_, held)
