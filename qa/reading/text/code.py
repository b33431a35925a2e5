"""Source code to sections: one for each definition, found by indentation and braces."""

from __future__ import annotations

import re
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING

from qa.reading.text.outline import Lines, block_of
from qa.types import BlockKind, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_code"]

_PYTHON = frozenset({".py", ".pyi", ".pyx"})
_MODIFIERS = r"""(?:(?:public|private|protected|internal|fileprivate|static|final|abstract|async|
    export|default|pub(?:\(\w+\))?|unsafe|extern|virtual|override|inline|const|constexpr|sealed|
    partial|data|open|case|create|or|replace|temporary|declare|local|typedef|suspend|inner|
    mutating|readonly|native|synchronized|friend|implicit|template[ ]?<[^<>]*>|"C")[ \t]+)*"""
_NAMED = re.compile(
    rf"""[ \t]*{_MODIFIERS}
    (?:class|interface|struct|enum|union|trait|impl|module|namespace|protocol|extension|object|
    record|def|defp|defun|defmodule|func|function|fn|fun|sub|proc|procedure|macro_rules!|type|
    contract|service|message|table|view)[*]?
    [ \t]+(?:class[ \t]+)?(?:\([^()]*\)[ \t]*)?(?:if[ \t]+not[ \t]+exists[ \t]+)?
    (?:<[^<>]*>[ \t]*)?[`"\[*&]*([^\W\d][\w.:?!$-]*)""",
    re.IGNORECASE | re.VERBOSE,
)
_ASSIGNED = re.compile(
    r"[ \t]*(?:export[ \t]+)?(?:const|let|var)[ \t]+([\w$]+)[^\n]*?(?:=>|function\b)"
)
# A function of C and its kin: a type or modifier, a name, a parenthesis; or a method's name alone.
_CALLED = re.compile(r"[ \t]*[\w~][^=;(){}\n]*?[\s*&]((?:\w+::)*~?[^\W\d]\w*)[ \t]*\([^;]*$")
_METHOD = re.compile(r"[ \t]*([\w$]+)[ \t]*\([^;]*\)[ \t]*\{$|[ \t]*([\w.]+)[ \t]*\(\)[ \t]*\{?$")
_STATEMENT = frozenset(
    """
    if for foreach while until switch match return else catch case do new throw delete await assert
    in and or not elif elsif except with yield raise print import from using include select
    """.split()
)
_COMMENT = re.compile(r"[ \t]*(?:#(?!include|define|if|pragma)|//|/\*|\*|--|;|%|@|\[\[?[A-Z])")
_CLOSING = re.compile(
    r"[ \t]*(?:[)\]}]|(?:end|fi|done|esac|else|elif|except|finally|catch|rescue|ensure)\b)"
)
_TRIPLE = re.compile(r"\"{3}|'{3}")
_LONG = 40  # lines: a longer definition is opened, and what it encloses stands for itself
_MAX_DEPTH = 4
_MAX_WIDTH = 400  # characters of a line in which a name is looked for


def read_code(text: str, suffix: str = "") -> tuple[tuple[Section, ...], dict[str, str]]:
    """The sections of source code, with spans that refer to `text`, and no metadata.

    A definition begins at the margin, after a blank line or as a named one, with the comments
    and decorators above it; its section has its name as the heading path. Definitions
    inside a long one (the methods of a class) have its name above theirs. The rules are the
    same for every language; `suffix` tells only how long strings and comments are written.
    """
    lines = Lines(text)
    inside = _inside(lines, suffix.lower())
    sections = []
    for path, parts in groupby(_definitions(lines, inside, 0, len(lines), ()), itemgetter(0)):
        blocks = [block_of(text, lines, first, last, BlockKind.LINES) for _, first, last in parts]
        sections.append(Section(path, tuple(block for block in blocks if block is not None)))
    return tuple(section for section in sections if section.blocks), {}


