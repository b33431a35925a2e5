"""What `qa ask --batch` reads: lines that ask, each as text or JSON; and what comes of one."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from qa.errors import QuestionsError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from qa.types import Answer

__all__ = ["PORTION", "Line", "Result", "lines", "opened", "portions", "read_line", "reading"]

PORTION = 64  # lines that one look at the corpus serves, at most
_LONGEST = 1_000_000  # bytes of a line
_CHUNK = 65_536  # bytes that are read at once
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that asks something, or why it can't be asked."""

    number: int
    key: str | int | None = None  # its "id"
    asked: str | Mapping[str, object] = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A line and its answer; there is none where the line has a problem."""

    line: Line
    answer: Answer | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form described in docs/json.md."""
        about: dict[str, Any] = {"line": self.line.number}
        if self.line.key is not None:
            about |= {"id": self.line.key}
        if self.answer is None:
            return about | {"schema": "qa.error/1", "error": self.line.problem}
        return about | self.answer.to_dict()


@contextmanager
def opened(name: str) -> Iterator[int]:
    """The number of the open file."""
    if name == "-":
        if sys.stdin is None:
            raise QuestionsError("There is no stdin", hint="Name a file with --batch.")
        yield sys.stdin.fileno()
        return
    with reading(name):
        file = os.open(name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what reading the file raises into our own error."""
    try:
        yield
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        shown = "stdin" if name == "-" else name
        raise QuestionsError(
            f"{shown} can't be read: {why}", hint="Name a file with a question on each line."
        ) from error


def lines(file: int, name: str) -> Generator[list[bytes]]:
    """The lines of a file as they come: those that are there, waiting for no more than one.

    So whoever waits for an answer before asking on gets it, and many are asked together.
    """
    line = bytearray()
    while True:
        with reading(name):
            chunk = os.read(file, _CHUNK)
        *ended, rest = chunk.split(b"\n")
        found = []
        for part in ended:
            line += part[: _LONGEST + 1 - len(line)]
            found.append(bytes(line))
            line.clear()
        line += rest[: _LONGEST + 1 - len(line)]
        if not chunk:
            yield [bytes(line)]
            return
        yield found


def portions(arriving: Iterator[list[bytes]]) -> Iterator[list[Line]]:
    """The lines that are not blank, with their numbers, so many at a time as are there."""
    numbers = count(1)
    for some in arriving:
        numbered = zip(some, numbers, strict=False)  # there are always more numbers
        found = [
            read_line(number, raw) for raw, number in numbered if raw.strip() not in {b"", _BOM}
        ]
        for start in range(0, len(found), PORTION):
            yield found[start : start + PORTION]


def read_line(number: int, raw: bytes) -> Line:
    """Read one line."""
    if len(raw) > _LONGEST:
        return Line(number, problem=f"The line is longer than {_LONGEST:,} bytes")
    try:
        text = raw.removeprefix(_BOM if number == 1 else b"").decode("utf-8").strip()
    except UnicodeDecodeError:
        return Line(number, problem="The line is not UTF-8")
    if not text.startswith("{"):
        return Line(number, asked=text)
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Line(number, problem=f"The line begins with {{ and is not JSON: {error}")
    key = asked.pop("id", None)
    if not (key is None or isinstance(key, str | int)) or isinstance(key, bool):
        return Line(number, problem="The id is neither text nor a whole number")
    return Line(number, key, asked)
