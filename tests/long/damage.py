"""Damage an index in N places of its catalog and N of its other files, one at a time.

python tests/long/damage.py [N] [SEED]
"""

from __future__ import annotations

import sys

from common import cache_folder, work_folder, write_corpus, write_result
from damaging import damage_index


def main(times: int, seed: int) -> None:
    """Damage, ask and write down what came out."""
    folder = work_folder()
    outcomes = damage_index(write_corpus(folder), folder, cache_folder(), times=times, seed=seed)
    write_result("damage", {"places": 2 * times, "wrong answers": 0, "crashes": 0, **outcomes})


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    main(*(numbers + [1000, 1][len(numbers) :]))
