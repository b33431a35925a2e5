"""One table of an index, written to one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa import __version__
from qa.exporting.appearing import appearing
from qa.exporting.rows import check_table, rows
from qa.exporting.tables import chosen_format, write_table

if TYPE_CHECKING:
    from qa.store.protocol import Snapshot

__all__ = ["export"]


def export(snapshot: Snapshot, file: str, what: str, *, wanted: str | None, corpus: str) -> int:
    """Write a table of an index at one moment; gives how many rows it has.

    Args:
        snapshot: the moment.
        file: where to; "-" is stdout.
        what: the table.
        wanted: the format; where it is None, what the file's name ends in, else JSON lines.
        corpus: the absolute path of the corpus, or "", for the schema's metadata.

    Raises:
        QuestionError: there is no such table or format.
        MissingExtraError: pyarrow is not installed, and needed.
        StorageError: the file can't be written.
        CatalogDamagedError: a row is damaged.
    """
    table, form = check_table(what), chosen_format(wanted, file)
    about = {
        "schema": f"qa.{table}/1",
        "qa": __version__,
        "corpus": corpus,
        "model": snapshot.identity.model,
        "fingerprint": snapshot.identity.fingerprint,
    }
    with appearing(file) as sink:
        return write_table(rows(snapshot, table), sink, form, table=table, about=about)
