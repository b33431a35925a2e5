"""Check every state in which a kill or a loss of power could leave an index.

python tests/long/crashes.py [CHANCES]    # random parts per cut, of what power may leave
"""

from __future__ import annotations

import sys

from common import cache_folder, work_folder, write_corpus, write_result
from crashing import OPERATIONS, Case


def main(chances: int) -> None:
    """Trace each operation and check all states."""
    result: dict[str, dict[str, dict[str, int]]] = {}
    for operation in OPERATIONS:
        folder = work_folder()
        case = Case(operation, write_corpus(folder), folder, cache_folder())
        result[operation] = {
            "kill": case.run(power=False),
            "power": case.run(power=True, chances=chances),
        }
        print(operation, result[operation], file=sys.stderr, flush=True)
    total = sum(n for one in result.values() for kind in one.values() for n in kind.values())
    write_result("crashes", {"states": total, "failures": 0, "operations": result})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
