"""A small simulated sky, read without files, and an index of it made by the fake encoder.

160 sources, a hundredth of a degree apart. Of each, three numbers decide all its data, so that
what is alike in one release is alike in the others.

==================  =========  =======================  ==========================================
release             modality   sources                  peculiar
==================  =========  =======================  ==========================================
demo-legacysurvey   image      0 to 159                 159 has the very pixels of 158
demo-hsc            image      0 to 59                  the id of 5 is that of source 105 in DESI
demo-sdss           spectrum   0 to 149                 plate 9145 from 140 on: ids beyond 2^63;
                                                        0 was reduced twice; 149 has no position
demo-desi           spectrum   100 to 159               one is negative
demo-gaia           xp         0 to 9
==================  =========  =======================  ==========================================
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aion_encoder.observations import GaiaXp, Image, Observation, Spectrum
from indexer.build import build
from indexer.identifiers import PlateMjdFiber, encode_spec_obj_id
from indexer.manifest_parts import LinkOut
from indexer.manifests import Manifest, ReleaseManifest
from indexer.readers.records import Partition, Record, Reject, standard_columns
from indexer.tools import Tools
from indexer.weights import open_weights

SOURCES = 160
SHARED_ID = "39627866878500105"
WAVELENGTH = np.linspace(3800.0, 9200.0, 600)
RELEASES = {
    "demo-legacysurvey": ("legacysurvey", range(160)),
    "demo-hsc": ("hsc", range(60)),
    "demo-sdss": ("sdss", range(150)),
    "demo-desi": ("desi", range(100, 160)),
    "demo-gaia": ("gaia", range(10)),
}


def position_of(source: int) -> tuple[float, float]:
    """Return right ascension and declination in degrees."""
    return 150.0 + 0.01 * (source % 20), -0.02 + 0.01 * (source // 20)


def sdss_id(source: int, run2d: int = 26) -> str:
    """Return the specObjID of a source."""
    plate, mjd = (9145, 58042) if source >= 140 else (266, 51630)
    return str(encode_spec_obj_id(PlateMjdFiber(plate, mjd, source + 1), run2d))


def id_of(release: str, source: int) -> str:
    """Return the identifier of a source in a release."""
    if release == "demo-sdss":
        return sdss_id(source)
    if release == "demo-desi":
        return "-2713437" if source == 159 else str(39627866878500000 + source)
    if release == "demo-hsc":
        return SHARED_ID if source == 5 else str(75339253994786944 + source)
    if release == "demo-gaia":
        return str(1666767135588491904 + source)
    return f"J{source:03d}" if source == 7 else f"1500p000-{source}"


def key_of(release: str, source: int) -> str:
    """Return the key of a source in a release."""
    return f"{release}:{id_of(release, source)}"


def image_of(source: int, survey: str) -> Image:
    """Return a cut-out: a round source whose size, brightness and colour vary."""
    source = 158 if source == 159 else source
    size, flux, colour = _numbers(source)
    y, x = np.mgrid[-48:48, -48:48]
    profile = np.exp(-0.5 * (x**2 + y**2) / (3.0 + 9.0 * size) ** 2)
    bands = ("DES-G", "DES-R", "DES-Z") if survey == "legacysurvey" else ("HSC-G", "HSC-R", "HSC-I")
    scale = 1.0 if survey == "legacysurvey" else 50.0
    noise = np.random.default_rng(source).normal(0.0, 0.002, (3, 96, 96))
    level = 0.2 + 2.0 * flux
    planes = [scale * level * (1.0 + colour * band) * profile for band in range(3)]
    return Image(np.array(planes) + scale * noise, bands, survey)


def spectrum_of(source: int, survey: str, seed: int = 0) -> Spectrum:
    """Return a spectrum: a slope and two lines."""
    size, flux, colour = _numbers(source)
    slope = (WAVELENGTH / 6000.0) ** (2.0 * colour)
    lines = sum(
        strength * np.exp(-0.5 * ((WAVELENGTH - 5000.0 - 900.0 * shift) / 30.0) ** 2)
        for strength, shift in ((6.0 * size, flux), (3.0 * flux, 2.0 + size))
    )
    noise = np.random.default_rng([source, seed]).normal(0.0, 0.05, WAVELENGTH.size)
    return Spectrum(
        5.0 * (slope + lines + noise), np.full(WAVELENGTH.size, 16.0), WAVELENGTH, survey
    )


def xp_of(source: int) -> GaiaXp:
    """Return coefficients that fall off."""
    size, flux, colour = _numbers(source)
    order = np.arange(55)
    return GaiaXp(
        1000.0 * flux * np.exp(-order / (2.0 + 5.0 * size)) + 1.0,
        1000.0 * flux * np.exp(-order / (2.0 + 5.0 * colour)) + 1.0,
    )


def _numbers(source: int) -> tuple[float, float, float]:
    size, flux, colour = np.random.default_rng([77, source]).uniform(0.1, 1.0, 3)
    return float(size), float(flux), float(colour)


def observation_of(release: str, source: int) -> Observation:
    """Return what a release holds of a source."""
    survey = RELEASES[release][0]
    if survey == "gaia":
        return xp_of(source)
    return (
        image_of(source, survey)
        if survey in ("legacysurvey", "hsc")
        else spectrum_of(source, survey)
    )


def _records(release: str) -> Iterator[Record | Reject]:
    for row, source in enumerate(RELEASES[release][1]):
        ra_deg, dec_deg = position_of(source)
        if (release, source) == ("demo-sdss", 149):
            ra_deg = dec_deg = math.nan
        yield Record(
            object_id=id_of(release, source),
            ra_deg=ra_deg,
            # Surveys do not agree to the last digit.
            dec_deg=dec_deg + 0.2 / 3600.0 * (release == "demo-hsc"),
            observations=(observation_of(release, source),),
            columns=standard_columns(
                redshift=0.01 * source if release in ("demo-sdss", "demo-desi") else math.nan,
                redshift_ok=release in ("demo-sdss", "demo-desi"),
                magnitude=15.0 + 0.03 * source,
                object_class="GALAXY" if release == "demo-sdss" else "",
            ),
            source_file=f"{release}.data",
            source_row=row,
        )
    if release == "demo-sdss":
        ra_deg, dec_deg = position_of(0)
        yield Record(
            object_id=sdss_id(0, run2d=103),
            ra_deg=ra_deg,
            dec_deg=dec_deg + 0.4 / 3600.0,
            observations=(spectrum_of(0, "sdss", seed=1),),
            columns=standard_columns(redshift=0.0),
            source_file=f"{release}.data",
            source_row=150,
        )
        yield Reject("999", f"{release}.data", 151, "all pixels are masked")


def small_manifest(root: Path) -> Manifest:
    """Return a manifest of the small sky; writes a file per release, so that there is one."""
    root.mkdir(parents=True, exist_ok=True)
    links = {
        "demo-legacysurvey": (
            LinkOut(label="Viewer", url="https://example.org/?ra={ra}&dec={dec}"),
        ),
        "demo-sdss": (
            LinkOut(label="Near it", url="https://example.org/near?ra={ra}"),
            LinkOut(label="Spectrum", url="https://example.org/spectrum/{object_id}"),
        ),
    }
    releases = []
    for name, (survey, _) in RELEASES.items():
        (root / f"{name}.data").write_text(name)
        reader = {"gaia": "gaia_xp", "sdss": "sdss_spec", "desi": "desi_files"}.get(
            survey, "image_files"
        )
        releases.append(
            ReleaseManifest(
                name=name,
                title=f"Simulated {name}",
                survey=survey,
                reader=reader,
                files=(f"{name}.data",),
                simulated=True,
                licence="MIT",
                links=links.get(name, ()),
            )
        )
    return Manifest(
        name="small", title="Small sky (simulated)", root=root, releases=tuple(releases)
    )


def _partitions(manifest: Manifest, release: ReleaseManifest) -> list[Partition]:
    return [Partition(release.name, release.files[0], release.files)]


def _read(
    manifest: Manifest, release: ReleaseManifest, partition: Partition
) -> Iterator[Record | Reject]:
    return _records(release.name)


READERS = {
    "partitions": _partitions,
    "read_partition": _read,
    "ignored_files": lambda _: [],
}
"""What `indexer.tools.Tools` takes instead of the readers of files."""


def build_small_index(folder: Path) -> Path:
    """Build an index of the small sky and return its folder."""
    tools = Tools(open_encoder=open_weights, **READERS)
    build(small_manifest(folder / "files"), folder / "index", weights="fake", tools=tools)
    return folder / "index"
