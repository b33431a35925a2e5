"""`qa model`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qa.cli import options, render
from qa.cli.options import Command, settings_from
from qa.cli.output import Output

EXAMPLES = """Examples:

qa model

qa model prepare

qa model prepare ./my-model"""

app = typer.Typer(
    help="List and prepare models.",
    epilog=EXAMPLES,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """List the models that are ready, and good choices by need; `prepare` readies one."""
    if context.invoked_subcommand is None:
        from qa.encoding.loader import cached_models

        output = Output()
        cache = settings_from({}).cache_path()
        output.lines(render.models(cached_models(cache), cache))
        output.data("")
        output.lines(render.choices())


@app.command(cls=Command, epilog=EXAMPLES)
def prepare(
    name: Annotated[str | None, typer.Argument(help="The same as --model.")] = None,
    *,
    model: options.Model = None,
    quiet: options.Quiet = False,
) -> None:
    """Prepare a model before its first use, for example in a Dockerfile (about 10 seconds).

    The default model needs no preparing.
    """
    if name is not None and model is not None:
        raise typer.BadParameter(f"{name} and --model {model} both name a model; give one")
    from qa.encoding.loader import cached_models, load_encoder
    from qa.encoding.model import locate
    from qa.encoding.options import options_of

    output = Output(quiet=quiet)
    settings = settings_from({"model": model if name is None else name})
    cache = settings.cache_path()
    files = locate(settings.model, cache=cache, options=options_of(settings))
    load_encoder(files, cache=cache, notify=output.note)
    ready = [model for model in cached_models(cache) if model.fingerprint == files.content]
    output.lines(render.models(ready, Path(cache)))
