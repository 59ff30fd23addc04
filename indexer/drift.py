"""How far vectors lie from those that the inverted lists of a space were trained on.

Lists are trained once and filled with whatever comes later. A vector that is far from the centre
of its list is coded badly, and lists that fill unevenly are long to search. Both are compared with
vectors of the time of training that the training did not see.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field

from indexer import ann
from indexer.durable import write_json
from indexer.errors import IndexFormatError
from indexer.layout import segment_drift_file

if TYPE_CHECKING:
    from indexer.drafts import Draft

__all__ = [
    "LOOKED_AT",
    "Drift",
    "Spread",
    "drift_of",
    "read_drift",
    "spread_of",
    "with_drift_notes",
    "write_drift",
]

LOOKED_AT = 16_384
"""Vectors that are compared, at most about."""

FARTHER = 0.25
"""Largest difference of the two distributions that is borne: one vector in four."""

IMBALANCE = 1.5
"""Largest ratio of the imbalances that is borne."""

_QUANTILES = 101
_SAID = "its vectors lie otherwise than those that the inverted lists were trained on"


class Spread(BaseModel):
    """How vectors lie in inverted lists.

    Attributes
    ----------
    vectors
        How many were looked at.
    cosines
        101 quantiles, from the smallest to the largest, of the cosine with the centre of the list.
    imbalance
        How many times more vectors share a list with one of them than if all lists had the same:
        the number of lists times the sum of the squared shares, estimated without bias.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vectors: int = Field(ge=2)
    cosines: tuple[float, ...]
    imbalance: float


class Drift(BaseModel):
    """How vectors of a segment differ from those that its lists were trained on.

    Attributes
    ----------
    found, trained
        Of the segment, and of the time of training.
    difference
        Largest difference of the two distributions of cosines (Kolmogorov and Smirnov's).
    farther
        The same, counting only that the segment's are smaller.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: Spread
    trained: Spread
    difference: float
    farther: float

    @property
    def retrain(self) -> bool:
        """Whether it is more than is borne."""
        ratio = self.found.imbalance / max(self.trained.imbalance, 1.0)
        return self.farther > FARTHER or ratio > IMBALANCE

    def note(self, what: str) -> str:
        """Return what a reader of the index should know."""
        median, before = (each.cosines[_QUANTILES // 2] for each in (self.found, self.trained))
        return (
            f"{what}: {_SAID} (median cosine with the centre of the list {median:.3f}, then "
            f"{before:.3f}; "
            f"distributions differ by {self.difference:.2f}, farther by {self.farther:.2f} where "
            f"{FARTHER} is borne; imbalance {self.found.imbalance:.2f}, then "
            f"{self.trained.imbalance:.2f}); searches there find less or take longer: train the "
            "lists anew by building the index into another folder"
        )


def spread_of(trained: Any, vectors: Float32[np.ndarray, "n dim"]) -> Spread:
    """Look how at least two vectors lie in the lists of a trained index."""
    numbers, cosines = ann.nearest_lists(trained, vectors)
    count = len(numbers)
    sizes = np.unique(numbers, return_counts=True)[1].astype(np.float64)
    pairs = (sizes * (sizes - 1.0)).sum() / (count * (count - 1.0))
    quantiles = np.quantile(cosines.astype(np.float64), np.linspace(0.0, 1.0, _QUANTILES))
    return Spread(
        vectors=count,
        cosines=tuple(np.round(quantiles, 6).tolist()),
        imbalance=round(float(ann.lists_in(trained) * pairs), 6),
    )


def drift_of(found: Spread, trained: Spread) -> Drift:
    """Compare vectors of a segment with those of the time of training."""
    at = np.unique([*found.cosines, *trained.cosines])
    shares = np.linspace(0.0, 1.0, _QUANTILES)
    ours, theirs = (np.interp(at, each.cosines, shares) for each in (found, trained))
    return Drift(
        found=found,
        trained=trained,
        difference=round(float(np.abs(ours - theirs).max()), 6),
        farther=round(float(max((ours - theirs).max(), 0.0)), 6),
    )


def write_drift(path: Path, drift: Drift) -> None:
    """Write the drift of some vectors of a segment."""
    write_json(path, drift.model_dump(mode="json"))


def read_drift(path: Path) -> Drift | None:
    """Read the drift of some vectors of a segment; None where none was measured.

    Raises
    ------
    IndexFormatError
        If the file is damaged.
    """
    try:
        return Drift.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise IndexFormatError(f"{path} cannot be read ({error}); build the index again") from error


def with_drift_notes(
    notes: Iterable[str], root: Path, drafts: Mapping[str, "Draft"]
) -> tuple[str, ...]:
    """Add to the notes of an index of which vectors the lists should be trained anew.

    Notes of this kind that are there already are left out: they are found again if they hold.
    """
    found = [note for note in notes if _SAID not in note]
    for release, draft in sorted(drafts.items()):
        for space, modalities in sorted(draft.spaces.items()):
            for modality in modalities:
                drift = read_drift(root / segment_drift_file(draft.unit, space, modality))
                if drift is not None and drift.retrain:
                    found.append(drift.note(f"{release}, {modality} in space {space}"))
    return tuple(found)
