"""Refresh: compare the corpus with its index, and bring the index in line where it is not."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from qa.errors import IndexMissingError
from qa.indexing.plan import checked_plan, report
from qa.store.identity import Identity, seen_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.corpus import Corpus
    from qa.encoding.loader import ModelLoader
    from qa.indexing.plan import Plan
    from qa.indexing.progress import Meter
    from qa.progress import Progress
    from qa.store.index import Index
    from qa.types import Refresh

__all__ = ["refresh"]


def refresh(
    *,
    index: Index,
    corpus: Corpus,
    models: ModelLoader,
    progress: Callable[[Progress], None],
    rebuild: bool = False,
    thorough: bool = False,
) -> Refresh:
    """Bring an index in line with its corpus; what is in line already is only looked at.

    Args:
        index: whose folder need not exist yet.
        corpus: where the documents are read from.
        models: finds the model that embeds them.
        progress: is told how far this is.
        rebuild: forget the index, whatever its state or model, and embed everything again.
        thorough: follow every reference in the index as well.

    Raises:
        CorpusError: there is no corpus, or nothing in it can be read (the index stays).
        IndexUnusableError: the index is locked, damaged, read-only or made for another corpus or
            by another model.
    """
    now_ns = time.time_ns()
    plan, changes = None, 0
    if not rebuild:
        with suppress(IndexMissingError), index.snapshot() as snapshot:
            changes = snapshot.changes
            plan = checked_plan(corpus, snapshot.known_files(), now_ns)
            if thorough:
                snapshot.check_references()
            in_line = plan.is_empty and snapshot.is_sound()
            is_tidy = snapshot.is_tidy()
        if plan is not None and in_line:
            if plan.restamped or not is_tidy:
                index.tidy(plan.restamped, now_ns)
            return report(plan)
    plan = plan or checked_plan(corpus, None, now_ns)
    from qa.indexing.progress import Meter

    meter = Meter(progress)
    if not index.is_written():
        _begin(meter, plan)  # before the imports that take a while
    from qa.indexing.apply import apply
    from qa.store.running import announcing

    with closing(corpus), index.transaction(rebuild=rebuild) as transaction:
        meter.tell(announcing(index.folder))
        if not rebuild and transaction.changes != changes:  # by another writer
            plan = checked_plan(corpus, transaction.known_files(), now_ns)
            if plan.is_empty:
                meter.end()
                return report(plan)
        _begin(meter, plan)
        files = models.locate("" if rebuild else transaction.identity.model)
        seen = seen_from(index.folder, corpus.location)
        transaction.begin(Identity(files.fingerprint, files.name, seen), rebuild=rebuild)
        outcomes = apply(
            plan,
            corpus,
            transaction,
            partial(models.encoder, files),
            now_ns=now_ns,
            meter=meter,
        )
    return report(plan, outcomes)


def _begin(meter: Meter, plan: Plan) -> None:
    todo = [*plan.added, *plan.changed]
    meter.begin(documents=len(todo), bytes=sum(plan.scan.stamps[path].size for path in todo))
