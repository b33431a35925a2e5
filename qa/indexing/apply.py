"""What a plan says, done: files are read, cut into passages, embedded and written in one stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice, tee
from typing import TYPE_CHECKING

from qa.encoding.encoder import PassageInput
from qa.errors import UnreadableDocumentError
from qa.indexing.passages import split
from qa.indexing.plan import Outcomes
from qa.reading.places import places_of
from qa.store.rows import NewPassage
from qa.types import Document, Span
from qa.words.terms import passage_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qa.corpus import Corpus
    from qa.encoding.encoder import EncodedPassage, Encoder, Runtime
    from qa.indexing.plan import Plan
    from qa.indexing.progress import Meter
    from qa.store.transaction import Transaction
    from qa.types import Passage, Place

__all__ = ["apply"]

_BATCH = 512  # pieces embedded between two writes: bounds memory, keeps all cores busy


def apply(
    plan: Plan,
    corpus: Corpus,
    transaction: Transaction,
    encoder: Callable[[], Encoder[Runtime]],
    *,
    now_ns: int,
    meter: Meter,
) -> Outcomes:
    """Carry out a plan; what can't be read is noted and left out.

    Memory is bounded by the largest file's text, and not by its passages.

    Args:
        plan: made of the index as it is.
        corpus: where the documents are read from.
        transaction: begun.
        encoder: loads it; called only if something must be split or embedded.
        now_ns: when the plan's scan began.
        meter: has begun; is told of what is done.
    """
    outcomes = Outcomes()
    todo = [*plan.added, *plan.changed]
    passages = 0
    pieces = _pieces(corpus, todo, encoder)
    while batch := list(islice(pieces, _BATCH)):
        cuts = [piece for piece in batch if isinstance(piece, _Cut)]
        encoded = _encoded(cuts, transaction, encoder, outcomes)
        meter.embedded(len(cuts))
        for piece in batch:
            match piece:
                case _FileBegins(path, sha256):
                    transaction.open_file(path, sha256, plan.scan.stamps[path], now_ns)
                case Document():
                    transaction.put_document(piece)
                case _Cut():
                    transaction.put_passage(_row(piece, encoded[piece.digest]))
                    passages += 1
                case _FileEnds(path, problems, warnings):
                    transaction.close_file({**problems, **warnings})
                    outcomes.mark_read(path, problems, warnings)
                    meter.read(path, bytes=plan.scan.stamps[path].size, passages=passages)
                    passages = 0
    for path in plan.removed:
        transaction.drop_file(path)
    transaction.restamp(plan.restamped, now_ns)
    meter.end()
    return outcomes


@dataclass(frozen=True, slots=True)
class _FileBegins:
    """A file that was read; `sha256` is empty where not even its bytes could be."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class _Cut:
    """A passage of the document before it, not embedded yet; `digest` is that of its input."""

    passage: Passage
    text: str
    places: tuple[Place, ...]
    input: PassageInput
    digest: bytes


@dataclass(frozen=True, slots=True)
class _FileEnds:
    """The end of a file: why documents in it can't be read, and what of others can't."""

    path: str
    problems: Mapping[str, str]
    warnings: Mapping[str, str] = field(default_factory=dict)


def _pieces(
    corpus: Corpus, todo: Iterable[str], encoder: Callable[[], Encoder[Runtime]]
) -> Iterator[_FileBegins | Document | _Cut | _FileEnds]:
    """Read and split: each file with its documents, each document with its passages."""
    for path in todo:
        try:
            reading = corpus.read(path)
        except UnreadableDocumentError as error:
            yield _FileBegins(path, "")
            yield _FileEnds(path, {path: error.reason})
            continue
        yield _FileBegins(path, reading.sha256)
        for document in reading.documents:
            yield document
            yield from _cuts(document, encoder())
        yield _FileEnds(path, reading.problems, reading.warnings)


def _cuts(document: Document, encoder: Encoder[Runtime]) -> Iterator[_Cut]:
    passages, same = tee(split(document, encoder.tokens, encoder.budget))
    places = places_of(document.places, ((one.start, one.end) for one in same))
    for passage, held in zip(passages, places, strict=True):
        text = document.text[passage.start : passage.end]
        embedded = PassageInput.of(passage.context, text, _inside(passage))
        yield _Cut(passage, text, held, embedded, embedded.digest())


def _inside(passage: Passage) -> tuple[Span, ...]:
    """The passage's sentences as spans of its own text."""
    begin = passage.start
    return tuple(Span(start - begin, end - begin) for start, end in passage.sentences)


def _encoded(
    cuts: Iterable[_Cut],
    transaction: Transaction,
    encoder: Callable[[], Encoder[Runtime]],
    outcomes: Outcomes,
) -> dict[bytes, EncodedPassage]:
    """The vectors of each digest: those that are indexed, and the others embedded, once each."""
    known: dict[bytes, EncodedPassage] = {}
    inputs: dict[bytes, PassageInput] = {}
    for cut in cuts:
        outcomes.passages += 1
        if cut.digest in known or cut.digest in inputs:
            continue
        found = transaction.encoded(cut.digest, cut.passage.context, cut.text)
        if found is not None:
            known[cut.digest] = found
        else:
            inputs[cut.digest] = cut.input
    if inputs:
        outcomes.encoded += len(inputs)
        known.update(zip(inputs, encoder().encode_passages(inputs.values()), strict=True))
    return known


def _row(cut: _Cut, encoded: EncodedPassage) -> NewPassage:
    passage = cut.passage
    return NewPassage(
        start=passage.start,
        end=passage.end,
        heading_path=passage.heading_path,
        places=cut.places,
        context=passage.context,
        text=cut.text,
        spans=passage.sentences,
        digest=cut.digest,
        encoded=encoded,
        terms=passage_terms(passage.context, cut.text, _inside(passage)),
    )
