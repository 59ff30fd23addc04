"""The machines of a forecast: nodes alike, and what encodes on each."""

import re
from dataclasses import dataclass

__all__ = ["Fleet", "Node", "parse_node"]

_NODE = re.compile(r"^\s*(\d+)\s*cores?\s*,\s*(\d+(?:\.\d+)?)\s*GB\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Node:
    """What an index is filled and served by.

    Attributes
    ----------
    cores
        Of its processor.
    memory_bytes
        All of it.
    """

    cores: int
    memory_bytes: float

    def __post_init__(self) -> None:
        if self.cores < 1 or self.memory_bytes <= 0:
            raise ValueError(
                f"a node has at least one core and some memory, got {self.cores} and "
                f"{self.memory_bytes}"
            )

    def __str__(self) -> str:
        return f"{self.cores} core{'s' * (self.cores > 1)}, {self.memory_bytes / 1e9:g} GB"


def parse_node(text: str) -> Node:
    """Read a node from text such as ``2 cores, 24 GB``.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = _NODE.match(text)
    if found is None:
        raise ValueError(f"a node is given as '2 cores, 24 GB', got {text!r}")
    return Node(int(found[1]), float(found[2]) * 1e9)


@dataclass(frozen=True)
class Fleet:
    """Nodes alike that read and encode; one of them puts the index together.

    Attributes
    ----------
    nodes
        How many.
    node
        Each of them.
    gpu
        Kind of its GPUs, as `rates.json` names it; empty where cores encode.
    gpus
        On each node; of no account where cores encode.
    """

    nodes: int
    node: Node
    gpu: str = ""
    gpus: int = 1

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.gpus < 1:
            raise ValueError(f"give at least one node and one GPU, got {self.nodes}, {self.gpus}")

    @property
    def device(self) -> str:
        """What encodes, as `rates.json` names it."""
        return self.gpu or "cpu"

    @property
    def cores(self) -> int:
        """Of all nodes: so many processes read."""
        return self.nodes * self.node.cores

    @property
    def devices(self) -> int:
        """How many encode: GPUs, or cores."""
        return self.nodes * self.gpus if self.gpu else self.cores

    def __str__(self) -> str:
        nodes = f"{self.nodes} node{'s' * (self.nodes > 1)} of {self.node}"
        return f"{nodes}, each with {self.gpus} {self.gpu}" if self.gpu else nodes
