"""Prepared training spectra: written once, then held where the model is trained.

All spectra of a view lie on one grid, so patches are the same for all of them and a view is three
arrays. Flux is kept as the model takes it; of the errors one number a pixel is kept, sigma, 0 where
a pixel is bad or its patch invalid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float64
from torch import Tensor

from aion_encoder.errors import ObservationError
from aion_encoder.training.native import NativeRow
from aion_encoder.training.universal_spectra.views import BLURRED, VIEWS
from aion_encoder.universal_spectra.batches import SpectrumBatch
from aion_encoder.universal_spectra.patches import PATCH_PX, lay_out
from aion_encoder.universal_spectra.preparation import HIGHEST_SNR, prepare
from aion_encoder.universal_spectra.taught import Range, joined_ranges
from demo_sky.native import observe_native

__all__ = ["Examples", "ViewExamples", "ranges_of", "read_examples", "write_examples"]


def _prepared(row: NativeRow) -> tuple[np.ndarray, np.ndarray]:
    """Return flux and sigma in patches; all sigma 0 if the spectrum is refused."""
    try:
        ready = prepare(row.spectrum)
    except ObservationError:
        empty = np.zeros((len(lay_out(row.wavelength_angstrom).pixels), PATCH_PX), np.float16)
        return empty, empty
    seen = ready.good & ready.valid[:, None]
    return ready.flux.astype(np.float16), np.where(seen, ready.sigma, 0.0).astype(np.float16)


def write_examples(path: Path, seed: int, start: int, stop: int) -> None:
    """Observe sources `start` to `stop` - 1 of the training population in all views.

    The file, one `.npz`, appears whole.
    """
    instruments = tuple(dict.fromkeys(name for view in VIEWS.values() for name in view.instruments))
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in VIEWS}
    grids: dict[str, np.ndarray] = {}
    for source in observe_native(seed, start, stop, instruments, "training"):
        rows = {}
        for instrument, spectrum in source.spectra.items():
            joined = spectrum.joined()
            rows[instrument] = NativeRow(
                joined.wavelength_angstrom, joined.flux, joined.ivar, joined.mask
            )
        for name, view in VIEWS.items():
            row = view.of(rows)
            if name not in grids:
                grids[name] = lay_out(row.wavelength_angstrom).wavelength_angstrom
            found[name].append(_prepared(row))
    arrays: dict[str, np.ndarray] = {}
    for name, parts in found.items():
        arrays[f"{name} flux"] = np.stack([flux for flux, _ in parts])
        arrays[f"{name} sigma"] = np.stack([sigma for _, sigma in parts])
        arrays[f"{name} grid"] = grids[name]
    partial = path.with_name(path.name + ".tmp.npz")
    np.savez(partial, allow_pickle=False, **arrays)
    partial.replace(path)


@dataclass(frozen=True, eq=False)
class ViewExamples:
    """Spectra of all sources in one view.

    Attributes
    ----------
    flux, sigma
        Shape (sources, patches, 32), half precision; sigma is 0 where nothing was measured.
    grid
        Vacuum wavelengths of the patches in Angstrom, shape (1, patches, 32).
    usable
        Which sources have a spectrum that the model takes, shape (sources,).
    """

    flux: Float16[Tensor, "sources patches 32"]
    sigma: Float16[Tensor, "sources patches 32"]
    grid: Float64[Tensor, "1 patches 32"]
    usable: Bool[Tensor, " sources"]

    def batch(self, rows: Tensor) -> SpectrumBatch:
        """Return some sources as the model takes them."""
        flux, sigma = self.flux[rows].float(), self.sigma[rows].float()
        good = sigma > 0.0
        perfect = float(np.log1p(HIGHEST_SNR))
        return SpectrumBatch(
            flux=flux,
            errors=torch.where(good, torch.log1p(1.0 / sigma) / perfect, 0.0),
            good=good,
            sigma=torch.where(good, sigma, 1.0),
            wavelength_angstrom=self.grid,
            present=good.any(dim=2),
        )

    def some(self, count: int, rng: np.random.Generator) -> SpectrumBatch:
        """Return so many usable sources, at most, drawn without repeats."""
        usable = torch.nonzero(self.usable).flatten()
        picked = rng.choice(len(usable), min(count, len(usable)), replace=False)
        return self.batch(usable[torch.from_numpy(picked).to(usable.device)])


Examples = dict[str, ViewExamples]
"""By view."""


def ranges_of(examples: Examples) -> tuple[Range, ...]:
    """Return the wavelengths that native patches cover, rounded outwards to an Angstrom."""
    grids = [each.grid for name, each in examples.items() if name not in BLURRED]
    return joined_ranges([(float(grid.min().floor()), float(grid.max().ceil())) for grid in grids])


def read_examples(paths: Sequence[Path], device: str = "cpu") -> Examples:
    """Read files of examples, in the order given.

    Parameters
    ----------
    device
        Where they are held.
    """
    parts: dict[str, list[Tensor]] = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as stored:
            for name in stored.files:
                parts.setdefault(name, []).append(torch.from_numpy(stored[name]).to(device))
    examples = {}
    for name in VIEWS:
        flux, sigma = (torch.cat(parts.pop(f"{name} {part}")) for part in ("flux", "sigma"))
        usable = (sigma > 0.0).flatten(1).any(dim=1)
        examples[name] = ViewExamples(flux, sigma, parts[f"{name} grid"][0][None], usable)
    return examples
