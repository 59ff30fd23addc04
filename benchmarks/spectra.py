"""Measure the universal spectral tokenizer; write ``spectra.md`` and ``spectra.json``.

    python -m benchmarks.spectra FOLDER [--docs docs] [--weights spectra-demo] [--sources 4000]

Simulated sources that no training saw, each by five instruments on their native grids, are kept in
FOLDER with their vectors. The second half asks and is asked; probes and baselines are fitted on the
first. `make spectra` runs it.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from aion_encoder import open_encoder
from aion_encoder.errors import ObservationError
from aion_encoder.identity import Pooling
from aion_encoder.observations import Spectrum
from aion_encoder.training.native import NativeRow, NativeSky, native_sky, pack_native
from aion_encoder.training.universal_spectra.resampling import coarser, finer
from aion_encoder.universal_spectra import (
    PAPER,
    UniversalSpectraEncoder,
    UstConfig,
    open_universal_encoder,
)
from aion_encoder.universal_spectra.batches import stack
from aion_encoder.universal_spectra.buckets import buckets
from aion_encoder.universal_spectra.encoder import TOKEN_BUDGET
from aion_encoder.universal_spectra.pooling import MeanPool
from aion_encoder.universal_spectra.preparation import PreparedSpectrum
from aion_encoder.universal_spectra.taught import prepare_taught
from benchmarks.search_latency import machine
from benchmarks.spectra_baselines import CommonGrid, on_common_grid
from benchmarks.spectra_measures import class_accuracy, overlap_at, partners, ridge_probe
from benchmarks.spectra_page import page
from benchmarks.spectra_paper_size import devices_at_hand, paper_rates
from benchmarks.spectra_rate import rates
from benchmarks.spectra_reconstruction import reconstruction

INSTRUMENTS = ("sdss", "desi", "galah", "apogee", "prism")
SEED = 9002
CHUNK = 500

PAIRS = (
    ("sdss", "desi"),
    ("desi", "sdss"),
    ("sdss", "prism"),
    ("prism", "sdss"),
    ("desi", "galah"),
    ("galah", "apogee"),
    ("desi", "apogee"),
)
"""Who asks whom. The last two pairs share no wavelength; the prism was never trained on."""

AION = ("sdss", "desi")
"""Instruments whose spectra AION-1 takes."""

STELLAR = {"temperature": "temperature_k", "gravity": "logg", "metallicity": "feh"}


def held_out(folder: Path, sources: int) -> NativeSky:
    """Simulate held-out sources, or read what is there."""
    (folder / "held").mkdir(parents=True, exist_ok=True)
    paths = []
    for first in range(0, sources, CHUNK):
        last = min(first + CHUNK, sources)
        path = folder / "held" / f"{first:05d}-{last:05d}.npz"
        if not path.exists():
            click.echo(f"simulating sources {first} to {last}", err=True)
            pack_native(path, SEED, first, last, INSTRUMENTS)
        paths.append(path)
    return native_sky(paths)


def kept(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return what an earlier call made, or make it."""
    if not path.exists():
        click.echo(f"making {path.name}", err=True)
        partial = path.with_name(path.name + ".tmp.npy")
        np.save(partial, make())
        partial.replace(path)
    return np.asarray(np.load(path))


def vectors_of(
    encoder: UniversalSpectraEncoder,
    sky: NativeSky,
    instrument: str,
    rows: np.ndarray,
    change: Callable[[NativeRow], NativeRow] | None = None,
) -> np.ndarray:
    """Return the mean tokens of some spectra beside what the retrieval head makes of them.

    Both come of one pass; zeros where a spectrum is refused.
    """
    model, mean = encoder.model, MeanPool()
    width = model.config.dim
    found = np.zeros((len(rows), width + (model.config.head_dim or width)), np.float32)
    for first in range(0, len(rows), 100):
        ready: dict[int, PreparedSpectrum] = {}
        for place in range(first, min(first + 100, len(rows))):
            row = sky.spectrum(instrument, int(rows[place]))
            try:
                ready[place] = prepare_taught(
                    (row if change is None else change(row)).spectrum, model.config.taught_angstrom
                )
            except ObservationError:
                continue
        places = list(ready)
        for batch in buckets([ready[place].tokens for place in places], TOKEN_BUDGET["cpu"]):
            some = [places[number] for number in batch]
            with torch.inference_mode():
                tokens = model.encode(stack([ready[place] for place in some]))
                means = mean(tokens)
                learned = means if model.head is None else model.aligned(model.pooled(tokens))
            found[some] = torch.cat([means, learned], dim=1).numpy()
    return found


