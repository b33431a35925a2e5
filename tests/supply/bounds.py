"""Print pip constraints that pin every direct dependency to its lower bound, torch left out."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
_BOUND = re.compile(r"(?P<name>[\w-]+)(?:>=|==)(?P<version>[\w.]+)")
NEWEST = {"torch", "retrieval-qa"}


def main() -> None:
    """Write one constraint a line."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    asked = [*project["dependencies"]]
    for extra in ("eval", "test"):
        asked += project["optional-dependencies"][extra]
    for one in asked:
        found = _BOUND.match(one)
        if found and found["name"] not in NEWEST:
            marker = one.partition(";")[2].strip()
            pin = f"{found['name']}=={found['version']}"
            sys.stdout.write(f"{pin}; {marker}\n" if marker else f"{pin}\n")


if __name__ == "__main__":
    main()
