"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["usable_cores"]

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """The cores that this process is not kept from: by its affinity, or its container's quota.

    Args:
        cgroup: the folder in which Linux tells the quota; it need not exist.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _quota(cgroup) or cores))


def _quota(cgroup: Path) -> int | None:
    """The cores whose time a container may use, rounded up; None where it may use all."""
    files = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))  # version 2, 1
    for names in files:
        try:
            told = " ".join((cgroup / name).read_text("ascii") for name in names)
            quota, period = map(int, told.split())
        except (OSError, ValueError):  # there is none, or it is "max"
            continue
        if quota > 0 and period > 0:
            return -(-quota // period)
    return None
