"""`qa ask --batch`: a question a line in, an answer a line out, in order."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

from qa.cli.stopping import signals_held
from qa.errors import QuestionsError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from qa.answering.request import AskArguments
    from qa.assistant import Assistant
    from qa.cli.output import Output
    from qa.errors import QuestionError

__all__ = ["Line", "ask_lines", "lines", "read_line"]

ANSWERED, NOT_ANSWERED, CANT_TELL = 0, 1, 2
_LONGEST = 1_000_000  # bytes of a line
_CHUNK = 65_536  # bytes that are read at once
_PORTION = 64  # lines that one look at the corpus serves, at most
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that asks something, or why it can't be asked."""

    number: int
    key: str | int | None = None  # its "id"
    asked: str | Mapping[str, object] = ""
    problem: str = ""


def ask_lines(assistant: Assistant, name: str, output: Output, options: AskArguments) -> int:
    """Ask each line of a file, and write a JSON object for each; blank ones are passed over.

    Args:
        assistant: answers.
        name: of the file; "-" is stdin.
        output: where to.
        options: of every question that has no other of its own.

    Returns:
        The exit status: 0 if all were answered, 1 if some were not, 2 if some could not be asked,
        or too little is indexed to tell.

    Raises:
        QuestionsError: the file can't be read.
        QuestionError: an option makes no sense.
        CorpusError, IndexUnusableError, ModelError: see `Assistant.ask`.
    """
    batch = _Batch(assistant, output, options)
    try:
        with _opened(name) as file:
            for portion in _portions(lines(file, name)):
                batch.ask(portion)
    finally:
        output.doing("")
    if not batch.lines:
        output.note(f"There is no question in {'stdin' if name == '-' else name}.")
    return batch.status


class _Batch:
    """Asks lines, writes what came of each, and counts."""

    def __init__(self, assistant: Assistant, output: Output, options: AskArguments) -> None:
        self.status = ANSWERED
        self.lines = 0
        self._assistant = assistant
        self._output = output
        self._options = options
        self._waiting: deque[Line] = deque()

    def ask(self, portion: Iterable[Line]) -> None:
        """Ask some lines; a signal ends this after the answer that is under way."""
        self._waiting.extend(portion)
        asked = [line.asked for line in self._waiting if not line.problem]
        asking = self._assistant.ask_many(asked, refused=self._refused, **self._options)
        with closing(asking) as answers:
            first = list(islice(answers, 1))  # before it, a refresh may take long: that is ended
            with signals_held() as is_stopped:
                for answer in chain(first, answers):
                    line = self._next_asked()
                    if not answer.answered:
                        self._at_least(CANT_TELL if answer.complete is False else NOT_ANSWERED)
                    self._write(line, answer.to_dict())
                    if is_stopped():
                        return
                while self._waiting:
                    self._refuse(self._waiting.popleft())

    def _next_asked(self) -> Line:
        """The next line that was asked, once those before it that can't be are written."""
        while (line := self._waiting.popleft()).problem:
            self._refuse(line)
        return line

    def _refused(self, _: int, error: QuestionError) -> None:
        self._refuse(replace(self._next_asked(), problem=str(error)))

    def _refuse(self, line: Line) -> None:
        self._at_least(CANT_TELL)
        self._write(line, {"schema": "qa.error/1", "error": line.problem})

    def _at_least(self, status: int) -> None:
        self.status = max(self.status, status)

    def _write(self, line: Line, value: dict[str, Any]) -> None:
        self.lines += 1
        about = {"line": line.number} | ({} if line.key is None else {"id": line.key})
        self._output.json(about | value, indent=None)
        if not sys.stdout.isatty():  # there, the answers tell how far it is
            self._output.doing(f"{self.lines:,} lines asked")


@contextmanager
def _opened(name: str) -> Iterator[int]:
    """The number of the open file."""
    if name == "-":
        if sys.stdin is None:
            raise QuestionsError("There is no stdin", hint="Name a file with --batch.")
        yield sys.stdin.fileno()
        return
    with _reading(name):
        file = os.open(name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _reading(name: str) -> Iterator[None]:
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
        with _reading(name):
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


def _portions(arriving: Iterator[list[bytes]]) -> Iterator[list[Line]]:
    """The lines that are not blank, with their numbers, so many at a time as are there."""
    numbers = count(1)
    for some in arriving:
        numbered = zip(some, numbers, strict=False)  # there are always more numbers
        found = [
            read_line(number, raw) for raw, number in numbered if raw.strip() not in {b"", _BOM}
        ]
        for start in range(0, len(found), _PORTION):
            yield found[start : start + _PORTION]


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
