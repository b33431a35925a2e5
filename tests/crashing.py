"""Operations on an index that are broken off, and what must hold of it then."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
from typing import TYPE_CHECKING

from qa.assistant import Assistant
from qa.errors import IndexMissingError
from qa.evaluation.questions import Question
from releasing import release
from tracing import State, states, trace, write_state

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tracing import Call

__all__ = ["OPERATIONS", "QUESTION", "Case", "change", "contents", "operate"]

# "watched" is a change while another process has the index open: SQLite's log then stays.
OPERATIONS = ["build", "add", "change", "watched", "remove", "rebuild", "calibrate"]
QUESTION = "Who set foot on the Moon?"
CHILD = """
import sys
import qa.indexing.apply
import qa.store.transaction
from crashing import Assistant, operate
qa.indexing.apply.COMMIT_PASSAGES = 1  # one document a commit, then one embedding a commit
qa.store.transaction.UNMERGED = 0  # each writes vectors
operation, corpus, index, cache = sys.argv[1:]
with Assistant(corpus, index, cache=cache) as assistant:
    operate(assistant, operation)
    sys.stdout.write("done\\n")
    sys.stdout.flush()
"""
Contents = tuple[dict[str, list[str]], str]
Broken = tuple[str, bool, State]  # where it broke off, whether it had told that it was done
EMPTY: Contents = ({}, "")


def operate(assistant: Assistant, operation: str) -> None:
    """Do to the index what the operation is about."""
    if operation == "calibrate":
        asked = [QUESTION, "How does bread rise?", "What do whales eat?", "yeast", "the Earth"]
        foreign = ["Who won the cup?", "What is a monad?", "tax rates", "How old is Rome?", "jazz"]
        questions = [Question(f"a{n}", text, {"moon.md": 1}) for n, text in enumerate(asked)]
        questions += [Question(f"u{n}", text, unanswerable=True) for n, text in enumerate(foreign)]
        assistant.calibrate(questions)
    else:
        assistant.refresh(rebuild=operation == "rebuild")


def change(corpus: Path, operation: str) -> None:
    """Do to the corpus what the operation is about."""
    if operation == "add":
        (corpus / "new.txt").write_text("Penguins live in the south. They can't fly.\n")
    elif operation in {"change", "watched"}:
        (corpus / "moon.md").write_text("# The Moon\n\nNobody but Neil set foot on it.\n")
    elif operation == "remove":
        (corpus / "bread.txt").unlink()


def contents(assistant: Assistant) -> Contents:
    """Give an index's texts by document, and its calibration; it must be sound or missing."""
    try:
        with assistant._index.snapshot(to_search=True) as now:
            assert now.is_sound(), "an accelerator is damaged"
            rows = now.passages([one for one, _, _ in now.texts()])
            documents = now.documents({row.document for row in rows})
            found: dict[str, list[str]] = {}
            for row in rows:
                found.setdefault(documents[row.document].path, []).append(row.text)
            return {path: sorted(texts) for path, texts in sorted(found.items())}, now.calibration
    except IndexMissingError:
        return EMPTY


def is_between(
    found: dict[str, list[str]],
    old: dict[str, list[str]],
    new: dict[str, list[str]],
    *,
    rebuilt: bool = False,
) -> bool:
    """Whether each document is there as it was or as it is to be; `rebuilt`, or not yet again."""
    return all(
        found.get(path) in (old.get(path), new.get(path), *([None] if rebuilt else []))
        for path in {*found, *old, *new}
    )


class Case:
    """One operation, traced, and what the index holds before and after it."""

    def __init__(self, operation: str, corpus: Path, folder: Path, cache: Path) -> None:
        """Trace it over a corpus, which is changed; `folder` is to work in."""
        self.operation = operation
        self._index, self._before = folder / "index", folder / "before"
        self._index.mkdir()
        self._assistant = Assistant(corpus, self._index, cache=str(cache))
        watcher = None
        if operation != "build":
            self._assistant.refresh()
        if operation == "watched":
            watcher = sqlite3.connect(self._index / "catalog.sqlite")
            watcher.execute("SELECT * FROM meta").fetchall()
            self._assistant.refresh(rebuild=True)  # stays in the log
        self._old = contents(self._assistant)
        release(self._assistant)
        change(corpus, operation)
        shutil.copytree(self._index, self._before)
        here = os.path.dirname(__file__)  # noqa: PTH120 - a string is needed
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
        command = [sys.executable, "-c", CHILD, operation, *map(str, (corpus, self._index, cache))]
        self.calls: list[Call] = trace(command, folder / "trace", environment)
        self._new = contents(self._assistant)
        if watcher is not None:
            watcher.close()
        assert operation == "rebuild" or self._old != self._new

    def run(
        self, *, power: bool, most: int | None = None, chances: int = 3, seed: int = 0
    ) -> dict[str, int]:
        """Check states in which the operation could break off: all, or `most` of them by chance.

        Returns:
            How many there were that hold the old contents, the new, and what is between them.
        """
        found: Iterable[Broken] = states(
            self._index, self._before, self.calls, power=power, chances=chances, seed=seed
        )
        if most is not None:
            found = _some_of(found, most, random.Random(seed))  # noqa: S311 - repeatable
        outcomes = {"old": 0, "new": 0, "between": 0}
        for where, told, state in found:
            try:
                outcomes[self._check(state, told=told)] += 1
            except Exception as error:
                raise AssertionError(f"{self.operation} broken off at {where}: {error}") from error
        return outcomes

    def _check(self, state: State, *, told: bool) -> str:
        release(self._assistant)
        write_state(self._index, state)
        found = contents(self._assistant)
        rebuilt = self.operation == "rebuild"
        assert is_between(found[0], self._old[0], self._new[0], rebuilt=rebuilt), "a mixture"
        assert found[1] in {self._old[1], self._new[1]}, "another calibration"
        assert not told or found == self._new, "what was told done is lost"
        if found[0]:
            assert self._assistant.ask(QUESTION, refresh=False).model
        operate(self._assistant, self.operation)
        assert contents(self._assistant) == self._new, "the next one fails"
        with self._assistant._index.snapshot() as now:
            assert now.is_tidy(), "files are left"
        release(self._assistant)
        return "new" if found == self._new else "old" if found == self._old else "between"


def _some_of(found: Iterable[Broken], most: int, chance: random.Random) -> list[Broken]:
    """Choose `most` with equal chances: the states are seen once, and are too large to keep all."""
    chosen: list[Broken] = []
    for number, one in enumerate(found):
        if len(chosen) < most:
            chosen.append(one)
        elif (place := chance.randint(0, number)) < most:
            chosen[place] = one
    return chosen
