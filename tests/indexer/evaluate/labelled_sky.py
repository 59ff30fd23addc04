"""A fake sky whose labels follow from the very numbers that its observations are drawn from."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fake_sky import FAKE_TOOLS, SURVEYS, observation, read_fake_partition

from indexer.manifests import Manifest, ReleaseManifest
from indexer.readers.records import Partition, Record, Reject
from indexer.tools import Tools

SOURCES = 320


def labels_of(latent: list[float]) -> dict[str, object]:
    """Return the labels of a source."""
    lat = np.asarray(latent)
    return {
        "z": round(0.5 + 0.2 * float(np.tanh(lat[0])), 5),
        "object_class": "spiral" if lat[1] > 0 else "elliptical",
        "spectral_class": "STAR" if lat[5] > 1.0 else "GALAXY",
        "votes_spiral": round(float(1.0 / (1.0 + np.exp(-4.0 * lat[2]))), 4),
        "votes_merger": round(float(1.0 / (1.0 + np.exp(2.0 - 4.0 * lat[3]))), 4),
        "is_lens": int(lat[4] > 0.9),
        "mag_r": round(18.0 + 0.1 * float(lat[5]), 4),
        "stellar_mass": round(10.0 + float(lat[0]), 5),
        "temperature_k": round(5000.0 + 500.0 * float(lat[1]), 2),
    }


def entries(root: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Give release and entry of every object of the files."""
    for release in SURVEYS:
        for path in sorted((root / release).glob("healpix=*/objects.hdf5")):
            for entry in json.loads(path.read_text()):
                yield release, entry


def write_labels(root: Path, path: Path) -> Path:
    """Write labels of all objects of a fake sky, by release and id."""
    rows = []
    for release, entry in entries(root):
        labels = labels_of(entry["latent"])  # type: ignore[arg-type]
        rows.append({"release": release, "object_id": entry["id"], **labels})
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _read_with_fluxes(
    manifest: Manifest, release: ReleaseManifest, partition: Partition
) -> Iterator[Record | Reject]:
    for each in read_fake_partition(manifest, release, partition):
        if isinstance(each, Record) and release.survey == "legacysurvey":
            flux = each.observations[0].flux.sum(axis=(1, 2)) * 10.0
            # The bands of a picture differ by a factor alone; two halves of it make a colour.
            half = each.observations[0].flux[0, :, :48].sum() * 10.0
            columns = {
                **each.columns,
                "flux_g": float(half),
                "flux_r": float(flux[1]),
                "flux_z": float("nan") if each.object_id.endswith("7") else float(flux[3]),
                "shape_r": float(flux[0]) / 40.0,
                "flux_ivar_r": 1.0,
            }
            yield Record(
                each.object_id,
                each.ra_deg,
                each.dec_deg,
                each.observations,
                columns,
                each.source_file,
                each.source_row,
            )
        else:
            yield each


LABELLED_TOOLS = Tools(open_encoder=FAKE_TOOLS.open_encoder, read_partition=_read_with_fluxes)

__all__ = ["LABELLED_TOOLS", "SOURCES", "entries", "labels_of", "observation", "write_labels"]
