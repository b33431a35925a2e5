"""Kill a writer to a Milvus Lite server at random instants, N times, and check after each.

python tests/long/milvus.py [N] [SEED]
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version

from common import cache_folder, work_folder, write_result
from milvus_lite_server import kill_writers, started


def main(times: int, seed: int) -> None:
    """Kill, check and write down what came out."""
    folder = work_folder()
    began = time.monotonic()
    with started(folder / "server" / "data") as lite:
        outcomes = kill_writers(lite.uri, folder / "corpus", cache_folder(), times=times, seed=seed)
    minutes = round((time.monotonic() - began) / 60, 1)
    versions = {name: version(name) for name in ("pymilvus", "milvus-lite")}
    result = {"kills": times, "failures": 0, "left": outcomes, "minutes": minutes}
    write_result("milvus", {**result, **versions})


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    main(*(numbers + [100, 1][len(numbers) :]))
