"""The man page, in the macros of man(7), made from the commands; see `reference.py`."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Any

import qa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["manual"]

_WIDTH = 60  # columns of a line, before what is special in it is escaped
_FILES = {
    "qa.toml": "Settings, found upwards from the working directory, up to the home directory or "
    "the top of a repository. What it names outside of its folder is allowed once: `qa trust`.",
    "corpus, index": "The folder that is answered from where none is named, and its index.",
}
_ENVIRONMENT = {
    "QA_CORPUS, QA_INDEX, QA_K, …": "Any setting of qa.toml; goes before it.",
    "QA_TRUST": "Paths of qa.toml files that are allowed what they ask for.",
    "NO_COLOR": "If it is set, nothing is coloured.",
}
_STATUSES = {
    "0": "It was answered, or done.",
    "1": "It was not answered, not all was verified, or a check failed.",
    "2": "An error, or too little is indexed to tell.",
    "130": "Stopped with Ctrl-C.",
}


def manual(commands: Mapping[str, Any], kind: Callable[[Any], str]) -> str:
    """Give the man page.

    Args:
        commands: by what a person types, the program first.
        kind: says of a type what is to be typed.
    """
    program, *others = commands.items()
    name, root = program
    lines = [
        rf".\" Written by docs/reference.py from the commands; `{name} --help` shows the same.",
        f'.TH {name.upper()} 1 "" "{name} {qa.__version__}" "User Commands"',
        ".SH NAME",
        rf"{name} \- {_plain(_first(root)).rstrip('.')}",
        ".SH SYNOPSIS",
        rf".B {name}",
        r"[\fIoptions\fR] \fIcommand\fR [\fIarguments\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(root.help or "", first=True),
        ".SH OPTIONS",
        *_parameters(root, kind),
        ".SH COMMANDS",
    ]
    for called, command in others:
        lines += [f'.SS "{_plain(called)}"', *_synopsis(called, command)]
        lines += [*_paragraphs(command.help or ""), *_parameters(command, kind)]
        lines += _examples(command.epilog or "")
    for heading, told in {
        "EXIT STATUS": _STATUSES,
        "ENVIRONMENT": _ENVIRONMENT,
        "FILES": _FILES,
    }.items():
        lines += [f'.SH "{heading}"', *(line for one in told.items() for line in _entry(*one))]
    return "\n".join(lines) + "\n"


def _first(command: Any) -> str:  # noqa: ANN401 - typer vendors click without its types
    return " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())


def _plain(text: str) -> str:
    """Escape what roff would take for its own, in ASCII."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga")
    escaped = escaped.replace("'", r"\(aq").replace('"', r"\(dq").replace("^", r"\(ha")
    escaped = escaped.replace("~", r"\(ti")
    escaped = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in escaped)
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


def _paragraphs(text: str, *, first: bool = False) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if not first:
            yield ".PP"
        first = False
        yield from _sentences(" ".join(paragraph.split()))


def _sentences(text: str) -> Iterator[str]:
    """Give one sentence a line, as roff spaces them; code in bold."""
    marked = re.sub(r"`([^`]*)`", "\x01\\1\x02", text)
    for sentence in re.split(r"(?<=[a-z)\x02][.?]) (?=[A-Z\x01])", marked):
        for line in textwrap.wrap(sentence, _WIDTH, break_on_hyphens=False):
            yield _plain(line).replace("\x01", r"\fB").replace("\x02", r"\fR")


def _synopsis(called: str, command: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    words = [rf"\fB{_plain(called)}\fR"]
    for one in command.params:
        if one.param_type_name == "argument":
            shown = rf"\fI{_plain(one.name)}\fR"
            words.append(shown if one.required else f"[{shown}]")
    yield " ".join([*words, r"[\fIoptions\fR]"])


def _parameters(command: Any, kind: Callable[[Any], str]) -> Iterator[str]:  # noqa: ANN401 - as above
    for one in command.params:
        if one.opts[0].endswith("-completion"):  # typer's own, which differ between versions
            continue
        if one.param_type_name == "argument":
            typed = rf"\fI{_plain(one.name)}\fR"
        else:
            options = (*one.opts, *one.secondary_opts)
            typed = ", ".join(rf"\fB{_plain(option)}\fR" for option in options)
            if not getattr(one, "is_flag", False):
                typed += rf" \fI{_plain(kind(one.type))}\fR"
        told = " ".join((one.help or "").split())
        told += f" [also: {one.envvar}]" if one.envvar else ""
        yield from [".TP", typed, *_sentences(told)]


def _entry(name: str, told: str) -> Iterator[str]:
    yield from [".TP", rf"\fB{_plain(name)}\fR", *_sentences(told)]


def _examples(epilog: str) -> Iterator[str]:
    """Give the examples of a command as they are typed."""
    shown = [one for one in epilog.split("\n\n") if re.match(r"(qa|echo) ", one)]
    if shown:
        yield from [".PP", "Examples:", ".PP", ".RS 4", ".nf", *map(_plain, shown), ".fi", ".RE"]
