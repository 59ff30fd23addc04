"""Discordant sources: what looks like one thing in its picture and like another in its spectrum.

Lenses, blends, active nuclei and wrong redshifts have neighbours in pictures that are no neighbours
in spectra. For every source with both, among all sources that two releases share:

``image_in_spectra``
    Share of these sources that are nearer to it in spectra than one of its k nearest in pictures
    is, the mean over the k. 0 if the two lists are the same and at the top, 1/2 if the pictures say
    nothing of the spectrum. It is 1 - AUC of spectral similarity as a test for being a neighbour
    in pictures; ties count half.
``spectrum_in_images``
    The same the other way round.
``difference``
    How differently the two lists of neighbours are made up: for numbers the largest distance of
    their cumulative distributions (Kolmogorov-Smirnov), for classes half the sum of the absolute
    differences of shares (total variation); the mean over the properties of which both lists know
    enough.
``score``
    Mean of ``difference`` and min(1, image_in_spectra + spectrum_in_images); the latter alone where
    nothing is known. 0 is full agreement, 1 that the picture belongs to another source.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64
from numpy.typing import NDArray

from indexer.errors import QueryError, SearchError
from indexer.index_file import Index
from indexer.known_values import LabelSource, Values, is_known, known_values
from indexer.neighbour_lists import FEWEST_KNOWN, compare_lists, values_differ
from indexer.progress import Progress, silent
from indexer.receipts import index_identity
from indexer.segment import Segment
from indexer.spaces import to_unit

__all__ = [
    "NEIGHBOURS",
    "PROPERTIES",
    "Discordants",
    "find_discordant",
]

NEIGHBOURS = 16
"""Neighbours of each kind that are compared."""

PROPERTIES = ("redshift", "object_class")

IMAGE, SPECTRUM = "image", "spectrum"

FEWEST_PER_NEIGHBOUR = 4
"""Sources that two releases must share for each neighbour: else the lists overlap by chance."""

GALLERY = 50_000
"""Sources among which neighbours are sought; of more, so many are picked evenly."""


@dataclass(frozen=True, eq=False)
class Discordants:
    """Sources with a picture and a spectrum, the most discordant first.

    Attributes
    ----------
    receipt
        Everything needed to run it again; plain values that JSON can hold.
    image_key, spectrum_key
        The source in its two releases.
    score, image_in_spectra, spectrum_in_images, difference
        As at the head of this module; `difference` is NaN where too little is known.
    shared
        Share of neighbours that both lists have.
    ra_deg, dec_deg
        Of the picture.
    redshift, object_class
        Of the source; NaN or empty where unknown.
    image_redshift, spectrum_redshift
        Median of the neighbours; NaN where fewer than 4 are known.
    image_class, spectrum_class
        Most frequent class of the neighbours, ties by name; empty where fewer than 4 are known.
    """

    receipt: Mapping[str, Any]
    image_key: NDArray[np.str_]
    spectrum_key: NDArray[np.str_]
    score: NDArray[np.float64]
    image_in_spectra: NDArray[np.float64]
    spectrum_in_images: NDArray[np.float64]
    difference: NDArray[np.float64]
    shared: NDArray[np.float64]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    redshift: NDArray[np.float64]
    image_redshift: NDArray[np.float64]
    spectrum_redshift: NDArray[np.float64]
    object_class: NDArray[np.str_]
    image_class: NDArray[np.str_]
    spectrum_class: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.score)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if each.name != "receipt"
        }

    def first(self, count: int) -> "Discordants":
        """Return the `count` most discordant."""
        return Discordants(
            self.receipt, **{name: values[:count] for name, values in self.columns().items()}
        )

    def enrichment(self, rare: Bool[np.ndarray, " n"], share: float) -> float:
        """Return how much more frequent something is among the first than among all.

        Parameters
        ----------
        rare
            For each source, in this order, whether it is what is looked for.
        share
            Of all sources, how many are the first, at least one; above 0, at most 1.

        Returns
        -------
        Its frequency among the first, divided by that among all; NaN if there is none.
        """
        if not 0.0 < share <= 1.0:
            raise ValueError(f"a share lies above 0 and is 1 at most, got {share}")
        if len(rare) != len(self):
            raise ValueError(f"{len(self)} sources need as many marks, got {len(rare)}")
        if not rare.any():
            return float("nan")
        return float(rare[: max(1, round(share * len(self)))].mean() / rare.mean())


def find_discordant(
    index: Index,
    *,
    neighbours: int = NEIGHBOURS,
    properties: Sequence[str] = PROPERTIES,
    labels: LabelSource | None = None,
    progress: Progress = silent,
) -> Discordants:
    """Rank all sources with a picture and a spectrum by how discordant these are.

    A source that several pairs of releases share appears once for each pair, compared with the
    others of that pair: releases are not mixed, so no difference between them counts.

    Parameters
    ----------
    neighbours
        Neighbours of each kind to compare.
    properties
        Whose values the two lists imply; columns of the catalogue or labels.
    labels
        Where labels come from.
    progress
        Called with the sources done and their number, for each pair of releases.

    Raises
    ------
    QueryError
        If a property is not known by name, or there are no neighbours to compare.
    SearchError
        If no two releases share enough sources with a picture and a spectrum.
    """
    if neighbours < 1:
        raise QueryError(f"at least one neighbour must be compared, got {neighbours}")
    names = tuple(dict.fromkeys((*PROPERTIES, *properties)))
    values = {name: known_values(index, name, labels) for name in names}
    found, counts, passed_over = [], {}, {}
    for image, spectrum, rows_image, rows_spectrum in _pairs(index):
        name, needed = f"{image.name}+{spectrum.name}", FEWEST_PER_NEIGHBOUR * neighbours
        if len(rows_image) < needed:
            passed_over[name] = f"{len(rows_image)} sources in common, {needed} are needed"
            continue
        counts[name] = len(rows_image)
        both = (image, rows_image), (spectrum, rows_spectrum)
        found.append(_of_pair(*both, neighbours, values, properties, progress))
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in passed_over.items())
        raise SearchError(
            "discordant sources need two releases that share sources, one with pictures and one "
            f"with spectra; {reasons or 'this index links none'}"
        )
    joined = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    order = np.lexsort((joined["spectrum_key"], joined["image_key"], -joined["score"]))
    receipt = {
        **index_identity(index),
        "neighbours": neighbours,
        "properties": list(properties),
        "gallery_at_most": GALLERY,
        "compared": counts,
        "passed_over": passed_over,
    }
    return Discordants(receipt, **{name: column[order] for name, column in joined.items()})


Side = tuple[Segment, Int64[np.ndarray, " n"]]


def _pairs(
    index: Index,
) -> Iterator[tuple[Segment, Segment, Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]]:
    """Give every two releases (or one) and the rows of sources with a picture and a spectrum."""
    for _, image in sorted(index.segments.items()):
        for _, spectrum in sorted(index.segments.items()):
            rows, spectra = image.rows_in(IMAGE, IMAGE), spectrum.rows_in(SPECTRUM, SPECTRUM)
            if not (len(rows) and len(spectra)):
                continue
            partners = (
                rows if image is spectrum else index.links.partners(image.name, rows, spectrum.name)
            )
            both = np.isin(partners, spectra)
            if both.any():
                yield image, spectrum, rows[both], partners[both]


def _of_pair(
    image: Side,
    spectrum: Side,
    k: int,
    values: Mapping[str, Values],
    properties: Sequence[str],
    progress: Progress,
) -> dict[str, NDArray[Any]]:
    count = len(image[1])
    gallery = np.unique(np.linspace(0, count - 1, min(count, GALLERY)).astype(np.int64))
    compared = compare_lists(
        _vectors(*image, IMAGE), _vectors(*spectrum, SPECTRUM), gallery, k, progress
    )
    # Either release may know a value; counterparts are filled in already.
    known = {name: of[image[0].name][image[1]] for name, of in values.items()}
    lists = compared.image_neighbours, compared.spectrum_neighbours
    differences = np.array(
        [
            [_difference(known[name], by_image, by_spectrum) for name in properties]
            for by_image, by_spectrum in zip(*lists, strict=True)
        ]
    ).reshape(count, len(properties))
    sure = np.isfinite(differences)
    total = np.where(sure, differences, 0.0).sum(axis=1)
    counted = sure.sum(axis=1)
    difference = np.where(counted > 0, total / np.maximum(counted, 1), np.nan)
    apart = np.minimum(1.0, compared.image_in_spectra + compared.spectrum_in_images)
    columns: dict[str, NDArray[Any]] = {
        "image_key": _keys(*image),
        "spectrum_key": _keys(*spectrum),
        "score": np.where(counted > 0, 0.5 * (apart + np.nan_to_num(difference)), apart),
        "image_in_spectra": compared.image_in_spectra,
        "spectrum_in_images": compared.spectrum_in_images,
        "difference": difference,
        "shared": compared.shared,
        "ra_deg": np.asarray(image[0].column("ra_deg")[image[1]], np.float64),
        "dec_deg": np.asarray(image[0].column("dec_deg")[image[1]], np.float64),
        "redshift": known["redshift"],
        "object_class": known["object_class"],
    }
    for kind, near in zip((IMAGE, SPECTRUM), lists, strict=True):
        columns[f"{kind}_redshift"] = np.array([_median(known["redshift"][row]) for row in near])
        classes = [_commonest(known["object_class"][row]) for row in near]
        columns[f"{kind}_class"] = np.array(classes, dtype=str)
    return columns


def _vectors(
    segment: Segment, rows: np.ndarray[Any, Any], modality: str
) -> Float32[np.ndarray, "n dim"]:
    having, stored = segment.vectors(modality, modality)
    return to_unit(stored[np.searchsorted(having, rows)].astype(np.float64))


def _keys(segment: Segment, rows: np.ndarray[Any, Any]) -> NDArray[np.str_]:
    return np.array([f"{segment.name}:{segment.object_id(row)}" for row in rows.tolist()])


def _difference(
    known: NDArray[Any], by_image: NDArray[np.int64], by_spectrum: NDArray[np.int64]
) -> float:
    left, right = known[by_image], known[by_spectrum]
    return values_differ(left[is_known(left)], right[is_known(right)])


def _median(values: NDArray[Any]) -> float:
    there = values[is_known(values)]
    return float(np.median(there)) if len(there) >= FEWEST_KNOWN else float("nan")


def _commonest(values: NDArray[Any]) -> str:
    there = values[is_known(values)]
    if len(there) < FEWEST_KNOWN:
        return ""
    names, counts = np.unique(there, return_counts=True)
    return str(names[np.argmax(counts)])
