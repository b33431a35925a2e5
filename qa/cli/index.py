"""`qa index`."""

from __future__ import annotations

from typing import Annotated

import typer

from qa.cli import options, render
from qa.cli.options import Format, open_assistant
from qa.cli.output import Output

EXAMPLES = """Examples:

qa index

qa index ~/papers

qa index --model ./my-model"""


def command(
    path: Annotated[str | None, typer.Argument(help="The same as --corpus: what to index.")] = None,
    *,
    corpus: options.Corpus = None,
    index: options.Index = None,
    model: options.Model = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Discard the index and embed everything again.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", help="Embedding device in torch's notation, e.g. cuda.  [default: cpu]"
        ),
    ] = None,
    output_format: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
    ocr: options.Ocr = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", help="Cores to read and embed with.  [default: all]"),
    ] = None,
    lock_timeout: options.LockTimeout = None,
    quiet: options.Quiet = False,
) -> None:
    """Update the index; only documents that changed are embedded.

    With another --model than the index's, all documents are embedded again, in an index beside it
    that takes its place once it is whole; the old one is kept, and --model with its model goes back
    to it.
    """
    output = Output(quiet=quiet)
    if path is not None and corpus is not None:
        raise typer.BadParameter(f"{path} and --corpus {corpus} both name a corpus; give one")
    with open_assistant(
        output,
        corpus=corpus if path is None else path,
        index=index,
        model=model,
        device=device,
        ocr=ocr or None,
        jobs=jobs,
        lock_timeout=lock_timeout,
    ) as assistant:
        done = assistant.refresh(rebuild=rebuild, switch=True)
    if output_format is Format.JSON:
        output.json(done.to_dict())
    else:
        output.lines(render.refresh(done, width=output.room))
