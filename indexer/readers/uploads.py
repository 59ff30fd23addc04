"""Files that people bring: read exactly as a survey's own, with every assumption in words."""

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aion_encoder.observations import Observation, Spectrum
from aion_encoder.surveys import SURVEYS
from aion_encoder.universal_spectra import NativeSpectrum
from indexer.errors import ReadError, SeveralObjectsError
from indexer.readers.file_kinds import Content, read_content
from indexer.readers.found import Found, Refused, SpectrumOptions
from indexer.readers.image_files import ImageOptions, find_image
from indexer.readers.spectrum_files import find_spectra, redrock_beside
from indexer.readers.xp_files import find_xp

__all__ = ["Upload", "bands_of", "read_image_file", "read_spectrum_file", "read_xp_file"]

LISTED = 20
"""Identifiers listed when a file holds several objects and none was chosen."""


@dataclass(frozen=True, eq=False)
class Upload:
    """One observation from a person's files.

    Parameters
    ----------
    observation
        What AION-1 gets; None for a spectrum that it does not take.
    assumptions
        What was assumed, chosen or done to read the files: name to sentence.
    object_id
        As the file names the object; empty if it does not.
    survey
        AION-1's name of the survey that the file itself states; empty if it states none.
        `observation.survey` is the one whose tokens are used.
    ra_deg, dec_deg
        ICRS in degrees; NaN where unknown.
    redshift
        As the file states it; NaN where unknown. Never given to the encoder.
    sha256
        Of the file's bytes; of the files one after the other if there are several.
    file_name
        Without folders; several are joined with a comma.
    native
        What the universal spectral tokenizer gets of a spectrum; None if it does not take it.
    refusal
        Why AION-1 does not take it, where `observation` is None.
    """

    observation: Observation | None
    assumptions: Mapping[str, str]
    object_id: str
    survey: str
    ra_deg: float
    dec_deg: float
    redshift: float
    sha256: str
    file_name: str
    native: NativeSpectrum | None = None
    refusal: str = ""


def read_image_file(
    paths: Sequence[Path],
    *,
    survey: str | None = None,
    pixel_scale_arcsec: float | None = None,
    bands: Sequence[str] | None = None,
    zero_point: float | None = None,
) -> Upload:
    """Read a cut-out from one FITS file, from one FITS file for each band, or from a picture.

    A PNG or JPEG file is read as a picture of the Legacy Surveys viewer, whose bands are worked out
    of its colours: the assumption ``approximate`` says so, and `pixel_scale_arcsec` must be given.

    Parameters
    ----------
    paths
        The files.
    survey
        ``legacysurvey`` or ``hsc``, where the files do not say it.
    pixel_scale_arcsec
        Arcseconds per pixel, instead of the WCS's.
    bands
        One name for each plane, instead of the files' own; ``g`` and ``DES-G`` both do.
    zero_point
        AB magnitude of one count, instead of the files' or the survey's own.

    Raises
    ------
    ReadError
        In one line: why the files cannot be read, or cannot be encoded.
    """
    contents = _contents(paths, pictures=True)
    options = ImageOptions(
        survey, pixel_scale_arcsec, None if bands is None else tuple(bands), zero_point
    )
    return _upload([find_image(contents, options)], contents, None)


def bands_of(text: str) -> list[str]:
    """Read ``g,r,z``, or ``grz`` where every band is one letter."""
    named = [band for band in text.replace(",", " ").split() if band]
    return list(named[0]) if len(named) == 1 and named[0].isalpha() and len(named[0]) < 6 else named


def read_spectrum_file(
    paths: Sequence[Path],
    *,
    survey: str | None = None,
    wavelength_unit: str | None = None,
    flux_unit: str | None = None,
    medium: str | None = None,
    target_id: str | None = None,
) -> Upload:
    """Read a spectrum from one file, or from a file of fluxes and one of errors.

    Any grid is taken: what lies outside AION-1's range or has no errors goes to the universal
    spectral tokenizer. SDSS and DESI files, tables (FITS, ECSV, VOTable, CSV, text) and
    one-dimensional images are read. What a person states goes before what the file says.

    Parameters
    ----------
    paths
        The file; then the one with errors, or the redrock file of a DESI file.
    survey
        ``sdss`` or ``desi``: whose tokens to use.
    wavelength_unit, flux_unit
        Such as ``nm`` and ``mJy``.
    medium
        ``air`` or ``vacuum``.
    target_id
        Which object of a file that holds several.

    Raises
    ------
    ReadError
        In one line: why the file cannot be read, or cannot be encoded; or which objects it holds,
        if there are several and none was chosen.
    """
    if survey is not None and getattr(SURVEYS.get(survey), "modality", "") != "spectrum":
        raise ReadError(f"survey of a spectrum must be sdss or desi, got {survey!r}")
    contents = _contents(paths)
    beside = redrock_beside(Path(paths[0])) if len(contents) == 1 else None
    more = [] if beside is None else [read_content(beside)]
    options = SpectrumOptions(survey, wavelength_unit, flux_unit, medium, target_id)
    upload = _upload(find_spectra([*contents, *more], options), contents, target_id)
    spectrum = upload.observation
    if survey is None or not isinstance(spectrum, Spectrum) or spectrum.survey == survey:
        return upload
    return dataclasses.replace(
        upload,
        observation=dataclasses.replace(spectrum, survey=survey),
        assumptions={**upload.assumptions, "survey": f"read as {survey}, as you stated"},
    )


def read_xp_file(path: Path, *, source_id: str | None = None) -> Upload:
    """Read one source of a table of Gaia BP/RP coefficients.

    Raises
    ------
    ReadError
        As `read_spectrum_file`.
    """
    contents = _contents([path])
    return _upload(find_xp(contents[0]), contents, source_id)


def _contents(paths: Sequence[Path], *, pictures: bool = False) -> list[Content]:
    if not paths:
        raise ReadError("no file was given")
    return [read_content(Path(path), pictures=pictures) for path in paths]


def _upload(
    found: Sequence[Found | Refused], contents: Sequence[Content], wanted: str | None
) -> Upload:
    names = ", ".join(content.name for content in contents)
    one = _chosen(found, names, wanted)
    refusal = ""
    if isinstance(one, Refused) and one.instead is not None:
        refusal, one = one.reason, one.instead
    if isinstance(one, Refused):
        who = f"{one.object_id}: " if len(found) > 1 and one.object_id else ""
        raise ReadError(f"{names}: {who}{one.reason}")
    notes = {"file": "; ".join(note for c in contents for note in c.notes)}
    redshift = one.columns.get("redshift", math.nan)
    return Upload(
        observation=one.observation,
        assumptions={**one.assumptions, **{k: v for k, v in notes.items() if v}},
        object_id=one.object_id,
        survey=one.survey,
        ra_deg=one.ra_deg,
        dec_deg=one.dec_deg,
        redshift=float(redshift),
        sha256=_digest(contents),
        file_name=names,
        native=one.for_tokenizer,
        refusal=refusal,
    )


def _chosen(found: Sequence[Found | Refused], names: str, wanted: str | None) -> Found | Refused:
    if wanted is not None:
        for each in found:
            if each.object_id == wanted.strip():
                return each
        if len(found) == 1 and not found[0].object_id:
            return found[0]
        raise ReadError(
            f"{names}: there is no object {wanted} in this file; it holds {_list(found)}"
        )
    if len(found) == 1:
        return found[0]
    good = [each for each in found if isinstance(each, Found) or each.instead is not None]
    if len(good) == 1:
        return good[0]
    if not good:
        raise ReadError(
            f"{names}: none of the {len(found)} objects can be used; the first: {found[0].reason}"
            if isinstance(found[0], Refused)
            else f"{names}: the file holds no object"
        )
    raise SeveralObjectsError(
        f"{names}: the file holds {len(good)} objects, choose one of {_list(good)}",
        [each.object_id for each in good if each.object_id],
    )


def _list(found: Sequence[Found | Refused]) -> str:
    ids = [each.object_id or f"(row {each.row})" for each in found]
    more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
    return ", ".join(ids[:LISTED]) + more


def _digest(contents: Sequence[Content]) -> str:
    if len(contents) == 1:
        return contents[0].sha256
    joined = hashlib.sha256()
    for content in contents:
        joined.update(bytes.fromhex(content.sha256))
    return joined.hexdigest()
