"""Nodes and what encodes on them."""

import pytest

from indexer.fleet import Fleet, Node

NODE = Node(8, 64e9)


def test_what_encodes_is_counted_over_all_nodes() -> None:
    cores, gpus = Fleet(3, NODE, gpus=2), Fleet(3, NODE, "h200", 2)
    assert (cores.device, cores.devices, cores.cores) == ("cpu", 24, 24)
    assert (gpus.device, gpus.devices, gpus.cores) == ("h200", 6, 24)


def test_fleets_in_words() -> None:
    assert str(Fleet(1, Node(1, 2.5e9))) == "1 node of 1 core, 2.5 GB"
    assert str(Fleet(4, NODE, "h100", 8)) == "4 nodes of 8 cores, 64 GB, each with 8 h100"


@pytest.mark.parametrize(("nodes", "gpus"), [(0, 1), (1, 0)])
def test_nothing_is_no_fleet(nodes: int, gpus: int) -> None:
    with pytest.raises(ValueError, match=f"at least one node and one GPU, got {nodes}, {gpus}"):
        Fleet(nodes, NODE, "h200", gpus)
