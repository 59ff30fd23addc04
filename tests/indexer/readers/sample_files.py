"""Small files of one known spectrum, source or cut-out, in every format that is read."""

from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from aion_encoder.observations import Spectrum
from indexer.readers.uploads import Upload

WAVELENGTH = 10.0 ** (3.58 + 1e-4 * np.arange(3800))
"""Vacuum Angstrom, 3802 to 9120."""

FLUX = 10.0 + 3.0 * np.sin(WAVELENGTH / 300.0) + np.random.default_rng(1).normal(0, 0.5, 3800)
ERROR = np.full(3800, 0.5)
IVAR = 1.0 / ERROR**2
FLUX_UNIT = 1e-17 * u.erg / u.s / u.cm**2 / u.AA


def sample_table() -> Table:
    """The spectrum as a table with units."""
    table = Table({"wavelength": WAVELENGTH * u.AA, "flux": FLUX * FLUX_UNIT})
    table["error"] = ERROR * FLUX_UNIT
    return table


def assert_is_the_sample(upload: Upload, rtol: float = 1e-5, with_noise: bool = True) -> None:
    """What was read is the spectrum, its errors too unless they could not be told."""
    spectrum = upload.observation
    assert isinstance(spectrum, Spectrum)
    np.testing.assert_allclose(spectrum.wavelength_angstrom, WAVELENGTH, rtol=1e-6)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=rtol, atol=1e-5)
    if with_noise:
        np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-4)


def sdss_spec(path: Path, **changes: object) -> Path:
    """Write a ``spec`` file; `changes` replace columns of the COADD table."""
    columns = {
        "flux": FLUX.astype("f4"),
        "loglam": np.log10(WAVELENGTH).astype("f4"),
        "ivar": IVAR.astype("f4"),
        "and_mask": np.zeros(3800, "i4"),
    } | changes
    primary = fits.PrimaryHDU()
    primary.header["RA"], primary.header["DEC"] = 146.0, -0.9  # the plate's centre
    primary.header["PLATEID"], primary.header["MJD"], primary.header["FIBERID"] = 266, 51602, 1
    catalogue = Table(
        {
            "SPECOBJID": ["   299489676975171584"],
            "PLUG_RA": [146.71421],
            "PLUG_DEC": [-1.041304],
            "Z": [0.0213],
            "ZWARNING": [0],
            "CLASS": ["GALAXY"],
            "SPECTROFLUX": [[1.0, 2.0, 10.0, 20.0, 30.0]],
        }
    )
    hdus = [primary, fits.BinTableHDU(Table(columns), name="COADD")]
    hdus.append(fits.BinTableHDU(catalogue, name="SPECOBJ"))
    fits.HDUList(hdus).writeto(path)
    return path


ARMS = {"B": (3600.0, 2751), "R": (5760.0, 2326), "Z": (7520.0, 2881)}


def desi_coadd(
    path: Path,
    targets: list[int],
    *,
    status: list[int] | None = None,
    kinds: list[str] | None = None,
    level: float = 2.0,
    ivar: float = 4.0,
    status_name: str = "COADD_FIBERSTATUS",
) -> Path:
    """Write a coadd file of flat spectra, one fibre for each target."""
    count = len(targets)
    fibermap = Table(
        {
            "TARGETID": np.array(targets, "i8"),
            "TARGET_RA": 217.0 + np.arange(count),
            "TARGET_DEC": 3.2 + np.arange(count),
            "OBJTYPE": kinds or ["TGT"] * count,
            status_name: status or [0] * count,
            "FLUX_R": np.full(count, 10.0),
        }
    )
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU(fibermap, name="FIBERMAP")]
    for arm, (start, size) in ARMS.items():
        wavelength = start + 0.8 * np.arange(size)
        flux = np.full((count, size), level) * (np.arange(count)[:, None] + 1)
        flux += np.random.default_rng(2).normal(0, 0.01, flux.shape)
        for part, values in (
            ("WAVELENGTH", wavelength),
            ("FLUX", flux.astype("f4")),
            ("IVAR", np.full(flux.shape, ivar, "f4")),
            ("MASK", np.zeros(flux.shape, "i4")),
        ):
            hdus.append(fits.ImageHDU(values, name=f"{arm}_{part}"))
    fits.HDUList(hdus).writeto(path)
    return path


def redrock(path: Path, target: int, redshift: float) -> Path:
    """Write a redrock file for one target."""
    table = Table({"TARGETID": [target], "Z": [redshift], "ZWARN": [0], "SPECTYPE": ["GALAXY"]})
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(table, name="REDSHIFTS")]).writeto(path)
    return path


def galaxy(side: int, scale_arcsec: float, bands: int = 3) -> np.ndarray:
    """Return a round galaxy, in counts per native pixel whatever the scale, with a little noise."""
    offset = (np.arange(side) - (side - 1) / 2.0) * scale_arcsec
    radius = np.hypot(*np.meshgrid(offset, offset))
    shape = np.exp(-0.5 * (radius / 2.0) ** 2)
    noise = np.random.default_rng(3).normal(0, 1e-3, (bands, side, side))
    return (shape[None] * (1.0 + np.arange(bands))[:, None, None] + noise).astype("f4")


def wcs_header(side: int, scale_arcsec: float, ra_deg: float = 150.0, dec_deg: float = 2.0):
    """Return a header with north up and east left, centred on a position."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = ra_deg, dec_deg
    header["CRPIX1"] = header["CRPIX2"] = (side + 1) / 2.0
    header["CD1_1"], header["CD2_2"] = -scale_arcsec / 3600.0, scale_arcsec / 3600.0
    header["CD1_2"] = header["CD2_1"] = 0.0
    return header


def viewer_cutout(
    path: Path, flux: np.ndarray, scale_arcsec: float = 0.262, bands: str = "grz"
) -> Path:
    """Write a cut-out as the Legacy Surveys viewer does."""
    header = wcs_header(flux.shape[-1], scale_arcsec)
    header["SURVEY"], header["VERSION"], header["IMAGETYP"] = "DECaLS", "DR5", "image"
    header["BANDS"] = bands
    for number, band in enumerate(bands):
        header[f"BAND{number}"] = band
    fits.PrimaryHDU(np.squeeze(flux), header).writeto(path)
    return path


def hsc_cutout(path: Path, flux: np.ndarray, band: str, zero_point: float = 27.0) -> Path:
    """Write one band as the HSC cut-out service does: image, mask and variance."""
    primary = fits.PrimaryHDU()
    primary.header["FILTER"] = f"HSC-{band.upper()}"
    primary.header["FLUXMAG0"] = 10.0 ** (0.4 * zero_point)
    header = wcs_header(flux.shape[-1], 0.168)
    mask = np.zeros(flux.shape, "i4")
    mask[0, 0] = 1 << 8
    mask[0, 1] = 1 << 5  # DETECTED: not bad
    mask_header = wcs_header(flux.shape[-1], 0.168)
    mask_header["MP_BAD"], mask_header["MP_SAT"], mask_header["HIERARCH MP_NO_DATA"] = 0, 1, 8
    hdus = [
        primary,
        fits.ImageHDU(flux.astype("f4"), header),
        fits.ImageHDU(mask, mask_header),
        fits.ImageHDU(np.ones(flux.shape, "f4"), header),
    ]
    fits.HDUList(hdus).writeto(path)
    return path
