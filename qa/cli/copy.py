"""`qa copy`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options
from qa.cli.output import Output
from qa.counting import counted
from qa.errors import ForeignIndexError, IndexMissingError

if TYPE_CHECKING:
    from qa.place import MilvusPlace
    from qa.store.protocol import Store

EXAMPLES = """Examples:

qa copy index milvus:http://127.0.0.1:19530/papers

qa copy milvus:papers ~/papers-index"""


def command(
    index: Annotated[str, typer.Argument(help="The index: a folder, or milvus:[ADDRESS/]NAME.")],
    target: Annotated[str, typer.Argument(help="Where to: a folder, or milvus:[ADDRESS/]NAME.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an index that is there.")
    ] = False,
    lock_timeout: options.LockTimeout = None,
    quiet: options.Quiet = False,
) -> None:
    """Copy an index from one store to another, without reading or embedding anything again.

    The documents stay where they are. Without an ADDRESS, that of the setting `uri` is taken.
    """
    from qa.settings import load_settings
    from qa.store.copying import copy_index
    from qa.store.opening import open_store

    output = Output(quiet=quiet)
    settings = load_settings({"lock_timeout": lock_timeout})
    source = open_store(_place(index, settings.uri))
    other = open_store(
        _place(target, settings.uri), lock_timeout=settings.lock_timeout, notify=output.note
    )
    with closing(source), closing(other):
        if source.address == other.address:
            raise typer.BadParameter(f"{index} and {target} are the same index")
        if not replace and _is_there(other):
            raise ForeignIndexError(
                f"There is an index at {other.address} already",
                hint="Name another place, or replace it with --replace.",
            )
        passages = copy_index(source, other)
        output.note(f"Copied {counted(passages, 'passage')} to {other.address}.")


def _place(text: str, uri: str | None) -> Path | MilvusPlace:
    from qa.place import SCHEME, parse_place

    return parse_place(text, uri) if text.startswith(SCHEME) else Path(text).absolute()


def _is_there(store: Store) -> bool:
    try:
        with store.snapshot():
            return True
    except IndexMissingError:
        return False
