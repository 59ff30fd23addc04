"""Two lists of neighbours of the same sources, compared: by their ranks and by what they hold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy.typing import NDArray

from indexer.errors import SearchError
from indexer.progress import Progress, silent

__all__ = ["FEWEST_KNOWN", "Compared", "compare_lists", "values_differ"]

FEWEST_KNOWN = 4
"""Neighbours of known value below which a list says nothing of a property."""

_BLOCK = 128


@dataclass(frozen=True, eq=False)
class Compared:
    """The two lists of neighbours of n sources.

    Attributes
    ----------
    image_neighbours, spectrum_neighbours
        Numbers of sources of the gallery, nearest first.
    shared
        Share of neighbours that both lists have.
    image_in_spectra, spectrum_in_images
        As `indexer.discordant` defines them.
    """

    image_neighbours: Int64[np.ndarray, "n k"]
    spectrum_neighbours: Int64[np.ndarray, "n k"]
    shared: Float64[np.ndarray, " n"]
    image_in_spectra: Float64[np.ndarray, " n"]
    spectrum_in_images: Float64[np.ndarray, " n"]


def compare_lists(
    images: Float32[np.ndarray, "n dim"],
    spectra: Float32[np.ndarray, "n other"],
    gallery: Int64[np.ndarray, " m"],
    k: int,
    progress: Progress = silent,
) -> Compared:
    """Compare the neighbours of sources in pictures with those in spectra.

    Parameters
    ----------
    images, spectra
        Unit vectors of the same sources.
    gallery
        Sources among which neighbours are sought, ascending; a source is not its own neighbour.
    k
        Neighbours of each kind; the gallery must hold more.
    progress
        Called with the sources done and their number.

    Raises
    ------
    SearchError
        If the gallery is too small.
    """
    if len(gallery) <= k + 1:
        raise SearchError(f"{k} neighbours need more than {k + 1} sources, got {len(gallery)}")
    parts: list[tuple[np.ndarray[Any, Any], ...]] = []
    for start in range(0, len(images), _BLOCK):
        progress(start, len(images))
        number = np.arange(start, min(start + _BLOCK, len(images)))
        own = gallery[None, :] == number[:, None]
        by_image = np.where(own, -np.inf, images[number] @ images[gallery].T)
        by_spectrum = np.where(own, -np.inf, spectra[number] @ spectra[gallery].T)
        near_image, near_spectrum = _nearest(by_image, k), _nearest(by_spectrum, k)
        others = len(gallery) - own.sum(axis=1)
        shared = (near_image[:, :, None] == near_spectrum[:, None, :]).sum(axis=(1, 2)) / k
        parts.append(
            (
                gallery[near_image],
                gallery[near_spectrum],
                shared,
                _share_nearer(by_spectrum, near_image, others),
                _share_nearer(by_image, near_spectrum, others),
            )
        )
    progress(len(images), len(images))
    return Compared(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _nearest(scores: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, Any]:
    """Return the places of the k best of each row, best first, ties by place."""
    some = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(some, order, axis=1))


def _share_nearer(
    scores: np.ndarray[Any, Any], places: np.ndarray[Any, Any], others: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the mean share of other sources that score more than those at some places."""
    total = np.zeros(len(scores))
    for column in range(places.shape[1]):
        there = np.take_along_axis(scores, places[:, column : column + 1], axis=1)
        nearer = (scores > there).sum(axis=1)
        # The one compared ties with itself.
        ties = (scores == there).sum(axis=1) - 1
        total += (nearer + 0.5 * ties) / (others - 1)
    return np.asarray(total / places.shape[1])


def values_differ(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Return how differently two lists of values are made up, from 0 to 1.

    Parameters
    ----------
    left, right
        Known numbers or classes.

    Returns
    -------
    The Kolmogorov-Smirnov distance of numbers, the total variation distance of classes; NaN where
    either list has fewer than 4.
    """
    if min(len(left), len(right)) < FEWEST_KNOWN:
        return float("nan")
    every = np.unique(np.concatenate([left, right]))
    shares = [np.array([np.mean(side == value) for value in every]) for side in (left, right)]
    if left.dtype.kind == "f":
        return float(np.abs(np.cumsum(shares[0]) - np.cumsum(shares[1])).max())
    return float(0.5 * np.abs(shares[0] - shares[1]).sum())
