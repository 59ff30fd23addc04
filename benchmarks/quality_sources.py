"""Lines about one source seen twice: in two modalities, or by two surveys."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.paired import Sample, joined, median
from benchmarks.quality_lines import BASELINES, Found, Line, about, line_of, with_bar
from indexer.evaluate.bench import PHOTOMETRY

__all__ = ["partner_lines", "twin_lines"]

PARTNERS = "From images to spectra and back"
TWINS = "One source in two surveys"

_K = 10
_PARTNER_BAR, _RANK_BAR, _TWIN_BAR = 0.70, 5.0, 0.50
_HALF, _THREE_TIMES = 0.5, 3.0


def partner_lines(
    found: Found, direction: str, gallery: int | None, surveys: Mapping[str, str], seed: int
) -> list[Line | None]:
    """Return how well partners across modalities are found, and how alike other hits are."""
    lines: list[Line | None] = []
    own, _, to = direction.partition("_to_")
    for arm, name, words in (
        ("aligned", "aligned", "aligned"),
        ("each in its own space", "raw_cosine", "not aligned, cosine of two spaces"),
    ):
        every = [each for _, each in found.records("r_at_k", arm=arm, direction=direction, k=_K)]
        if not every:
            continue
        sizes = {each.gallery.size: each.gallery for each in every}
        size = gallery if gallery in sizes else max(sizes)
        wanted: dict[str, Any] = {"direction": direction, "gallery": sizes[size]}
        barred = arm == "aligned"
        line = line_of(
            f"{name}.{direction}.r_at_10",
            f"{words}, {own} to {to}: R@10 of the partner",
            PARTNERS,
            found.ways("r_at_k", arm, k=_K, **wanted),
            seed=seed,
            **about(found.record("r_at_k", arm=arm, mode="index", k=_K, **wanted)),
        )
        lines.append(with_bar(line, _PARTNER_BAR if barred else np.nan))
        line = line_of(
            f"{name}.{direction}.median_rank",
            f"{words}, {own} to {to}: median rank of the partner",
            PARTNERS,
            found.ways("median_rank", arm, **wanted),
            of=median,
            seed=seed,
            **about(found.record("median_rank", arm=arm, mode="index", **wanted)),
        )
        lines.append(with_bar(line, _RANK_BAR if barred else np.nan, at_most=True))
    lines.append(_equal_brightness(found, direction, seed))
    return lines + _redshift_differences(found, direction, surveys, seed)


def _equal_brightness(found: Found, direction: str, seed: int) -> Line | None:
    metric = "r_at_k.equal_brightness"
    wanted = {"arm": "aligned", "direction": direction}
    exact = found.sample(metric, mode="exact", **wanted)
    record = found.record(metric, mode="exact", **wanted)
    if exact is None or record is None:
        return None
    random = found.sample(metric, mode="random", **wanted)
    line = line_of(
        f"aligned.{direction}.r_at_10_equal_brightness",
        f"aligned, {direction.replace('_', ' ')}: R@10 among partners within 0.1 mag",
        PARTNERS,
        {"index": exact} | ({"random": random} if random is not None else {}),
        seed=seed,
        note=f"compared exactly, {record.gallery.name}; {record.note}",
        **{**about(record), "gallery": 0},
    )
    return with_bar(line, _THREE_TIMES * record.chance)


def _redshift_differences(
    found: Found, direction: str, surveys: Mapping[str, str], seed: int
) -> list[Line | None]:
    lines: list[Line | None] = []
    for k, end, words in ((_K, "", "the ten nearest"), (1, "_at_1", "the nearest")):
        wanted: dict[str, Any] = {"direction": direction, "k": k}
        by_features: dict[str, Sample] = {}
        for name, short in BASELINES.items():
            arms = [f"nearest by {name}, {release}" for release in surveys]
            samples = [found.sample("delta_z", arm=arm, mode="baseline", **wanted) for arm in arms]
            known = [each for each in samples if each is not None]
            by_features |= {short: joined(known)} if known else {}
        colours = BASELINES[PHOTOMETRY]
        photometry = line_of(
            f"photometry.{direction}.dz{end}",
            f"by photometry alone, {direction.replace('_', ' ')}: median abs(dz)/(1+z) of {words}",
            PARTNERS,
            {"index": by_features[colours]} if colours in by_features else {},
            of=median,
            seed=seed,
        )
        for arm in ("aligned", "linked"):
            # Pictures ask by their features: where spectra ask, the queries are others.
            beside = by_features if arm == "aligned" else {}
            line = line_of(
                f"{arm}.{direction}.dz{end}",
                f"{arm}, {direction.replace('_', ' ')}: median abs(dz)/(1+z) of {words}",
                PARTNERS,
                {**found.ways("delta_z", arm, **wanted), **beside},
                of=median,
                seed=seed,
                **about(found.record("delta_z", arm=arm, mode="index", **wanted)),
            )
            if photometry is not None and arm == "aligned":
                line = with_bar(line, _HALF * photometry.value.value, at_most=True)
            lines.append(line)
        lines.append(photometry)
    return lines


def twin_lines(found: Found, surveys: Mapping[str, str], seed: int) -> list[Line | None]:
    """Return how well a source is found again in another survey of one modality."""
    lines = []
    for direction in found.directions("twin_r_at_k"):
        modality, _, ends = direction.partition(": ")
        a, _, b = ends.partition("_to_")
        for arm, name in (("as indexed", "before"), ("each release's mean removed", "after")):
            ways = found.ways("twin_r_at_k", arm, direction=direction, k=_K)
            after = name == "after"
            if after:
                ways = {"index": ways["exact"]} if "exact" in ways else {}
            line = line_of(
                f"twin.{surveys[a]}_to_{surveys[b]}.r_at_10.{name}",
                f"{modality} of {surveys[a]} to the same source in {surveys[b]}: R@10, {arm}",
                TWINS,
                ways,
                seed=seed,
                note="compared exactly" if after else "",
                **about(found.record("twin_r_at_k", arm=arm, direction=direction, k=_K)),
            )
            barred = after and modality == "image"
            lines.append(with_bar(line, _TWIN_BAR if barred else np.nan))
    return lines
