"""A simulated sky in which the truth about every object is planted, and an index of it.

2,600 sources, one thousandth of a degree apart in a row. Two numbers decide the BP/RP coefficients
of each; its redshift follows one of them, with a scatter that grows with the other, and its class
is "red" or "blue" by a smooth chance. Every second source is unlabelled in the index; `truth_of`
knows it all the same. `planted-plain` has coefficients of every source without any label;
`planted-labels` sees every fifth source again, with a label.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aion_encoder.fake import open_fake_encoder
from aion_encoder.observations import GaiaXp
from indexer.build import build
from indexer.manifests import Manifest, ReleaseManifest
from indexer.readers.records import Partition, Record, Reject, standard_columns
from indexer.tools import Tools

SOURCES = 2600


class Truth(NamedTuple):
    """What is planted."""

    first: np.ndarray
    second: np.ndarray
    redshift: np.ndarray
    red: np.ndarray


@cache
def truth() -> Truth:
    """Return the truth about all sources."""
    rng = np.random.default_rng(31)
    first, second = rng.uniform(0.0, 1.0, (2, SOURCES))
    scatter = 0.01 + 0.09 * second
    redshift = 0.3 + 0.5 * first + scatter * rng.standard_normal(SOURCES)
    return Truth(first, second, redshift, rng.uniform(size=SOURCES) < first)


def coefficients(first: float, second: float, seed: object) -> GaiaXp:
    """Return coefficients that turn smoothly with two numbers."""
    order = np.arange(55)
    noise = np.random.default_rng(seed).normal(0.0, 0.5, (2, 55))
    angle = np.array([2.2 * first, 2.2 * second])
    bp = 300.0 * np.cos(angle[0] + 0.11 * order) + noise[0]
    rp = 300.0 * np.cos(angle[1] - 0.17 * order) + noise[1]
    return GaiaXp(bp, rp)


def labelled(source: int) -> bool:
    """Say whether the redshift and class of a source stand in the catalogue."""
    return source % 2 == 0


def _read(
    manifest: Manifest, release: ReleaseManifest, partition: Partition
) -> Iterator[Record | Reject]:
    known = truth()
    plain = release.name == "planted-plain"
    for source in range(0, SOURCES, 1 if plain else 5):
        label = labelled(source) and not (plain and source % 5 == 0)
        yield Record(
            object_id=f"{'P' if plain else 'L'}{source:04d}",
            ra_deg=40.0 + 0.001 * source,
            dec_deg=0.0,
            observations=(
                coefficients(known.first[source], known.second[source], [source, plain]),
            ),
            columns=standard_columns(
                redshift=float(known.redshift[source]) if label else float("nan"),
                redshift_ok=label,
                object_class=("red" if known.red[source] else "blue") if label else "",
            ),
            source_file=partition.files[0],
            source_row=source,
        )


def build_planted_index(folder: Path) -> Path:
    """Build the index and return its folder."""
    root = folder / "files"
    root.mkdir()
    releases = []
    for name in ("planted-plain", "planted-labels"):
        (root / f"{name}.data").write_text(name)
        releases.append(
            ReleaseManifest(
                name=name,
                title=f"Simulated {name}",
                survey="gaia",
                reader="gaia_xp",
                files=(f"{name}.data",),
                simulated=True,
            )
        )
    manifest = Manifest(
        name="planted", title="Planted sky (simulated)", root=root, releases=tuple(releases)
    )
    tools = Tools(
        open_encoder=open_fake_encoder,
        partitions=lambda _, release: [Partition(release.name, release.files[0], release.files)],
        read_partition=_read,
        ignored_files=lambda _: [],
    )
    build(manifest, folder / "index", weights="fake", tools=tools)
    return folder / "index"
