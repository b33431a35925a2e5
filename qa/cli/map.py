"""`qa map`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qa.cli import options
from qa.cli.options import open_assistant
from qa.cli.output import Output

EXAMPLES = """Examples:

qa map

qa map "Will Russia send food or medicine?" --output map.svg

qa map --color folder --layout umap"""


class Color(StrEnum):
    """What shares a colour."""

    AUTO = "auto"
    DOCUMENT = "document"
    FOLDER = "folder"
    HEADING = "heading"


class LayoutName(StrEnum):
    """How passages are placed."""

    AUTO = "auto"
    PCA = "pca"
    UMAP = "umap"


def command(
    question: Annotated[
        str | None, typer.Argument(help="A question, to show beside its closest passages.")
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .html, or .svg alone.")
    ] = Path("map.html"),
    k: Annotated[
        int | None, typer.Option("-k", min=1, help="Passages of the answer.  [default: 5]")
    ] = None,
    color: Annotated[
        Color, typer.Option("--color", help="What shares a colour.  [default: auto]")
    ] = Color.AUTO,
    layout: Annotated[
        LayoutName,
        typer.Option("--layout", help="How passages are placed.  [default: UMAP if installed]"),
    ] = LayoutName.AUTO,
    limit: Annotated[
        int, typer.Option("--limit", min=2, max=50_000, help="Points at most.  [default: 5000]")
    ] = 5000,
    corpus: options.Corpus = None,
    index: options.Index = None,
    quiet: options.Quiet = False,
) -> None:
    """Draw the passages of a corpus by meaning, as a page or a picture that needs nothing else.

    Near on the plane is near in meaning, as far as two dimensions can show it.
    """
    from qa.mapping.drawing import svg
    from qa.mapping.gather import gather
    from qa.mapping.page import html

    if output.suffix.lower() not in {".html", ".htm", ".svg"}:
        raise typer.BadParameter(f"{output} is neither .html nor .svg")
    sink = Output(quiet=quiet)
    with open_assistant(sink, corpus=corpus, index=index) as assistant:
        assistant.refresh()
        found = gather(
            assistant, question, k=k, grouping=color.value, layout=layout.value, limit=limit
        )
    drawn = svg(found) if output.suffix.lower() == ".svg" else html(found)
    output.write_text(drawn, "utf-8")
    sink.data(f"{output}: {len(found.points):,} of {found.total:,} passages")
