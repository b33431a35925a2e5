"""Patterns as git's ignore files have them, and the files that hold them.

A pattern is matched in time proportional to its length times that of the path, whatever stars it
has: these files may be a stranger's.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from qa.corpus.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Pattern", "parse", "read_patterns", "verdict"]

_MAX_FILE = 64 * 1024  # bytes; every line is tried on every file
_WILD = re.compile(r"[*?\[\\]")
_TOKEN = re.compile(
    r"\\(?P<plain>.)|(?P<stars>\*+)|(?P<any>\?)|(?P<other>[^\\\[])"
    # In a set a closing bracket that comes first is a member; a backslash escapes, also there.
    r"|\[(?P<negated>[!^]?+)(?P<members>(?>\[:[^\]\[:]*:\]|\\.|[^\\])(?>\[:[^\]\[:]*:\]|\\.|[^\\\]])*+)\]",
    re.DOTALL,
)
_MEMBER = re.compile(
    r"\[:(?P<kind>[^\]\[:]*):\]|(?P<low>\\.|[^\\])-(?P<high>\\.|[^\\])|(?P<plain>\\.|[^\\])",
    re.DOTALL,
)
_KINDS = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r"\ \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"!-\~",
    "lower": "a-z",
    "print": r"\ -\~",
    "punct": r"!-/:-@\[-`{-\~",
    "space": r"\ \t-\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_STAR = "*"  # stands for itself among regular expressions of one character each
_ANY = "[^/]"


class Pattern(NamedTuple):
    """One line: what it fits, and what is then done."""

    fits: Callable[[str], object]
    chooses: bool  # False where the line begins with "!"
    folders_only: bool
    by_name: bool  # it is tried on the last part of a path


def parse(line: str) -> Pattern | None:
    """Read one line; None where it is blank, a comment, or invalid, so that it never fits."""
    if line.startswith("#"):
        return None
    glob = _without_spaces_at_its_end(line)
    chooses = not glob.startswith("!")
    glob = glob.removeprefix("!")
    folders_only = glob.endswith("/")
    glob = glob.removesuffix("/")
    by_name = "/" not in glob
    glob = glob.removeprefix("/")
    if not glob:
        return None
    if not _WILD.search(glob):
        return Pattern(glob.__eq__, chooses, folders_only, by_name)
    try:
        regex = _path_regex(list(_pieces(glob)))
    except ValueError:
        return None
    return Pattern(re.compile(regex, re.DOTALL).fullmatch, chooses, folders_only, by_name)


def verdict(patterns: Sequence[Pattern], path: str, *, is_folder: bool) -> bool | None:
    """Whether the last pattern that fits the path chooses it; None where none fits.

    A pattern that fits a folder says nothing here of what is in it.
    """
    name = path[path.rfind("/") + 1 :]
    for fits, chooses, folders_only, by_name in reversed(patterns):
        if (is_folder or not folders_only) and fits(name if by_name else path):
            return chooses
    return None


def read_patterns(path: str) -> list[Pattern]:
    """Read an ignore file, links followed; like git, pass over lines that are not a pattern.

    Raises:
        OSError: something has that name and can't be read; `strerror` says why.
    """
    try:
        raw = read_regular(path, _MAX_FILE)
    except FileNotFoundError as error:
        if os.path.lexists(path):
            raise OSError(errno.ENOENT, "it is a link that leads nowhere") from error
        return []  # removed a moment ago
    return [pattern for pattern in map(parse, _lines(raw)) if pattern]


def _lines(raw: bytes) -> Iterator[str]:
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            yield line.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            if not line.startswith(b"#"):
                raise OSError(errno.EILSEQ, f"its line {number} is not UTF-8") from error


def _without_spaces_at_its_end(line: str) -> str:
    short = line.rstrip(" ")
    backslashes = len(short) - len(short.rstrip("\\"))
    return line[: len(short) + backslashes % 2]  # a space after a backslash is meant


def _pieces(glob: str) -> Iterator[str]:
    """Cut a pattern into regular expressions of one character each, stars and slashes."""
    at = 0
    while at < len(glob):
        token = _TOKEN.match(glob, at)
        if token is None:
            raise ValueError("a bracket or a backslash that nothing follows")
        at = token.end()
        if token["stars"]:
            yield from token["stars"]
        elif token["any"]:
            yield _ANY
        elif token["members"]:
            yield _set(token["members"], negated=bool(token["negated"]))
        else:
            yield re.escape(token["plain"] or token["other"])


def _set(members: str, *, negated: bool) -> str:
    inside = ""
    for member in _MEMBER.finditer(members):
        if member["kind"] is not None:
            if member["kind"] not in _KINDS:
                raise ValueError("a kind of character that is not known")
            inside += _KINDS[member["kind"]]
        elif member["plain"]:
            inside += re.escape(member["plain"][-1])
        else:
            low, high = member["low"][-1], member["high"][-1]
            # Of a range that ends before it begins, git takes the beginning.
            inside += f"{re.escape(low)}-{re.escape(max(low, high))}"
    return f"[^/{inside}]" if negated else f"(?!/)[{inside}]"


def _path_regex(pieces: list[str]) -> str:
    """Join what `_pieces` gave.

    What stands between two `**` fits best where it first can, as does what stands between two
    stars of a name: what comes later then has most room. So these are atomic groups, and nothing
    is ever tried in two ways that multiply.
    """
    runs: list[list[str]] = [[]]  # of names that follow each other; `**` parts them
    for name in _split(pieces, "/"):
        if len(name) > 1 and set(name) == {_STAR}:
            runs.append([])
        else:
            runs[-1].append(_name_regex(name))
    first, *rest = runs
    if not rest:
        return "/".join(first)
    *middle, last = rest
    regex = "".join(f"{name}/" for name in first)
    regex += "".join(f"(?>(?:[^/]++/)*?{'/'.join(run)}/)" for run in middle if run)
    return regex + ("(?:[^/]++/)*" + "/".join(last) if last else ".+")


def _name_regex(pieces: list[str]) -> str:
    first, *rest = ("".join(run) for run in _split(pieces, _STAR))
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{run})" for run in middle if run) + f"[^/]*{last}"


def _split(pieces: Iterable[str], separator: str) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for piece in pieces:
        if piece == separator:
            runs.append([])
        else:
            runs[-1].append(piece)
    return runs
