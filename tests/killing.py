"""A writer that is killed at random instants, again and again, and what must hold then."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from crashing import contents, is_between
from qa.assistant import Assistant
from releasing import release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["kill_one", "kill_writers", "make_round", "texts_of"]

CHILD = """
import sys
from killing import write_for_ever
write_for_ever(*sys.argv[1:])
"""
QUESTION = "Which round is this?"
_REBUILDS = 3  # of five rounds, the one that builds the index again
_MAX_SECONDS = 0.4  # seconds that a writer goes on after its first refresh: some five more


def texts_of(number: int) -> dict[str, str]:
    """Give the corpus of one round: some documents come, change and go from round to round."""
    found = {"round.txt": f"This is round {number} of many."}
    for one in range(6):
        found[f"kept-{one}.txt"] = f"Document {one} speaks of version {(number + one) // 6}."
    for one in range(number - number % 3, number + 1):
        found[f"new-{one}.txt"] = f"In round {one} a document came that soon goes."
    return found


def make_round(corpus: Path, number: int) -> None:
    """Write the corpus of a round; each file is whole at any instant."""
    wanted = texts_of(number)
    for path in corpus.iterdir():
        if path.name not in wanted and path.suffix == ".txt":
            path.unlink()
    for name, text in wanted.items():
        path = corpus / name
        if not path.exists() or path.read_text() != text:
            beside = path.with_name(f".{name}")  # hidden: not a document if a kill leaves it behind
            beside.write_text(text)
            beside.replace(path)


def write_for_ever(corpus: str, index: str, cache: str, first: str) -> None:
    """Go on from one round to the next, telling of each when the index has it."""
    from pathlib import Path

    import qa.indexing.apply
    import qa.store.transaction

    qa.indexing.apply.COMMIT_PASSAGES = 1  # a document or an embedding
    vars(qa.store.transaction)["UNMERGED"] = 2  # vectors are merged
    number = int(first)
    with Assistant(corpus, index, cache=cache) as assistant:
        while True:
            make_round(Path(corpus), number)
            if number % 5 == 4:
                assistant.calibrate(None)
            else:
                assistant.refresh(rebuild=number % 5 == _REBUILDS)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


def kill_one(
    command: Sequence[str],
    environment: Mapping[str, str],
    chance: random.Random,
    *,
    seconds: float = _MAX_SECONDS,
) -> tuple[int, int]:
    """Start a writer and kill it at a random instant, so long after its first refresh at most.

    Returns:
        The last round of which it told, and how many it told of.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        first = process.stdout.readline()  # it is warm now
        time.sleep(chance.random() * seconds)
        process.send_signal(signal.SIGKILL)
        told = [first, *process.stdout.read().split()]
    return int(told[-1]), len(told)


def kill_writers(
    corpus: Path, index: Path, cache: Path, *, times: int, seed: int
) -> dict[str, int]:
    """Start a writer and kill it -9 at a random instant; check; again.

    Returns:
        How many kills left the index that was told of, how many the one after it, and how many
        what is between them; how many left files that nobody names; how many refreshes were told
        done.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    here = os.path.dirname(__file__)  # noqa: PTH120 - a string is needed
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
    outcomes = {"old": 0, "new": 0, "between": 0, "with files left": 0, "refreshes": 0}
    told = -1
    corpus.mkdir(exist_ok=True)
    make_round(corpus, 0)
    with Assistant(corpus, index, cache=str(cache)) as assistant:
        for _ in range(times):
            command = [sys.executable, "-c", CHILD, *map(str, (corpus, index, cache, told + 1))]
            told, refreshes = kill_one(command, environment, chance)
            found = contents(assistant)[0]
            old, new = indexed(told), indexed(told + 1)
            assert is_between(found, old, new, rebuilt=(told + 1) % 5 == _REBUILDS)
            after = found == new
            outcomes["new" if after else "old" if found == old else "between"] += 1
            outcomes["with files left"] += not is_tidy(assistant)
            outcomes["refreshes"] += refreshes
            assert assistant.ask(QUESTION, refresh=False).model
            assistant.refresh()
            # glob("*.txt") would find hidden files too, which a kill may leave behind.
            on_disk = {path.name: [path.read_text()] for path in corpus.glob("[!.]*.txt")}
            assert contents(assistant)[0] == on_disk
            assert is_tidy(assistant)
            # The next writer starts from a round that the index has.
            told = told + after
            make_round(corpus, told)
            assistant.refresh()
            assert f"round {told} " in assistant.ask(QUESTION).passages[0].citation.quote
            release(assistant)
    return outcomes


def indexed(number: int) -> dict[str, list[str]]:
    """What is indexed of a round."""
    return {name: [text] for name, text in texts_of(number).items()}


def is_tidy(assistant: Assistant) -> bool:
    """Whether the index has no files that nobody names."""
    with assistant._index.snapshot() as now:
        return now.is_tidy()
