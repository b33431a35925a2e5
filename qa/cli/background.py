"""What goes on behind a session: the model is loaded, and files that change are taken up."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from qa.cli.output import Output
from qa.errors import IndexMissingError, QaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qa.assistant import Assistant
    from qa.progress import Progress

__all__ = ["Background", "Told"]

_PAUSE = 2.0  # seconds between two looks at the corpus,
_SHARE = 20  # and so many times what the last one took
_MOMENT = 0.01  # seconds of a look that a question may wait for
_NAMED = 100_000  # documents whose names are completed
_DESCRIBED = 10_000  # documents of whose metadata the keys are


class _Leaving(BaseException):
    """Ends a refresh; what it committed stays."""


class Told(Output):
    """Keeps what an assistant tells from other threads, until it can be shown."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.reached: Progress | None = None
        self.is_leaving = False
        self.changed: Callable[[], object] = lambda: None

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def progress(self, one: Progress) -> None:
        """Keep how far indexing is; when the session ends, that ends too."""
        if self.is_leaving:
            raise _Leaving
        self.reached = None if one.seconds_left == 0 else one
        self.changed()

    def take_notes(self) -> list[str]:
        """Give the notes that were not shown yet."""
        taken, self.notes = self.notes, []
        return taken


class Background:
    """A thread that refreshes again and again, and at once when it is asked to look."""

    def __init__(self, assistant: Assistant, told: Told) -> None:
        """Take an assistant, and what it tells."""
        self._assistant = assistant
        self._told = told
        self._wanted = threading.Event()
        self._looked = threading.Condition()
        self._looks = 0  # that have ended
        self._began = 0  # looks that have begun
        self._took = 0.0  # seconds, the last one
        self.problem: QaError | OSError | None = None  # of the last look
        self.names: tuple[str, ...] = ()
        self.keys: dict[str, tuple[str, ...]] = {}
        self._thread = threading.Thread(target=self._run, name="qa-background", daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether a refresh is under way, or the first one is to come."""
        return self._began > self._looks or not self._looks

    def look(self, seconds: float) -> None:
        """Have it look for changes now; wait for that where it is likely done in a moment."""
        with self._looked:
            # A look that has begun already may have missed what changed since.
            wanted = self._began + 1
            self._wanted.set()
            if not self.is_busy and self._took <= _MOMENT:
                self._looked.wait_for(lambda: self._looks >= wanted, seconds)

    def leave(self, seconds: float) -> bool:
        """End; whether that was done within so many seconds."""
        self._told.is_leaving = True
        self._wanted.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._warm()
            while not self._told.is_leaving:
                self._took = self._look()
                self._wanted.wait(max(_PAUSE, _SHARE * self._took))
                self._wanted.clear()
        except _Leaving:
            pass

    def _warm(self) -> None:
        """Load the model and open the index, while the first question is typed."""
        logging = sys.modules.get("logging")
        if logging is not None and logging.getLogger("qa").handlers:
            return  # a log is to have no question that nobody asked
        with suppress(QaError, OSError):  # whoever asks is told
            self._assistant.ask("warm", 1, refresh=False)

    def _look(self) -> float:
        """Refresh once; gives the seconds that it took."""
        started = time.monotonic()
        before = self.names, str(self.problem)
        with self._looked:
            self._began += 1
        try:
            done = self._assistant.refresh()
            self.problem = None
            if done.added or done.removed or done.changed or not self.names:
                self._describe()
        except (QaError, OSError) as error:
            if str(error) != str(self.problem):
                self._told.note(f"The index could not be refreshed: {error}.")
            self.problem = error
        finally:
            is_news = self._told.reached is not None or before != (self.names, str(self.problem))
            self._told.reached = None
            with self._looked:
                self._looks += 1
                self._looked.notify_all()
            if is_news:
                self._told.changed()
        return time.monotonic() - started

    def _describe(self) -> None:
        """Read what is completed: names of documents, keys and values of their metadata."""
        from qa.store.opening import moment

        place = self._assistant.settings.place()
        try:
            with moment(place) as snapshot:
                described = snapshot.described()
                self.names = tuple(sorted(islice(described.paths, _NAMED)))
                values: dict[str, dict[str, None]] = {}
                for about in islice(described.metadata(), _DESCRIBED):
                    for key, value in about.items():
                        values.setdefault(str(key), {})[str(value)] = None
                self.keys = {key: tuple(values[key]) for key in sorted(values)}
        except IndexMissingError:
            self.names, self.keys = (), {}
