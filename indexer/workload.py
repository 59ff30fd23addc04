"""What is to be encoded: so many objects of each modality, and what reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.errors import ManifestError
from indexer.manifests import ReleaseManifest, load_manifest
from indexer.plan import plan
from indexer.remote import RemoteRoot

__all__ = ["Portion", "divided", "workload"]


@dataclass(frozen=True)
class Portion:
    """Objects of one modality that one reader reads.

    Attributes
    ----------
    modality, reader
        Which.
    count
        How many; none is allowed.
    """

    modality: str
    reader: str
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"a count must not be negative, got {self.count}")


def workload(
    manifest: Path, count: int, root: Path | RemoteRoot | None = None
) -> tuple[Portion, ...]:
    """Divide a number of objects as the releases of a manifest do.

    Parameters
    ----------
    manifest
        Its file.
    count
        Objects in all.
    root
        Of the survey files. They are looked at only where a release states no published count, and
        counted by their sizes.

    Raises
    ------
    ManifestError
        If the manifest is wrong, a release is encoded by no AION-1, or counts are missing and
        there are no files.
    """
    # Whether there are files, and where, is of no account as long as counts are published.
    releases = load_manifest(manifest, root=root or Path()).releases
    for each in releases:
        _refuse_others(each)
    if any(each.count is None for each in releases):
        files = plan(load_manifest(manifest, root=root)).releases
        weights = [
            each.estimated_objects if each.release.count is None else each.release.count.objects
            for each in files
        ]
    else:
        weights = [each.count.objects for each in releases if each.count is not None]
    counts: dict[tuple[str, str], int] = {}
    for release, part in zip(releases, divided(count, weights), strict=True):
        key = release.modality, release.reader
        counts[key] = counts.get(key, 0) + part
    return tuple(Portion(*key, part) for key, part in counts.items())


def divided(count: int, weights: Sequence[int]) -> list[int]:
    """Return whole numbers in proportion to weights that add up to a count."""
    ends = np.cumsum([0, *weights]) / sum(weights)
    return [int(each) for each in np.diff(np.round(ends * count))]


def _refuse_others(release: ReleaseManifest) -> None:
    if release.vectors is not None:
        raise ManifestError(
            f"release {release.name} brings its vectors, and nothing of it is encoded; forecast a "
            "manifest without it"
        )
    if release.native is not None:
        raise ManifestError(
            f"release {release.name} is encoded by a tokenizer of spectra on any grid, of which "
            "no rate is kept; forecast a manifest without it"
        )
