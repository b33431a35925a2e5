"""A session: what becomes of each line, and what it remembers from one to the next."""

from __future__ import annotations

import base64
import difflib
import re
import sys
import threading
import time
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from qa.cli import last, render
from qa.cli.leaning import leaning
from qa.cli.output import Output, Segment, visible
from qa.cli.scores import why
from qa.errors import CitationError, FilterError, IndexMissingError, QaError, QuestionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from qa.assistant import Assistant
    from qa.cli.background import Background, Told
    from qa.cli.output import Line
    from qa.types import Answer, CitedPassage

    T = TypeVar("T")

__all__ = ["COMMANDS", "Asking", "Session", "Typed", "one_line", "typed"]

COMMANDS = {
    "open": ("N", "open result N in your editor or viewer; also a place: :open notes.md:3"),
    "show": ("N", "show result N in its surroundings"),
    "more": ("", "ask the same for more results"),
    "why": ("N", "say what the score of result N is made of"),
    "copy": ("N", "copy the quote of result N, with its citation (OSC 52)"),
    "in": ("PATTERN", 'ask only paths that match, as "reports/**"; alone: all again'),
    "where": ("KEY=VALUE", "ask only documents with such metadata; alone: all again"),
    "since": ("DAY", "ask only documents of this day or later; alone: of all days"),
    "until": ("DAY", "ask only documents of this day or earlier; alone: of all days"),
    "k": ("N", "show at most so many results"),
    "help": ("", "show this"),
    "quit": ("", "leave; so does Ctrl-D"),
}
_COMMAND = re.compile(r":([A-Za-z]+)(?:\s+(.*))?", re.DOTALL)
_PATIENCE = 0.2  # seconds that a question waits for a look at the corpus
_REDRAWN = 0.1  # seconds between two looks at how far indexing is
_CONTEXT = 3  # lines


@dataclass(frozen=True, slots=True)
class Typed:
    """A line: the name of a command as it was typed, "" for a question; and the rest."""

    command: str
    rest: str


@dataclass(frozen=True, slots=True)
class Asking:
    """How questions are asked."""

    k: int
    within: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    since: str | None = None
    until: str | None = None

    def __str__(self) -> str:
        """What differs from asking all documents, in the words of the commands."""
        parts = [f"in {one}" for one in self.within]
        parts += [f"where {key}={value}" for key, value in self.where]
        parts += [f"since {self.since}"] if self.since else []
        parts += [f"until {self.until}"] if self.until else []
        return " · ".join([*parts, f"k {self.k}"])


def one_line(text: str) -> str:
    """What was typed or pasted as one line, without anything that a terminal obeys."""
    return " ".join(
        "".join(" " if ord(one) < 32 or 127 <= ord(one) < 160 else one for one in text).split()
    )


def typed(text: str) -> Typed:
    """Tell a command from a question: it begins with a colon and a letter, and is one line."""
    line = text.strip()
    found = _COMMAND.fullmatch(line) if "\n" not in line else None
    if found is None:
        return Typed("", one_line(text))
    return Typed(found[1].lower(), one_line(found[2] or ""))


