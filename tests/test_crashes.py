"""Crashes and damage: a refresh broken off anywhere leaves what it had committed, whole.

What a refresh does to the index is traced once; the states in which a kill or a loss of power could
leave it are made again from that, and checked. `tests/long/crashes.py` checks all of them.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from crashing import OPERATIONS, Case
from damaging import damage_index
from qa.store.health import check_integrity
from tracing import STRACE

if TYPE_CHECKING:
    from pathlib import Path

    from qa.assistant import Assistant

STATES = 6  # at most, of each kind, for each operation


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.usefixtures("encoder")  # exported before, or that would be traced as well
def test_what_a_kill_or_a_loss_of_power_leaves_has_each_document_old_or_new(
    operation: str, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    case = Case(operation, corpus, tmp_path, cache)
    for power in (False, True):
        outcomes = case.run(power=power, most=STATES)
        assert 4 <= sum(outcomes.values()) <= STATES


def test_damage_is_found_before_an_answer_uses_it(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    """In 20 places of the catalog and 20 of the other files; `tests/long/damage.py` does more."""
    outcomes = damage_index(corpus, tmp_path, cache, times=20, seed=2)
    assert outcomes.pop("whole pages") > 10
    assert sum(outcomes.values()) == 40
    assert outcomes["accelerators same"] == 20
    assert outcomes["catalog reported"]


def test_integrity_is_checked_in_all_of_an_index(assistant: Assistant, tmp_path: Path) -> None:
    index = tmp_path / "index"
    assistant.refresh()
    assistant.close()
    assert check_integrity(index) == []
    for change, wrong in {
        "UPDATE passage SET text = text || '.' WHERE id = 2": "row 2",
        "UPDATE embedding SET vector = zeroblob(768) WHERE passage = 1": "row 1",
        "UPDATE file SET sha256 = 'x' WHERE id = 1": "row 1",
        "UPDATE document SET encoding = 'x' WHERE id = 1": "row 1",
        "UPDATE term SET passages = passages + 65521 WHERE id % 2": "term",
        "UPDATE token SET passages = passages + 1": "count",
        "DELETE FROM passage WHERE id = 1": "",
        "UPDATE meta SET value = value + 1 WHERE key = 'passages'": "notes",
    }.items():
        shutil.copytree(index, tmp_path / "copy")
        with closing(sqlite3.connect(tmp_path / "copy" / "catalog.sqlite")) as db:
            db.execute(change)
            db.commit()
        assert any(wrong in one for one in check_integrity(tmp_path / "copy")), change
        shutil.rmtree(tmp_path / "copy")
    for pattern, wrong in {"vectors-*.faiss": "vectors", "lexical-*/*.idx": "lexical"}.items():
        for path in index.glob(pattern):
            path.write_bytes(path.read_bytes()[::-1])
        assert any(wrong in one for one in check_integrity(index))