def aion_vectors(sky: NativeSky, instrument: str, pooling: Pooling | None) -> np.ndarray:
    """Return vectors of the bundled AION-1 of spectra within its grid; zeros where refused."""
    encoder = open_encoder("demo", pooling=pooling)
    found = []
    for part in np.array_split(np.arange(len(sky)), max(1, len(sky) // 50)):
        spectra = []
        for row in part:
            native_row = sky.spectrum(instrument, int(row))
            spectra.append(
                Spectrum(
                    flux=native_row.flux,
                    ivar=native_row.ivar,
                    wavelength_angstrom=native_row.wavelength_angstrom,
                    survey=instrument,
                    mask=native_row.mask,
                )
            )
        vectors = encoder.encode([(each,) for each in spectra]).vectors["spectrum"]
        found.append(np.nan_to_num(np.asarray(vectors, np.float32)))
    return np.concatenate(found)


def probes(
    sky: NativeSky, vectors: Mapping[str, np.ndarray], fit: np.ndarray, test: np.ndarray
) -> dict[str, Any]:
    """Return what linear probes on vectors of each instrument tell, on the test half."""
    labels = sky.labels
    classes = labels["object_class"].to_numpy(str)
    spectral = labels["spectral_class"].to_numpy(str)
    out: dict[str, Any] = {}
    for instrument, each in vectors.items():
        row: dict[str, float] = {
            "class_accuracy": class_accuracy(each[fit], spectral[fit], each[test], spectral[test])
        }
        star = spectral == "STAR"
        for name, column in STELLAR.items():
            truth = labels[column].to_numpy(float)
            if name == "temperature":
                truth = np.log10(np.maximum(truth, 1.0))
            known = star & np.isfinite(truth) & (classes != "white_dwarf")
            inner, outer = fit[known[fit]], test[known[test]]
            told = ridge_probe(each[inner], truth[inner], each[outer])
            off = told - truth[outer]
            row[f"{name}_r2"] = float(1.0 - (off**2).mean() / truth[outer].var())
            row[f"{name}_scatter"] = float(1.4826 * np.median(np.abs(off - np.median(off))))
        far = ~star
        depth = np.log10(1.0 + np.maximum(labels["z"].to_numpy(float), 0.0))
        inner, outer = fit[far[fit]], test[far[test]]
        told = ridge_probe(each[inner], depth[inner], each[outer])
        off = told - depth[outer]
        row["redshift_r2"] = float(1.0 - (off**2).mean() / depth[outer].var())
        out[instrument] = row
    return out


def measure(
    folder: Path,
    weights: str,
    sources: int,
    *,
    aion: bool = True,
    resampled: int = 500,
    reconstructed: int = 200,
    paper: UstConfig = PAPER,
) -> dict[str, Any]:
    """Measure everything.

    Parameters
    ----------
    folder
        Where sources and vectors are kept.
    weights, sources
        Of the command.
    aion
        Whether the bundled AION-1 stands beside.
    resampled, reconstructed
        Sources whose spectra are resampled, and given back.
    paper
        Sizes of which the rate is measured with random weights, too.
    """
    sky = held_out(folder, sources)
    encoder = open_universal_encoder(weights, pooling=Pooling.MEAN_ENCODER)
    cache = folder / f"vectors-{encoder.identity.digest}"
    cache.mkdir(exist_ok=True)
    everyone = np.arange(len(sky))
    fit, test = everyone[: len(sky) // 2], everyone[len(sky) // 2 :]
    both = {
        name: kept(cache / f"{name}.npy", lambda n=name: vectors_of(encoder, sky, n, everyone))
        for name in INSTRUMENTS
    }
    width = encoder.model.config.dim
    means = {name: each[:, :width] for name, each in both.items()}
    learned = {name: each[:, width:] for name, each in both.items()}
    grids = {
        name: kept(
            folder / f"grid-{name}-{sources}.npy",
            lambda n=name: np.stack(
                [on_common_grid(sky.spectrum(n, int(row))) for row in everyone]
            ).astype(np.float16),
        ).astype(np.float32)
        for name in INSTRUMENTS
    }
    components = CommonGrid({name: each[fit] for name, each in grids.items()})
    spaces: dict[str, dict[str, np.ndarray]] = {
        "learned": learned,
        "mean": means,
        "baseline": {name: components(each) for name, each in grids.items()},
    }
    if aion:
        spaces["aion"] = {
            name: kept(
                folder / f"aion-{name}-{sources}.npy", lambda n=name: aion_vectors(sky, n, None)
            )
            for name in AION
        }
    cross: dict[str, Any] = {}
    for one, other in PAIRS:
        row: dict[str, Any] = {}
        for space, vectors in spaces.items():
            if one in vectors and other in vectors:
                row[space] = partners(vectors[one][test], vectors[other][test], seed=0)
        cross[f"{one}_to_{other}"] = row
    some = test[:resampled]
    resampling: dict[str, Any] = {}
    for name in AION:
        for word, change in (("coarser", coarser), ("finer", finer)):
            changed = kept(
                cache / f"{name}-{word}.npy",
                lambda n=name, c=change: vectors_of(encoder, sky, n, some, c),
            )
            gridded = np.stack([on_common_grid(change(sky.spectrum(name, int(r)))) for r in some])
            resampling[f"{name} {word}"] = {
                "learned": overlap_at(
                    learned[name][some], changed[:, width:], learned[name][test], 10
                ),
                "mean": overlap_at(means[name][some], changed[:, :width], means[name][test], 10),
                "baseline": overlap_at(
                    spaces["baseline"][name][some],
                    components(gridded),
                    spaces["baseline"][name][test],
                    10,
                ),
            }
    return {
        "weights": encoder.identity.repository,
        "digest": encoder.identity.digest,
        "sources": len(sky),
        "gallery": len(test),
        "seed": SEED,
        "machine": machine(),
        "probes": {space: probes(sky, vectors, fit, test) for space, vectors in spaces.items()},
        "cross_instrument": cross,
        "resampling": resampling,
        "reconstruction": reconstruction(encoder, SEED, test[:reconstructed]),
        "rate": rates(encoder, sky),
        "paper": {name: paper_rates(name, config=paper) for name in devices_at_hand()},
    }


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--docs", type=click.Path(path_type=Path), default=Path("docs"), show_default=True)
@click.option("--weights", default="spectra-demo", show_default=True)
@click.option("--sources", default=4000, show_default=True)
def main(folder: Path, docs: Path, weights: str, sources: int) -> None:
    """Measure the universal spectral tokenizer on simulated native spectra, kept in FOLDER."""
    measured = measure(folder, weights, sources)
    text, keys = page(measured)
    (docs / "spectra.md").write_text(text)
    (docs / "spectra.json").write_text(json.dumps(keys, indent=1, sort_keys=True) + "\n")
    click.echo(text)


if __name__ == "__main__":
    main()
