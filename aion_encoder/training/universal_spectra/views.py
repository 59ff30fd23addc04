"""The ways in which a training source is seen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aion_encoder.training.native import NativeRow
from aion_encoder.training.universal_spectra.resampling import blurred, coarser, finer

__all__ = ["PAIRS", "VIEWS", "View"]


@dataclass(frozen=True)
class View:
    """One way in which a source is seen.

    Attributes
    ----------
    instrument
        Of `demo_sky.native`.
    resample
        What is done to the spectrum before; None for its native grid.
    """

    instrument: str
    resample: Callable[[NativeRow], NativeRow] | None = None

    def of(self, row: NativeRow) -> NativeRow:
        """Return a native spectrum as this view shows it."""
        return row if self.resample is None else self.resample(row)


VIEWS = {
    "sdss": View("sdss"),
    "sdss coarser": View("sdss", coarser),
    "sdss finer": View("sdss", finer),
    "sdss blurred": View("sdss", partial(blurred, narrowest=6, widest=34, seed=1)),
    "desi": View("desi"),
    "desi coarser": View("desi", coarser),
    "desi blurred": View("desi", partial(blurred, narrowest=60, widest=14, seed=2)),
    "desi little blurred": View("desi", partial(blurred, narrowest=5, widest=9, seed=3)),
    "galah": View("galah"),
    "galah coarser": View("galah", coarser),
    "apogee": View("apogee"),
    "apogee coarser": View("apogee", coarser),
}
"""The prism is left out: it is there to show what the model makes of a grid it never saw."""

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
    ("sdss blurred", "desi", 2.0),
    ("desi blurred", "sdss", 2.0),
    ("sdss blurred", "desi blurred", 1.0),
    ("desi little blurred", "sdss blurred", 1.0),
    ("desi little blurred", "desi", 1.0),
)
"""Views of one source that should agree, and how often they are asked to."""
