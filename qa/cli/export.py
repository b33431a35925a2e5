"""`qa export`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from qa.cli import options
from qa.cli.options import open_assistant
from qa.cli.output import Output

if TYPE_CHECKING:
    from qa.exporting.tables import TableFormat

EXAMPLES = """Examples:

qa export passages.parquet

qa export --what vectors vectors.arrow

qa export --what documents - > documents.jsonl"""


class What(StrEnum):
    """The tables."""

    DOCUMENTS = "documents"
    PASSAGES = "passages"
    PLACES = "places"
    VECTORS = "vectors"


class Format(StrEnum):
    """How a table is written."""

    PARQUET = "parquet"
    ARROW = "arrow"
    JSONL = "jsonl"


def command(
    file: Annotated[str, typer.Argument(help="Where to write; - is stdout.", metavar="FILE")],
    *,
    what: Annotated[
        What, typer.Option("--what", help="Which table.  [default: passages]")
    ] = What.PASSAGES,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", help="Output format.  [default: by FILE's suffix, else jsonl]"),
    ] = None,
    corpus: options.Corpus = None,
    index: options.Index = None,
    quiet: options.Quiet = False,
) -> None:
    """Write what is indexed as a table, for other programs.

    It is the index as it is at one moment; `qa index` brings it in line first. The file is there
    once it is whole. Parquet and Arrow need: pip install 'retrieval-qa[data]'
    """
    output = Output(quiet=quiet)
    wanted: TableFormat | None = output_format.value if output_format else None
    is_binary = wanted in {"parquet", "arrow"}
    if file == "-" and is_binary and sys.stdout is not None and sys.stdout.isatty():
        raise typer.BadParameter(f"--format {wanted} is not for a terminal; name a file.")
    with open_assistant(output, corpus=corpus, index=index) as assistant:
        count = assistant.export(file, what.value, format=wanted)
    if file != "-":
        output.note(f"{count:,} {what} written to {file}")
