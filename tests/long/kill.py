"""Kill a writer at random instants, N times, and check the index after each.

python tests/long/kill.py [N] [SEED]
"""

from __future__ import annotations

import sys
import time

from common import cache_folder, work_folder, write_result
from killing import kill_writers


def main(times: int, seed: int) -> None:
    """Kill, check and write down what came out."""
    folder = work_folder()
    started = time.monotonic()
    outcomes = kill_writers(
        folder / "corpus", folder / "index", cache_folder(), times=times, seed=seed
    )
    minutes = round((time.monotonic() - started) / 60, 1)
    write_result("kill", {"kills": times, "failures": 0, "left": outcomes, "minutes": minutes})


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    main(*(numbers + [500, 1][len(numbers) :]))
