"""Does an image find the same neighbours when it is turned, flipped or shifted by one pixel?"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from aion_encoder import Image
from aion_encoder.training.components import Components, raw_features
from benchmarks.quality_features import PCA, Features, Sky
from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import overlap
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.records import Gallery, Recorder, SuiteResult
from indexer.evaluate.searches import Dropped, Lists, feature_lists, index_lists
from indexer.spaces import to_unit
from indexer.tools import EncoderLike

__all__ = ["PERTURBATIONS", "UNCHANGED", "overlaps", "perturbed"]

Planes = np.ndarray[Any, Any]

UNCHANGED = "encoded again"

PERTURBATIONS: Mapping[str, Callable[[Planes], Planes]] = {
    "rotated": lambda planes: np.rot90(planes, axes=(1, 2)),
    "flipped": lambda planes: planes[:, :, ::-1],
    "shifted": lambda planes: np.roll(planes, 1, axis=2),
}
"""By 90 degrees; east to west; by one pixel, what leaves on one side entering on the other, far
outside the central part that the encoder sees of a survey's cut-out."""

_K = 10


def perturbed(image: Image, change: Callable[[Planes], Planes]) -> Image:
    """Return an image whose pixels, and the mask with them, are moved."""
    return Image(
        flux=np.ascontiguousarray(change(image.flux)),
        bands=image.bands,
        survey=image.survey,
        mask=np.ascontiguousarray(change(np.asarray(image.mask))),
        pixel_scale_arcsec=image.pixel_scale_arcsec,
    )


def overlaps(
    bench: Bench,
    sky: Sky,
    encoder: EncoderLike,
    components: Mapping[str, Components],
    baseline: Features,
    *,
    images: int = 100,
) -> SuiteResult:
    """Compare the ten nearest of changed images with those of the images as they are.

    Parameters
    ----------
    encoder
        The very one that the index was made by.
    components, baseline
        By release of images, what turns pixels into principal components; and those of every
        object.
    images
        Of test cells, of every release: the first in the order of the files.
    """
    recorder = Recorder("overlap", "Images turned, flipped and shifted", bench.seed)
    for release in pool_of(bench.index, "image").releases:
        pool = pool_of(bench.index, "image", releases=(release,))
        wanted = set(pool.rows[release][bench.test_cells(pool.healpix_29)].tolist())
        found: dict[int, Image] = {}
        asked = (
            (row, each)
            for row, each in sky.observations(release, "image")
            if row in wanted and isinstance(each, Image)
        )
        for row, image in islice(asked, images):
            found[row] = image
        if len(pool) <= _K or not found:
            recorder.skipped.append(f"{release}: no image lies in a test cell")
            continue
        _release(bench, recorder, pool, found, encoder, components.get(release), baseline)
    return recorder.result()


def _release(
    bench: Bench,
    recorder: Recorder,
    pool: Pool,
    found: Mapping[int, Image],
    encoder: EncoderLike,
    components: Components | None,
    baseline: Features,
) -> None:
    (release,) = pool.releases
    rows = np.array(sorted(found), np.int64)
    pictures = [found[int(row)] for row in rows]
    numbers = np.searchsorted(pool.rows[release], rows)
    gone = left_out(pool, pool, numbers, near=True)
    space = bench.index.space("image")

    def near(given: list[Image]) -> Lists:
        encoded = encoder.encode([(each,) for each in given])
        return index_lists(pool, space.apply(encoded.vectors["image"]), _K, gone)

    clean = near(pictures)
    answers = {UNCHANGED: index_lists(pool, pool.vectors(numbers), _K, gone)}
    changed = {
        name: [perturbed(each, change) for each in pictures]
        for name, change in PERTURBATIONS.items()
    }
    answers |= {name: near(given) for name, given in changed.items()}
    common: dict[str, Any] = {
        "keys": pool.keys(numbers),
        "gallery": Gallery(
            f"all images of {release}",
            len(pool),
            split="queries from test cells",
            healpix_order=bench.split.order,
            exclusion="2 arcsec around the query, and its source",
        ),
        "direction": release,
        "k": _K,
        "chance": _K / len(pool),
    }
    for name, lists in answers.items():
        shared = overlap(lists.numbers, clean.numbers, _K)
        recorder.add("overlap", shared, mode="index", arm=name, **common)
    features = baseline(pool)
    if components is None or features is None:
        return
    plain = _by_components(features, pictures, components, gone)
    for name, given in changed.items():
        lists = _by_components(features, given, components, gone)
        shared = overlap(lists.numbers, plain.numbers, _K)
        recorder.add("overlap", shared, mode="baseline", arm=f"{name}; {PCA}", **common)


def _by_components(
    features: np.ndarray[Any, Any], given: list[Image], components: Components, gone: Dropped
) -> Lists:
    asked = to_unit(components.apply(np.stack([raw_features(each) for each in given])))
    return feature_lists(features, np.asarray(asked, np.float64), _K, gone)
