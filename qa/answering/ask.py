"""From a question to its answer: refresh, load, embed, search one moment of the index, cite."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING

from qa.answering.search import embedded_of, rerank, search
from qa.answering.spelling import corrected
from qa.answering.spreading import spread
from qa.citations.source import open_source
from qa.encoding.model import DEFAULT_MODEL
from qa.indexing.plan import known_problems
from qa.ranking.calibration import signals
from qa.ranking.calibrations import calibration_in_use
from qa.ranking.evidence import marks
from qa.store.identity import check_encoder
from qa.types import CitedPassage, Evidence, Explanation, Span
from qa.words.detection import told
from qa.words.questions import explained, names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from qa.answering.request import Request
    from qa.answering.search import Hits, Ranked
    from qa.citations.source import Headings, Source
    from qa.corpus import Corpus
    from qa.encoding.encoder import EncodedQuestion, Encoder, Runtime
    from qa.encoding.loader import ModelLoader
    from qa.encoding.model import ModelFiles
    from qa.ranking.calibration import Signals
    from qa.store.protocol import Snapshot, Store
    from qa.store.rows import PassageRow
    from qa.types import Calibrated, Citation, Problem, Refresh, Scores

__all__ = [
    "Found",
    "cite",
    "encoder_of",
    "find",
    "signals_of",
]

_ALSO = 5  # other places of a text: each costs the reading of a file


@dataclass(frozen=True, slots=True)
class Found:
    """What one moment of the index has for a question.

    Attributes:
        passages: verified against their files as they are now, best first.
        dropped: how many more there are whose file is another by now.
        probability: that the documents answer.
        calibration: what that was made with (see `Answer`).
        reranker_ignored: whether a reranker decided the order, and the probability does not know.
        searched: how many passages might have answered.
        pending: how many of all passages are found by their words alone so far.
        signals: what that was made from; () where no passage was found.
        corrected: words of the question, with those that were searched for instead.
        all_filtered: whether no passage was allowed to answer.
        unknown: the question's words that no passage has.
        has_content: whether it has a word that says what it is about.
        model: the name of the encoder that searched.
        characters: how many of the question's that encoder embedded.
        refreshed: what the refresh before did; None where there was none.
        refusal: why the refresh that was wanted could not be done, a sentence; else "".
        problems: documents that can't be read.
    """

    passages: tuple[CitedPassage, ...]
    dropped: int
    probability: float
    calibration: Calibrated
    reranker_ignored: bool
    searched: int
    pending: int
    signals: tuple[float, ...]
    corrected: tuple[tuple[str, str], ...]
    all_filtered: bool
    unknown: tuple[str, ...]
    has_content: bool
    model: str
    characters: int
    refreshed: Refresh | None
    refusal: str
    problems: tuple[Problem, ...]

    @property
    def is_settled(self) -> bool:
        """Whether to find again would give no more: no file changed since it was refreshed."""
        return not self.dropped or self.refreshed is None

    def is_answer(self, threshold: float) -> bool:
        """Whether the passages answer, rather than being the closest there are."""
        return bool(self.passages) and self.probability >= threshold


def find(
    request: Request,
    *,
    index: Store,
    corpus: Corpus,
    models: ModelLoader,
    headings: Headings,
    in_use: Callable[[], AbstractContextManager[None]],
    refresh: Callable[[], tuple[Refresh | None, str]],
    prior: float,
    known: tuple[Encoder[Runtime], EncodedQuestion] | None = None,
) -> Found:
    """Find the best passages for a question, each quote read again from its file.

    Args:
        request: the question, checked.
        index: what is searched.
        corpus: where the files are.
        models: loads the encoder that the index was made with.
        headings: of those files.
        in_use: held while index and corpus are used; not while the question is embedded.
        refresh: brings the index in line; gives what that did, or None and why it could not.
        prior: the share of questions that the corpus answers.
        known: what encodes the question, and what it gave, where that was done already.

    Raises:
        QuestionError: a filter lets no document pass.
        CorpusError, IndexUnusableError, ModelError: the corpus, the index or its model can't be
            used.
    """
    begin, question = request.asked
    refreshed, refusal = refresh() if request.refresh else (None, "")
    if known is None:
        with in_use():
            encoder = models.loaded or encoder_of(index, models)
        encoded = encoder.encode_question(question)  # with those of other threads
    else:
        encoder, encoded = known
    with in_use(), index.snapshot(to_search=True) as snapshot:
        files = _files_of(snapshot, models)
        encoder_now = models.encoder(files)
        if encoder_now is not encoder:  # another writer has rebuilt the index meanwhile
            encoder = encoder_now
            encoded = encoder.encode_question(question)
        read = len(request.question)
        if encoded.characters < len(question) or len(request.beginning) < read:
            read = begin + encoded.characters
        question, exchanged = corrected(question, snapshot, encoder.tokens.is_one)
        if exchanged:
            encoded = encoder.encode_question(question)
        allowed = None
        if request.chosen:
            from qa.answering.filter import allowed_passages

            allowed = allowed_passages(request.chosen, snapshot)
        hits = search(
            snapshot,
            question,
            encoded,
            encoder.encode_now,
            allowed=allowed,
            explain=request.explain,
        )
        ranked = hits.ranked
        if (reranker := models.reranker()) is not None:
            ranked = rerank(snapshot, question, ranked, reranker)
        if request.per_document:
            ranked = spread(ranked, document=attrgetter("document"), at_most=request.per_document)
        explain = partial(encoder.contributions, vector=encoded.vector) if request.explain else None
        passages: list[CitedPassage] = []
        dropped = 0
        while missing := request.k - len(passages):
            if not (portion := list(islice(ranked, missing))):
                break
            cited = cite(
                snapshot,
                corpus,
                question,
                portion,
                headings=headings,
                allowed=allowed,
                explain=explain,
            )
            dropped += cited.count(None)
            passages += [passage for passage in cited if passage is not None]
        searched = snapshot.count_passages() if allowed is None else len(allowed)
        unknown = _unknown(hits, question, passages)
        best = passages[0].scores if passages else None
        seen = signals_of(hits, question, best, searched, unknown) if best else None
        used = calibration_in_use(
            snapshot.calibration,
            snapshot.corpus_fit,
            encoder=files.fingerprint,
            is_default=files.name == DEFAULT_MODEL,
            reranker="" if reranker is None else reranker.fingerprint,
        )
        return Found(
            passages=tuple(passages),
            dropped=dropped,
            probability=used.calibration.probability(seen, prior) if seen else 0.0,
            calibration=used.kind,
            reranker_ignored=reranker is not None and not used.weighs_reranker,
            searched=searched,
            pending=snapshot.count_pending(),
            signals=seen or (),
            corrected=exchanged,
            all_filtered=allowed is not None and not len(allowed),
            unknown=unknown,
            has_content=bool(hits.terms),
            model=encoder.spec.name,
            characters=read,
            refreshed=refreshed,
            refusal=refusal,
            problems=refreshed.problems
            if refreshed is not None
            else tuple(known_problems(snapshot.problems())),
        )


def _unknown(hits: Hits, question: str, passages: Sequence[CitedPassage]) -> tuple[str, ...]:
    """The question's words that no passage has, nor as an acronym or in its place."""
    if not hits.unknown:
        return ()
    quotes = (passage.citation.quote for passage in passages)
    known = explained(names(question), question, quotes)
    return tuple(word for word in hits.unknown if word not in known)


