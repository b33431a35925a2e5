"""An index that is damaged in one place, and what must come of it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from qa.assistant import Assistant
from qa.errors import IndexUnusableError
from releasing import release

__all__ = ["damage_index"]

QUESTIONS = [
    "Who set foot on the Moon?",
    "How does bread rise?",
    "What do whales eat?",
    "yeast and krill in the sea",
]
CHILD = """
import sys
from damaging import check_damages
check_damages(*sys.argv[1:])
"""


def damage_index(corpus: Path, folder: Path, cache: Path, *, times: int, seed: int) -> Counter[str]:
    """Damage an index in `times` places, one at a time, and ask it; in a process of its own.

    Args:
        corpus: a few documents.
        folder: to work in.
        cache: of the model.
        times: how many places in the catalog, and as many in all other files.
        seed: of the places.

    Returns:
        How often the answers were the same, and how often the damage was reported.

    Raises:
        AssertionError: an answer was another one, or the process died.
    """
    with Assistant(corpus, folder / "sound", cache=str(cache)) as assistant:
        assistant.refresh()
        (corpus / "later.md").write_text("# Later\n\nA passage that no file of vectors holds.\n")
        assistant.refresh()
    here = os.path.dirname(__file__)  # noqa: PTH120 - a string is needed
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
    arguments = [corpus, folder, cache, str(times), str(seed)]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", CHILD, *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{done.returncode} after {lines[-1:]}: {done.stderr[-4000:]}"
    return Counter(dict(json.loads(lines[-1])))


def check_damages(corpus: str, folder: str, cache: str, times: str, seed: str) -> None:
    """Damage and ask, writing the place before each, so that a crash shows where it was."""
    chance = random.Random(int(seed))  # noqa: S311 - repeatable, not secret
    sound, index = Path(folder) / "sound", Path(folder) / "index"
    others = [
        path.relative_to(sound)
        for path in sorted(sound.rglob("*"))
        if path.is_file() and path.stat().st_size and path.name != "catalog.sqlite"
    ]
    outcomes: Counter[str] = Counter()
    with Assistant(corpus, index, cache=cache) as assistant:
        shutil.copytree(sound, index)
        expected = [_answers(assistant, refresh=False)] * 2
        for number in range(2 * int(times)):
            name = Path("catalog.sqlite") if number % 2 else others[number // 2 % len(others)]
            release(assistant)
            shutil.rmtree(index, ignore_errors=True)
            shutil.copytree(sound, index, dirs_exist_ok=True)
            what = _damage(index / name, chance)
            sys.stdout.write(f"{name} {what}\n")
            sys.stdout.flush()
            outcome = "same"
            try:
                found = [_answers(assistant, refresh=refresh) for refresh in (False, True)]
                assert found == expected, f"{name} {what}: {found}"
            except IndexUnusableError:
                outcome = "reported"
                assistant.refresh(rebuild=True)
                assert _answers(assistant, refresh=True) == expected[0], f"{name} {what}: rebuilt"
            outcomes[f"{'catalog' if number % 2 else 'accelerators'} {outcome}"] += 1
    sys.stdout.write(json.dumps(outcomes) + "\n")


def _answers(assistant: Assistant, *, refresh: bool) -> list[list[tuple[str, str, float]]]:
    answers = [assistant.ask(one, k=50, threshold=0, refresh=refresh) for one in QUESTIONS]
    return [
        [
            (one.citation.document, one.citation.quote, round(one.scores.fused, 6))
            for one in answer.passages
        ]
        for answer in answers
    ]


def _damage(path: Path, chance: random.Random) -> str:
    raw = bytearray(path.read_bytes())
    kind = chance.choice(("flip", "flip", "flip", "flip", "zero", "truncate"))
    used = [at for at, byte in enumerate(raw) if byte]  # free space is as good as not there
    at = chance.choice(used or range(len(raw)))
    if kind == "flip":
        raw[at] ^= 1 << chance.randrange(8)
    elif kind == "zero":
        raw[at : at + 4096] = bytes(len(raw[at : at + 4096]))
    else:
        del raw[at:]
    path.write_bytes(raw)
    return f"{kind} at {at}"
