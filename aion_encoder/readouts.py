"""Read-outs: what the frozen decoder says about a query, beside its vectors.

The decoder is asked for one token, the redshift, given the tokens of an object. Its answer is a
distribution over the codes of ``tok_z``, scored on objects of known redshift by the probability
integral transform (PIT) and the continuous ranked probability score (CRPS).

What the codes mean. The official tokenizer has the levels l_i = i / 1024 and gives z the first
code whose level is not below it (`torch.bucketize`): code i stands for l_(i-1) < z <= l_i, code 0
for everything up to 0, and the last code also for everything beyond 1. Its decoder gives the upper
end of the interval, half a bin too much; here the middle is the centre of a bin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from aion_encoder.decoder import ask_decoder, objects_of
from aion_encoder.encoded import Encoded

if TYPE_CHECKING:
    from aion_encoder.encoder import Encoder

__all__ = ["Recalibration", "RedshiftDistribution", "fit_recalibration", "read_redshift"]

REDSHIFT_KEY = "tok_z"
REDSHIFT_CODES = 1025

FEWEST_FOR_RECALIBRATION = 50
"""Objects of known redshift below which a curve through their PIT is noise."""

CURVE_POINTS = 101


@dataclass(frozen=True, eq=False)
class RedshiftDistribution:
    """Distributions over redshift of n objects; rows of NaN where nothing is known.

    Between two levels the probability is spread evenly; that of the first code lies at 0, as one
    point, for everything that is not receding.

    Attributes
    ----------
    levels
        Upper end of each bin, ascending; the first bin is the point `levels[0]`.
    probabilities
        Of each bin; every row sums to 1.
    """

    levels: Float64[np.ndarray, " bins"]
    probabilities: Float64[np.ndarray, "n bins"]

    def __post_init__(self) -> None:
        levels, probabilities = self.levels, self.probabilities
        if levels.ndim != 1 or probabilities.ndim != 2 or probabilities.shape[1] != len(levels):
            raise ValueError(
                "a distribution needs one probability per level, got the shapes "
                f"{levels.shape} and {probabilities.shape}"
            )
        if len(levels) < 2 or not np.all(np.diff(levels) > 0.0):
            raise ValueError("the levels of a distribution must ascend, and be two at least")
        known = probabilities[~np.isnan(probabilities).any(axis=1)]
        if np.any(known < 0.0) or not np.allclose(known.sum(axis=1), 1.0, atol=1e-6):
            raise ValueError("probabilities must not be negative and must sum to 1 in every row")

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def centres(self) -> Float64[np.ndarray, " bins"]:
        """Middle of each bin; the first is the point `levels[0]`."""
        middles = 0.5 * (self.levels[1:] + self.levels[:-1])
        return np.concatenate([self.levels[:1], middles])

    def mean(self) -> Float64[np.ndarray, " n"]:
        """Return the expected redshift."""
        return np.asarray(self.probabilities @ self.centres)

    def quantile(self, level: float) -> Float64[np.ndarray, " n"]:
        """Return the redshift below which a share `level`, from 0 to 1, of the probability lies."""
        if not 0.0 <= level <= 1.0:
            raise ValueError(f"a quantile is asked for between 0 and 1, got {level}")
        found = [self._inverse(row, level) for row in np.cumsum(self.probabilities, axis=1)]
        return np.array(found, dtype=np.float64)

    def _inverse(self, cumulative: np.ndarray[Any, Any], level: float) -> float:
        if np.isnan(cumulative[-1]):
            return float("nan")
        # The first level that holds as much: a stretch without probability is passed over.
        at = int(np.searchsorted(cumulative, level * cumulative[-1], side="left"))
        at = min(at, len(cumulative) - 1)
        if at == 0:
            return float(self.levels[0])
        below, width = cumulative[at - 1], cumulative[at] - cumulative[at - 1]
        share = (level * cumulative[-1] - below) / width if width > 0.0 else 1.0
        return float(
            self.levels[at - 1] + np.clip(share, 0.0, 1.0) * (self.levels[at] - self.levels[at - 1])
        )

    def interval(self, coverage: float) -> Float64[np.ndarray, "n 2"]:
        """Return the central interval that holds a share `coverage` of the probability."""
        tail = 0.5 * (1.0 - coverage)
        return np.stack([self.quantile(tail), self.quantile(1.0 - tail)], axis=1)

    def pit(self, redshift: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Return the share of each distribution below the true redshift.

        Uniform over many objects if the distributions are right (Dawid 1984). At or below the
        point of the first bin half of its probability counts, so that the average stays 1/2.
        """
        truth = self._truth(redshift)
        cumulative = np.cumsum(self.probabilities, axis=1)
        values = np.array(
            [np.interp(z, self.levels, row) for z, row in zip(truth, cumulative, strict=True)]
        ).reshape(len(self))
        atom = truth <= self.levels[0]
        values[atom] = 0.5 * self.probabilities[atom, 0]
        return np.asarray(np.clip(values, 0.0, 1.0))

    def crps(self, redshift: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Return the integral of (F(z) - [z >= truth])^2 over z, in units of redshift.

        0 is perfect; for a single value it is the absolute error (Gneiting & Raftery 2007, eq.
        20). F is linear inside a bin, so every stretch has a closed form.
        """
        truth = self._truth(redshift)
        cumulative = np.cumsum(self.probabilities, axis=1)
        return np.array(
            [self._crps(row, z) for row, z in zip(cumulative, truth, strict=True)]
        ).reshape(len(self))

    def _crps(self, cumulative: np.ndarray[Any, Any], truth: float) -> float:
        if np.isnan(truth) or np.isnan(cumulative[-1]):
            return float("nan")
        first, last = self.levels[0], self.levels[-1]
        inside = float(np.clip(truth, first, last))
        places = np.sort(np.append(self.levels, inside))
        heights = np.interp(places, self.levels, cumulative)
        # Above the truth the missing height counts, below it the height.
        widths, above = np.diff(places), places[:-1] >= inside
        left = np.where(above, 1.0 - heights[:-1], heights[:-1])
        right = np.where(above, 1.0 - heights[1:], heights[1:])
        squares = widths * (left**2 + left * right + right**2) / 3.0
        return float(squares.sum() + abs(truth - inside))

    def _truth(self, redshift: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        truth = np.asarray(redshift, dtype=np.float64)
        if truth.shape != (len(self),):
            raise ValueError(
                f"{len(self)} distributions need as many true redshifts, got the shape "
                f"{truth.shape}"
            )
        return truth


def read_redshift(encoder: "Encoder", encoded: Encoded) -> RedshiftDistribution:
    """Ask the decoder for the redshift of objects, from their tokens alone.

    Parameters
    ----------
    encoder
        Opened with ``keep_decoder=True``.
    encoded
        What ``encoder.encode(objects, tokens=True)`` gave. All tokens of one object are used
        together, as they were encoded.

    Returns
    -------
    One row per object, in order; NaN where an object has no tokens because it was refused.

    Raises
    ------
    EncoderError
        If the decoder or the tokens were dropped, or these weights never say a redshift.
    """
    import torch

    told = [
        (rows, torch.softmax(logits[:, 0].double(), dim=-1).cpu().numpy())
        for rows, logits in ask_decoder(encoder, encoded, REDSHIFT_KEY)
    ]
    probabilities = np.full((objects_of(encoded), REDSHIFT_CODES), np.nan)
    for rows, each in told:
        probabilities[rows] = each
    return RedshiftDistribution(
        np.arange(REDSHIFT_CODES) / (REDSHIFT_CODES - 1.0),
        probabilities,
    )


@dataclass(frozen=True)
class Recalibration:
    """A monotone map of cumulative probabilities, fitted where the truth is known.

    Attributes
    ----------
    stated
        Cumulative probabilities as the distributions state them: ascending from 0 to 1.
    observed
        How often the truth was in fact below: ascending from 0 to 1.
    objects
        Number of objects behind it.
    """

    stated: tuple[float, ...]
    observed: tuple[float, ...]
    objects: int

    def __post_init__(self) -> None:
        for name in ("stated", "observed"):
            values = np.asarray(getattr(self, name))
            if (
                len(values) < 2
                or values[0] != 0.0
                or values[-1] != 1.0
                or np.any(np.diff(values) < 0)
            ):
                raise ValueError(f"{name} must ascend from 0 to 1, got {values.tolist()[:4]}...")
        if len(self.stated) != len(self.observed):
            raise ValueError("a curve needs as many stated as observed probabilities")

    def apply(self, distribution: RedshiftDistribution) -> RedshiftDistribution:
        """Return distributions whose cumulative probabilities went through the map."""
        cumulative = np.cumsum(distribution.probabilities, axis=1)
        cumulative = cumulative / cumulative[:, -1:]
        moved = np.interp(cumulative, self.stated, self.observed)
        moved[np.isnan(cumulative)] = np.nan
        return RedshiftDistribution(distribution.levels, np.diff(moved, axis=1, prepend=0.0))


def fit_recalibration(pit: Sequence[float] | Float64[np.ndarray, " n"]) -> Recalibration:
    """Fit a map on the PIT of objects of known redshift (Kuleshov et al. 2018, arXiv:1807.00263).

    The map is the cumulative distribution of these PIT, at 101 of their quantiles; between them it
    is linear, so it never descends and needs no further smoothing.

    Parameters
    ----------
    pit
        From `RedshiftDistribution.pit`; NaN (no truth, or no distribution) is passed over. Use
        objects that are apart from those on which the result is judged.

    Raises
    ------
    ValueError
        If fewer than 50 are left, or one lies outside 0 to 1.
    """
    values = np.asarray(pit, dtype=np.float64)
    values = np.sort(values[~np.isnan(values)])
    if len(values) < FEWEST_FOR_RECALIBRATION:
        raise ValueError(
            f"a recalibration needs at least {FEWEST_FOR_RECALIBRATION} objects of known redshift, "
            f"got {len(values)}"
        )
    if values[0] < 0.0 or values[-1] > 1.0:
        raise ValueError(f"PIT lie between 0 and 1, got {values[0]:g} to {values[-1]:g}")
    # Knots where the PIT are: distributions that are much too narrow have them all near 0 and 1.
    knots = np.unique(np.quantile(values, np.linspace(0.0, 1.0, CURVE_POINTS), method="lower"))
    inner = knots[(knots > 0.0) & (knots < 1.0)]
    observed = np.searchsorted(values, inner, side="right") / (len(values) + 1.0)
    return Recalibration((0.0, *inner.tolist(), 1.0), (0.0, *observed.tolist(), 1.0), len(values))