class Session:
    """Takes one line after the other."""

    def __init__(
        self,
        assistant: Assistant,
        output: Output,
        told: Told,
        background: Background,
        asking: Asking,
    ) -> None:
        """Take what answers, what shows, and how is asked."""
        self.asking = asking
        self._assistant = assistant
        self._output = output
        self._told = told
        self._background = background
        self._base = ""  # the last question that stood by itself
        self._asked = ""  # the last question, as it was asked
        self._answer: Answer | None = None
        self._step = asking.k

    def take(self, text: str) -> bool:
        """Do what a line says; whether the session goes on.

        Raises:
            KeyboardInterrupt: Ctrl-C was typed meanwhile.
        """
        line = typed(text)
        if not line.command and not line.rest:
            return True
        said = ""
        try:
            name = _named(line.command) if line.command else ""
            if name == "quit":
                return False
            if name:
                getattr(self, f"_do_{name}")(line.rest)
            else:
                self._ask_anew(line.rest)
        except QaError as error:
            said = str(error)
            self._output.error(said, error.hint)
        except OSError as error:
            said = f"Operating-system error: {error}"
            self._output.error(said, "")
        for note in self._told.take_notes():
            if not said or said not in note:
                self._output.note(note)
        return True

    def stopped(self) -> None:
        """Say that what was asked for is not waited for any longer."""
        self._output.note("Stopped. Ctrl-D leaves.")

    def citations(self) -> list[str]:
        """Those of the last answer, in the order of their numbers."""
        return [str(one.citation) for one in _results(self._answer)] if self._answer else []

    # --- questions ----------------------------------------------------------------------

    def _ask_anew(self, text: str) -> None:
        asked = leaning(text, self._base)
        if asked == text:
            self._base = text
        else:
            self._output.lines([(Segment(f"Asked: {asked}", "dim"),)])
        self._asked = asked
        self._show_answer(self._ask(self.asking.k))

    def _ask(self, k: int, *, explain: bool = False) -> Answer:
        """Ask what was asked last; while nothing is indexed, wait and show how far that is."""
        self._background.look(_PATIENCE)
        asking = self.asking

        def work() -> Answer:
            return self._assistant.ask(
                self._asked,
                k,
                refresh=False,
                explain=explain,
                within=asking.within,
                where=dict(asking.where),
                since=asking.since,
                until=asking.until,
            )

        while True:
            answer, problem = None, None
            try:
                answer = interruptible(work)
            except IndexMissingError as error:
                problem = self._background.problem or error
            if answer is not None and (answer.searched or not self._background.is_busy):
                return answer
            if problem is not None and not self._background.is_busy:
                raise problem
            if self._told.reached is not None:
                self._output.progress(self._told.reached)
            time.sleep(_REDRAWN)

    def _show_answer(self, answer: Answer) -> None:
        self._answer = answer
        self._output.lines(_rendered(answer, self._assistant, self._output))
        for note in answer.notes:
            self._output.note(note)
        last.keep(answer)

    # --- commands -----------------------------------------------------------------------

    def _do_open(self, rest: str) -> None:
        from qa.cli import open as opening

        if rest and not last.is_number(rest):
            opening.open_citation(rest, self._assistant)
        else:
            answer, number = self._numbered(rest)
            found = last.of(answer)
            opening.open_result(found, found.results[number], note=self._output.note)

    def _do_show(self, rest: str) -> None:
        place, sha256 = rest.removeprefix("./"), ""
        if not rest or last.is_number(rest):
            answer, number = self._numbered(rest)
            result = last.of(answer).results[number]
            place, sha256 = result.exact, result.sha256
        found = self._assistant.show(place, context=_CONTEXT)
        if sha256 and found.citation.sha256 != sha256:
            self._output.note(f"{found.citation.file} has changed since: this stands there now.")
        self._output.lines(render.excerpt(found, width=self._output.room))

    def _do_more(self, _: str) -> None:
        if self._answer is None:
            raise QuestionError("Nothing was asked yet", hint="Ask first, then :more.")
        before = len(_results(self._answer))
        answer = self._ask(before + self._step)
        if len(_results(answer)) <= before:
            self._output.note(f"There are no more results than these {before}.")
        else:
            self._show_answer(answer)

    def _do_why(self, rest: str) -> None:
        answer, number = self._numbered(rest)
        cited = str(_results(answer)[number].citation)
        explained = _results(self._ask(len(_results(answer)), explain=True))
        one = next((one for one in explained if str(one.citation) == cited), None)
        if one is None:
            raise CitationError(f"{cited} is not among the results any more", hint="Ask again.")
        lines = [
            *why(one),
            f"The documents hold an answer with probability {answer.probability:.3f}.",
        ]
        self._output.lines([(Segment(f"{number + 1}. ", "bold"), Segment(cited, "bold"))])
        self._output.lines((Segment(f"   {line}"),) for line in lines)

    def _do_copy(self, rest: str) -> None:
        answer, number = self._numbered(rest)
        citation = _results(answer)[number].citation
        # What is pasted into a shell must not be what a document wants to be run there.
        quote = "\n".join(map(visible, citation.quote.splitlines()))
        copied = base64.b64encode(f"{quote}\n({visible(str(citation))})\n".encode()).decode()
        sys.stdout.write(f"\x1b]52;c;{copied}\x07")
        sys.stdout.flush()
        self._output.note(f"Copied result {number + 1}, if this terminal lets programs copy.")

    def _do_in(self, rest: str) -> None:
        self._filter(replace(self.asking, within=(rest,) if rest else ()))

    def _do_where(self, rest: str) -> None:
        key, equals, value = (part.strip() for part in rest.partition("="))
        if rest and not (equals and key):
            raise FilterError(f"{rest!r} is not a condition", hint="Write it like author=Adams.")
        others = tuple(one for one in self.asking.where if one[0] != key)
        self._filter(replace(self.asking, where=(*others, (key, value)) if rest else ()))

    def _do_since(self, rest: str) -> None:
        self._filter(replace(self.asking, since=rest or None))

    def _do_until(self, rest: str) -> None:
        self._filter(replace(self.asking, until=rest or None))

    def _do_k(self, rest: str) -> None:
        if not last.is_number(rest) or not 1 <= int(rest[:9]) <= 1000:
            raise QuestionError(f"k is {rest!r}", hint="It goes from 1 to 1000: :k 10.")
        self._step = int(rest[:9])
        self._filter(replace(self.asking, k=self._step))

    def _do_help(self, _: str) -> None:
        self._output.lines(_help(self._output.width))

    # --- how ----------------------------------------------------------------------------

    def _filter(self, asking: Asking) -> None:
        """Ask so from now on, unless that can't be read."""
        from qa.answering.filter import make_filter

        make_filter(asking.within, dict(asking.where), asking.since, asking.until)
        self.asking = asking
        self._output.note(f"From now on: {asking}")

    def _numbered(self, rest: str) -> tuple[Answer, int]:
        """The last answer, and which of its results a number from 1 on means, from 0 on.

        Raises:
            QaError: there is no such result.
        """
        if self._answer is None:
            raise QuestionError("Nothing was asked yet", hint="Ask first.")
        if rest and not last.is_number(rest):
            raise CitationError(f"{rest!r} is not the number of a result", hint="As in :show 2.")
        count, number = len(_results(self._answer)), int((rest or "1")[:9])
        if not 1 <= number <= count:
            many = f"results 1 to {count}" if count else "no results"
            raise CitationError(f"There is no result {rest}", hint=f"The last answer has {many}.")
        return self._answer, number - 1


