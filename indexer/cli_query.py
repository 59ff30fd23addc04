"""The query options of the command line: which there are, and what they ask."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.examples import with_examples
from indexer.native_queries import SPECTRUM_SPACES
from indexer.queries import Query

if TYPE_CHECKING:
    from indexer.search import Searcher

__all__ = [
    "Asked",
    "example_options",
    "labels_option",
    "query_of",
    "query_options",
    "space_option",
    "taken",
]

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True)
class Asked:
    """What was given on the command line to ask with. Fields are the options of `query_options`."""

    key: str | None
    position: str | None
    image: tuple[Path, ...]
    spectrum: tuple[Path, ...]
    xp: Path | None
    radius: float | None
    survey: str | None
    pixel_scale: float | None
    bands: str | None
    zero_point: float | None
    wavelength_unit: str | None
    flux_unit: str | None
    medium: str | None
    target_id: str | None
    space: str | None = None
    also: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    probe: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        given = [
            option
            for option, value in (
                ("--object", self.key),
                ("--position", self.position),
                ("--name", self.name),
                ("--image", self.image),
                ("--spectrum", self.spectrum),
                ("--xp", self.xp),
            )
            if value not in (None, ())
        ]
        if len(given) != 1:
            got = f"got {' and '.join(given)}" if given else "got none"
            raise click.UsageError(
                "give exactly one of --object, --position, --name, --image, --spectrum and --xp; "
                f"{got}"
            )
        if self.probe and not self.against:
            raise click.UsageError("--probe needs examples against: give some with --not")
        for name, allowed in _BELONGS_TO.items():
            if getattr(self, name) is not None and given[0] not in allowed:
                option = "--" + name.replace("_", "-")
                raise click.UsageError(f"{option} belongs to {' or '.join(allowed)}")


_BELONGS_TO = {
    "radius": ("--position", "--name"),
    "survey": ("--image", "--spectrum"),
    "pixel_scale": ("--image",),
    "bands": ("--image",),
    "zero_point": ("--image",),
    "wavelength_unit": ("--spectrum",),
    "flux_unit": ("--spectrum",),
    "medium": ("--spectrum",),
    "target_id": ("--spectrum", "--xp"),
}

_OPTIONS = (
    click.option(
        "--object",
        "key",
        metavar="KEY",
        help="An object: release:id, survey:id, a bare identifier, plate-mjd-fiber, "
        "'Gaia DR3 ...' or a name such as J094651.40-010228.5.",
    ),
    click.option(
        "--position",
        metavar='"RA DEC"',
        help="The object nearest to a position, in degrees or sexagesimal; a right ascension in "
        "three fields is in hours.",
    ),
    click.option(
        "--name",
        metavar="NAME",
        help="The object nearest to where something of that name lies, such as 'M 51': asks Sesame "
        "at the CDS.",
    ),
    click.option(
        "--image",
        type=_FILE,
        multiple=True,
        metavar="FILE...",
        help="A FITS cut-out; several files if each band has its own.",
    ),
    click.option(
        "--spectrum",
        type=_FILE,
        multiple=True,
        metavar="FILE...",
        help="A spectrum (FITS, ECSV, VOTable, CSV, text); two files for flux and error.",
    ),
    click.option("--xp", type=_FILE, metavar="FILE", help="A table of Gaia BP/RP coefficients."),
    click.option(
        "--radius",
        type=float,
        metavar="ARCSEC",
        help="How far the object may lie from --position or --name. Default: 5, or what a "
        "name that holds its position allows.",
    ),
    click.option("--survey", help="Which survey's data a file holds, if it does not say."),
    click.option(
        "--pixel-scale", type=float, metavar="ARCSEC", help="Arcseconds per pixel of an image."
    ),
    click.option("--bands", metavar="LIST", help="Bands of the planes of an image, such as g,r,z."),
    click.option("--zero-point", type=float, metavar="MAG", help="AB magnitude of one count."),
    click.option("--wavelength-unit", metavar="UNIT", help="Such as nm, of a spectrum."),
    click.option("--flux-unit", metavar="UNIT", help="Such as mJy, of a spectrum."),
    click.option(
        "--medium",
        type=click.Choice(["air", "vacuum"]),
        help="What the wavelengths of a spectrum were measured in.",
    ),
    click.option("--target-id", metavar="ID", help="Which object of a file that holds several."),
)

_EXAMPLES = (
    click.option(
        "--also",
        multiple=True,
        metavar="KEY",
        help="A further object to look for; may be repeated. The mean of all is searched for.",
    ),
    click.option(
        "--not",
        "against",
        multiple=True,
        metavar="KEY",
        help="An object unlike what is looked for; may be repeated.",
    ),
    click.option(
        "--probe",
        is_flag=True,
        help="Search with the weights of a logistic regression between the examples for and "
        "against, instead of with their means.",
    ),
)


def query_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that `Asked` holds."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def example_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for further examples, which `Asked` holds, too."""
    for option in reversed(_EXAMPLES):
        command = option(command)
    return command


def space_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--space``, which `Asked` holds, too."""
    return click.option(
        "--space",
        type=click.Choice(SPECTRUM_SPACES),
        help="Where spectra are compared: as AION-1 sees them, or as the universal spectral "
        "tokenizer does. Default: spectrum, where AION-1 takes the query.",
    )(command)


def labels_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--labels``."""
    return click.option(
        "--labels",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE",
        help="A table of labels; may be repeated. They go before the columns of the catalogue.",
    )(command)


def taken(values: dict[str, Any], more: tuple[Path, ...]) -> Asked:
    """Take the options of `query_options` out of all that a command was given.

    Parameters
    ----------
    values
        Options by name; those taken are removed.
    more
        Files that stand by themselves, as after ``--image g.fits r.fits z.fits``.
    """
    given = {each.name: values.pop(each.name) for each in fields(Asked) if each.name in values}
    several = [name for name in ("image", "spectrum") if given[name]]
    if more and len(several) != 1:
        raise click.UsageError(f"unexpected {more[0]}; only --image and --spectrum take files")
    for name in several:
        given[name] += more
    return Asked(**given)


def query_of(searcher: "Searcher", asked: Asked) -> Query:
    """Return the query that was asked for; files are read and encoded."""
    first = _first_of(searcher, asked)
    query = with_examples(
        searcher.query_object, first, asked.also, asked.against, probe=asked.probe
    )
    return query if asked.space is None else searcher.in_space(query, asked.space)


def _first_of(searcher: "Searcher", asked: Asked) -> Query:
    if asked.key is not None:
        return searcher.query_object(asked.key)
    if asked.position is not None:
        return searcher.query_position(asked.position, asked.radius)
    if asked.name is not None:
        return searcher.query_name(asked.name, asked.radius)
    # Imported here: only files need the readers.
    from indexer.readers.uploads import (
        bands_of,
        read_image_file,
        read_spectrum_file,
        read_xp_file,
    )

    if asked.image:
        bands = None if asked.bands is None else bands_of(asked.bands)
        return searcher.query_upload(
            read_image_file(
                asked.image,
                survey=asked.survey,
                pixel_scale_arcsec=asked.pixel_scale,
                bands=bands,
                zero_point=asked.zero_point,
            )
        )
    if asked.spectrum:
        return searcher.query_upload(
            read_spectrum_file(
                asked.spectrum,
                survey=asked.survey,
                wavelength_unit=asked.wavelength_unit,
                flux_unit=asked.flux_unit,
                medium=asked.medium,
                target_id=asked.target_id,
            )
        )
    assert asked.xp is not None
    return searcher.query_upload(read_xp_file(asked.xp, source_id=asked.target_id))
