"""Properties from labelled neighbours, in words and numbers. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.presentation import PLURAL, class_words
from indexer import ClassEstimate, NoEstimate, NumberEstimate

__all__ = [
    "PropertyRow",
    "Share",
    "coverage_words",
    "interval_words",
    "is_yes_or_no",
    "method_words",
    "number_words",
    "property_rows",
    "property_title",
    "shares_of",
]

Estimate = NumberEstimate | ClassEstimate | NoEstimate

TITLES = {
    "redshift": "Redshift",
    "object_class": "Class",
    "magnitude": "Magnitude (own band)",
    "spectral_class": "Spectral class",
    "stellar_mass": "Stellar mass (log M☉)",
    "sfr": "Star formation (log M☉/yr)",
    "metallicity": "Stellar metallicity (mass fraction)",
    "age_gyr": "Stellar age (Gyr)",
    "temperature_k": "Effective temperature (K)",
    "logg": "Surface gravity (log cm/s²)",
    "votes_spiral": "Votes for spiral arms",
    "votes_merger": "Votes for a merger",
    "is_lens": "Is a lens",
    "lens_grade": "Lens grade",
    "mag_r": "Magnitude r",
}
"""As `docs/labels.md` defines them."""


@dataclass(frozen=True)
class PropertyRow:
    """One property in words. Empty strings are cells with nothing to say.

    Attributes
    ----------
    title
        Name and unit.
    estimate, estimate_note
        Value, and for a class how often such a vote is right.
    inner, inner_note, outer, outer_note
        The 68 % and 95 % intervals, and what such intervals were measured to hold.
    labelled, effective
        Neighbours with this label that were asked, and how many of equal weight would say as much.
    reason
        Why there is no estimate.
    """

    title: str
    estimate: str = ""
    estimate_note: str = ""
    inner: str = ""
    inner_note: str = ""
    outer: str = ""
    outer_note: str = ""
    labelled: str = ""
    effective: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Share:
    """A class, and its share of the neighbours' weight between 0 and 1."""

    name: str
    share: float

    @property
    def percent(self) -> str:
        """The share in words."""
        return "< 1 %" if 0.0 < self.share < 0.01 else f"{100.0 * self.share:.0f} %"


def property_title(name: str) -> str:
    """Return the name of a property for people, with its unit."""
    return TITLES.get(name, name.replace("_", " ").capitalize())


def property_rows(estimates: Sequence[Estimate]) -> tuple[PropertyRow, ...]:
    """Return a row for every property, those without an estimate last."""
    ordered = sorted(estimates, key=lambda each: isinstance(each, NoEstimate))
    return tuple(_row(each) for each in ordered)


def _row(estimate: Estimate) -> PropertyRow:
    title = property_title(estimate.name)
    if isinstance(estimate, NoEstimate):
        reason = f"{estimate.reason[:1].upper()}{estimate.reason[1:]}."
        return PropertyRow(title, estimate="no estimate", reason=reason)
    labelled, effective = f"{len(estimate.keys)}", f"{estimate.effective_number:.1f}"
    if isinstance(estimate, ClassEstimate):
        best = shares_of(estimate)[0]
        right = (
            f"such votes are right for {100.0 * estimate.right:.0f} %"
            if math.isfinite(estimate.right)
            else ""
        )
        return PropertyRow(
            title,
            estimate=f"{best.name} ({best.percent})",
            estimate_note=right,
            labelled=labelled,
            effective=effective,
        )
    if is_yes_or_no(estimate):
        yes = float((estimate.weights * estimate.values).sum() / estimate.weights.sum())
        most, share = ("yes", yes) if yes > 0.5 else ("no", 1.0 - yes)
        return PropertyRow(
            title,
            estimate=f"{most} ({Share(most, share).percent})",
            labelled=labelled,
            effective=effective,
        )
    scale = estimate.interval_68[1] - estimate.interval_68[0]
    inner, outer = (_held(share, estimate.calibrated) for share in estimate.coverage)
    return PropertyRow(
        title,
        estimate=number_words(estimate.median, scale),
        inner=interval_words(estimate.interval_68, scale),
        inner_note=inner,
        outer=interval_words(estimate.interval_95, scale),
        outer_note=outer,
        labelled=labelled,
        effective=effective,
    )


def is_yes_or_no(estimate: NumberEstimate) -> bool:
    """Return whether a number is a flag, of which a median and an interval say nothing."""
    return estimate.name == "is_lens"


def _held(coverage: float, calibrated: bool) -> str:
    if not calibrated:
        return "not calibrated"
    return f"held {100.0 * coverage:.0f} %" if math.isfinite(coverage) else ""


def number_words(value: float, scale: float) -> str:
    """Return a number with as many decimals as an interval of this width deserves.

    A width of 0, where all neighbours agree, gives four significant digits.
    """
    if not math.isfinite(value):
        return "unknown"
    if scale > 0.0 and math.isfinite(scale):
        decimals = min(max(1 - math.floor(math.log10(scale)), 0), 6)
        words = f"{value:,.{decimals}f}"
    else:
        words = f"{value:,.4g}"
    return words.replace("-", "−") if float(words.replace(",", "")) else words.lstrip("-")


def interval_words(interval: tuple[float, float], scale: float) -> str:
    """Return both ends of an interval with the decimals that `scale` deserves."""
    low, high = (number_words(end, scale) for end in interval)
    return f"{low} to {high}"


def shares_of(estimate: ClassEstimate) -> tuple[Share, ...]:
    """Return the classes of a vote, the largest first."""
    return tuple(Share(class_words(name), share) for name, share in estimate.probabilities.items())


def method_words(modality: str) -> str:
    """Return where the numbers come from."""
    kind = PLURAL.get(modality, modality)
    return (
        f"From the labelled sources whose {kind} are nearest to the query's: a weighted median, or "
        "a vote of classes, nearer ones counting more. The query's own source never counts. "
        "“Effective” is how many neighbours of equal weight would say as much."
    )


def coverage_words(estimates: Sequence[Estimate]) -> str:
    """Return what the intervals of these estimates are worth; empty where there are none."""
    numbers = [each for each in estimates if isinstance(each, NumberEstimate)]
    if not numbers:
        return ""
    words = []
    if any(each.calibrated for each in numbers):
        words.append(
            "Intervals are calibrated on this index's own labelled objects. “Held” is the share "
            "of such objects, left out of the calibration, whose interval held the truth: an "
            "average over objects like those of the index, not a promise for every kind."
        )
    if not all(each.calibrated for each in numbers):
        words.append(
            "“Not calibrated” intervals are plain quantiles of the neighbours, there being too "
            "few labels; they are often too narrow."
        )
    return " ".join(words)
