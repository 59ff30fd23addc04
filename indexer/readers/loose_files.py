"""Releases made of loose files: one or a few objects each, in a survey's own format."""

import csv
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from indexer.errors import ManifestError, ReadError
from indexer.manifest_parts import BesideCatalogue
from indexer.manifests import ReleaseManifest
from indexer.readers.file_kinds import read_content
from indexer.readers.found import Found, Refused, SpectrumOptions
from indexer.readers.image_files import ImageOptions, find_image
from indexer.readers.records import Record, Reject, Value
from indexer.readers.sky import NOWHERE, separation_arcsec
from indexer.readers.spectrum_files import find_spectra, redrock_beside
from indexer.readers.xp_files import find_xp
from indexer.remote import Files

__all__ = ["read_loose_files"]


def read_loose_files(
    root: Files, release: ReleaseManifest, files: Sequence[str]
) -> Iterator[Record | Reject]:
    """Read every object of the files, in the order of their paths.

    When two files hold an object of one identifier, the second one keeps it with ``_2`` appended,
    the third with ``_3``: both are observations worth finding. A spectrum for the tokenizer alone
    whose file names no object goes by the name of the file.

    Raises
    ------
    ManifestError
        If the catalogue beside the files cannot be read.
    """
    catalogue = _catalogue(root, release.catalogue)
    times: dict[str, int] = {}
    for name in sorted(files):
        try:
            each_found = _objects(root / name, release)
        except ReadError as error:
            yield Reject("", name, 0, str(error).removeprefix(f"{Path(name).name}: "))
            continue
        for found in each_found:
            if isinstance(found, Refused):
                yield Reject(found.object_id, name, found.row, found.reason)
                continue
            named = _named(found, release, catalogue.get(name))
            if release.native is not None and not named.object_id:
                own_name = _named_after(name, len(each_found), named.row)
                named = dataclasses.replace(named, object_id=own_name)
            observation = named.native if release.native is not None else named.observation
            assert observation is not None
            if not named.object_id:
                yield Reject("", name, named.row, "the file does not say which object this is")
                continue
            times[named.object_id] = times.get(named.object_id, 0) + 1
            count = times[named.object_id]
            yield Record(
                object_id=named.object_id if count == 1 else f"{named.object_id}_{count}",
                ra_deg=named.ra_deg,
                dec_deg=named.dec_deg,
                observations=(observation,),
                columns=named.columns,
                source_file=name,
                source_row=named.row,
            )


def _objects(path: Path, release: ReleaseManifest) -> Sequence[Found | Refused]:
    content = read_content(path)
    if release.reader == "gaia_xp":
        return find_xp(content)
    if release.reader == "image_files":
        return [find_image([content], ImageOptions())]
    if release.native is not None:
        options = SpectrumOptions(
            wavelength_unit=release.native.wavelength_unit or None,
            flux_unit=release.native.flux_unit or None,
            medium=release.native.medium or None,
        )
        return [_for_tokenizer(each) for each in find_spectra([content], options)]
    beside = redrock_beside(path) if release.reader == "desi_files" else None
    contents = [content] if beside is None else [content, read_content(beside)]
    found = find_spectra(contents, SpectrumOptions())
    stated = {each.survey for each in found if isinstance(each, Found)}
    if stated - {release.survey}:
        raise ReadError(f"{path.name}: this is no {release.survey} spectrum file")
    return found


def _for_tokenizer(found: Found | Refused) -> Found | Refused:
    """Return an object as the tokenizer takes it, whatever AION-1 says of it."""
    if isinstance(found, Refused):
        if found.instead is not None:
            return found.instead
        return dataclasses.replace(found, reason=found.native_reason or found.reason)
    return dataclasses.replace(found, native=found.for_tokenizer)


def _named_after(file: str, objects: int, row: int) -> str:
    stem = Path(Path(file).name.removesuffix(".gz")).stem
    return stem if objects == 1 else f"{stem}-{row}"


def _named(found: Found, release: ReleaseManifest, row: Mapping[str, str] | None) -> Found:
    """Return the object under the catalogue's name, if the catalogue's position agrees."""
    rules = release.catalogue
    if rules is None or row is None:
        return found
    ra_deg, dec_deg = _number(row.get(rules.ra)), _number(row.get(rules.dec))
    if release.native is not None and not math.isfinite(found.ra_deg):
        placed = 0.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0
        place = (ra_deg % 360.0, dec_deg) if placed else NOWHERE
        found = dataclasses.replace(found, ra_deg=place[0], dec_deg=place[1])
        ra_deg, dec_deg = place
    apart = separation_arcsec(ra_deg, dec_deg, found.ra_deg, found.dec_deg)
    object_id = (row.get(rules.object_id) or "").strip()
    if not object_id or not apart <= rules.agree_arcsec:
        return found
    columns: dict[str, Value] = dict(found.columns)
    redshift = _number(row.get(rules.redshift))
    if math.isfinite(redshift):
        columns |= {"redshift": redshift, "redshift_ok": True}
    object_class = (row.get(rules.object_class) or "").strip()
    if object_class:
        columns["object_class"] = object_class
    return dataclasses.replace(found, object_id=object_id, columns=columns)


def _catalogue(root: Files, rules: BesideCatalogue | None) -> dict[str, dict[str, str]]:
    """Return the rows of the catalogue by path; files with several rows are left out."""
    if rules is None:
        return {}
    try:
        with (root / rules.file).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"cannot read the catalogue {root / rules.file}: {error}") from None
    wanted = {rules.path, rules.object_id, rules.ra, rules.dec} - set(rows[0] if rows else ())
    if wanted:
        raise ManifestError(
            f"the catalogue {root / rules.file} lacks the columns {', '.join(sorted(wanted))}"
        )
    by_path: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_path.setdefault(row[rules.path], []).append(row)
    return {path: same[0] for path, same in by_path.items() if len(same) == 1}


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan
