"""Refresh: bring the index in line with the corpus, embedding only what changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qa.encoding.encoder import EncodedPassage, PassageInput
from qa.errors import UnreadableDocumentError
from qa.planning import report
from qa.retrieval.terms import passage_terms
from qa.splitting.passages import embedded_text, split
from qa.store.rows import NewPassage, PassageRow, ProblemRow
from qa.types import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qa.encoding.encoder import Encoder, Runtime
    from qa.planning import Plan
    from qa.reading.corpus import Corpus, Stamp
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
    for batch in _batches(_prepared(plan, corpus, todo, encoder, now_ns)):
        found, fresh = _encoded(batch, writing.catalog, encoder())
        encoded += fresh
        for one in batch:
            writing.put(one.document, one.stamp, now_ns, one.rows(found))
            passages += len(one.passages)
            done += 1
            progress(done, len(todo), one.document.id)
    for path in plan.removed:
        writing.drop(path)
    writing.catalog.touch_documents(plan.touched, now_ns)
    writing.catalog.set_problems(plan.problems)
    return report(plan, passages=passages, encoded=encoded)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document cut into passages, not embedded yet."""

    document: Document
    stamp: Stamp
    passages: tuple[Passage, ...]
    digests: tuple[bytes, ...]

    def rows(
        self, encoded: Mapping[bytes, EncodedPassage]
    ) -> Callable[[int, Iterator[int]], Iterable[NewPassage]]:
        """Give what makes the catalog's rows from the document's number and a source of ids."""

        def make(number: int, ids: Iterator[int]) -> Iterator[NewPassage]:
            text = self.document.text
            for passage, digest in zip(self.passages, self.digests, strict=True):
                body = text[passage.start : passage.end]
                row = PassageRow(
                    id=next(ids),
                    document=number,
                    start=passage.start,
                    end=passage.end,
                    heading_path=passage.heading_path,
                    context=passage.context,
                    text=body,
                    spans=passage.sentences,
                )
                inside = _shifted(passage.sentences, -passage.start)
                terms = passage_terms(passage.context, body, inside)
                yield NewPassage(row, digest, encoded[digest], terms)

        return make


def _prepared(
    plan: Plan,
    corpus: Corpus,
    todo: list[str],
    encoder: Callable[[], Encoder[Runtime]],
    now_ns: int,
) -> Iterator[_Prepared]:
    """Read and split; what turns out to be unreadable goes to the plan's problems."""
    for path in todo:
        stamp = plan.scan.stamps[path]
        try:
            document = corpus.read(path)
        except UnreadableDocumentError as error:
            plan.problems[path] = ProblemRow(error.reason, _sha256(corpus, path), stamp, now_ns)
            if path in plan.changed:
                plan.changed.remove(path)
                plan.removed.append(path)
            else:
                plan.added.remove(path)
            continue
        passages = tuple(split(document, encoder().tokens, encoder().budget))
        digests = tuple(_digest(document.text, passage) for passage in passages)
        yield _Prepared(document, stamp, passages, digests)


def _sha256(corpus: Corpus, path: str) -> str:
    try:
        return hashlib.sha256(corpus.read_bytes(path)).hexdigest()
    except UnreadableDocumentError:
        return ""


def _batches(prepared: Iterable[_Prepared]) -> Iterator[list[_Prepared]]:
    batch: list[_Prepared] = []
    size = 0
    for one in prepared:
        batch.append(one)
        size += len(one.passages)
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
    for one in batch:
        for passage, digest in zip(one.passages, one.digests, strict=True):
            if digest in known or digest in inputs:
                continue
            if (encoded := catalog.encoded(digest)) is not None:
                known[digest] = encoded
            else:
                inputs[digest] = _input(one.document.text, passage)
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
