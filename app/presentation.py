"""Words of the page: hits and queries into captions and cards. Pure, and knows no Streamlit."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from app.address import SAME
from indexer import Hits, Query
from indexer.index_model import IndexInfo, ReleaseInfo

__all__ = [
    "BRIDGE_NAMES",
    "BRIDGE_TITLES",
    "MODALITY_TITLES",
    "PLURAL",
    "SINGULAR",
    "SPACE_TITLES",
    "Card",
    "bridge_words",
    "cards",
    "class_words",
    "count_words",
    "demonstration_words",
    "encoder_words",
    "facts_words",
    "folded_words",
    "headline",
    "index_sentence",
    "is_demonstration",
    "modalities_in",
    "percentile_words",
    "position_words",
    "query_title",
    "redshift_words",
    "release_facts",
    "releases_in_order",
    "target_titles",
]

MODALITY_TITLES = {
    "image": "Images",
    "spectrum": "Spectra",
    "xp": "Gaia XP",
    "photometry": "Photometry",
}
SINGULAR = {
    "image": "image",
    "spectrum": "spectrum",
    "xp": "Gaia XP spectrum",
    "photometry": "photometry",
}
PLURAL = {
    "image": "images",
    "spectrum": "spectra",
    "xp": "Gaia XP spectra",
    "photometry": "photometric objects",
}
SPACE_TITLES = {"spectrum": "AION-1", "spectrum_native": "Spectral tokenizer"}
"""Spaces of spectra by the model whose vectors they hold."""

DEMONSTRATION_MODELS = ("demo", "aion-demo")
"""What indexes call the weights that come with this program."""

BRIDGE_TITLES = {"auto": "Auto", "linked": "Linked", "aligned": "Aligned"}
BRIDGE_NAMES = {"same": "own space", "linked": "linked", "aligned": "aligned"}
"""How a hit says over which bridge it came; one of its own kind needed none."""

QUERY_ITSELF = "the query itself"
"""What an object of the query's own source was linked through."""


@dataclass(frozen=True)
class Card:
    """One neighbour in words. An empty string means that the survey does not say."""

    key: str
    release: str
    object_id: str
    rank: int
    score: str
    percentile: str
    percentile_title: str
    facts: str
    position: str
    bridge: str
    bridge_title: str
    via: str
    modality: str
    link: str
    folded: str = ""
    folded_title: str = ""

    @property
    def name(self) -> str:
        """The neighbour for people who cannot see it."""
        facts = f", {self.facts}" if self.facts else ""
        return f"neighbour {self.rank}, {self.key}{facts}, {self.bridge}"


def count_words(count: int, modality: str) -> str:
    """Return `1 spectrum`, `12 spectra`, `2,400 images`."""
    names = SINGULAR if count == 1 else PLURAL
    return f"{count:,} {names.get(modality, modality)}"


def percentile_words(percentile: float) -> str:
    """Return a percentile with one decimal, never rounded up to a certainty.

    NaN (a bridge without calibration) gives an empty string.
    """
    if not math.isfinite(percentile):
        return ""
    if percentile > 99.9:
        return "> 99.9 %"
    return f"{percentile:.1f} %"


def position_words(ra_deg: float, dec_deg: float) -> str:
    """Return a position in degrees, or nothing where it is unknown."""
    if not (math.isfinite(ra_deg) and math.isfinite(dec_deg)):
        return ""
    return f"{ra_deg:.5f} {dec_deg:+.5f}"


def redshift_words(redshift: float) -> str:
    """Return a redshift with four decimals, or nothing where it is unknown."""
    return f"{redshift:z.4f}" if math.isfinite(redshift) else ""


def class_words(object_class: str) -> str:
    """Return a class as the survey writes it, with blanks for underscores."""
    return object_class.replace("_", " ").strip()


def facts_words(redshift: float, object_class: str, magnitude: float = math.nan) -> str:
    """Return redshift, class and magnitude in one short line; what is unknown is left out."""
    parts = []
    if math.isfinite(redshift):
        parts.append(f"z {redshift_words(redshift)}")
    if class_words(object_class):
        parts.append(class_words(object_class))
    if math.isfinite(magnitude):
        parts.append(f"{magnitude:.2f} mag")
    return " · ".join(parts)


def bridge_words(bridge: str, modality: str, via: str = "") -> str:
    """Return what a bridge means for one hit of this modality."""
    thing = SINGULAR.get(modality, modality)
    if via == QUERY_ITSELF:
        return (
            f"Linked: this {thing} is of the query's own source, within 1 arcsec of it. Nothing "
            "was compared."
        )
    if bridge == "linked":
        through = f" ({via})" if via else ""
        return (
            f"Linked: an object whose observation{through} is close to the query's, and which "
            f"was also observed as this {thing}. Two objects are one source when they lie within "
            "1 arcsec of each other."
        )
    if bridge == "aligned":
        return (
            f"Aligned: the query and this {thing} are compared in a shared space, into which both "
            "modalities were mapped with pairs of observations of the same sources."
        )
    return f"Own space: the query and this {thing} are compared directly, vector with vector."


def query_title(query: Query) -> str:
    """Return a query's name: its key, or its file."""
    return str(query.key or query.text)


