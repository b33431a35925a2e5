"""Refresh: bring the index in line with the corpus, embedding only what changed."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice, tee
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from qa.encoding.encoder import PassageInput
from qa.errors import UnreadableDocumentError
from qa.indexing.passages import embedded_text, split
from qa.indexing.plan import report
from qa.reading.places import places_of
from qa.store.rows import NewPassage, PassageRow
from qa.types import Span
from qa.words.terms import passage_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qa.corpus import Corpus
    from qa.encoding.encoder import EncodedPassage, Encoder, Runtime
    from qa.indexing.plan import Plan
    from qa.store.catalog import Catalog
    from qa.store.writing import Identity, MakePassages, Writing
    from qa.types import Document, Passage, Place, Refresh

__all__ = ["Progress", "apply"]

_BATCH = 512  # pieces embedded between two writes: bounds memory, keeps all cores busy


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

    Files are read, cut, embedded and written in one stream, so that memory is bounded by the
    largest file's text and not by its passages.

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
    counts: Counter[str] = Counter()
    todo = plan.added + plan.changed
    if todo:
        progress(0, len(todo), "")
    pieces = _encoded(_pieces(corpus, todo, encoder), writing.catalog, encoder, counts)
    for done, (file, of_file) in enumerate(groupby(pieces, key=lambda one: one.file), 1):
        writing.put(
            file.path,
            file.sha256,
            plan.scan.stamps[file.path],
            now_ns,
            documents=_documents(of_file),
            problems={**file.problems, **file.warnings},
        )
        plan.settle(file.path, file.problems, file.warnings)
        progress(done, len(todo), file.path)
    for path in plan.removed:
        if path in plan.scan.stamps:
            continue  # a file that can't be read any more: its row tells why
        writing.drop(path)
    writing.catalog.touch_files(plan.touched, now_ns)
    return report(plan, passages=counts["passages"], encoded=counts["encoded"])


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read, why documents in it can't be, and what of others can't."""

    path: str
    sha256: str
    problems: Mapping[str, str]
    warnings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A passage of a document, not embedded yet; `digest` names what decides its vectors."""

    document: Document
    passage: Passage
    places: tuple[Place, ...]
    digest: bytes

    @property
    def text(self) -> str:
        """Give the passage's own text."""
        return self.document.text[self.passage.start : self.passage.end]

    def input(self) -> PassageInput:
        """Give what is embedded."""
        return _input(self.document.text, self.passage)

    def row(self, number: int, one: int, encoded: EncodedPassage) -> NewPassage:
        """Give what the catalog keeps, with the number of the document and the passage's id."""
        passage = self.passage
        row = PassageRow(
            id=one,
            document=number,
            start=passage.start,
            end=passage.end,
            heading_path=passage.heading_path,
            places=self.places,
            context=passage.context,
            text=self.text,
            spans=passage.sentences,
        )
        inside = _shifted(passage.sentences, -passage.start)
        terms = passage_terms(passage.context, self.text, inside)
        return NewPassage(row, self.digest, encoded, terms)


class _Piece(NamedTuple):
    """A passage on its way into the index; each file and document begins with one without."""

    file: _File
    document: Document | None = None
    cut: _Cut | None = None
    encoded: EncodedPassage | None = None


def _pieces(
    corpus: Corpus, todo: Iterable[str], encoder: Callable[[], Encoder[Runtime]]
) -> Iterator[_Piece]:
    """Read and split."""
    for path in todo:
        try:
            reading = corpus.read(path)
        except UnreadableDocumentError as error:
            yield _Piece(_File(path, "", {path: error.reason}))
            continue
        file = _File(path, reading.sha256, reading.problems, reading.warnings)
        yield _Piece(file)
        for document in reading.documents:
            yield _Piece(file, document)
            for cut in _cut(document, encoder()):
                yield _Piece(file, document, cut)


def _cut(document: Document, encoder: Encoder[Runtime]) -> Iterator[_Cut]:
    passages, again = tee(split(document, encoder.tokens, encoder.budget))
    places = places_of(document.places, ((one.start, one.end) for one in again))
    for passage, held in zip(passages, places, strict=True):
        yield _Cut(document, passage, held, _digest(document.text, passage))


def _encoded(
    pieces: Iterator[_Piece],
    catalog: Catalog,
    encoder: Callable[[], Encoder[Runtime]],
    counts: Counter[str],
) -> Iterator[_Piece]:
    """Give all pieces with their vectors; count the passages, and those that were embedded."""
    while batch := list(islice(pieces, _BATCH)):
        known: dict[bytes, EncodedPassage] = {}
        inputs: dict[bytes, PassageInput] = {}
        for cut in (one.cut for one in batch if one.cut):
            counts["passages"] += 1
            if cut.digest in known or cut.digest in inputs:
                continue
            if (found := catalog.encoded(cut.digest, cut.passage.context, cut.text)) is not None:
                known[cut.digest] = found
            else:
                inputs[cut.digest] = cut.input()
        if inputs:
            counts["encoded"] += len(inputs)
            known.update(zip(inputs, encoder().encode_passages(inputs.values()), strict=True))
        for one in batch:
            yield one._replace(encoded=known[one.cut.digest]) if one.cut else one


def _documents(pieces: Iterable[_Piece]) -> Iterator[tuple[Document, MakePassages]]:
    """Give each document of a file with what makes its rows, to be used before the next."""
    for document, of_document in groupby(pieces, key=lambda one: one.document):
        if document is not None:
            yield document, partial(_rows, of_document)


def _rows(pieces: Iterable[_Piece], number: int, ids: Iterator[int]) -> Iterator[NewPassage]:
    for one in pieces:
        if one.cut and one.encoded:
            yield one.cut.row(number, next(ids), one.encoded)


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
