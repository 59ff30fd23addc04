"""Are hits across modalities alike in redshift, mass and class, whoever they are?"""

from typing import Any

import numpy as np

from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import purity, redshift_error
from indexer.evaluate.pool import Pool, left_out, pool_of
from indexer.evaluate.records import Gallery, Mode, Recorder
from indexer.evaluate.searches import (
    Lists,
    exact_lists,
    feature_lists,
    index_lists,
    random_lists,
)
from indexer.options import SearchOptions

__all__ = ["agreement"]

_K = 10
_CLOSE = 0.05
_LINKED_QUERIES = 200
"""Queries over the bridge ``linked``, which are answered one by one."""


def agreement(
    bench: Bench, recorder: Recorder, asking: Pool, pool: Pool, arm: str, direction: str
) -> None:
    """Compare the ten nearest of another modality with the query.

    The query's own source is left out: its partner would agree with it for being it. Beside the
    arm stand a random order, neighbours by photometry alone, and the bridge ``linked``.
    """
    numbers = bench.picked(np.arange(len(asking)))
    vectors = asking.vectors(numbers)
    gone = left_out(pool, asking, numbers, near=True)
    ways: dict[tuple[str, Mode], Lists] = {
        (arm, "exact"): exact_lists(pool, vectors, _K, gone),
        (arm, "index"): index_lists(pool, vectors, _K, gone),
        (arm, "random"): random_lists(len(pool), _K, gone, bench.seed),
    }
    gallery = Gallery(
        f"{pool.modality} of test cells",
        len(pool),
        split="test cells",
        healpix_order=bench.split.order,
        exclusion="2 arcsec around the query, and its source",
    )
    for (name, mode), lists in ways.items():
        _score(bench, recorder, asking, numbers, pool, lists, gallery, name, mode, direction)
    if arm == "aligned":
        _by_photometry(bench, recorder, asking, pool, gallery, direction)
        _linked(bench, recorder, asking, pool, direction)


def _score(
    bench: Bench,
    recorder: Recorder,
    asking: Pool,
    numbers: np.ndarray[Any, Any],
    pool: Pool,
    lists: Lists,
    gallery: Gallery,
    arm: str,
    mode: Mode,
    direction: str,
) -> None:
    keys = asking.keys(numbers)
    common: dict[str, Any] = {
        "keys": keys,
        "gallery": gallery,
        "mode": mode,
        "arm": arm,
        "direction": direction,
    }
    redshifts, own = bench.of(pool, "z"), bench.of(asking, "z")
    if redshifts is not None and own is not None:
        mine = own[numbers]
        apart = np.abs(redshift_error(lists.take(redshifts, np.nan), mine[:, None]))
        apart = np.where(np.isfinite(mine)[:, None], apart, np.nan)
        for k in (1, _K):
            middle = _median_of_rows(apart[:, :k])
            recorder.add("delta_z", middle, statistic="median", k=k, **common)
            known = np.isfinite(apart[:, :k])
            close = ((apart[:, :k] <= _CLOSE) & known).sum(axis=1) / np.maximum(
                known.sum(axis=1), 1
            )
            recorder.add("within_005", np.where(known.any(axis=1), close, np.nan), k=k, **common)
    masses, own_mass = bench.of(pool, "stellar_mass"), bench.of(asking, "stellar_mass")
    if masses is not None and own_mass is not None:
        apart = np.abs(lists.take(masses, np.nan) - own_mass[numbers][:, None])
        recorder.add("delta_log_mass", _median_of_rows(apart), statistic="median", k=_K, **common)
    for label in ("spectral_class", "object_class"):
        classes, own_class = bench.of(pool, label), bench.of(asking, label)
        if classes is not None and own_class is not None:
            found = purity(lists.take(classes, ""), own_class[numbers], _K)
            recorder.add(f"agreement.{label}", found, k=_K, **common)


def _median_of_rows(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the median of what is known in each row; NaN where nothing is."""
    known = np.isfinite(values).any(axis=1)
    middle = np.full(len(values), np.nan)
    if known.any():
        middle[known] = np.nanmedian(np.where(np.isfinite(values), values, np.nan)[known], axis=1)
    return middle


def _by_photometry(
    bench: Bench, recorder: Recorder, asking: Pool, pool: Pool, gallery: Gallery, direction: str
) -> None:
    """Ask by photometry alone: the nearest pictures whose sources are in the gallery.

    Both sides need the photometry of one release, that of the pictures; so a spectrum asks by the
    photometry of its own source.
    """
    images = pool_of(bench.index, "image")
    for release in images.releases:
        alone = pool_of(bench.index, "image", releases=(release,))
        among = alone.only(np.isin(alone.sources, pool.sources))
        asks = alone.only(np.isin(alone.sources, asking.sources))
        if len(among) <= _K or not len(asks):
            continue
        for name, features_of in bench.baselines.items():
            every = features_of(alone)
            if every is None:
                continue
            numbers = bench.picked(np.arange(len(asks)))
            gone = left_out(among, asks, numbers, near=True)
            own = every[np.flatnonzero(np.isin(alone.sources, asking.sources))]
            other = every[np.flatnonzero(np.isin(alone.sources, pool.sources))]
            lists = feature_lists(other, own[numbers], _K, gone)
            beside = Gallery(
                f"{release} pictures of the sources of: {gallery.name}",
                len(among),
                split=gallery.split,
                healpix_order=gallery.healpix_order,
                exclusion=gallery.exclusion,
            )
            arm = f"nearest by {name}, {release}"
            _score(bench, recorder, asks, numbers, among, lists, beside, arm, "baseline", direction)


def _linked(bench: Bench, recorder: Recorder, asking: Pool, pool: Pool, direction: str) -> None:
    """Ask over the bridge ``linked``: counterparts of neighbours in the query's own modality."""
    numbers = bench.picked(np.arange(len(asking)), min(_LINKED_QUERIES, bench.queries))
    whole = pool_of(bench.index, pool.modality)
    searcher = bench.searcher
    # Spectra without a vector by AION-1 are reached through links, too; they are not in the pool.
    options = SearchOptions(
        k=_K,
        to=pool.modality,
        bridge="linked",
        exclude_source=True,
        releases=tuple(whole.releases),
    )
    found = np.full((len(numbers), _K), -1, np.int64)
    scores = np.full((len(numbers), _K), np.nan)
    for at, key in enumerate(asking.keys(numbers)):
        hits = searcher.search(searcher.query_object(key), options)
        for place, (release, object_id) in enumerate(
            zip(hits.release.tolist(), hits.object_id.tolist(), strict=True)
        ):
            row = int(bench.index.segment(release).row_of(object_id) or 0)
            among = whole.rows[release]
            number = int(np.searchsorted(among, row))
            if number < len(among) and among[number] == row:
                found[at, place] = whole.starts[release] + number
                scores[at, place] = hits.score[place]
    everywhere = Gallery(
        f"all {pool.modality}, through links",
        len(whole),
        exclusion="every object of the query's source",
    )
    _score(
        bench,
        recorder,
        asking,
        numbers,
        whole,
        Lists(found, scores),
        everywhere,
        "linked",
        "index",
        direction,
    )