def headline(query: Query, hits: Hits, to: str) -> str:
    """Return how many of what were found, in one line of Markdown."""
    modality = query.modality if to == SAME else to
    if len(hits) == 0:
        return f"No {PLURAL.get(modality, modality)} found"
    nearest = "Nearest" if len(hits) == 1 else f"{len(hits)} nearest"
    names = SINGULAR if len(hits) == 1 else PLURAL
    about = " (approximate)" if query.approximate else ""
    return f"{nearest} {names.get(modality, modality)}{about}"


def target_titles(modalities: Iterable[str], own: str | None = None) -> dict[str, str]:
    """Return what can be asked for, in order, with its title; `own` is the query's modality."""
    present = [name for name in MODALITY_TITLES if name in set(modalities)]
    same = "Same kind" if own is None else f"Same kind ({PLURAL.get(own, own)})"
    return {SAME: same} | {name: MODALITY_TITLES[name] for name in present if name != own}


def cards(hits: Hits) -> tuple[Card, ...]:
    """Return the hits as cards, nearest first."""
    return tuple(_card(hits, row) for row in range(len(hits)))


def _card(hits: Hits, row: int) -> Card:
    bridge, modality = str(hits.bridge[row]), str(hits.modality[row])
    percentile = float(hits.percentile[row])
    words = percentile_words(percentile)
    via = str(hits.via[row])
    if bridge == "linked" and via in ("", hits.query.key):
        via = QUERY_ITSELF
    score = f"{float(hits.score[row]):.3f}"
    return Card(
        key=str(hits.key[row]),
        release=str(hits.release[row]),
        object_id=str(hits.object_id[row]),
        rank=int(hits.rank[row]),
        score=score,
        percentile=words,
        percentile_title=(
            f"Cosine similarity {score}"
            + (f": closer than {words.lstrip('> ')} of random pairs" if words else "")
        ),
        facts=facts_words(
            float(hits.redshift[row]), str(hits.object_class[row]), float(hits.magnitude[row])
        ),
        position=position_words(float(hits.ra_deg[row]), float(hits.dec_deg[row])),
        bridge=BRIDGE_NAMES.get(bridge, bridge),
        bridge_title=bridge_words(bridge, modality, via),
        via=via,
        modality=modality,
        link=str(hits.link[row]),
        folded=folded_words(int(hits.folded[row])),
        folded_title="Within 2 arcsec: " + str(hits.folded_keys[row]).replace(";", ", "),
    )


def folded_words(count: int) -> str:
    """Return how many other hits one stands for; nothing where it stands for itself."""
    return f"+ {count} more here" if count else ""


def is_demonstration(info: IndexInfo) -> bool:
    """Return whether any release of an index says of itself that it is simulated."""
    return any(release.simulated for release in info.releases.values())


def demonstration_words(info: IndexInfo) -> str:
    """Return what of an index is a demonstration, in sentences; empty where nothing is."""
    names = [name for name, release in info.releases.items() if release.simulated]
    words = []
    if names:
        which = "the whole sky" if len(names) == len(info.releases) else ", ".join(names)
        words.append(f"Simulated, and never observed: {which}.")
    if info.encoder.repository in DEMONSTRATION_MODELS:
        words.append(
            "The vectors come from a small model that was taught on simulated data, not from "
            "AION-1: they show how the program works, and say nothing of the sky."
        )
    return " ".join(words)


def modalities_in(info: IndexInfo) -> tuple[str, ...]:
    """Return the modalities that an index has vectors of, in their fixed order."""
    releases = info.releases.values()
    return tuple(
        name
        for name in MODALITY_TITLES
        if any(release.vectors.get(name, 0) for release in releases)
    )


def encoder_words(info: IndexInfo) -> str:
    """Return which model made the vectors, and the digest that tells it from any other."""
    identity = info.encoder
    revision = f" at {identity.revision}" if identity.revision else ""
    return f"{identity.repository}{revision}, identity {identity.digest}"


def index_sentence(info: IndexInfo) -> str:
    """Return what an index holds, in one sentence."""
    total = sum(release.indexed for release in info.releases.values())
    releases = "one release" if len(info.releases) == 1 else f"{len(info.releases)} releases"
    held = [
        count_words(sum(release.vectors.get(name, 0) for release in info.releases.values()), name)
        for name in modalities_in(info)
    ]
    simulated = " of a **simulated** sky" if is_demonstration(info) else ""
    return f"**{total:,} objects**{simulated} in {releases}: {', '.join(held)}."


def releases_in_order(info: IndexInfo) -> list[str]:
    """Return the releases, those with pictures first, then spectra, then the rest."""
    rank = {name: place for place, name in enumerate(MODALITY_TITLES)}

    def place(release: str) -> tuple[int, str]:
        held = [rank[name] for name, count in info.releases[release].vectors.items() if count]
        return min(held, default=len(rank)), release

    return sorted(info.releases, key=place)


def release_facts(release: ReleaseInfo) -> str:
    """Return the number of objects of a release by modality."""
    counts = [
        count_words(release.vectors[name], name)
        for name in MODALITY_TITLES
        if release.vectors.get(name)
    ]
    return ", ".join(counts) if counts else f"{release.indexed:,} objects"
