"""Published values to stand beside ours, with where they come from.

They were measured on real surveys: beside a simulated sky they show what a number looks like
elsewhere, not which model is better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["LENSES_ACROSS_SURVEYS", "RETRIEVAL", "R_SQUARED", "Published", "bar"]

AION = "AION-1 (arXiv:2510.17960, fig. 7)"
SEARCH = "AION-Search (arXiv:2512.11982, table 1)"
CLIP = "AstroCLIP (its repository, README)"


@dataclass(frozen=True)
class Published:
    """One published value; `task` says where it is not the same as ours."""

    system: str
    value: float
    source: str
    task: str = ""


def _row(
    system: str, values: tuple[float, float, float], source: str, task: str = ""
) -> tuple[tuple[str, Published], ...]:
    names = ("spiral", "merger", "lens")
    return tuple(
        (name, Published(system, value, source, task))
        for name, value in zip(names, values, strict=True)
    )


_TEXT = "asked by text"
_RETRIEVAL_ROWS = (
    *_row("AION-1-B", (0.632, 0.281, 0.012), AION),
    *_row("AION-1-L", (0.643, 0.303, 0.011), AION),
    *_row("AION-1-XL", (0.621, 0.384, 0.015), AION),
    *_row("AstroCLIP", (0.602, 0.248, 0.006), AION),
    *_row("Stein et al. 2021", (0.590, 0.340, 0.007), AION),
    *_row("DINOv2", (0.477, 0.060, 0.003), AION),
    *_row("random", (0.263, 0.037, 0.000), SEARCH),
    *_row("AION-Search", (0.941, 0.554, 0.180), SEARCH, _TEXT),
    *_row("AION-Search, re-ranked", (0.992, 0.678, 0.290), SEARCH, _TEXT),
)

RETRIEVAL: Mapping[str, tuple[Published, ...]] = {
    name: tuple(each for at, each in _RETRIEVAL_ROWS if at == name)
    for name in ("spiral", "merger", "lens")
}
"""nDCG@10 by what is looked for."""

LENSES_ACROSS_SURVEYS: Mapping[tuple[str, str], Published] = {
    ("legacysurvey", "legacysurvey"): Published("AION-1-B", 0.012, AION),
    ("hsc", "hsc"): Published("AION-1-B", 0.018, AION),
    ("legacysurvey", "hsc"): Published("AION-1-B", 0.004, AION),
    ("hsc", "legacysurvey"): Published("AION-1-B", 0.016, AION),
}
"""nDCG@10 of lenses, by the survey of the query and that of the gallery."""

R_SQUARED: Mapping[str, Mapping[str, tuple[Published, ...]]] = {
    "z": {
        "image": (
            Published("AstroCLIP image", 0.79, CLIP),
            Published("unaligned image encoder", 0.63, CLIP),
            Published("Stein et al. 2021", 0.36, CLIP),
            Published("photometry alone, trained", 0.68, CLIP, "supervised"),
            Published("ResNet18", 0.77, CLIP, "supervised"),
        ),
        "spectrum": (Published("AstroCLIP spectrum", 0.99, CLIP),),
    },
    "properties": {
        "image": (
            Published("AstroCLIP image", 0.47, CLIP),
            Published("unaligned image encoder", 0.37, CLIP),
            Published("Stein et al. 2021", 0.26, CLIP),
        ),
        "spectrum": (Published("AstroCLIP spectrum", 0.63, CLIP),),
    },
}
"""R2 from neighbours; ``properties`` is the mean over mass, metallicity, age and star formation."""


def bar(published: tuple[Published, ...]) -> dict[str, Any]:
    """Return the first published value as the bar of a record."""
    if not published:
        return {}
    return {"bar": published[0].value, "bar_of": f"{published[0].system}, {published[0].source}"}
