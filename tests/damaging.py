"""An index that is damaged in one place, and what must come of it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest

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
WITHIN = [(), ("*.md",), ("**",)]
PAGES = ("page zeroed", "page swapped", "page copied")
KINDS = ("flip", "flip", "flip", "zero", "truncate", *PAGES)
# The number of the question, and what it shows, with scores that agree to 1e-6.
Shown = tuple[int, list[tuple[str, str, Any]]]
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
        How often the answers were the same, how often the damage was reported, and how many
        whole pages were damaged.

    Raises:
        AssertionError: an answer was another one, or the process died.
    """
    (corpus / "page.html").write_text("<h1>Ships</h1><p>Ships carry bread, salt and yeast.</p>")
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    with Assistant(corpus, folder / "sound", cache=str(cache)) as assistant:
        assistant.refresh()
        (corpus / "later.md").write_text("# Later\n\nA passage that no file of vectors holds.\n")
        assistant.refresh()
    here = os.path.dirname(__file__)  # noqa: PTH120 - a string is needed
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
    arguments = [*map(str, (corpus, folder, cache, times, seed))]
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
        expected = _answers(assistant, refresh=False)
        for number in range(2 * int(times)):
            name = Path("catalog.sqlite") if number % 2 else others[number // 2 % len(others)]
            release(assistant)
            shutil.rmtree(index, ignore_errors=True)
            shutil.copytree(sound, index, dirs_exist_ok=True)
            what = _damage(index / name, chance)
            sys.stdout.write(f"{name} {what}\n")
            sys.stdout.flush()
            outcome = "same"
            for refresh in (False, True):
                found = _answers(assistant, refresh=refresh)
                wrong = [one for one in found if one is not None and one not in expected]
                assert not wrong, f"{name} {what}: {wrong}"
                if None in found:
                    outcome = "reported"
            if outcome == "reported":
                assistant.refresh(rebuild=True)
                assert _answers(assistant, refresh=True) == expected, f"{name} {what}: rebuilt"
            outcomes[f"{'catalog' if number % 2 else 'accelerators'} {outcome}"] += 1
            outcomes["whole pages"] += what.startswith("page")
    sys.stdout.write(json.dumps(outcomes) + "\n")


def _answers(assistant: Assistant, *, refresh: bool) -> list[Shown | None]:
    """Give what each question shows, alone and of some documents; None where damage was told."""
    found: list[Shown | None] = []
    for number, (question, within) in enumerate(product(QUESTIONS, WITHIN)):
        try:
            answer = assistant.ask(question, k=50, threshold=0, refresh=refresh, within=within)
        except IndexUnusableError:
            found.append(None)
            continue
        shown = [
            (one.citation.document, one.citation.quote, _near(one.scores.fused))
            for one in answer.passages
        ]
        found.append((number, shown))
    return found


def _near(score: float) -> Any:
    return pytest.approx(score, rel=0, abs=1e-6)


def _damage(path: Path, chance: random.Random) -> str:
    raw = bytearray(path.read_bytes())
    kind = chance.choice(KINDS)
    if kind.startswith("page"):
        return _damage_page(path, raw, kind, chance)
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


def _damage_page(path: Path, raw: bytearray, kind: str, chance: random.Random) -> str:
    """Zero a page, or swap or overwrite it with another: each is whole, and in the wrong place."""
    size = chance.choice((4096, 16384))  # of the disk's pages, and of the catalog's
    pages = range(0, len(raw), size)
    one, other = chance.choice(pages), chance.choice(pages)
    here, there = raw[one : one + size], raw[other : other + size]
    if kind == "page zeroed":
        raw[one : one + size] = bytes(len(here))
    elif len(here) == len(there):
        raw[one : one + size] = there
        if kind == "page swapped":
            raw[other : other + size] = here
    path.write_bytes(raw)
    return f"{kind} of {size} at {one}, {other}"
