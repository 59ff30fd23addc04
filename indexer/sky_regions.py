"""Regions of the sky: their text, what lies in them, and the HEALPix cells that hold them.

A region that is not made of cells is halved again and again: cells that lie inside as a whole need
no further look, those on its edge do, object by object.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isfinite
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int64

from indexer.errors import QueryError
from indexer.hats_catalog import HEALPIX_ORDER
from indexer.links import unit_sphere
from indexer.moc_text import merged, moc_ranges, moc_text

__all__ = [
    "Box",
    "Cells",
    "Cone",
    "Moc",
    "Region",
    "cells_of",
    "galactic",
    "number_text",
    "separation_arcsec",
]

_TO_GALACTIC = np.array(
    [
        [-0.0548755604, -0.8734370902, -0.4838350155],
        [+0.4941094279, -0.4448296300, +0.7469822445],
        [-0.8676661490, -0.1980763734, +0.4559837762],
    ]
)
"""From ICRS (The Hipparcos and Tycho Catalogues, ESA SP-1200, volume 1, equation 1.5.11)."""

_ARCSEC = np.pi / 180.0 / 3600.0
_HALF_SKY_ARCSEC = 180.0 * 3600.0
_SLACK_DEG = 1e-6
_DEEPEST = 12
"""Cells of 52 arcsec: few objects of any survey share one."""

_MOST_EDGE_CELLS = 4096


def number_text(value: float) -> str:
    """Return the shortest text of a number that reads back as the same number."""
    text = repr(float(value) + 0.0)
    return text.removesuffix(".0")


def separation_arcsec(
    ra_deg: Float64[np.ndarray, " n"],
    dec_deg: Float64[np.ndarray, " n"],
    centre_deg: tuple[float, float],
) -> Float64[np.ndarray, " n"]:
    """Return the angles between positions and a place, given as right ascension, declination."""
    centre = unit_sphere(np.array([centre_deg[0]]), np.array([centre_deg[1]]))
    chords = np.linalg.norm(unit_sphere(ra_deg, dec_deg) - centre, axis=1)
    angles: Float64[np.ndarray, " n"] = 2.0 * np.arcsin(np.clip(0.5 * chords, 0.0, 1.0)) / _ARCSEC
    return angles


def galactic(
    ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Return Galactic longitude (0 to 360) and latitude of ICRS positions, in degrees."""
    x, y, z = _TO_GALACTIC @ unit_sphere(ra_deg, dec_deg).T
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arcsin(np.clip(z, -1.0, 1.0)))


