"""A head for spectra as the universal spectral tokenizer sees them, into the space ``shared``.

The space is there already, spanned by heads of the modalities; this one joins it, so theirs stay
what they would be without it. It serves queries alone: what a spectrum finds there are vectors of
other modalities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aion_encoder.heads import RIDGE, fit_linear_into
from aion_encoder.pair_moments import PairMoments
from indexer.align import LEAST_PAIRS, Aligned, Heads
from indexer.index_model import NATIVE
from indexer.pairs import ReleasePairs, Split, thinned
from indexer.partner_recall import galleries, recalls
from indexer.spaces import to_unit

__all__ = ["with_native_head"]


def with_native_head(
    aligned: Aligned, pairs: Sequence[ReleasePairs], *, pairs_at_most: int, seed: int
) -> Aligned:
    """Fit the head on linked pairs of spectra with aligned modalities, and measure it.

    The cells of the sky that served for the other heads serve for the same here, so that no
    source of a test taught any of them.

    Parameters
    ----------
    aligned
        Heads of modalities.
    pairs
        From `gather_pairs`; only those with a side `NATIVE` and an aligned partner count.
    pairs_at_most
        More are passed over, evenly.
    seed
        Of the intervals.

    Returns
    -------
    The same with one head more, or one reason more.
    """
    usable = [each for each in pairs if NATIVE in each.modalities and _other(each) in aligned.heads]
    usable = thinned(usable, pairs_at_most)
    partners = [each for each in aligned.heads if each != "spectrum"]
    split = Split(int(aligned.facts["split"]["healpix_order"]))
    fit, validation, test = (
        [each.only(split.parts(each.healpix_29) == part) for each in usable] for part in range(3)
    )
    count = sum(len(each) for each in usable)
    if count < LEAST_PAIRS or sum(len(each) for each in fit) < 3:
        reason = (
            f"{NATIVE} is not aligned: at least {LEAST_PAIRS} linked pairs with "
            f"{' or '.join(partners)} are needed, there are {count}"
        )
        return replace(aligned, left_out={**aligned.left_out, NATIVE: reason})
    moments = PairMoments()
    for each in fit:
        for left, right in each.blocks():
            own, other = (left, right) if each.modalities[0] == NATIVE else (right, left)
            moments.add(own, to_unit(aligned.heads[_other(each)].apply(other)))
    heads = {**aligned.heads, NATIVE: fit_linear_into(moments, ridge=RIDGE)}
    known, judged = (_asked(heads, part, seed) for part in (validation, test))
    facts = {
        **aligned.facts,
        "validation": {
            **aligned.facts["validation"],
            "linear": {**aligned.facts["validation"]["linear"], **known},
        },
        "test": {**aligned.facts["test"], **judged},
        NATIVE: {
            "method": heads[NATIVE].kind,
            "pairs": sum(len(each) for each in fit),
            "validation_pairs": sum(len(each) for each in validation),
            "test_pairs": sum(len(each) for each in test),
            "pairs_of_releases": {each.name: len(each) for each in fit},
        },
    }
    return Aligned(heads, facts, aligned.left_out)


def _other(pairs: ReleasePairs) -> str:
    left, right = pairs.modalities
    return right if left == NATIVE else left


def _asked(
    heads: Heads, pairs: Sequence[ReleasePairs], seed: int
) -> Mapping[str, Mapping[str, Any]]:
    """Return the recalls of queries by such spectra; nothing finds them there."""
    found = recalls(heads, galleries(pairs), seed=seed)
    return {name: each for name, each in found.items() if name.startswith(f"{NATIVE}_to_")}
