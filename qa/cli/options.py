"""The options that commands share."""

from __future__ import annotations

import os
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from qa.assistant import Assistant
    from qa.cli.output import Output
    from qa.cli.several import Several
    from qa.corpus import PairCorpus
    from qa.settings import Settings

__all__ = [
    "Command",
    "Corpora",
    "Corpus",
    "Format",
    "Index",
    "LockTimeout",
    "Model",
    "Ocr",
    "Quiet",
    "Rerank",
    "open_assistant",
    "open_to_ask",
    "settings_from",
]


class Command(TyperCommand):
    """A command that refuses an option given twice, instead of taking the last in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own
        """Parse what was typed (see click); leaves with status 2 where it can't be."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option, count in Counter(one for one in given if _has_one_value(one)).items():
            if count > 1 and not ctx.resilient_parsing:
                ctx.fail(f"Option {option.opts[0]!r} was given {count} times; it takes one value.")
        return super().parse_args(ctx, args)


def _has_one_value(parameter: Any) -> bool:  # noqa: ANN401 - typer vendors click without its types
    is_option = parameter.param_type_name == "option"
    return is_option and not (parameter.multiple or parameter.is_flag or parameter.count)


class Format(StrEnum):
    """How data is written to stdout."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def _names(incomplete: str) -> list[str]:
    """The corpora that qa.toml names, for the shell's completion; else it completes paths."""
    from qa.errors import SettingsError
    from qa.settings import named_corpora

    try:
        return [name for name in named_corpora() if name.startswith(incomplete)]
    except SettingsError:  # which asking shows; completion must stay silent
        return []


# typer reads these at run time, so they are not written as `str | None`.
Corpus = Annotated[
    str | None,
    typer.Option(
        "--corpus",
        autocompletion=_names,
        help="Folder or file, or its name in qa.toml.  [default: corpus]",
    ),
]
Corpora = Annotated[
    list[str] | None,
    typer.Option(
        "--corpus",
        autocompletion=_names,
        help="Folder, file, or name in qa.toml; repeatable.  [default: corpus]",
    ),
]
Index = Annotated[
    str | None,
    typer.Option(
        "--index",
        help="Index folder.  [default: index; one per corpus elsewhere]",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Local path or hub name.  [default: the index's own]"),
]
Rerank = Annotated[
    str | None,
    typer.Option("--rerank", help="Rerank the best with a cross-encoder: local path or hub name."),
]
LockTimeout = Annotated[
    float | None,
    typer.Option(
        "--lock-timeout", help="Seconds to wait for another writing process.  [default: 60]"
    ),
]
Ocr = Annotated[bool, typer.Option("--ocr", help="Read scanned PDFs with ocrmypdf.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notes or hints.")]


def open_assistant(
    output: Output,
    documents: PairCorpus | None = None,
    **arguments: Any,  # noqa: ANN401 - checked by Settings
) -> Assistant:
    """Make the assistant from the settings and what was given on the command line."""
    from qa.assistant import Assistant

    settings = settings_from(arguments)
    if documents is None:
        _tell_of_names(output, arguments.get("corpus"), settings.corpus)
    return Assistant(
        documents=documents, settings=settings, notify=output.note, progress=output.progress
    )


def open_to_ask(
    output: Output,
    corpora: list[str] | None,
    **arguments: Any,  # noqa: ANN401 - as above
) -> Assistant | Several:
    """Make the assistant of one corpus, or of several that are asked as one."""
    wanted = list(dict.fromkeys(corpora or ()))
    if len(wanted) < 2:
        return open_assistant(output, corpus=wanted[0] if wanted else None, **arguments)
    from qa.cli.several import Several

    if arguments.get("index") is not None:
        raise typer.BadParameter("--index is of one corpus; name several indexes in qa.toml")
    opened = {name: open_assistant(output, corpus=name, **arguments) for name in wanted}
    return Several(opened)


def settings_from(arguments: dict[str, Any]) -> Settings:
    """The settings, as arguments, environment and qa.toml have them.

    On a terminal the person is asked, once, to allow a qa.toml what needs consent.
    """
    from qa.errors import SettingsError
    from qa.settings import load_settings

    try:
        return load_settings(arguments)
    except SettingsError as error:
        from qa.cli.trust import allowed_now
        from qa.trust import UntrustedError

        if not isinstance(error, UntrustedError) or not allowed_now(error):
            raise
    return load_settings(arguments)


def _tell_of_names(output: Output, given: str | None, corpus: str) -> None:
    """Say that a name went before a path, or which names there are where nothing is at a path."""
    if given is not None and given != corpus:
        if os.path.exists(given) and os.path.realpath(given) != os.path.realpath(corpus):  # noqa: PTH110
            output.note(
                f"{given} is the name of a corpus in qa.toml ({corpus}); "
                f"for what is here, write {os.path.join('.', given)}"  # noqa: PTH118
            )
    elif not os.path.exists(corpus) and (names := _names("")):  # noqa: PTH110
        output.note(f"There is nothing at {corpus}; qa.toml names: {', '.join(names)}")
