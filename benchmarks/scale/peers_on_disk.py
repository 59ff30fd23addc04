"""LanceDB, and the embedded test modes of Qdrant and Milvus."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scale.data import Data, K
from benchmarks.scale.measuring import Search

__all__ = [
    "build_lancedb",
    "build_milvus",
    "build_qdrant",
    "open_lancedb",
    "open_milvus",
    "open_qdrant",
]

REFINED = 40
"""LanceDB ranks so many times the neighbours wanted again, with the vectors as they were given."""

_NAME = "vectors"
_BLOCK = 20_000
_INSERT = 1_000


def _lists(count: int) -> int:
    return int(2 ** round(math.log2(math.sqrt(count))))


def build_lancedb(data: Data, folder: Path) -> Mapping[str, float]:
    """Write a table, and an index of product codes of it."""
    import lancedb
    import pyarrow as pa

    vectors = data.vectors()
    schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), data.dim))])

    def batches() -> Any:
        for start in range(0, data.count, _BLOCK):
            block = vectors[start : start + _BLOCK].astype(np.float32)
            column = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), data.dim)
            rows = pa.array(np.arange(start, start + len(block)))
            yield pa.record_batch([rows, column], schema=schema)

    table = lancedb.connect(str(folder / "lance")).create_table(
        _NAME, data=pa.RecordBatchReader.from_batches(schema, batches()), schema=schema
    )
    lists, codes = _lists(data.count), data.dim // 8
    table.create_index(
        metric="cosine", num_partitions=lists, num_sub_vectors=codes, index_type="IVF_PQ"
    )
    return {"lists": lists, "codes": codes, "refined": REFINED}


def open_lancedb(_: Data, folder: Path) -> Search:
    """Open the table."""
    import lancedb

    table = lancedb.connect(str(folder / "lance")).open_table(_NAME)

    def search(queries: np.ndarray[Any, Any], setting: int) -> np.ndarray[Any, Any]:
        found = np.full((len(queries), K), -1, np.int64)
        for number, query in enumerate(queries):
            asked = table.search(query).distance_type("cosine").nprobes(setting)
            answer = asked.refine_factor(REFINED).select(["id", "_distance"]).limit(K).to_arrow()
            found[number, : len(answer)] = answer["id"].to_numpy()
        return found

    return search


def build_qdrant(data: Data, folder: Path) -> Mapping[str, float]:
    """Write a collection; the local mode compares every vector."""
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder / "qdrant"))
    params = models.VectorParams(size=data.dim, distance=models.Distance.DOT)
    client.create_collection(_NAME, vectors_config=params)
    vectors = data.vectors()
    for start in range(0, data.count, _INSERT):
        block = vectors[start : start + _INSERT].astype(np.float32)
        ids = list(range(start, start + len(block)))
        client.upsert(_NAME, points=models.Batch(ids=ids, vectors=block.tolist()))
    client.close()
    return {}


def open_qdrant(_: Data, folder: Path) -> Search:
    """Read the collection."""
    from qdrant_client import QdrantClient

    client = QdrantClient(path=str(folder / "qdrant"))

    def search(queries: np.ndarray[Any, Any], _: int) -> np.ndarray[Any, Any]:
        found = np.full((len(queries), K), -1, np.int64)
        for number, query in enumerate(queries):
            points = client.query_points(_NAME, query=query.tolist(), limit=K).points
            found[number, : len(points)] = [point.id for point in points]
        return found

    return search


def build_milvus(data: Data, folder: Path) -> Mapping[str, float]:
    """Write a collection with an index of 8-bit lists."""
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(str(folder / "milvus.db"))
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=data.dim)
    lists = _lists(data.count)
    params = client.prepare_index_params()
    params.add_index("vector", index_type="IVF_SQ8", metric_type="IP", params={"nlist": lists})
    client.create_collection(_NAME, schema=schema)
    vectors = data.vectors()
    for start in range(0, data.count, _INSERT):
        block = vectors[start : start + _INSERT].astype(np.float32)
        client.insert(
            _NAME, [{"id": start + at, "vector": each.tolist()} for at, each in enumerate(block)]
        )
    client.flush(_NAME)
    client.create_index(_NAME, params)
    client.close()
    return {"lists": lists}


def open_milvus(_: Data, folder: Path) -> Search:
    """Open the collection."""
    from pymilvus import MilvusClient

    client = MilvusClient(str(folder / "milvus.db"))
    client.load_collection(_NAME)

    def search(queries: np.ndarray[Any, Any], setting: int) -> np.ndarray[Any, Any]:
        params = {"params": {"nprobe": setting}}
        answers = client.search(_NAME, data=queries.tolist(), limit=K, search_params=params)
        found = np.full((len(queries), K), -1, np.int64)
        for number, answer in enumerate(answers):
            found[number, : len(answer)] = [hit["id"] for hit in answer]
        return found

    return search
