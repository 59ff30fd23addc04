"""The systems that are compared, behind one door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scale import peers_of_graphs, peers_on_disk, product
from benchmarks.scale.data import Data
from benchmarks.scale.measuring import Search

__all__ = ["SYSTEMS", "System"]


@dataclass(frozen=True)
class System:
    """A library with one configuration.

    Attributes
    ----------
    title
        As a table names it.
    kind
        ``ours``; ``graph in memory``; ``on disk``, which serves what is larger than memory; or
        ``test mode``, the embedded stand-in of a server.
    packages
        Distributions whose versions are stated.
    settings
        Of growing effort: lists or partitions to visit, or the width of the search of a graph.
    most
        Vectors that it is given at most: it could not be measured with more in the time there is.
    build
        Makes everything below a folder from the vectors; what it returns is kept beside the times.
    open
        Opens it from the folder.
    """

    title: str
    kind: str
    packages: tuple[str, ...]
    settings: tuple[int, ...]
    most: int
    build: Callable[[Data, Path], Mapping[str, float]]
    open: Callable[[Data, Path], Search]


def _ours(recipe: str, title: str) -> System:
    def build(data: Data, folder: Path) -> Mapping[str, float]:
        return product.build(data, folder, recipe)

    def open_(data: Data, folder: Path) -> Search:
        return product.opened(data, folder).search

    steps = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    return System(title, "ours", ("faiss-cpu",), steps, 10**9, build, open_)


_GRAPH = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_HUNDRED_THOUSAND = 100_000

SYSTEMS: Mapping[str, System] = {
    "ivf_sq8": _ours("ivf_sq8", "8-bit lists"),
    "ivf_pq4": _ours("ivf_pq4", "4-bit product codes"),
    "hnswlib": System(
        "hnswlib",
        "graph in memory",
        ("hnswlib",),
        _GRAPH,
        10**9,
        peers_of_graphs.build_hnswlib,
        peers_of_graphs.open_hnswlib,
    ),
    "usearch": System(
        "usearch, float16",
        "graph in memory",
        ("usearch",),
        _GRAPH,
        10**9,
        peers_of_graphs.build_usearch,
        peers_of_graphs.open_usearch,
    ),
    "lancedb": System(
        "LanceDB, IVF_PQ, refined",
        "on disk",
        ("lancedb",),
        (4, 8, 16, 32, 64, 128, 256),
        10**9,
        peers_on_disk.build_lancedb,
        peers_on_disk.open_lancedb,
    ),
    "qdrant": System(
        "Qdrant, local mode, exact",
        "test mode",
        ("qdrant-client",),
        (1,),
        20_000,
        peers_on_disk.build_qdrant,
        peers_on_disk.open_qdrant,
    ),
    "milvus": System(
        "Milvus Lite, IVF_SQ8",
        "test mode",
        ("milvus-lite", "pymilvus"),
        (16, 32, 64, 128),
        _HUNDRED_THOUSAND,
        peers_on_disk.build_milvus,
        peers_on_disk.open_milvus,
    ),
}
