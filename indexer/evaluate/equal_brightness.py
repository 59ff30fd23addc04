"""Partners among objects of equal brightness: does more than the magnitude lead to the partner?"""

from typing import Any

import numpy as np

from indexer.evaluate.bench import Bench
from indexer.evaluate.measures import rank_of_partner
from indexer.evaluate.pool import Pool
from indexer.evaluate.records import Gallery, Mode, Recorder

__all__ = ["MAGNITUDES", "equal_brightness"]

MAGNITUDES = 0.1
_K = 10
_LEAST_GALLERY = 20
"""Objects of equal brightness below which being among the ten nearest says little."""


def equal_brightness(
    bench: Bench, recorder: Recorder, asking: Pool, pool: Pool, arm: str, direction: str
) -> None:
    """Score R@10 among objects within 0.1 mag of the query, each query in a gallery of its own.

    Chance is the mean over queries of 10 over the size of their galleries.
    """
    own, theirs = bench.of(asking, "mag_r"), bench.of(pool, "mag_r")
    if own is None or theirs is None:
        recorder.skipped.append(f"{direction}, equal brightness: no magnitudes are known")
        return
    own_source = np.isin(asking.sources, pool.sources) & np.isfinite(own)
    numbers = bench.picked(np.flatnonzero(own_source))
    gallery = pool.vectors(np.arange(len(pool)))
    found: list[float] = []
    ranks: list[int] = []
    sizes: list[int] = []
    chances: list[float] = []
    asked: list[int] = []
    for number in numbers.tolist():
        partner = pool.sources == asking.sources[number]
        near = (np.abs(theirs - own[number]) <= MAGNITUDES) | partner
        # Of several entries of the source, the best-ranked counts: together they are one.
        size = int(near.sum()) - int(partner.sum()) + 1
        if size < _LEAST_GALLERY:
            continue
        scores = np.where(near, gallery @ asking.vectors(np.array([number]))[0], -np.inf)
        rank = int(rank_of_partner(scores[None, :], partner[None, :])[0])
        asked.append(number)
        ranks.append(rank)
        found.append(float(rank <= _K))
        sizes.append(size)
        chances.append(_K / size)
    if not asked:
        recorder.skipped.append(
            f"{direction}, equal brightness: no query has {_LEAST_GALLERY} objects within "
            f"{MAGNITUDES} mag"
        )
        return
    about = Gallery(
        f"within {MAGNITUDES} mag of the query, {int(np.median(sizes))} in the median",
        len(pool),
        split="test cells",
        healpix_order=bench.split.order,
        exclusion="nothing; the best of a source's entries counts",
    )
    chance = float(np.mean(chances))
    note = f"{len(numbers) - len(asked)} queries have fewer than {_LEAST_GALLERY} such objects"
    draws = np.random.default_rng(bench.seed).uniform(size=len(asked)) < np.array(chances)
    ways: dict[Mode, Any] = {"exact": np.array(found), "random": draws.astype(float)}
    for mode, values in ways.items():
        recorder.add(
            "r_at_k.equal_brightness",
            values,
            keys=asking.keys(np.array(asked)),
            gallery=about,
            mode=mode,
            arm=arm,
            direction=direction,
            k=_K,
            chance=chance,
            rank=np.array(ranks) if mode == "exact" else None,
            note=note,
        )
