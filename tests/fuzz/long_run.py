"""Fuzz every target for long, and write what it came to: `python long_run.py [factor]`.

Writes `long_run.json` beside itself; a finding's input is kept in the folder that is named, and
the exit status is 1. Put `nice -n 19` before it: it takes six minutes of one core.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
RUNS = 120_000
# Those that parse much, or write files, get fewer.
SLOW = {"front_matter", "ignore_files", "markdown", "plain", "settings_file", "splitting"}
SLOW_RUNS = 30_000
# Each is a request to a server with a model.
ASKING = {"http_requests"}
ASKING_RUNS = 10_000


def main() -> None:
    """Run all targets, one after another."""
    sys.path[:0] = [str(HERE), str(HERE.parents[1])]
    from targets import TARGETS

    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    runs = {name: int(factor * _runs(name)) for name in TARGETS}
    kept = tempfile.mkdtemp(prefix="qa-findings-")
    found = {name: _fuzz(name, runs[name], kept) for name in TARGETS}
    findings = sum(not one["finished"] for one in found.values())
    report = {
        "executions": sum(one["executions"] for one in found.values()),
        "findings": findings,
        "python": sys.version.split()[0],
        "atheris": version("atheris"),
        "targets": found,
    }
    (HERE / "long_run.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    sys.stdout.write(f"{report['executions']:,} executions, {findings} findings ({kept})\n")
    sys.exit(findings > 0)


def _runs(name: str) -> int:
    if name in ASKING:
        return ASKING_RUNS
    return SLOW_RUNS if name in SLOW else RUNS


def _fuzz(name: str, runs: int, kept: str) -> dict[str, int | float | bool]:
    started = time.monotonic()
    done = subprocess.run(
        [
            sys.executable,
            HERE / "fuzz.py",
            name,
            f"-runs={runs}",
            f"-artifact_prefix={kept}/{name}-",
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[:2])},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    counts = [int(one) for one in re.findall(r"^#(\d+)", done.stderr, re.MULTILINE)]
    covered = [int(one) for one in re.findall(r"cov: (\d+)", done.stderr)]
    if done.returncode:
        sys.stderr.write(done.stderr[-3000:])
    result = {
        "executions": max(counts, default=0),
        "edges": max(covered, default=0),
        "seconds": round(time.monotonic() - started, 1),
        "finished": done.returncode == 0,
    }
    sys.stderr.write(f"{name}: {result}\n")
    return result


if __name__ == "__main__":
    main()
