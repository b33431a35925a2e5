"""Refresh: compare the corpus with its index, and bring the index in line where it is not."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypedDict

from qa.corpus.walking import SIZE, listing_digest
from qa.errors import ForeignIndexError, IndexMissingError, ModelError
from qa.indexing.plan import Outcomes, checked_plan, report
from qa.store.identity import Identity
from qa.store.rows import FilesKnown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qa.corpus import Corpus, Scan
    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.loader import ModelLoader
    from qa.encoding.model import ModelFiles
    from qa.indexing.executor import Executor, Executors
    from qa.indexing.plan import Plan
    from qa.indexing.progress import Meter
    from qa.progress import Progress
    from qa.store.protocol import Snapshot, Store
    from qa.types import Refresh

__all__ = ["RefreshOptions", "refresh"]


class RefreshOptions(TypedDict, total=False):
    """What of a refresh changes from one to the next; see `refresh`."""

    rebuild: bool
    thorough: bool
    unless: Callable[[], bool]
    executors: Executors | None


def refresh(
    *,
    index: Store,
    writer: Store,
    corpus: Corpus,
    models: ModelLoader,
    progress: Callable[[Progress], None],
    jobs: int = 1,
    rebuild: bool = False,
    thorough: bool = False,
    unless: Callable[[], bool] = lambda: False,
    executors: Executors | None = None,
) -> Refresh:
    """Bring an index in line with its corpus; what is in line already is only looked at.

    What is done is committed bit by bit, and kept where this is stopped.

    Args:
        index: which need not exist yet; it is read only for a moment.
        writer: the same index, in use as long as there is something to write.
        corpus: where the documents are read from.
        models: finds the model that embeds them.
        progress: is told how far this is.
        jobs: how many files may be read at a time.
        rebuild: forget the index, whatever its state or model, and embed everything again.
        thorough: follow every reference in the index as well, and merge what searches gain by.
        unless: whether not to wait for another process any longer; asked once a second.
        executors: makes who reads and embeds, where there is something to do; by default this
            process does.

    Raises:
        CorpusError: there is no corpus, or nothing in it can be read (the index stays).
        IndexUnusableError: the index is locked, damaged, read-only or made for another corpus or
            by another model.
    """
    now_ns = time.time_ns()
    seen, scan = _Seen(), None
    if not rebuild:
        with suppress(IndexMissingError):
            seen, scan = _look(index, corpus, now_ns, thorough=thorough)
    plan = checked_plan(corpus, seen.files, now_ns, scan=scan)
    if seen.files is not None and plan.is_empty and seen.is_sound and seen.is_fitted:
        if plan.restamped or not seen.is_tidy:
            listing = listing_digest(plan.scan.stamps, now_ns)
            writer.tidy(plan.restamped, now_ns, listing=listing)
        return report(plan)
    from qa.indexing.progress import Meter

    meter = Meter(progress)
    if not writer.is_written():
        _begin(meter, plan)  # before the imports that take a while
    from qa.encoding.model import DEFAULT_MODEL
    from qa.indexing.apply import Commits, embed_pending, take_up
    from qa.ranking.calibrations import assigned

    outcomes = Outcomes()
    with closing(corpus), writer.transaction(rebuild=rebuild, unless=unless) as transaction:
        meter.tell(writer.announcing())
        if not rebuild and transaction.changes != seen.changes:  # by another writer
            plan = checked_plan(corpus, transaction.known_files(), now_ns)
            if plan.is_empty and not transaction.count_pending() and seen.is_fitted:
                meter.end()
                return report(plan)
        _begin(meter, plan)
        files = models.locate("" if rebuild else transaction.identity.model)
        bound_to = index.seen_from(corpus.location)
        encoder = partial(models.encoder, files)
        if rebuild:  # what an earlier version kept is of the encoder that there was
            transaction.keep(
                calibration=assigned(transaction.calibration, transaction.identity.fingerprint)
            )
        transaction.begin(Identity(files.fingerprint, files.name, bound_to), rebuild=rebuild)
        commits = Commits(transaction, meter)
        executors = executors or partial(_here, jobs=jobs)
        with executors(corpus, files, encoder) as executor:
            take_up(plan, commits, executor, outcomes, now_ns=now_ns)
            transaction.keep(listing=listing_digest(plan.scan.stamps, now_ns))
            embed_pending(commits, executor, outcomes)
        if thorough:
            transaction.compact()
        if files.name != DEFAULT_MODEL:  # of that one, nothing more is opened
            with index.snapshot() as snapshot:
                if not snapshot.count_pending() and not _is_fitted(snapshot):
                    transaction.keep(corpus_fit=_corpus_fit(snapshot, models, encoder()))
    return report(plan, outcomes)


def _is_fitted(snapshot: Snapshot) -> bool:
    """Whether the probability needs no fit to the corpus, or has the one that is due."""
    from qa.encoding.model import DEFAULT_MODEL
    from qa.ranking.calibrations import read_corpus_fit

    if (known := snapshot.identity).model == DEFAULT_MODEL or snapshot.is_empty:
        return True
    fit = read_corpus_fit(snapshot.corpus_fit)
    return fit is not None and fit.serves(known.fingerprint, snapshot.count_passages())


def _corpus_fit(snapshot: Snapshot, models: ModelLoader, encoder: Encoder[Runtime]) -> str:
    """Fit the probability to the corpus, as it is for an encoder that is not the default."""
    from qa.evaluation.corpus_fit import fit_to_corpus
    from qa.ranking.calibrations import CorpusFit

    try:
        fitted = fit_to_corpus(snapshot, encoder, models.default_encoder())
    except ModelError:  # the default's files are gone, which nothing else needs here
        fitted = None
    return CorpusFit(encoder.spec.fingerprint, snapshot.count_passages(), fitted).to_text()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of an index: how often it was changed, and what it knows of the files.

    `is_fitted` is false where a fit to the corpus is due (see `qa.evaluation.corpus_fit`), and it
    was looked for.
    """

    changes: int = 0
    files: FilesKnown | None = None
    is_sound: bool = False
    is_tidy: bool = False
    is_fitted: bool = True


