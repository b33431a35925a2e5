"""A Ray cluster of two nodes on this machine; a line on stdin kills one, and the end both."""

from __future__ import annotations

import sys
from typing import Any

from ray.cluster_utils import Cluster

if __name__ == "__main__":
    sizes: dict[str, Any] = {
        "num_cpus": 1,
        "object_store_memory": 80 * 2**20,
        "include_dashboard": False,
    }
    cluster: Any = Cluster(initialize_head=True, connect=False, head_node_args=sizes)
    second = cluster.add_node(**sizes)
    print(cluster.address, flush=True)  # noqa: T201 - a program
    sys.stdin.readline()
    cluster.remove_node(second, allow_graceful=False)
    sys.stdin.readline()
    cluster.shutdown()
