"""Refresh: bring the index in line with the corpus, embedding only what changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qa.encoding.encoder import EncodedPassage, PassageInput
from qa.errors import UnreadableDocumentError
from qa.planning import report
from qa.reading.places import places_of
from qa.retrieval.terms import passage_terms
from qa.splitting.passages import embedded_text, split
from qa.store.rows import NewPassage, PassageRow
from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qa.encoding.encoder import Encoder, Runtime
    from qa.planning import Plan
    from qa.reading.corpus import Corpus
    from qa.store.catalog import Catalog
    from qa.store.writing import Identity, Writing
    from qa.types import Document, Passage, Refresh

__all__ = ["Progress", "apply"]

_BATCH = 256  # passages embedded between two writes: bounds memory, keeps all cores busy


class Progress(Protocol):
    """Is told how far a refresh is."""

    def __call__(self, done: int, total: int, document: str) -> None:
        """Take the number of documents done, of all to do, and the one just done."""


def apply(
    plan: Plan,
    corpus: Corpus,
    writing: Writing,
    encoder: Callable[[], Encoder[Runtime]],
    *,
    identity: Identity,
    now_ns: int,
    anew: bool,
    progress: Progress,
) -> Refresh:
    """Carry out a plan in one transaction; what can't be read is reported and left out.

    Args:
        plan: made under the writer's lock.
        corpus: where the documents are read from.
        writing: not begun yet.
        encoder: loads it; called only if something must be split or embedded.
        identity: what the index is bound to.
        now_ns: when the plan's scan began.
        anew: forget everything first.
        progress: is told of each document done.
    """
    writing.begin(identity, anew=anew)
    passages = encoded = done = 0
    todo = plan.added + plan.changed
    if todo:
        progress(0, len(todo), "")
    for batch in _batches(_prepared(corpus, todo, encoder)):
        found, fresh = _encoded(batch, writing.catalog, encoder())
        encoded += fresh
        for one in batch:
            writing.put(
                one.file,
                one.sha256,
                plan.scan.stamps[one.file],
                now_ns,
                documents=((cut.document, cut.rows(found)) for cut in one.documents),
                problems={**one.problems, **one.warnings},
            )
            passages += one.size
            plan.settle(one.file, one.problems, one.warnings)
            done += 1
            progress(done, len(todo), one.file)
    for path in plan.removed:
        if path in plan.scan.stamps:
            continue  # a file that can't be read any more: its row tells why
        writing.drop(path)
    writing.catalog.touch_files(plan.touched, now_ns)
    return report(plan, passages=passages, encoded=encoded)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A document cut into passages, not embedded yet."""

    document: Document
    passages: tuple[Passage, ...]
    digests: tuple[bytes, ...]

    def rows(
        self, encoded: Mapping[bytes, EncodedPassage]
    ) -> Callable[[int, Iterator[int]], Iterable[NewPassage]]:
        """Give what makes the catalog's rows from the document's number and a source of ids."""

        def make(number: int, ids: Iterator[int]) -> Iterator[NewPassage]:
            text = self.document.text
            spans = ((passage.start, passage.end) for passage in self.passages)
            places = places_of(self.document.places, spans)
            for passage, digest, held in zip(self.passages, self.digests, places, strict=True):
                body = text[passage.start : passage.end]
                row = PassageRow(
                    id=next(ids),
                    document=number,
                    start=passage.start,
                    end=passage.end,
                    heading_path=passage.heading_path,
                    places=held,
                    context=passage.context,
                    text=body,
                    spans=passage.sentences,
                )
                inside = _shifted(passage.sentences, -passage.start)
                terms = passage_terms(passage.context, body, inside)
                yield NewPassage(row, digest, encoded[digest], terms)

        return make


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A file read, with its documents cut, why others can't be read, and what of those cut."""

    file: str
    sha256: str
    documents: tuple[_Cut, ...]
    problems: Mapping[str, str]
    warnings: Mapping[str, str]

    @property
    def size(self) -> int:
        """How many passages its documents have."""
        return sum(len(one.passages) for one in self.documents)


def _prepared(
    corpus: Corpus, todo: list[str], encoder: Callable[[], Encoder[Runtime]]
) -> Iterator[_Prepared]:
    """Read and split."""
    for path in todo:
        try:
            reading = corpus.read(path)
        except UnreadableDocumentError as error:
            yield _Prepared(path, "", (), {path: error.reason}, {})
            continue
        cut = tuple(_cut(document, encoder()) for document in reading.documents)
        yield _Prepared(path, reading.sha256, cut, reading.problems, reading.warnings)


def _cut(document: Document, encoder: Encoder[Runtime]) -> _Cut:
    passages = tuple(split(document, encoder.tokens, encoder.budget))
    return _Cut(document, passages, tuple(_digest(document.text, one) for one in passages))


def _batches(prepared: Iterable[_Prepared]) -> Iterator[list[_Prepared]]:
    batch: list[_Prepared] = []
    size = 0
    for one in prepared:
        batch.append(one)
        size += one.size
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _encoded(
    batch: list[_Prepared], catalog: Catalog, encoder: Encoder[Runtime]
) -> tuple[dict[bytes, EncodedPassage], int]:
    """Give the vectors of all passages, by digest, and how many had to be computed."""
    known: dict[bytes, EncodedPassage] = {}
    inputs: dict[bytes, PassageInput] = {}
    for cut in (cut for one in batch for cut in one.documents):
        for passage, digest in zip(cut.passages, cut.digests, strict=True):
            if digest in known or digest in inputs:
                continue
            body = cut.document.text[passage.start : passage.end]
            if (encoded := catalog.encoded(digest, passage.context, body)) is not None:
                known[digest] = encoded
            else:
                inputs[digest] = _input(cut.document.text, passage)
    fresh = dict(zip(inputs, encoder.encode_passages(inputs.values()), strict=True))
    return known | fresh, len(fresh)


def _input(text: str, passage: Passage) -> PassageInput:
    embedded, lead = embedded_text(text, passage)
    return PassageInput(embedded, _shifted(passage.sentences, lead - passage.start))


def _shifted(spans: Iterable[Span], by: int) -> tuple[Span, ...]:
    return tuple(Span(start + by, end + by) for start, end in spans)


def _digest(text: str, passage: Passage) -> bytes:
    """Name what decides a passage's vectors: the embedded text and its sentences."""
    one = _input(text, passage)
    spans = np.array(one.sentences, "<i8").tobytes()
    return hashlib.sha256(one.text.encode("utf-8", "surrogatepass") + b"\0" + spans).digest()[:16]
