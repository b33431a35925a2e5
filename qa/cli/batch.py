"""`qa ask --batch`: a question a line in, an answer a line out, in order."""

from __future__ import annotations

import sys
from collections import deque
from contextlib import closing
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from qa.cli.batch_lines import PORTION, Line, Result, lines, opened, portions
from qa.cli.stopping import signals_held

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from qa.answering.request import AskArguments
    from qa.assistant import Assistant
    from qa.cli.output import Output
    from qa.errors import QuestionError

__all__ = ["ask_lines"]

ANSWERED, NOT_ANSWERED, CANT_TELL = 0, 1, 2
TABLES = (".parquet", ".arrow", ".feather")  # suffixes of files with a question a row


def ask_lines(
    assistant: Assistant, name: str, output: Output, options: AskArguments, into: str | None = None
) -> int:
    """Ask each line of a file, and write what came of each; blank ones are passed over.

    Args:
        assistant: answers.
        name: of the file; "-" is stdin. Parquet and Arrow are told by its suffix.
        output: where JSON objects go, and how far it is.
        options: of every question that has no other of its own.
        into: the file to write instead: a table where its suffix is one's, else JSON lines.

    Returns:
        The exit status: 0 if all were answered, 1 if some were not, 2 if some could not be asked,
        or too little is indexed to tell.

    Raises:
        QuestionsError: the file can't be read.
        QuestionError: an option makes no sense.
        StorageError: the other file can't be written.
        MissingExtraError: a table needs pyarrow.
        CorpusError, IndexUnusableError, ModelError: see `Assistant.ask`.
    """
    batch = _Batch(assistant, options)
    is_drawn = into is not None or not sys.stdout.isatty()  # else the answers tell how far it is
    try:
        with closing(_results(batch, name)) as results:
            if into is None:
                for number, one in enumerate(results, 1):
                    output.json(one.to_dict(), indent=None)
                    if is_drawn:
                        output.doing(f"{number:,} lines asked")
            else:
                from qa.cli.batch_tables import write_results

                write_results(results, into, output)
    finally:
        output.doing("")
    if not batch.lines:
        output.note(f"There is no question in {'stdin' if name == '-' else name}.")
    return batch.status


def _results(batch: _Batch, name: str) -> Generator[Result]:
    if name.lower().endswith(TABLES):
        from qa.cli.batch_tables import read_questions

        for portion in read_questions(name, PORTION):
            yield from batch.ask(portion)
        return
    with opened(name) as file:
        for portion in portions(lines(file, name)):
            yield from batch.ask(portion)


class _Batch:
    """Asks lines, and counts what came of them."""

    def __init__(self, assistant: Assistant, options: AskArguments) -> None:
        self.status = ANSWERED
        self.lines = 0
        self._assistant = assistant
        self._options = options
        self._waiting: deque[Line] = deque()
        self._done: deque[Result] = deque()

    def ask(self, portion: Iterable[Line]) -> Iterator[Result]:
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
                    self._done.append(Result(line, answer))
                    yield from self._taken()
                    if is_stopped():
                        return
                while self._waiting:
                    self._refuse(self._waiting.popleft())
                yield from self._taken()

    def _taken(self) -> Iterator[Result]:
        """What is done and has not been given yet."""
        while self._done:
            self.lines += 1
            yield self._done.popleft()

    def _next_asked(self) -> Line:
        """The next line that was asked; those before it that can't be are done."""
        while (line := self._waiting.popleft()).problem:
            self._refuse(line)
        return line

    def _refused(self, _: int, error: QuestionError) -> None:
        self._refuse(replace(self._next_asked(), problem=str(error)))

    def _refuse(self, line: Line) -> None:
        self._at_least(CANT_TELL)
        self._done.append(Result(line))

    def _at_least(self, status: int) -> None:
        self.status = max(self.status, status)
