"""Previews: the small picture or short spectrum that people see of an object.

Pictures are colour composites with an arcsinh stretch of the mean of three bands, which keeps
colours up to the brightest pixels (Lupton et al. 2004, PASP 116, 133), 96 pixels wide, north up.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, UInt8

from aion_encoder.observations import GaiaXp, Image, Observation, Photometry, Spectrum
from aion_encoder.universal_spectra import NativeSpectrum
from indexer.arrow_tables import Groups, growing_arrow, map_table
from indexer.xp_basis import XpBasis

if TYPE_CHECKING:
    from indexer.manifest_parts import PreviewSettings

__all__ = [
    "PREVIEW_PX",
    "PREVIEW_SCHEMA",
    "SPECTRUM_SAMPLES",
    "Preview",
    "PreviewFile",
    "as_spectrum",
    "growing_previews",
    "preview_of",
]

PREVIEW_PX = 96
SPECTRUM_SAMPLES = 512
SOFTENING = 20.0
"""Softening of the stretch: larger shows brighter parts, smaller shows fainter ones."""

BLACK = 0.03
"""Added to the scaled counts, so that the noise of the sky shows as a dark grey."""

BAND_SCALES = {
    "DES-G": 6.0,
    "DES-R": 3.4,
    "DES-I": 3.0,
    "DES-Z": 2.2,
    "HSC-G": 0.11,
    "HSC-R": 0.06,
    "HSC-I": 0.045,
    "HSC-Z": 0.035,
    "HSC-Y": 0.03,
}
"""Factors on the survey's own counts that make a typical galaxy's colours look natural."""

DEFAULT_RGB = {
    "legacysurvey": ("DES-Z", "DES-R", "DES-G"),
    "hsc": ("HSC-I", "HSC-R", "HSC-G"),
}

PREVIEW_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("kind", pa.string()),
        ("png", pa.large_binary()),
        ("wavelength_angstrom", pa.large_list(pa.float32())),
        ("values", pa.large_list(pa.float32())),
    ]
)
_BATCH_ROWS = 4096

Kind = Literal["image", "spectrum", "xp"]


def _nothing() -> Float32[np.ndarray, " n"]:
    return np.empty(0, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Preview:
    """What is shown of one observation.

    Attributes
    ----------
    kind
        ``image``, ``spectrum`` or ``xp``.
    png
        A picture as a PNG file, for images.
    wavelength_angstrom, flux
        Observed-frame wavelengths and flux in 1e-17 erg/s/cm2/A, for spectra; medians of bins. Of
        Gaia where a basis of the coefficients is known.
    coefficients
        The 55 BP and the 55 RP coefficients, for Gaia.
    """

    kind: Kind
    png: bytes = b""
    wavelength_angstrom: Float32[np.ndarray, " n"] = field(default_factory=_nothing)
    flux: Float32[np.ndarray, " n"] = field(default_factory=_nothing)
    coefficients: Float32[np.ndarray, " c"] = field(default_factory=_nothing)


def preview_of(
    observation: Observation | NativeSpectrum, settings: "PreviewSettings | None" = None
) -> Preview | None:
    """Make the preview of an observation; None for photometry, which has nothing to draw."""
    if isinstance(observation, Image):
        return Preview("image", png=_png(_colour_picture(observation, settings)))
    if isinstance(observation, Spectrum | NativeSpectrum):
        wavelength, flux = _short_spectrum(observation)
        return Preview("spectrum", wavelength_angstrom=wavelength, flux=flux)
    if isinstance(observation, GaiaXp):
        return Preview("xp", coefficients=np.concatenate([observation.bp, observation.rp]))
    assert isinstance(observation, Photometry)
    return None


def as_spectrum(preview: Preview, basis: XpBasis | None) -> Preview:
    """Return Gaia coefficients with the spectrum that they stand for, all else as it is."""
    if basis is None or preview.kind != "xp":
        return preview
    half = len(preview.coefficients) // 2
    observation = GaiaXp(preview.coefficients[:half], preview.coefficients[half:])
    wavelength = basis.wavelength_angstrom.astype(np.float32)
    return replace(preview, wavelength_angstrom=wavelength, flux=basis.flux(observation))


def _colour_picture(
    image: Image, settings: "PreviewSettings | None"
) -> UInt8[np.ndarray, "height width 3"]:
    wanted = settings.rgb if settings is not None else DEFAULT_RGB[image.survey]
    scales: tuple[float, ...] = settings.scale if settings is not None else ()
    softening = settings.softening if settings is not None else SOFTENING
    black = -settings.minimum if settings is not None else BLACK
    if not scales or not set(wanted) <= set(image.bands):
        wanted = _available(wanted, image.bands)
        scales = tuple(BAND_SCALES[band] for band in wanted)
    top, left = ((side - PREVIEW_PX) // 2 for side in image.flux.shape[1:])
    centre = np.where(np.asarray(image.mask), 0.0, image.flux)[
        :, top : top + PREVIEW_PX, left : left + PREVIEW_PX
    ]
    planes = np.stack(
        [
            centre[image.bands.index(band)] * scale + black
            for band, scale in zip(wanted, scales, strict=True)
        ]
    )
    brightness = np.maximum(planes, 0.0).mean(axis=0)
    stretched = np.arcsinh(softening * brightness) / np.sqrt(softening)
    rgb = planes * (stretched / np.maximum(brightness, 1e-6))
    # Each colour saturates by itself, so that bright cores turn white, as in the surveys' viewers.
    picture = (255.0 * np.clip(rgb, 0.0, 1.0) + 0.5).astype(np.uint8)
    # Row 0 of an observation is in the south, that of a picture at the top.
    return np.ascontiguousarray(picture.transpose(1, 2, 0)[::-1])


def _available(wanted: tuple[str, str, str], bands: tuple[str, ...]) -> tuple[str, str, str]:
    if set(wanted) <= set(bands):
        return wanted
    reddest_first = sorted(bands, key=list(BAND_SCALES).index, reverse=True)
    return (reddest_first[0], reddest_first[len(reddest_first) // 2], reddest_first[-1])


def _png(picture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    from PIL import Image as Picture

    stream = io.BytesIO()
    Picture.fromarray(picture).save(stream, format="PNG", optimize=False, compress_level=6)
    return stream.getvalue()


def _short_spectrum(
    spectrum: Spectrum | NativeSpectrum,
) -> tuple[Float32[np.ndarray, " m"], Float32[np.ndarray, " m"]]:
    good = np.flatnonzero(~np.asarray(spectrum.mask))
    wavelength = spectrum.wavelength_angstrom[good].astype(np.float32)
    flux = spectrum.flux[good].astype(np.float32)
    if len(good) <= SPECTRUM_SAMPLES:
        return wavelength, flux
    size = -(-len(good) // SPECTRUM_SAMPLES)
    return _medians(wavelength, size), _medians(flux, size)


def _medians(values: Float32[np.ndarray, " n"], size: int) -> Float32[np.ndarray, " m"]:
    """Return the medians of bins of `size` values; the last bin may be smaller."""
    whole = len(values) // size * size
    medians = np.median(values[:whole].reshape(-1, size), axis=1)
    rest = [np.median(values[whole:])] if whole < len(values) else []
    return np.concatenate([medians, rest]).astype(np.float32)


def preview_table(rows: Iterable[int], previews: Iterable[Preview]) -> pa.Table:
    """Return previews as a table of `PREVIEW_SCHEMA`."""
    previews = list(previews)
    columns: dict[str, list[Any]] = {
        "row": list(rows),
        "kind": [each.kind for each in previews],
        "png": [each.png for each in previews],
        "wavelength_angstrom": [each.wavelength_angstrom for each in previews],
        "values": [each.coefficients if each.kind == "xp" else each.flux for each in previews],
    }
    return pa.table(columns, schema=PREVIEW_SCHEMA)


def growing_previews(path: Path) -> AbstractContextManager[Groups]:
    """Write previews that are added, ascending in row."""
    return growing_arrow(path, PREVIEW_SCHEMA, _BATCH_ROWS)


class PreviewFile:
    """The previews of a segment, mapped."""

    def __init__(self, path: Path) -> None:
        # Looked for batch by batch: of 200 million, all rows would be 1.6 GB of memory.
        self._batches = [batch for batch in map_table(path).to_batches() if len(batch)]
        self._rows = [batch.column("row").to_numpy() for batch in self._batches]
        self._firsts = np.array([rows[0] for rows in self._rows], dtype=np.int64)

    def __len__(self) -> int:
        return sum(map(len, self._rows))

    def get(self, row: int, kind: str | None = None) -> Preview | None:
        """Return the preview of a row, of one kind or the first there is; None if none is there."""
        for values in self._of(row):
            found = values["kind"][0]
            if kind not in (None, found):
                continue
            numbers = np.array(values["values"][0], dtype=np.float32)
            return Preview(
                kind=found,
                png=values["png"][0],
                wavelength_angstrom=np.array(values["wavelength_angstrom"][0], dtype=np.float32),
                flux=_nothing() if found == "xp" else numbers,
                coefficients=numbers if found == "xp" else _nothing(),
            )
        return None

    def _of(self, row: int) -> Iterator[dict[str, list[Any]]]:
        """Give the previews of a row, which may lie in two batches."""
        first = max(0, int(np.searchsorted(self._firsts, row)) - 1)
        last = int(np.searchsorted(self._firsts, row, side="right"))
        for number in range(first, last):
            start, stop = np.searchsorted(self._rows[number], [row, row + 1])
            for place in range(int(start), int(stop)):
                yield self._batches[number].slice(place, 1).to_pydict()
