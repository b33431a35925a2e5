"""Readers that ask while writers write, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from qa.assistant import Assistant

__all__ = ["ask_while_writing", "write_together"]

READER = """
import sys
import qa.indexing.apply
from sharing import read_rounds
qa.indexing.apply.FIRST_SECONDS = 60  # a round is one commit, however busy the machine
read_rounds(*sys.argv[1:])
"""
WRITER = """
import sys
from sharing import write_own
write_own(*sys.argv[1:])
"""
QUESTION = "What does the report say of the harbour?"
_PARTS = 3  # documents a round


def _start(code: str, *arguments: object) -> subprocess.Popen[str]:
    here = os.path.dirname(__file__)  # noqa: PTH120 - a string is needed
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def _show_round(corpus: Path, number: int) -> None:
    """All rounds' files stay; an ignore file says which round is the corpus now."""
    (corpus / ".new").write_text(f"*.txt\n!round-{number}-*.txt\n")
    (corpus / ".new").replace(corpus / ".qaignore")


def ask_while_writing(
    corpus: Path, index: Path, cache: Path, *, readers: int, rounds: int
) -> dict[str, float]:
    """Refresh again and again, each time to other documents, while others ask.

    Every second reader also refreshes before it answers, as `ask` does when it is not told not to.

    Returns:
        How many questions were asked, and the slowest answer to one that does not refresh.

    Raises:
        AssertionError: a reader failed, or an answer cited documents of two rounds, or not all.
    """
    corpus.mkdir()
    for number in range(rounds + 1):
        for part in range(_PARTS):
            text = f"In round {number} part {part} of the report speaks of the harbour."
            (corpus / f"round-{number}-{part}.txt").write_text(text)
    _show_round(corpus, 0)
    stop = corpus.with_name("stop")
    # A round is one commit, however busy the machine.
    with (
        mock.patch("qa.indexing.apply.FIRST_SECONDS", 60),
        Assistant(corpus, index, cache=str(cache), lock_timeout=120) as writer,
    ):
        writer.refresh()
        processes = [
            _start(READER, corpus, index, cache, stop, "refresh" if number % 2 else "")
            for number in range(readers)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "go\n"
        for number in range(1, rounds + 1):
            _show_round(corpus, number)
            writer.refresh()
        stop.touch()
        results = []
        for process in processes:
            out, err = process.communicate()
            assert process.returncode == 0, err[-4000:]
            results.append(json.loads(out.splitlines()[-1]))
        assert {p.citation.document for p in writer.ask(QUESTION, k=50, threshold=0).passages} == {
            f"round-{rounds}-{part}.txt" for part in range(_PARTS)
        }
    return {
        "questions": sum(one["questions"] for one in results),
        "rounds seen": max(one["rounds"] for one in results),
        "slowest_ms": max(one["slowest_ms"] for one in results[::2]),
    }


def read_rounds(corpus: str, index: str, cache: str, stop: str, refresh: str) -> None:
    """Ask until told to stop; each answer must be of one round, and of none before the last."""
    questions, last, slowest = 0, 0, 0.0
    seen: set[int] = set()
    told: list[str] = []
    with Assistant(corpus, index, cache=cache, lock_timeout=120, notify=told.append) as reader:
        reader.ask(QUESTION, refresh=False)
        sys.stdout.write("go\n")
        sys.stdout.flush()
        while not Path(stop).exists() or not questions:
            started = time.monotonic()
            answer = reader.ask(QUESTION, k=50, threshold=0, refresh=bool(refresh))
            slowest = max(slowest, time.monotonic() - started)
            names = [one.citation.document for one in answer.passages]
            rounds = {int(name.split("-")[1]) for name in names}
            assert len(rounds) == 1, names
            assert len(set(names)) == len(names) == _PARTS, names
            # It may have waited for the writer in vain.
            assert all("documents are indexed" in note for note in answer.notes), answer.notes
            assert min(rounds) >= last or refresh, (rounds, last)
            last = min(rounds)
            seen |= rounds
            questions += 1
    unused = [one for one in told if "can't be used" in one]
    assert not unused, unused
    result = {"questions": questions, "rounds": len(seen), "slowest_ms": round(slowest * 1000)}
    sys.stdout.write(json.dumps(result) + "\n")


def write_together(corpus: Path, index: Path, cache: Path, *, writers: int, rounds: int) -> None:
    """Have writers each add documents of their own and refresh; nothing may be lost.

    Raises:
        AssertionError: a writer failed, or a document is missing.
    """
    corpus.mkdir()
    (corpus / "first.txt").write_text("The first document.")
    processes = [_start(WRITER, corpus, index, cache, number, rounds) for number in range(writers)]
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err[-4000:]
    with Assistant(corpus, index, cache=str(cache)) as assistant:
        answer = assistant.ask("document", k=1000, threshold=0, refresh=False)
        found = {one.citation.document for one in answer.passages}
        status = assistant.status()
    assert status.documents == 1 + writers * rounds
    assert status.stale == 0
    assert found <= {path.name for path in corpus.iterdir()}


def write_own(corpus: str, index: str, cache: str, name: str, rounds: str) -> None:
    """Add documents, one a refresh."""
    with Assistant(corpus, index, cache=cache, lock_timeout=120) as assistant:
        for number in range(int(rounds)):
            path = Path(corpus) / f"by-{name}-{number}"
            path.write_text(f"Document {number} of writer {name}.")
            path.rename(path.with_suffix(".txt"))
            assistant.refresh()
