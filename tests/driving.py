"""Runs a command of `qa` with small batches and commits, so that tests can stop it between two."""

from __future__ import annotations

import qa.indexing.apply
import qa.indexing.on_ray.executor
from qa.cli import main

qa.indexing.on_ray.executor.PASSAGES = 4
qa.indexing.apply.COMMIT_PASSAGES = 8

if __name__ == "__main__":
    main()