def _inside(lines: Lines, suffix: str) -> bytearray:
    """Mark the lines that begin inside a string or comment of several lines."""
    marks = bytearray(len(lines))
    opened = ""
    for number, line in enumerate(lines.texts):
        marks[number] = bool(opened)
        if suffix in _PYTHON:
            for quote in _TRIPLE.findall(line):
                opened = "" if opened == quote else opened or quote
        elif opened:
            opened = "" if "*/" in line else opened
        elif line.lstrip().startswith("/*") and "*/" not in line:
            opened = "*/"
    return bytearray(len(lines)) if opened else marks  # never closed: it was not one


def _definitions(
    lines: Lines, inside: bytearray, first: int, last: int, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """`(heading path, first line, line after)` of each definition in a range of lines."""
    starts = _starts(lines, inside, first, last)
    for start, end in pairwise([*starts, last]):
        name = _name(lines, inside, start, end)
        if not name:
            yield path, start, end
            continue
        below = (*path, name)
        inner = _body(lines, inside, start, end) if len(below) < _MAX_DEPTH else None
        if inner is None:
            yield below, start, end
        else:
            yield below, start, inner[0]
            yield from _definitions(lines, inside, *inner, below)
            yield below, inner[1], end


def _starts(lines: Lines, inside: bytearray, first: int, last: int) -> list[int]:
    """The lines at which definitions begin, the first of the range among them."""
    margin = _margin(lines, inside, first, last)
    starts = [first]
    for line in range(first + 1, last):
        text = lines[line]
        if not text or inside[line] or lines.indent(line) != margin or _CLOSING.match(text):
            continue
        if not lines[line - 1]:
            if not (starts[-1] and _definition(text) and _comments(lines, starts[-1], line)):
                starts.append(line)
        elif not _COMMENT.match(text) and _definition(text):
            above = line
            while above - 1 > starts[-1] and lines[above - 1] and _COMMENT.match(lines[above - 1]):
                above -= 1
            if above - 1 > starts[-1] or not _COMMENT.match(lines[starts[-1]]):
                starts.append(above)
    return starts


def _comments(lines: Lines, first: int, last: int) -> bool:
    """Whether a range holds comments only: they are about what follows them."""
    return all(not lines[line] or _COMMENT.match(lines[line]) for line in range(first, last))


def _margin(lines: Lines, inside: bytearray, first: int, last: int) -> int:
    indents = (lines.indent(i) for i in range(first, last) if lines[i] and not inside[i])
    return min(indents, default=0)


def _body(lines: Lines, inside: bytearray, start: int, end: int) -> tuple[int, int] | None:
    """The lines inside a long definition that hold definitions of their own, or None."""
    if end - start <= _LONG:
        return None
    margin = _margin(lines, inside, start, end)
    deeper = [i for i in range(start, end) if lines[i] and lines.indent(i) > margin]
    if not deeper:
        return None
    last = deeper[-1] + 1
    inner = _margin(lines, inside, deeper[0], last)
    named = (
        at
        for at, following in pairwise([*_starts(lines, inside, deeper[0], last), last])
        if lines.indent(at) == inner > margin and _name(lines, inside, at, following)
    )
    first = next(named, None)
    return None if first is None else (first, last)


def _name(lines: Lines, inside: bytearray, start: int, end: int) -> str:
    """The name of what is defined at `start`, below its comments; "" where nothing is."""
    for line in range(start, end):
        if lines[line] and not inside[line] and not _COMMENT.match(lines[line]):
            return _definition(lines[line])
    return ""


def _definition(line: str) -> str:
    line = line[:_MAX_WIDTH]
    word = line.split(maxsplit=1)[0].rstrip("(")
    if word in _STATEMENT:
        return ""
    for form in (_NAMED, _ASSIGNED, _CALLED, _METHOD):
        if match := form.match(line):
            name = next(filter(None, match.groups()), "").rstrip(":-")
            return "" if name in _STATEMENT else name
    return ""
