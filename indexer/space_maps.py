"""Two-dimensional maps of spaces: a sample of the objects, so that like lies beside like.

Landmarks are laid out by t-SNE (van der Maaten & Hinton 2008, JMLR 9, 2579; scikit-learn's
Barnes-Hut version), every other object of the sample at the mean of its nearest landmarks. Of few
objects the two principal components are taken. Distances across a map mean nothing, as always with
such maps; the search compares in the whole space.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int64

from indexer.arrow_tables import numpy_column, read_parquet, write_parquet
from indexer.calibration import Side
from indexer.spaces import to_unit
from indexer.vectors import Vectors

__all__ = ["MOST_OBJECTS", "SpaceMap", "make_map", "read_map", "write_map"]

MOST_OBJECTS = 50_000
"""In the sample of a space: what a browser draws at once."""

LANDMARKS = 1_500
FEWEST_LANDMARKS = 600
"""Below it principal components: t-SNE of so few shows its own noise."""

PERPLEXITY = 30.0
NEAREST = 5
"""Landmarks that place an object."""

_SEED = 1
_BLOCK = 4_096


@dataclass(frozen=True, eq=False)
class SpaceMap:
    """Where the objects of a sample lie.

    Attributes
    ----------
    releases
        Names; `release` counts in them.
    release, row
        Of each object.
    x, y
        Between -1 and 1.
    method
        ``t-SNE`` or ``principal components``.
    objects
        How many the space holds.
    """

    releases: tuple[str, ...]
    release: Int64[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]
    x: Float32[np.ndarray, " n"]
    y: Float32[np.ndarray, " n"]
    method: str
    objects: int

    def __len__(self) -> int:
        return len(self.row)


def make_map(
    vectors: Mapping[Side, Vectors], rows: Mapping[Side, Int64[np.ndarray, " n"] | None]
) -> SpaceMap | None:
    """Lay out a sample of the objects of a space; None if it holds fewer than three.

    The same vectors give the same map: the sample is picked evenly in the order of rows, and one
    thread lays it out.

    Parameters
    ----------
    vectors
        Unit vectors by release and modality.
    rows
        Row of each vector; None if every row has one.
    """
    total = sum(map(len, vectors.values()))
    if total < 3:
        return None
    names = tuple(sorted({release for release, _ in vectors}))
    release, row, sample = [], [], []
    for side, of_side in sorted(vectors.items()):
        count = len(of_side)
        wanted = min(count, max(1, count * MOST_OBJECTS // total))
        chosen = np.unique(np.linspace(0, count - 1, wanted).astype(np.int64))
        of_row = rows[side]
        row.append(chosen if of_row is None else of_row[chosen])
        release.append(np.full(len(chosen), names.index(side[0])))
        sample.append(np.asarray(of_side[chosen], np.float32))
    points = to_unit(np.concatenate(sample).astype(np.float64)).astype(np.float32)
    placed, method = _laid_out(points)
    placed -= (placed.min(axis=0) + placed.max(axis=0)) / 2.0
    placed /= max(float(np.abs(placed).max()), 1e-12)
    return SpaceMap(
        names,
        np.concatenate(release),
        np.concatenate(row),
        placed[:, 0].astype(np.float32),
        placed[:, 1].astype(np.float32),
        method,
        total,
    )


def _laid_out(points: Float32[np.ndarray, "n dim"]) -> tuple[np.ndarray[Any, Any], str]:
    if len(points) < FEWEST_LANDMARKS:
        return _principal(points), "principal components"
    marks = np.unique(np.linspace(0, len(points) - 1, LANDMARKS).astype(np.int64))
    # Imported here: only builds lay out.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    layout = TSNE(perplexity=PERPLEXITY, init=_start(points[marks]), random_state=_SEED)
    # Several threads add up in another order each time.
    with threadpool_limits(1):
        of_marks = layout.fit_transform(points[marks].astype(np.float64)).astype(np.float64)
    placed = np.empty((len(points), 2))
    for first in range(0, len(points), _BLOCK):
        some = slice(first, first + _BLOCK)
        placed[some] = _by_landmarks(points[some], points[marks], of_marks)
    placed[marks] = of_marks
    return placed, "t-SNE"


def _principal(points: Float32[np.ndarray, "n dim"]) -> np.ndarray[Any, Any]:
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    first = axes[:, ::-1][:, :2]
    # Either sign is an axis: the one whose largest number is positive.
    signs = np.sign(np.take_along_axis(first, np.abs(first).argmax(axis=0)[None, :], axis=0))
    placed = centred @ (first * signs)
    return placed if placed.shape[1] == 2 else np.pad(placed, ((0, 0), (0, 1)))


def _start(points: Float32[np.ndarray, "n dim"]) -> np.ndarray[Any, Any]:
    """Return where t-SNE begins: at the principal components, as small as it wants them."""
    placed = _principal(points)
    return (placed / max(float(placed[:, 0].std()), 1e-12) * 1e-4).astype(np.float32)


def _by_landmarks(
    points: Float32[np.ndarray, "n dim"],
    marks: Float32[np.ndarray, "m dim"],
    of_marks: np.ndarray[Any, Any],
) -> np.ndarray[Any, Any]:
    """Return the mean of the nearest landmarks, nearer ones with more weight."""
    scores = points @ marks.T
    near = np.argpartition(-scores, NEAREST - 1, axis=1)[:, :NEAREST]
    apart = np.maximum(1.0 - np.take_along_axis(scores, near, axis=1).astype(np.float64), 1e-6)
    weights = 1.0 / apart
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("nk,nkd->nd", weights, of_marks[near]))


def write_map(found: SpaceMap, path: Path) -> None:
    """Write a map as a Parquet file."""
    names = pa.array([found.releases[code] for code in found.release.tolist()], pa.string())
    table = pa.table(
        {"release": names.dictionary_encode(), "row": found.row, "x": found.x, "y": found.y}
    )
    told = {"method": found.method, "objects": found.objects}
    write_parquet(table.replace_schema_metadata({"map": json.dumps(told)}), path)


def read_map(path: Path) -> SpaceMap:
    """Read a map.

    Raises
    ------
    IndexFormatError
        If the file is damaged.
    """
    table = read_parquet(path)
    told = json.loads((table.schema.metadata or {})[b"map"])
    names = table.column("release").to_pylist()
    releases = tuple(sorted(set(names)))
    codes = {name: code for code, name in enumerate(releases)}
    return SpaceMap(
        releases,
        np.array([codes[name] for name in names], np.int64),
        numpy_column(table, "row").astype(np.int64),
        numpy_column(table, "x"),
        numpy_column(table, "y"),
        str(told["method"]),
        int(told["objects"]),
    )