def signals_of(
    hits: Hits, question: str, best: Scores, searched: int, unknown: Sequence[str]
) -> Signals:
    """What the probability is made from.

    Args:
        hits: what was found.
        question: as it was searched for.
        best: the scores of the passage that is ranked first.
        searched: how many passages might have answered.
        unknown: the question's words that none of them has.
    """
    others = list(hits.fused)
    if best.fused in others:  # a cross-encoder may have chosen another than the first
        others.remove(best.fused)
    absent = set(unknown).intersection(names(question))
    return signals(best, others, terms=hits.terms, passages=searched, names=len(absent))


def encoder_of(index: Store, models: ModelLoader) -> Encoder[Runtime]:
    """Load the encoder that an index was made with."""
    with index.snapshot() as snapshot:
        files = _files_of(snapshot, models)
    return models.encoder(files)


def _files_of(snapshot: Snapshot, models: ModelLoader) -> ModelFiles:
    """The files of the model to ask with, which must be those that the index was made with."""
    known = snapshot.identity
    files = models.locate(known.model)
    check_encoder(known, snapshot.place, fingerprint=files.fingerprint, model=files.name)
    return files


def cite(
    snapshot: Snapshot,
    corpus: Corpus,
    question: str,
    ranked: Sequence[Ranked],
    *,
    headings: Headings,
    allowed: NDArray[np.int64] | None = None,
    explain: Callable[[str], tuple[tuple[str, float], ...]] | None = None,
) -> list[CitedPassage | None]:
    """Cite each passage from its file as it is now; None where the file is another by now.

    Of a text that stands in several places, the first by path that still has it is cited, and the
    next few of them are named.

    Args:
        snapshot: what was ranked.
        corpus: where the files are.
        question: as it was asked.
        ranked: from the same snapshot.
        headings: of those files.
        allowed: the passages that may be cited, ascending; all where it is None.
        explain: gives the words of an embedded text that add most to its cosine.
    """
    copies = [_copies(snapshot, one.passage, allowed) for one in ranked]
    rows = {row.id: row for row in snapshot.passages(chain.from_iterable(copies))}
    documents = snapshot.documents({row.document for row in rows.values()})
    sources = {
        number: open_source(corpus, row, None if row.encoding else snapshot.extract(number))
        for number, row in documents.items()
    }
    cited: list[CitedPassage | None] = []
    for one, ids in zip(ranked, copies, strict=True):
        embedded = embedded_of(rows[one.passage])
        places = [
            (row, source)
            for row in map(rows.__getitem__, ids)
            if embedded_of(row) == embedded
            and one.evidence[1] < len(row.spans)
            and (source := sources.get(row.document)) is not None
            and source.text[row.start : row.end] == row.text
        ]
        if not places:
            cited.append(None)
            continue
        row, source = places[0]
        begin, end = one.evidence
        place = Span(row.spans[begin].start, row.spans[end].end)
        citation, *also = (_cited(*each, headings) for each in places)
        metadata = documents[row.document].metadata
        is_english = told(metadata) in {"", "en"}
        evidence = Evidence(
            source.cite(place, citation.heading_path, row.places),
            one.evidence_score,
            marks(question, source.text, place, is_english=is_english),
        )
        explanation = None if explain is None else Explanation(one.terms, explain(embedded))
        cited.append(
            CitedPassage(citation, evidence, one.scores, metadata, explanation, tuple(also))
        )
    return cited


def _cited(row: PassageRow, source: Source, headings: Headings) -> Citation:
    above = headings.confirmed(source, row.heading_path, row.start)
    return source.cite(Span(row.start, row.end), above, row.places)


def _copies(snapshot: Snapshot, one: int, allowed: NDArray[np.int64] | None) -> list[int]:
    """The first places of a passage's text, as many as are cited, by path and line."""
    found = snapshot.copies(one, allowed)[: 1 + _ALSO]
    # It is not there where copies are very many, or where SQLite's index of them is damaged.
    return found if one in found else [one, *found[:_ALSO]]
