"""The ways in which a training source is seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from aion_encoder.training.native import NativeRow
from aion_encoder.training.universal_spectra.resampling import blurred, coarser, finer, joined

__all__ = ["BLURRED", "COARSE_PAIRS", "PAIRS", "VIEWS", "View", "drawn", "kind_of"]


@dataclass(frozen=True)
class View:
    """One way in which a source is seen.

    Attributes
    ----------
    instruments
        Of `demo_sky.native`; several are joined to one spectrum.
    resample
        What is done to the spectrum before; None for its native grid.
    """

    instruments: tuple[str, ...]
    resample: Callable[[NativeRow], NativeRow] | None = None

    def of(self, rows: Mapping[str, NativeRow]) -> NativeRow:
        """Return the spectra of a source, by instrument, as this view shows them."""
        row = joined([rows[name] for name in self.instruments])
        return row if self.resample is None else self.resample(row)


_COARSE_GRIDS = 6
"""Grids of low dispersion for either range."""

BLURRED = {
    f"{range_} blurred {number}": View(instruments, partial(blurred, seed=10 * number + code))
    for number in range(1, _COARSE_GRIDS + 1)
    for code, (range_, instruments) in enumerate(
        {"optical": ("desi",), "bluer": ("sdss",), "wide": ("desi", "apogee")}.items()
    )
}
"""Coarse and irregular grids, a dozen patches each. The prism is left out: it is there to show what
the model makes of a grid that it never saw."""

VIEWS = {
    "sdss": View(("sdss",)),
    "sdss coarser": View(("sdss",), coarser),
    "sdss finer": View(("sdss",), finer),
    "desi": View(("desi",)),
    "desi coarser": View(("desi",), coarser),
    "galah": View(("galah",)),
    "galah coarser": View(("galah",), coarser),
    "apogee": View(("apogee",)),
    "apogee coarser": View(("apogee",), coarser),
    **BLURRED,
}

PAIRS: tuple[tuple[str, str, float], ...] = (
    ("sdss", "desi", 4.0),
    ("sdss coarser", "desi", 1.0),
    ("sdss finer", "sdss", 1.0),
    ("sdss", "sdss coarser", 1.0),
    ("desi", "desi coarser", 1.0),
    ("desi coarser", "sdss", 1.0),
    ("desi", "apogee", 2.0),
    ("sdss", "apogee", 1.0),
    ("desi", "galah", 1.5),
    ("sdss", "galah", 1.0),
    ("galah", "apogee", 1.0),
    ("galah coarser", "desi", 0.5),
    ("apogee coarser", "apogee", 0.5),
    *(
        (blurred_view, native, 0.3)
        for blurred_view in BLURRED
        for native in ("sdss", "desi")
        if not blurred_view.startswith({"sdss": "bluer", "desi": "optical"}[native])
    ),
    *(
        (f"{one} blurred {number}", f"{other} blurred {1 + number % _COARSE_GRIDS}", 0.3)
        for number in range(1, _COARSE_GRIDS + 1)
        for one, other in (("optical", "bluer"), ("wide", "bluer"))
    ),
)
"""Views of one source that should agree, and how often they are asked to."""

COARSE_PAIRS = tuple(pair for pair in PAIRS if {*pair[:2]} <= set(BLURRED))
"""Those of coarse views alone."""


def drawn(pairs: Sequence[tuple[str, str, float]], rng: np.random.Generator) -> tuple[str, str]:
    """Draw one of some pairs, as often as it is to be asked for."""
    weights = np.array([weight for *_, weight in pairs])
    one, other, _ = pairs[int(rng.choice(len(pairs), p=weights / weights.sum()))]
    return one, other


def kind_of(view: str) -> str:
    """Return the name under which losses of a view are logged: one for all coarse grids."""
    return "coarse" if view in BLURRED else view
