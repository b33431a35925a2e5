"""What a refresh is handed to have its work done on Ray; nothing of Ray is imported before."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from qa.corpus import PairCorpus
from qa.indexing.on_ray.cluster import check_address, connected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qa.corpus import Corpus
    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.model import ModelFiles
    from qa.indexing.executor import Executor, Executors
    from qa.settings import Settings

__all__ = ["on_ray"]


def on_ray(
    address: str | None, settings: Settings, *, notify: Callable[[str], None]
) -> Executors | None:
    """Make executors that work on a Ray cluster, and are connected to it while they are open.

    Args:
        address: of the cluster; "local" starts one on this machine, and None makes nothing.
        settings: say how many cores such a one may use, and where exports are kept.
        notify: is told of what went wrong without harm.

    Raises:
        SettingsError: the address is none.
    """
    if address is None:
        return None
    check_address(address)
    return partial(
        _opened,
        address=address,
        cores=settings.cores(),
        cache=settings.cache_path(),
        notify=notify,
    )


@contextmanager
def _opened(
    corpus: Corpus,
    files: ModelFiles,
    encoder: Callable[[], Encoder[Runtime]],
    *,
    address: str,
    cores: int,
    cache: Path,
    notify: Callable[[str], None],
) -> Iterator[Executor]:
    encoder()  # where its graph must be exported first, better here than in every worker
    with connected(address, cores=cores):
        # Imported here: Ray reads the environment, which is set by now, when it is imported.
        from qa import __version__
        from qa.indexing.executor import LocalExecutor
        from qa.indexing.on_ray.executor import RayExecutor
        from qa.indexing.on_ray.worker import Work, numbers_of

        work = Work(
            key=uuid.uuid4().hex,
            version=__version__,
            model=files.name,
            fingerprint=files.fingerprint,
            cache=str(cache.absolute()),
            corpus=PairCorpus(()) if corpus.root is None else corpus.apart(),
        )
        here = LocalExecutor(corpus, encoder, jobs=1)
        mine = partial(numbers_of, encoder(), cache)
        yield RayExecutor(corpus, here, work, mine, notify)