class Region(Protocol):
    """A region that is not made of cells."""

    def contains(
        self, ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Say of each position whether it lies inside; the edge does."""

    def margin_deg(
        self, ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, " n"]:
        """Return how far off the edge each position is at least: outside it is negative."""


@dataclass(frozen=True)
class Cone:
    """All within an angle of a place (ICRS), or all farther away than it."""

    ra_deg: float
    dec_deg: float
    radius_arcsec: float
    outside: bool = False

    def __post_init__(self) -> None:
        if not (0.0 <= self.ra_deg < 360.0 and -90.0 <= self.dec_deg <= 90.0):
            raise QueryError(
                "the centre of a cone must have a right ascension of 0 to 360 and a declination "
                f"of -90 to +90 degrees, got {self.ra_deg:g} and {self.dec_deg:g}"
            )
        if not 0.0 < self.radius_arcsec <= _HALF_SKY_ARCSEC:
            raise QueryError(
                "the radius of a cone must be more than 0 and at most 180deg, got "
                f"{self.radius_arcsec:g}arcsec"
            )

    @property
    def text(self) -> str:
        """Its canonical text."""
        ra_deg, dec_deg, radius = map(number_text, (self.ra_deg, self.dec_deg, self.radius_arcsec))
        return f"{'away' if self.outside else 'cone'}({ra_deg},{dec_deg},{radius}arcsec)"

    def contains(
        self, ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """See `Region`."""
        away = separation_arcsec(ra_deg, dec_deg, (self.ra_deg, self.dec_deg))
        return away > self.radius_arcsec if self.outside else away <= self.radius_arcsec

    def margin_deg(
        self, ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, " n"]:
        """See `Region`."""
        away = separation_arcsec(ra_deg, dec_deg, (self.ra_deg, self.dec_deg))
        margin = (self.radius_arcsec - away) / 3600.0
        return -margin if self.outside else margin


@dataclass(frozen=True)
class Box:
    """All between two longitudes and two latitudes, in degrees.

    Right ascension and declination (ICRS), or Galactic coordinates. From a longitude to a smaller
    one leads through 0.
    """

    lon_from: float
    lon_to: float
    lat_from: float
    lat_to: float
    galactic: bool = False

    def __post_init__(self) -> None:
        lon, lat = ("longitude", "latitude")
        if not self.galactic:
            lon, lat = ("right ascension", "declination")
        for value in (self.lon_from, self.lon_to):
            if not (isfinite(value) and 0.0 <= value <= 360.0):
                raise QueryError(f"the {lon} of a box must be 0 to 360 degrees, got {value:g}")
        for value in (self.lat_from, self.lat_to):
            if not (isfinite(value) and -90.0 <= value <= 90.0):
                raise QueryError(f"the {lat} of a box must be -90 to +90 degrees, got {value:g}")
        if self.lat_from >= self.lat_to or self.lon_from == self.lon_to:
            raise QueryError(
                f"a box must have a size: {lat} from the smaller to the larger, two different "
                f"values of {lon}; got {self.text}"
            )

    @property
    def text(self) -> str:
        """Its canonical text."""
        values = (self.lon_from, self.lon_to, self.lat_from, self.lat_to)
        lon_from, lon_to, lat_from, lat_to = map(number_text, values)
        name = "galactic_box" if self.galactic else "box"
        return f"{name}({lon_from}..{lon_to},{lat_from}..{lat_to})"

    def contains(
        self, ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """See `Region`."""
        lon, lat = galactic(ra_deg, dec_deg) if self.galactic else (ra_deg, dec_deg)
        after, before = lon >= self.lon_from, lon <= self.lon_to
        between = after & before if self.lon_from < self.lon_to else after | before
        return np.asarray(between & (lat >= self.lat_from) & (lat <= self.lat_to))

    def margin_deg(
        self, ra_deg: Float64[np.ndarray, " n"], dec_deg: Float64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, " n"]:
        """See `Region`."""
        lon, lat = galactic(ra_deg, dec_deg) if self.galactic else (ra_deg, dec_deg)
        in_lat = band_margin(lat, self.lat_from, self.lat_to)
        width = (self.lon_to - self.lon_from) % 360.0
        if width == 0.0:
            return in_lat
        past = (lon - self.lon_from) % 360.0
        inside = past <= width
        apart = np.where(
            inside, np.minimum(past, width - past), np.minimum(past - width, 360.0 - past)
        )
        # A meridian ends at the poles: beyond a right angle these are what is nearest of it.
        to_meridian = np.degrees(np.arcsin(np.cos(np.radians(lat)) * np.sin(np.radians(apart))))
        away = np.where(apart < 90.0, to_meridian, 90.0 - np.abs(lat))
        return np.asarray(np.minimum(in_lat, np.where(inside, away, -away)))


def band_margin(
    lat: Float64[np.ndarray, " n"], low: float, high: float
) -> Float64[np.ndarray, " n"]:
    """Return how far inside a band of latitude positions are; at the poles it has no edge."""
    above = lat - low if low > -90.0 else np.full(len(lat), np.inf)
    below = high - lat if high < 90.0 else np.full(len(lat), np.inf)
    return np.minimum(above, below)


@dataclass(frozen=True)
class Moc:
    """All in the cells of a coverage map (IVOA MOC), given as text in its ASCII form."""

    cells: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", moc_text(moc_ranges(self.cells)))

    @property
    def text(self) -> str:
        """Its canonical text."""
        return f"moc({self.cells})"

    @cached_property
    def ranges(self) -> Int64[np.ndarray, "n 2"]:
        """See `indexer.moc_text.moc_ranges`."""
        return moc_ranges(self.cells)


@dataclass(frozen=True, eq=False)
class Cells:
    """Where a region is: ranges (start, stop) of nested HEALPix indices of order 29.

    Attributes
    ----------
    inside
        Ranges that lie in the region as a whole.
    edge
        Ranges of which a part may.
    """

    inside: Int64[np.ndarray, "n 2"]
    edge: Int64[np.ndarray, "m 2"]


@lru_cache(maxsize=64)
def cells_of(region: Region) -> Cells:
    """Return the cells of a region: down to 52 arcsec, or to some thousand on its edge."""
    # Imported here because it brings astropy along, and only regions need it.
    from cdshealpix.nested import healpix_to_lonlat

    inside = [np.empty((0, 2), dtype=np.int64)]
    cells = np.arange(12, dtype=np.int64)
    depth = 0
    while True:
        lon, lat = healpix_to_lonlat(cells.astype(np.uint64), np.uint8(depth))
        margin = region.margin_deg(lon.deg, lat.deg)
        radius = _cell_radius_deg(depth) + _SLACK_DEG
        inside.append(_ranges(cells[margin >= radius], depth))
        cells = cells[(margin < radius) & (margin > -radius)]
        if depth == _DEEPEST or not 0 < len(cells) <= _MOST_EDGE_CELLS // 4:
            break
        cells, depth = (cells[:, None] * 4 + np.arange(4)).ravel(), depth + 1
    return Cells(merged(np.concatenate(inside)), merged(_ranges(cells, depth)))


def _ranges(cells: Int64[np.ndarray, " n"], depth: int) -> Int64[np.ndarray, "n 2"]:
    return np.stack([cells, cells + 1], axis=1) << 2 * (HEALPIX_ORDER - depth)


def _cell_radius_deg(depth: int) -> float:
    """Return the largest distance of a corner of a cell from its centre (as in HEALPix)."""
    nside = 1 << depth
    longest = np.array([2.0 / 3.0, np.pi / (4.0 * nside)])
    corner_z = 1.0 - (1.0 - 1.0 / nside) ** 2 / 3.0
    centre = np.degrees(np.array([longest[1], np.arcsin(longest[0])]))
    corner = np.degrees(np.arcsin(corner_z))
    return float(
        separation_arcsec(np.zeros(1), np.array([corner]), (centre[0], centre[1]))[0] / 3600.0
    )
