"""Small files of vectors in every layout that the reader takes, and manifests of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from indexer.manifests import Manifest

DIM = 6
LAYOUTS = ("fixed lists", "lists", "tensors", "numbers", "array", "array and csv")


def sky(count: int, seed: int = 5) -> tuple[np.ndarray, dict[str, Any]]:
    """Return vectors, and the columns of their table."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, DIM)).astype(np.float32)
    table = {
        "object_id": [9_223_372_036_854_775_000 + number for number in range(count)],
        "ra": rng.uniform(0.0, 360.0, count),
        "dec": rng.uniform(-60.0, 60.0, count),
        "z": rng.uniform(0.0, 1.0, count),
    }
    return vectors, table


def write(
    folder: Path, layout: str, vectors: np.ndarray, table: dict[str, Any], stem: str = "a"
) -> str:
    """Write one file, with its table beside it where it is an array; return its name."""
    folder.mkdir(parents=True, exist_ok=True)
    if layout.startswith("array"):
        np.save(folder / f"{stem}.npy", vectors)
        if layout.endswith("csv"):
            pyarrow.csv.write_csv(pa.table(table), folder / f"{stem}.csv")
        else:
            pq.write_table(pa.table(table), folder / f"{stem}.parquet", row_group_size=7)
        return f"{stem}.npy"
    if layout == "numbers":
        # Out of order, so that only their numbers can tell.
        columns = {f"e_{number:02d}": vectors[:, number] for number in reversed(range(DIM))}
    else:
        columns = {"embedding": column(layout, vectors)}
    pq.write_table(pa.table({**columns, **table}), folder / f"{stem}.parquet", row_group_size=7)
    return f"{stem}.parquet"


def column(layout: str, vectors: np.ndarray) -> pa.Array:
    """Return vectors as a column of lists."""
    if layout == "tensors":
        return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(vectors))
    if layout == "lists":
        return pa.array(vectors.tolist(), pa.list_(pa.float64()))
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def manifest(root: Path, layout: str = "fixed lists", **changes: Any) -> Manifest:
    """Return a manifest of one release with such files."""
    where: dict[str, str] = {"column": "e_{}" if layout == "numbers" else "embedding"}
    files = ["*.parquet"]
    if layout.startswith("array"):
        where = {"table": "{stem}." + ("csv" if layout.endswith("csv") else "parquet")}
        files = ["*.npy"]
    encoder = {"repository": "someone/aion", "revision": "v1", "pooling": "mean", "dim": DIM}
    release = {
        "name": "brought",
        "title": "Brought",
        "survey": "legacysurvey",
        "reader": "vectors",
        "files": files,
        "columns": {"redshift": "z"},
        "vectors": {"modality": "image", **where, "encoder": encoder},
        **changes,
    }
    return Manifest.model_validate({"name": "m", "title": "M", "root": root, "releases": [release]})
