"""Recalibrated redshifts of the frozen decoder: fitted on an index's own sources, kept with it.

The decoder's distributions are as wide as its training left them. Their cumulative probabilities
are mapped by `aion_encoder.readouts.fit_recalibration`, per modality, on sources of the validation
cells, so that test cells can judge the result.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field

from aion_encoder.observations import Observation
from aion_encoder.readouts import (
    FEWEST_FOR_RECALIBRATION,
    Recalibration,
    RedshiftDistribution,
    fit_recalibration,
    read_redshift,
)
from indexer.durable import write_json
from indexer.errors import IndexFormatError
from indexer.known_values import LabelSource, is_known, known_values
from indexer.labelled import Place, labelled_rows
from indexer.sky_parts import VALIDATION, sources_in, split_of

if TYPE_CHECKING:
    from indexer.index_file import Index
    from indexer.survey_files import SurveyFiles

__all__ = [
    "SOURCES",
    "RedshiftReadout",
    "decoded",
    "fit_readout",
    "known_redshifts",
    "read_readout",
    "tokens_to_redshift",
    "write_readout",
]

SOURCES = 1_000
"""Sources of a modality that a recalibration is fitted on, at most; picked evenly."""

_STAR = "STAR"
_BATCH = 64


class RedshiftReadout(BaseModel):
    """`redshift_readout.json`: what the decoder's probabilities are worth, for one modality.

    Attributes
    ----------
    modality
        Of the observations that the decoder was given.
    encoder
        Digest of the identity of the encoder; of another one it says nothing.
    stated, observed
        The map, as in `aion_encoder.readouts.Recalibration`.
    objects
        Objects behind it.
    healpix_order
        Order of the cells; the objects are from validation cells of `indexer.pairs.Split`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: str
    encoder: str
    stated: tuple[float, ...]
    observed: tuple[float, ...]
    objects: int = Field(gt=0)
    healpix_order: int = Field(ge=0)

    @property
    def recalibration(self) -> Recalibration:
        """The map itself."""
        return Recalibration(self.stated, self.observed, self.objects)


def write_readout(path: Path, readout: RedshiftReadout) -> None:
    """Write `redshift_readout.json`."""
    write_json(path, readout.model_dump(mode="json"))


def read_readout(path: Path) -> RedshiftReadout:
    """Read `redshift_readout.json`.

    Raises
    ------
    IndexFormatError
        If it is missing or damaged.
    """
    try:
        readout = RedshiftReadout.model_validate_json(path.read_bytes())
        # A map that does not ascend must be noticed here, not when somebody asks.
        _ = readout.recalibration
    except (OSError, ValueError) as error:
        raise IndexFormatError(
            f"{path} cannot be read ({error}); fit it anew with `python -m indexer recalibrate`"
        ) from error
    return readout


def tokens_to_redshift(encoder: Any, observations: Sequence[Observation]) -> RedshiftDistribution:
    """Ask the decoder for the redshift of observations, each by itself.

    Parameters
    ----------
    encoder
        Opened with ``keep_decoder=True``.
    """
    parts = []
    for start in range(0, len(observations), _BATCH):
        batch = [(each,) for each in observations[start : start + _BATCH]]
        parts.append(read_redshift(encoder, encoder.encode(batch, tokens=True)))
    return RedshiftDistribution(
        parts[0].levels, np.concatenate([each.probabilities for each in parts])
    )


def known_redshifts(
    index: "Index", labels: LabelSource | None, modality: str, part: int
) -> tuple[list[Place], Float64[np.ndarray, " n"]]:
    """Return the objects of a part of the sky with a modality and a known redshift, and these.

    Stars are left out, as far as classes are known: they have none to speak of.
    """
    redshifts = known_values(index, "redshift", labels)
    label = "spectral_class"
    if labels is None or label not in labels.names:
        label = "object_class"
    classes = known_values(index, label, labels)
    inside = sources_in(index, part)
    wanted = {
        name: is_known(redshifts[name]) & inside[name] & (classes[name] != _STAR)
        for name in index.releases
    }
    rows = labelled_rows(index, modality, wanted)
    places = [(name, int(row)) for name in sorted(rows) for row in rows[name]]
    return places, np.array([redshifts[name][row] for name, row in places], np.float64)


def decoded(
    index: "Index", files: "SurveyFiles", modality: str, places: Sequence[Place]
) -> tuple[list[int], RedshiftDistribution | None]:
    """Ask the decoder about indexed objects, from their survey files.

    Returns
    -------
    Which of the places were answered, and the distributions of these; None of none.
    """
    assert files.ask_redshift is not None
    rows = {
        name: np.array(sorted(row for release, row in places if release == name), np.int64)
        for name in sorted({release for release, _ in places})
    }
    there = files.observations(index, rows, modality)
    at = [number for number, place in enumerate(places) if place in there]
    if not at:
        return [], None
    told = files.ask_redshift(files.encoder(index), [there[places[number]] for number in at])
    good = np.isfinite(told.probabilities).all(axis=1)
    answered = [number for number, yes in zip(at, good, strict=True) if yes]
    return answered, RedshiftDistribution(told.levels, told.probabilities[good])


def fit_readout(
    index: "Index",
    files: "SurveyFiles",
    modality: str,
    labels: LabelSource | None = None,
    *,
    at_most: int = SOURCES,
) -> RedshiftReadout | str:
    """Fit the recalibration of a modality on sources of validation cells.

    Returns
    -------
    The recalibration, or the reason why there is none.
    """
    places, true = known_redshifts(index, labels, modality, VALIDATION)
    chosen = np.unique(
        np.linspace(0, max(len(places) - 1, 0), min(at_most, len(places))).astype(np.int64)
    )
    if len(chosen) < FEWEST_FOR_RECALIBRATION:
        return (
            f"{modality}: {FEWEST_FOR_RECALIBRATION} objects of known redshift in validation cells "
            f"are needed, there are {len(chosen)}"
        )
    answered, told = decoded(index, files, modality, [places[at] for at in chosen])
    if told is None or len(answered) < FEWEST_FOR_RECALIBRATION:
        return (
            f"{modality}: the decoder answers for {len(answered)} of {len(chosen)} objects, "
            f"{FEWEST_FOR_RECALIBRATION} are needed"
        )
    fitted = fit_recalibration(told.pit(true[chosen[answered]]))
    return RedshiftReadout(
        modality=modality,
        encoder=index.info.encoder.digest,
        stated=fitted.stated,
        observed=fitted.observed,
        objects=fitted.objects,
        healpix_order=split_of(index).order,
    )