def _look(index: Store, corpus: Corpus, now_ns: int, *, thorough: bool) -> tuple[_Seen, Scan]:
    """Look at an index, then at its corpus; what it knows of each file is read only if need be.

    Raises:
        IndexMissingError: there is none.
    """
    while True:
        with _current(index) as snapshot:
            listing = "" if thorough else snapshot.listing  # else each row is looked at
            known = None if listing else snapshot.known_files()
            problems = snapshot.problems() if listing else ()
            if thorough:
                snapshot.check_references()
            seen = _Seen(
                snapshot.changes,
                known,
                is_sound=not snapshot.count_pending()
                and snapshot.has_current_terms()
                and snapshot.is_sound(),
                is_tidy=snapshot.is_tidy(),
                is_fitted=not thorough or _is_fitted(snapshot),
            )
        scan = corpus.scan()
        if known is not None:
            return seen, scan
        if scan.in_line_with == listing or listing_digest(scan.stamps, now_ns) == listing:
            scan.in_line_with = listing
            return replace(seen, files=FilesKnown(scan.stamps, (), problems)), scan
        with _current(index) as snapshot:
            if snapshot.changes == seen.changes:
                return replace(seen, files=snapshot.known_files()), scan


@contextmanager
def _here(
    corpus: Corpus, _: ModelFiles, encoder: Callable[[], Encoder[Runtime]], *, jobs: int
) -> Iterator[Executor]:
    from qa.indexing.executor import LocalExecutor

    yield LocalExecutor(corpus, encoder, jobs=jobs)


def _begin(meter: Meter, plan: Plan) -> None:
    todo = [*plan.added, *plan.changed]
    meter.begin(documents=len(todo), bytes=sum(plan.scan.stamps[path][SIZE] for path in todo))


@contextmanager
def _current(index: Store) -> Iterator[Snapshot]:
    """A snapshot of an index, which is taken over first where an earlier version made it."""
    with ExitStack() as opened:
        try:
            snapshot = opened.enter_context(index.snapshot())
        except ForeignIndexError as error:
            if not error.outdated:
                raise
            index.take_over()
            snapshot = opened.enter_context(index.snapshot())
        yield snapshot
