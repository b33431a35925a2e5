"""Crashes: a refresh broken off anywhere leaves the old index or the new one.

What a refresh does to the index is traced once; the states in which a kill or a loss of power could
leave it are made again from that, and checked. `tests/long/crashes.py` checks all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crashing import OPERATIONS, Case
from tracing import STRACE

if TYPE_CHECKING:
    from pathlib import Path

STATES = 12  # of each kind, for each operation


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_a_kill_or_a_loss_of_power_leaves_is_the_old_index_or_the_new(
    operation: str, corpus: Path, tmp_path: Path, cache: Path
) -> None:
    case = Case(operation, corpus, tmp_path, cache)
    for power in (False, True):
        outcomes = case.run(power=power, most=STATES)
        assert sum(outcomes.values()) == STATES
