"""Baselines from a sky's own files: principal components, and plain means of the encoder's tokens.

The recipe of the components is that of the model card (`aion_encoder.training.components`), here of
the files that the index was built from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from aion_encoder.observations import Observation
from aion_encoder.training.components import (
    COMPONENTS,
    Components,
    fit_components,
    raw_features,
)
from aion_encoder.whitening import whitening
from indexer.evaluate.bench import Bench
from indexer.evaluate.pool import Pool
from indexer.index_file import Index
from indexer.manifests import Manifest
from indexer.readers import Record
from indexer.spaces import to_unit
from indexer.tools import EncoderLike, Tools

__all__ = [
    "FROZEN_MEAN",
    "PCA",
    "Features",
    "Sky",
    "components_of",
    "frozen_means_of",
    "whitened",
]

PCA = f"{COMPONENTS} principal components"
FROZEN_MEAN = "plain frozen mean"

FIT_AT_MOST = 2000
"""Observations that components are fitted on: their products are one matrix of 32 MB."""

_BATCH = 256


@dataclass(frozen=True, eq=False)
class Sky:
    """An index and the files that it was built from.

    Attributes
    ----------
    index
        Open.
    manifest
        What its files mean; the root is where they lie.
    tools
        How they are read.
    """

    index: Index
    manifest: Manifest
    tools: Tools

    def observations(self, release: str, modality: str) -> Iterator[tuple[int, Observation]]:
        """Give the observations of a release with their rows, in the order of the files."""
        entry = next(each for each in self.manifest.releases if each.name == release)
        segment = self.index.segment(release)
        for partition in self.tools.partitions(self.manifest, entry):
            for record in self.tools.read_partition(self.manifest, entry, partition):
                row = segment.row_of(record.object_id) if isinstance(record, Record) else None
                if row is None or not isinstance(record, Record):
                    continue
                for observation in record.observations:
                    if observation.modality == modality:
                        yield row, observation


@dataclass(frozen=True, eq=False)
class Features:
    """A baseline: unit vectors of every object, looked up by row.

    Attributes
    ----------
    values
        By release and modality one row an object; not finite where there is none.
    across
        Whether vectors of different releases can be compared.
    """

    values: Mapping[tuple[str, str], np.ndarray[Any, Any]]
    across: bool

    def __call__(self, pool: Pool) -> Float64[np.ndarray, "n d"] | None:
        """Return vectors of the objects of a pool, whose distance ranks as their cosine does."""
        if len(pool.releases) > 1 and not self.across:
            return None
        parts = [self.values.get((release, pool.modality)) for release in pool.releases]
        known = [part for part in parts if part is not None]
        if not known or len(known) < len(parts):
            return None
        found = np.concatenate(
            [part[rows] for part, rows in zip(known, pool.rows.values(), strict=True)]
        ).astype(np.float64)
        lacking = ~np.isfinite(found).all(axis=1)
        found[lacking] = 0.0
        return np.asarray(to_unit(found), np.float64)


def components_of(
    sky: Sky, bench: Bench, release: str, modality: str, cache: Path
) -> tuple[Components, Float32[np.ndarray, "n c"]]:
    """Fit components outside the test cells of a release, and give those of every object.

    Parameters
    ----------
    cache
        Folder where they are kept for the next time, under the name of the index.

    Returns
    -------
    The components, and one row an object; NaN without an observation.
    """
    names = [
        cache / f"pca-{sky.index.info.index_id}-{release}-{modality}-{part}.npy"
        for part in ("mean", "basis", "values")
    ]
    if all(name.exists() for name in names):
        mean, basis, values = (np.load(name, allow_pickle=False) for name in names)
        return Components(mean, basis), values
    segment = sky.index.segment(release)
    rows = segment.rows_in(modality, modality)
    test = bench.test_cells(np.asarray(segment.column("healpix_29"), np.int64)[rows])
    others = rows[~test] if (~test).sum() > 1 else rows
    chosen = set(bench.picked(others, FIT_AT_MOST).tolist())
    sample = {
        row: raw_features(observation)
        for row, observation in sky.observations(release, modality)
        if row in chosen
    }
    components = fit_components(np.stack([sample[row] for row in sorted(sample)]))
    values = np.full((len(segment), components.basis.shape[1]), np.nan, np.float32)
    for batch in _batches(sky.observations(release, modality)):
        features = np.stack([raw_features(observation) for _, observation in batch])
        values[[row for row, _ in batch]] = components.apply(features)
    cache.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, (components.mean, components.basis, values), strict=True):
        np.save(name, array, allow_pickle=False)
    return components, values


def frozen_means_of(
    sky: Sky, release: str, modality: str, encoder: EncoderLike, cache: Path
) -> Float32[np.ndarray, "n dim"]:
    """Return raw vectors of every object of a release by another encoder than the index's.

    Parameters
    ----------
    cache
        Folder where they are kept for the next time, under the names of index and encoder.

    Returns
    -------
    One row an object; NaN without an observation, or where it is refused.
    """
    digest, index_id = encoder.identity.digest, sky.index.info.index_id
    name = cache / f"frozen-{digest}-{index_id}-{release}-{modality}.npy"
    if name.exists():
        kept: np.ndarray[Any, Any] = np.load(name, allow_pickle=False)
        return kept
    width = encoder.identity.vector_dim(modality)
    values = np.full((len(sky.index.segment(release)), width), np.nan, np.float32)
    for batch in _batches(sky.observations(release, modality)):
        encoded = encoder.encode([(observation,) for _, observation in batch])
        values[[row for row, _ in batch]] = encoded.vectors[modality]
    cache.mkdir(parents=True, exist_ok=True)
    np.save(name, values, allow_pickle=False)
    return values


def whitened(
    vectors: Mapping[str, Float32[np.ndarray, "n dim"]], keep: int
) -> dict[str, Float32[np.ndarray, "n kept"]]:
    """Whiten raw vectors of all releases at once, as a space of an index is.

    Parameters
    ----------
    vectors
        By release; rows that are not finite stay so and have no say.
    keep
        Dimensions at most.
    """
    every = np.concatenate(list(vectors.values()))
    mean, projection = whitening(every[np.isfinite(every).all(axis=1)], keep)
    return {
        name: np.asarray((each - mean) @ projection, np.float32) for name, each in vectors.items()
    }


def _batches(
    observations: Iterator[tuple[int, Observation]],
) -> Iterator[list[tuple[int, Observation]]]:
    batch = []
    for each in observations:
        batch.append(each)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
