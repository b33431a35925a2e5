"""What was meant by an option or a command that does not exist: by meaning, then by spelling."""

from __future__ import annotations

import difflib
import re
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["explain"]

_NEAR = 0.7  # of 1, how alike two spellings are; below, a guess misleads
_SHORT = 3  # letters of a word that too many others are near to
_LONG = 100  # letters of what is compared: it takes the square of the length
# What it is called here, and on the right what people type who know other programs. The first that
# the command has counts; what follows a blank is a value.
_OPTIONS = {
    "-k": "k kay n num number top top-k topk limit count max results max-results",
    "--in": "filter glob include only path paths file files",
    "--where": "filter author metadata meta tag has",
    "--format json": "json as-json",
    "--format markdown": "markdown md",
    "--format text": "text plain",
    "--format": "output output-format fmt f o type as",
    "--explain": "verbose scores score why debug details",
    "--log-file FILE": "verbose log debug trace",
    "--quiet": "silent s no-progress no-notes",
    "--corpus": "dir directory folder docs documents source data d c path root collection",
    "--index": "db database store index-dir index-path",
    "--rebuild": "force fresh reindex clean reset full f recreate",
    "--jobs": "threads workers cores j parallel processes",
    "--device cuda": "gpu cuda",
    "--threshold": "min-score cutoff confidence min minimum min-probability t",
    "--since": "from after newer start",
    "--until": "to before older end",
    "--always": "all force",
    "--all": "full verbose",
    "--rerank": "reranker cross-encoder",
    "--model": "encoder embedding embeddings embedding-model m",
    "--lock-timeout": "timeout wait",
    "--context": "lines around a b",
    "--problems": "errors failed failures verbose",
    "--no-refresh": "no-index no-update offline cached",
    "--remove": "delete prune clean rm",
    "--forget": "remove revoke delete",
    "--yes": "y force assume-yes",
}
_COMMANDS = {
    "ask": "search find query question answer q grep retrieve",
    "index": "build update refresh add ingest sync reindex embed create init load rebuild",
    "status": "info stats stat state list ls",
    "show": "cat view read open print get",
    "verify": "check validate audit",
    "eval": "evaluate test benchmark bench measure score",
    "calibrate": "fit tune train",
    "doctor": "diagnose health debug",
    "model": "models download pull",
    "corpora": "corpus collections indexes indices list",
    "trust": "allow consent",
    "chat": "repl shell session interactive talk",
    "watch": "follow monitor",
}
_ROOT = {"--help": "help man usage", "--version": "version"}


def explain(error: Any, typed: Sequence[str]) -> None:  # noqa: ANN401 - typer vendors click without its types
    """Have an error about what does not exist say what was meant; others stay as they are.

    Args:
        error: as typer raised it.
        typed: the arguments, without the program's name.
    """
    context = getattr(error, "ctx", None)
    if context is None:
        return
    if (option := getattr(error, "option_name", None)) and hasattr(error, "possibilities"):
        error.possibilities = None
        error.message = f"No such option: {option}.{_option(option, context, typed)}"
    elif found := re.match(r"No such command '(.*?)'", error.message):
        name = found[1]
        known = context.command.commands
        meant = _called(name.casefold(), {one: _COMMANDS.get(one, "") for one in known}, known)
        error.message = f"No such command {name!r}."
        if meant is None and (meant := _called(name.casefold(), _ROOT, _ROOT)) is None:
            error.message += ' To ask a question: qa ask "…"' if context.parent is None else ""
        else:
            error.message += f" Did you mean: {context.command_path} {meant}"


def _option(option: str, context: Any, typed: Sequence[str]) -> str:  # noqa: ANN401 - as above
    """A sentence about an option that a command does not have; "" where nothing comes near."""
    own = _named(context.command)
    commands = getattr(context.command, "commands", {})
    words = [word.partition("=")[0] for word in typed]
    if commands and option in words:
        at = words.index(option)
        name = next((word for word in typed[at:] if word in commands), "")
        has = _named(commands.get(name))
        if option in has:
            width = 1 if "=" in typed[at] or has[option].is_flag else 2
            moved = [*typed[:at], *typed[at + width :]]
            place = moved.index(name) + 1
            line = shlex.join([*moved[:place], *typed[at : at + width], *moved[place:]])
            return f" It goes after the command: {context.command_path} {line}"
        if (meant := _called(option.lstrip("-").casefold(), _OPTIONS, has)) is not None:
            return f" Did you mean {meant}, after the command?"
    name = option.lstrip("-").casefold()
    if (meant := _called(name, _OPTIONS, own)) is not None:
        return f" Did you mean {meant}?"
    above = context.find_root().command
    others = [one for one, command in above.commands.items() if option in _named(command)]
    if others and not commands:
        return f" It is an option of {' and '.join(f'qa {one}' for one in others[:3])}."
    if others:
        return f" It goes after the command: qa {others[0]} … {option} …"
    return f" All are listed by: {context.command_path} --help"


def _named(command: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as above
    """The parameters of a command by each of their options."""
    parameters = getattr(command, "params", ())
    return {
        option: one
        for one in parameters
        if one.param_type_name == "option" and not one.hidden
        for option in (*one.opts, *one.secondary_opts)
    }


def _called(name: str, synonyms: Mapping[str, str], known: Iterable[str]) -> str | None:
    """What something is called here: by meaning, else by the nearest spelling."""
    names = [*known]
    meanings = {
        word: ours
        for ours in reversed([*synonyms])  # so that the first counts
        if ours.partition(" ")[0] in names
        for word in synonyms[ours].split()
    }
    if name in meanings:
        return meanings[name]
    spelt: dict[str, str] = {word: ours for word, ours in meanings.items() if len(word) > _SHORT}
    spelt |= {one.lstrip("-"): one for one in names if len(one.lstrip("-")) > 1}
    near = difflib.get_close_matches(name[:_LONG], spelt, 1, _NEAR)
    return spelt[near[0]] if near else None
