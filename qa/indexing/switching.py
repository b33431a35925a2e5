"""Another model for an index: made beside it, put in its place as a whole, and the old one kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qa.counting import counted
from qa.errors import ForeignIndexError, IndexMissingError
from qa.indexing.refresh import refresh
from qa.store.copying import copy
from qa.store.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.corpus import Corpus
    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.loader import ModelLoader
    from qa.indexing.executor import Executors
    from qa.progress import Progress
    from qa.store.protocol import Snapshot, Store
    from qa.types import Refresh

__all__ = ["switch_model"]

_SAMPLE = 32  # passages that are embedded to tell how long all will take
_MINUTE = 60


def _is_of_another_model(index: Store, models: ModelLoader) -> bool:
    """Whether there is an index, and by another model than the settings name."""
    try:
        with index.snapshot() as snapshot:
            made_with = snapshot.identity.fingerprint
    except (IndexMissingError, ForeignIndexError):  # of an earlier version: a refresh takes it over
        return False
    return made_with not in {"", models.locate().fingerprint}


def switch_model(
    index: Store,
    writer: Store,
    corpus: Corpus,
    models: ModelLoader,
    *,
    progress: Callable[[Progress], None],
    notify: Callable[[str], None],
    jobs: int = 1,
    executors: Executors | None = None,
) -> Refresh | None:
    """Embed a corpus with the model that the settings name, and answer from that once it is whole.

    Until then the index answers as before; where this is stopped, it goes on the next time from
    what was done. The index as it was is kept: naming its model again goes back to it, and only
    what changed since is embedded then.

    Args:
        index: what answers; it is read only for moments.
        writer: the same index, in use for the last step.
        corpus: where the documents are read from.
        models: finds both models.
        progress: is told how far this is.
        notify: is told what it costs, and what is kept.
        jobs: how many files may be read at a time.
        executors: see `qa.indexing.refresh.refresh`.

    Returns:
        What was done; None where there is no index, or the index is by that model already.

    Raises:
        CorpusError, IndexUnusableError, ModelError: see `qa.indexing.refresh.refresh`.
    """
    if not _is_of_another_model(index, models):
        return None
    files = models.locate()
    beside = index.beside(files.fingerprint)
    with index.snapshot() as snapshot:
        known, passages = snapshot.identity, snapshot.count_passages()
        if not beside.exists():
            notify(_cost(snapshot, models.encoder(files), files.name))
    done = refresh(
        index=beside,
        writer=beside,
        corpus=corpus,
        models=models,
        progress=progress,
        jobs=jobs,
        executors=executors,
    )
    bound_to = Identity(files.fingerprint, files.name, index.seen_from(corpus.location))
    with writer.transaction() as transaction:
        kept = writer.keep(known.fingerprint)
        with beside.snapshot() as source:
            transaction.begin(bound_to, rebuild=True)
            copy(source, transaction)
    beside.remove()
    notify(
        f"The index made with {known.model} ({counted(passages, 'passage')}) is kept in {kept}: "
        f"`qa index --model {known.model}` goes back to it; delete that if you won't."
    )
    return done


def _cost(snapshot: Snapshot, encoder: Encoder[Runtime], name: str) -> str:
    passages = snapshot.count_passages()
    sample = [row.to_embed() for row in snapshot.some_passages(_SAMPLE)]
    began = time.perf_counter()
    embedded = sum(1 for _ in encoder.encode_passages(sample))
    seconds = (time.perf_counter() - began) / max(1, embedded) * passages
    long = "less than a minute" if seconds < _MINUTE else f"about {seconds / _MINUTE:,.0f} min"
    return (
        f"{counted(passages, 'passage')} made with {snapshot.identity.model} will be embedded "
        f"again with {name}: {long}. Until that is done, the index answers as before."
    )
