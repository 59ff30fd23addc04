"""A Ray cluster of two nodes, both of which are this machine."""

import os
import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SKIES = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """Connects this process to two nodes with a processor each; gives the module ``ray``."""
    ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'aion-search[ray]'")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # Nodes make each other known by it; otherwise Ray writes one to the home folder.
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Workers must be able to import the fake skies by their names.
        patch.setenv("PYTHONPATH", f"{SKIES}:{Path.cwd()}:{os.environ.get('PYTHONPATH', '')}")
        node = {"num_cpus": 1, "object_store_memory": 100_000_000}
        cluster = Cluster(True, head_node_args=node | {"include_dashboard": False})
        cluster.add_node(**node)
        ray.init(cluster.address, log_to_driver=False, logging_level="WARNING")
        yield ray
        with warnings.catch_warnings():
            # Ray leaves its processes' handles to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            ray.shutdown()
            cluster.shutdown()