def interruptible(work: Callable[[], T]) -> T:
    """Do work in a thread, so that Ctrl-C ends the waiting, and never the work half done.

    Raises:
        KeyboardInterrupt: Ctrl-C was typed; what comes of the work is dropped.
        Exception: what the work raises.
    """
    done: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            done.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            result, error = done.get(timeout=1)  # Windows hears of Ctrl-C between two of these
        except Empty:
            continue
        if error is not None:
            raise error
        return result  # type: ignore[return-value]


def _named(name: str) -> str:
    """The command that a name or its beginning means.

    Raises:
        QuestionError: none, or more than one.
    """
    found = [one for one in COMMANDS if one == name] or [
        one for one in COMMANDS if one.startswith(name)
    ]
    if len(found) == 1:
        return found[0]
    near = found or difflib.get_close_matches(name, COMMANDS, 1)
    meant = f"Did you mean {' or '.join(f':{one}' for one in near)}? " if near else ""
    raise QuestionError(
        f"There is no command :{name}", hint=f"{meant}:help lists all; a question needs no colon."
    )


def _rendered(answer: Answer, assistant: Assistant, output: Output) -> Iterator[Line]:
    """An answer as `qa ask` shows it."""
    return render.answer(
        answer,
        assistant.root,
        width=output.width,
        room=output.room,
        rows=output.rows,
        actions=(":open", ":show", ":more", ":more"),
        editor_link=assistant.settings.editor_link,
    )


def _results(answer: Answer) -> tuple[CitedPassage, ...]:
    return answer.shown


_LEANING = (
    'A question that begins with "and", "or", "but", "what about" or "how about" leans on '
    "the one before; what is asked is shown."
)


def _help(width: int) -> Iterator[Line]:
    from qa.cli.layout import wrap

    yield (Segment("Type a question. A line that begins with a colon is a command:"),)
    for name, (argument, told) in COMMANDS.items():
        first, *rest = wrap(told, max(width - 20, 20))
        yield Segment(f"  {f':{name} {argument}':18}", "bold"), Segment(first)
        for line in rest:
            yield (Segment(" " * 20 + line),)
    yield from ((Segment(line),) for line in wrap(_LEANING, width))
