"""Measure how long a session takes for an answer; write benchmarks/session.json.

Usage: python benchmarks/session.py [--corpus FOLDER]. `qa chat` runs in a pseudo-terminal of 80
by 24. "answer" is from Enter to the next prompt, as a person sees it; "own" is what `Session.take`
takes of that, with the answer written to a terminal, and "cpu" the processor time of that.
Questions are made of the corpus's own words, so that no two are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import pexpect
from speed import SAMPLE, machine

HERE = Path(__file__).parent
COUNT, WARM = 60, 5


def questions(corpus: Path) -> list[str]:
    """Make questions, the same each time."""
    chosen = random.Random(7)  # noqa: S311 - not for secrets
    files = sorted(path for path in corpus.rglob("*") if path.is_file())
    text = " ".join(path.read_text("utf-8", "replace") for path in files[:200])
    words = sorted(set(re.findall(r"[a-z]{4,}", text)))
    return [f"What of {' and '.join(chosen.sample(words, 3))}?" for _ in range(COUNT + WARM)]


def answers(asked: list[str], environment: dict[str, str]) -> list[float]:
    """Type questions into a session; seconds from Enter to the next prompt."""
    chat = pexpect.spawn(
        sys.executable, ["-m", "qa", "chat", "--no-history"],
        env=os.environ | environment | {"TERM": "xterm"}, dimensions=(24, 80),
    )  # fmt: skip
    chat.delaybeforesend = None
    seen = b""

    def until(mark: bytes) -> None:
        nonlocal seen
        while mark not in seen:
            seen += chat.read_nonblocking(65536, timeout=60)
            if b"\x1b[6n" in seen:
                chat.send("\x1b[24;1R")  # where the cursor is, as a terminal says
                seen = seen.replace(b"\x1b[6n", b"")
        seen = seen.partition(mark)[2]

    until(b"qa>")
    time.sleep(3)  # the model is loaded
    seconds = []
    for question in asked:
        chat.send(question)
        time.sleep(0.2)  # as by hand: the prompt has drawn it
        seen += chat.read_nonblocking(65536, timeout=60)
        seen = b""
        started = time.perf_counter()
        chat.send("\r")
        until(b"\x1b[?2004l")  # the line was taken
        until(b"qa>")
        seconds.append(time.perf_counter() - started)
    chat.send("\x04")
    chat.expect(pexpect.EOF)
    return seconds[WARM:]


def own(asked: list[str]) -> tuple[list[float], list[float]]:
    """Give the same questions to a session in this process; seconds of each, and of processors."""
    from qa.cli.background import Background, Told
    from qa.cli.options import open_assistant
    from qa.cli.output import Output
    from qa.cli.session import Asking, Session

    leader, follower = os.openpty()
    threading.Thread(target=_drained, args=(leader,), daemon=True).start()
    stdout = sys.stdout
    told = Told()
    with open_assistant(told, fresh="watch") as assistant, os.fdopen(follower, "w") as terminal:
        background = Background(assistant, told)
        session = Session(assistant, Output(), told, background, Asking(assistant.settings.k))
        sys.stdout = terminal
        seconds, cpu = [], []
        for question in asked:
            time.sleep(0.2)
            started, used = time.perf_counter(), time.process_time()
            session.take(question)
            seconds.append(time.perf_counter() - started)
            cpu.append(time.process_time() - used)
        sys.stdout = stdout
        background.leave(10)
    return seconds[WARM:], cpu[WARM:]


def _drained(terminal: int) -> None:
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds: the median, and what 95 of 100 stay below."""
    return {
        "p50_ms": round(statistics.median(seconds) * 1e3, 1),
        "p95_ms": round(statistics.quantiles(seconds, n=20)[-1] * 1e3, 1),
    }


def main() -> None:
    """Measure, write and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--corpus", type=Path, default=SAMPLE)
    corpus = arguments.parse_args().corpus.resolve()
    asked = questions(corpus)
    with tempfile.TemporaryDirectory() as temporary:
        environment = {
            "QA_CORPUS": str(corpus),
            "QA_INDEX": str(Path(temporary) / "index"),
            "XDG_STATE_HOME": str(Path(temporary) / "state"),
        }
        os.environ.update(environment)
        from qa import Assistant
        from qa.settings import load_settings

        with Assistant(settings=load_settings()) as assistant:
            assistant.refresh()
            status = assistant.status()
        seen, (taken, cpu) = answers(asked, environment), own(asked)
        found = {
            "machine": machine(),
            "documents": status.documents,
            "passages": status.passages,
            "questions": COUNT,
            "answer": quantiles(seen),
            "own": quantiles(taken),
            "cpu": quantiles(cpu),
        }
    text = json.dumps(found, indent=2)
    (HERE / "session.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
