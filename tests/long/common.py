"""What the long runs share: a corpus to work on, and where results are written."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]
os.environ["HF_HUB_OFFLINE"] = "1"

__all__ = ["cache_folder", "work_folder", "write_corpus", "write_result"]

DOCUMENTS = {
    "moon.md": "# The Moon\n\nThe Moon orbits the Earth once every 27 days.\n\n"
    "## Landing\n\nNeil Armstrong set foot on it in July 1969.\n",
    "bread.txt": "Baking bread\n\nSourdough bread rises through wild yeast. Knead it well.\n",
    "deep/whales.txt": "Blue whales are the largest animals. They eat krill and sing.\n",
}


def work_folder() -> Path:
    """Make a folder to work in."""
    return Path(tempfile.mkdtemp(prefix="qa-long-"))


def cache_folder() -> Path:
    """Give a cache that lasts from one run to the next, so that a model is exported once."""
    return Path(tempfile.gettempdir()) / "qa-long-cache"


def write_corpus(folder: Path) -> Path:
    """Write three small documents."""
    for name, text in DOCUMENTS.items():
        path = folder / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / "corpus"


def write_result(name: str, result: dict[str, Any]) -> None:
    """Print a result and keep it beside this file."""
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "python": platform.python_version()}
    text = json.dumps(about | result, indent=2)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(text + "\n", "utf-8")
    print(text)
