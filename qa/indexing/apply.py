"""What a plan says, done, in commits that each leave a whole index.

First the text of all documents is taken up, so that they are found by their words; then what has no
embedding yet is embedded. The files that changed last come first. What was committed is kept
whatever happens afterwards, and the next refresh goes on from there.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice, tee
from typing import TYPE_CHECKING

from qa.corpus.walking import CHANGED, SIZE
from qa.encoding.encoder import PassageInput
from qa.errors import UnreadableDocumentError
from qa.indexing.ahead import readings
from qa.indexing.passages import cut
from qa.reading.places import places_of
from qa.store.rows import NewPassage
from qa.types import Document, Span
from qa.words.detection import told, with_language
from qa.words.terms import passage_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from qa.corpus import Corpus
    from qa.encoding.encoder import Encoder, Runtime
    from qa.indexing.plan import Outcomes, Plan
    from qa.indexing.progress import Meter
    from qa.reading.files import Reading
    from qa.store.protocol import Transaction
    from qa.types import Passage, Place

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
    plan: Plan,
    corpus: Corpus,
    commits: Commits,
    encoder: Callable[[], Encoder[Runtime]],
    outcomes: Outcomes,
    *,
    now_ns: int,
    jobs: int,
) -> None:
    """Bring files and the text in them in line; what can't be read is noted and left out.

    Memory is bounded by the largest file's text, and not by its passages.

    Args:
        plan: made of the index as it is.
        corpus: where the documents are read from.
        commits: of a transaction that has begun.
        encoder: loads it; called only if something must be split.
        outcomes: what comes of it is added to these.
        now_ns: when the plan's scan began.
        jobs: how many files may be read at a time.
    """
    transaction = commits.transaction
    stamps = plan.scan.stamps
    todo = sorted([*plan.added, *plan.changed], key=lambda path: (-stamps[path][CHANGED], path))
    pending = 0  # passages of the open file
    with closing(
        readings(corpus, todo, size=lambda path: stamps[path][SIZE], workers=jobs)
    ) as read:
        for piece in _pieces(read, encoder):
            match piece:
                case _FileBegins(path, sha256):
                    transaction.open_file(path, sha256, stamps[path], now_ns)
                case Document():
                    transaction.put_document(piece)
                case _Cut():
                    pending += not transaction.put_passage(_row(piece))
                    outcomes.passages += 1
                    commits.count(1)
                case _FileEnds(path, problems, warnings):
                    transaction.close_file({**problems, **warnings})
                    outcomes.mark_read(path, problems, warnings)
                    commits.meter.read(path, bytes=stamps[path][SIZE], passages=pending)
                    pending = 0
                    commits.commit_if_due()
    for path in plan.removed:  # only now: a file that was renamed took its embeddings from there
        transaction.drop_file(path)
    transaction.restamp(plan.restamped, now_ns)
    commits.commit_if_due(_WORDS_FIRST)


def embed_pending(
    commits: Commits, encoder: Callable[[], Encoder[Runtime]], outcomes: Outcomes
) -> None:
    """Embed the passages that have no embedding yet, each text once.

    Args:
        commits: of a transaction in which no document is half done.
        encoder: loads it; called only if something must be embedded.
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

    for encoded in encoder().encode_passages(texts()) if pending else ():
        passages = waiting.pop(next(iter(waiting)))
        for passage in passages:
            transaction.put_embedding(passage, encoded)
        outcomes.encoded += 1
        meter.embedded(len(passages))
        commits.count(len(passages))
        commits.commit_if_due()
    transaction.commit()
    meter.end()


@dataclass(frozen=True, slots=True)
class _FileBegins:
    """A file that was read; `sha256` is empty where not even its bytes could be."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class _Cut:
    """A passage of the document before it; `digest` is that of what is embedded of it.

    `language` is the code of the document's; "" is English and what is not told.
    """

    passage: Passage
    text: str
    places: tuple[Place, ...]
    digest: bytes
    tokens: NDArray[np.uint32]
    language: str


@dataclass(frozen=True, slots=True)
class _FileEnds:
    """The end of a file: why documents in it can't be read, and what of others can't."""

    path: str
    problems: Mapping[str, str]
    warnings: Mapping[str, str] = field(default_factory=dict)


def _pieces(
    files: Iterable[tuple[str, Reading | UnreadableDocumentError]],
    encoder: Callable[[], Encoder[Runtime]],
) -> Iterator[_FileBegins | Document | _Cut | _FileEnds]:
    """Split what was read: each file with its documents, each document with its passages."""
    for path, reading in files:
        if isinstance(reading, UnreadableDocumentError):
            yield _FileBegins(path, "")
            yield _FileEnds(path, {path: reading.reason})
            continue
        yield _FileBegins(path, reading.sha256)
        for read in reading.documents:
            document = _with_language(read)
            yield document
            yield from _cuts(document, encoder())
        yield _FileEnds(path, reading.problems, reading.warnings)


def _with_language(document: Document) -> Document:
    blocks = chain.from_iterable(section.blocks for section in document.sections)
    texts = (document.text[block.start : block.end] for block in blocks)
    metadata = with_language(document.metadata, document.format, texts)
    return document if metadata is document.metadata else replace(document, metadata=metadata)


def _cuts(document: Document, encoder: Encoder[Runtime]) -> Iterator[_Cut]:
    prompt, language = encoder.spec.passage_prompt, told(document.metadata)
    cuts, same = tee(cut(document, encoder.tokens, encoder.budget, prompt=prompt))
    places = places_of(document.places, ((one.passage.start, one.passage.end) for one in same))
    for one, held in zip(cuts, places, strict=True):
        passage = one.passage
        text = document.text[passage.start : passage.end]
        embedded = PassageInput.of(passage.context, text, _inside(passage))
        yield _Cut(passage, text, held, embedded.digest(), one.tokens.ids, language)


def _inside(passage: Passage) -> tuple[Span, ...]:
    """The passage's sentences as spans of its own text."""
    begin = passage.start
    return tuple(Span(start - begin, end - begin) for start, end in passage.sentences)


def _row(one: _Cut) -> NewPassage:
    passage = one.passage
    return NewPassage(
        start=passage.start,
        end=passage.end,
        heading_path=passage.heading_path,
        places=one.places,
        context=passage.context,
        text=one.text,
        spans=passage.sentences,
        digest=one.digest,
        terms=passage_terms(passage.context, one.text, _inside(passage), one.language),
        tokens=one.tokens,
    )
