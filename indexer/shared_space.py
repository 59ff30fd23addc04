"""The space ``shared`` of the next index: heads on linked pairs, and vectors through them.

Vectors of every aligned modality lie in it. Spectra as the universal spectral tokenizer sees them
have a head, too, where there are pairs enough, by which they ask there; they are not found there.
"""

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from aion_encoder.heads import Head, LinearHead, load_heads, save_heads
from indexer.align import ALIGNED_MODALITIES, PAIRS_AT_MOST, Aligned, fit_heads
from indexer.align_native import with_native_head
from indexer.arrow_tables import numpy_column
from indexer.calibration import Side
from indexer.compose import Composer
from indexer.drafts import Draft
from indexer.durable import digest_of, replacing, sha256_of, write_json
from indexer.index_model import NATIVE, modality_of
from indexer.layout import (
    aligned_heads_file,
    segment_space_dir,
    segment_unit,
    space_file,
    space_transform_file,
    space_unit,
)
from indexer.pairs import gather_pairs
from indexer.progress import Progress, silent
from indexer.spaces import SHARED, read_description, shared_description, to_unit
from indexer.vectors import Vectors

__all__ = ["fill_shared"]

ASKING_AT_MOST = 20_000
"""About how many vectors of a release are scored for calibration that do not lie in the space."""


def fill_shared(
    composer: Composer,
    *,
    anew: bool = False,
    pairs_at_most: int = PAIRS_AT_MOST,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[str, ...]:
    """Make ``shared``: with the published heads if kept segments use them, else with new ones.

    Parameters
    ----------
    anew
        Fit new heads whatever is published, and bring every segment into their space.
    pairs_at_most, seed, progress
        As for `fit_heads`.

    Returns
    -------
    tuple
        Why there is no such space, or why modalities are not in it, in sentences.
    """
    aligned = None if anew else _published_heads(composer)
    if aligned is None:
        fitted = _fitted(composer, pairs_at_most, seed, progress)
        if isinstance(fitted, str):
            return (fitted,)
        aligned = Aligned(fitted.heads, {**fitted.facts, **_identity(composer)}, fitted.left_out)
    wanted = {
        each.name: tuple(
            m for m in ALIGNED_MODALITIES if m in aligned.heads and m in each.modalities
        )
        for each in composer.drafts.values()
    }
    users = {name: modalities for name, modalities in wanted.items() if modalities}
    new = [
        each
        for each in composer.drafts.values()
        if each.name in users and (anew or SHARED not in each.spaces)
    ]
    # A head that must go is in the published folder.
    if not new and NATIVE not in aligned.left_out and composer.keep_space(SHARED, users):
        return _reasons(aligned)
    _write(composer, aligned)
    dim = next(iter(aligned.heads.values())).dim
    for draft in new:
        _give_own_unit(composer, draft)
        for modality in users[draft.name]:
            _project(composer, draft, modality, aligned.heads[modality])
        draft.spaces[SHARED] = users[draft.name]
    composer.finish_space(
        SHARED,
        space_unit(SHARED, composer.generation),
        dim,
        users,
        [each.name for each in new],
        anew=anew,
        asking=_asking(composer, aligned.heads.get(NATIVE)),
    )
    return _reasons(aligned)


def _fitted(composer: Composer, pairs_at_most: int, seed: int, progress: Progress) -> Aligned | str:
    """Fit heads of the modalities, and one for the tokenizer's vectors of spectra beside them."""
    present, native = _present(composer), NATIVE in composer.spaces
    every = gather_pairs(
        _Gathered(composer), (*ALIGNED_MODALITIES, NATIVE) if native else ALIGNED_MODALITIES
    )

    def fit(sides: Sequence[str]) -> Aligned | str:
        return fit_heads(
            [each for each in every if set(each.modalities) <= set(sides)],
            sides,
            brought=_bridges(composer),
            pairs_at_most=pairs_at_most,
            seed=seed,
            progress=progress,
        )

    fitted = fit(present)
    if not native:
        return fitted
    if isinstance(fitted, str):
        # With too few pairs of AION-1's spectra these may span the space instead.
        return fit((*present, NATIVE))
    return with_native_head(fitted, every, pairs_at_most=pairs_at_most, seed=seed)


def _bridges(composer: Composer) -> dict[str, LinearHead]:
    """Return the heads that the encoder brings, of those spaces that hold its vectors."""
    own = composer.encoder.identity.digest
    units = {name: space.directory for name, space in composer.spaces.items()}
    return {
        modality: head
        for modality, head in composer.encoder.bridges.items()
        if modality in units and read_description(composer.root, units[modality]).encoder == own
    }


def _reasons(aligned: Aligned) -> tuple[str, ...]:
    return tuple(aligned.left_out[modality] for modality in sorted(aligned.left_out))


def _write(composer: Composer, aligned: Aligned) -> None:
    unit = space_unit(SHARED, composer.generation)
    with replacing(composer.root / aligned_heads_file(unit)) as temporary:
        save_heads(temporary, aligned.heads, aligned.facts)
    description = shared_description(
        composer.encoder.identity.digest,
        input_dim=max(head.input_dim for head in aligned.heads.values()),
        dim=next(iter(aligned.heads.values())).dim,
        pairs=int(aligned.facts.get("pairs", 0)),
    )
    write_json(composer.root / space_file(unit), description.model_dump(mode="json"))


def _present(composer: Composer) -> list[str]:
    return [
        modality
        for modality in ALIGNED_MODALITIES
        if any(modality in draft.modalities for draft in composer.drafts.values())
    ]


def _published_heads(composer: Composer) -> Aligned | None:
    """Return the published heads, if a segment that stays uses them.

    A modality that they do not know is left out until they are fitted anew, and so are the
    tokenizer's vectors if they are of another space now.
    """
    before = composer.before
    if before is None or not any(SHARED in each.spaces for each in composer.drafts.values()):
        return None
    path = composer.index / aligned_heads_file(before.spaces[SHARED].directory)
    heads, facts = load_heads(path)
    known = [modality for modality in ALIGNED_MODALITIES if modality in heads]
    fitted_to = facts.get("spaces", {})
    if NATIVE in heads and _identity(composer)["spaces"].get(NATIVE) == fitted_to.get(NATIVE):
        known.append(NATIVE)
    left_out = {
        modality: f"{modality} is not aligned: the heads were fitted to "
        f"{' and '.join(known)}; fit them anew with `python -m indexer align`"
        for modality in (*_present(composer), *([NATIVE] if NATIVE in heads else []))
        if modality not in known
    }
    return Aligned({modality: heads[modality] for modality in known}, facts, left_out)


def _identity(composer: Composer) -> dict[str, Any]:
    """Say whose vectors the heads take: the encoder, and what its spaces do to them."""
    spaces = {}
    for name in (*_present(composer), *([NATIVE] if NATIVE in composer.spaces else [])):
        unit = composer.spaces[name].directory
        files = (space_file(unit), space_transform_file(unit))
        spaces[name] = digest_of([sha256_of(composer.root / name) for name in files])
    return {"encoder": composer.encoder.identity.digest, "spaces": spaces}


def _give_own_unit(composer: Composer, draft: Draft) -> None:
    """A kept segment that gains vectors is another unit: the published one must not change."""
    unit = segment_unit(draft.name, composer.generation)
    if draft.unit != unit:
        (composer.root / draft.unit).rename(composer.root / unit)
        draft.unit = unit
    # Nothing of an earlier shared space may stay beside the new one.
    shutil.rmtree(composer.root / segment_space_dir(unit, SHARED), ignore_errors=True)


def _project(composer: Composer, draft: Draft, modality: str, head: Head) -> None:
    vectors = composer.filling(draft.name, modality, modality).vectors()
    composer.filling(draft.name, SHARED, modality).write(
        len(vectors),
        head.dim,
        lambda chosen: to_unit(head.apply(vectors[chosen].astype(np.float32))),
        coded=draft.coded,
    )


def _asking(composer: Composer, head: Head | None) -> dict[Side, Any]:
    """Return vectors of spectra that ask in the space and do not lie there, evenly picked."""
    if head is None:
        return {}
    found = {}
    for name, draft in composer.drafts.items():
        if NATIVE in draft.spaces:
            vectors = composer.filling(name, NATIVE, modality_of(NATIVE)).vectors()
            chosen = vectors[:: max(1, len(vectors) // ASKING_AT_MOST)].astype(np.float32)
            found[name, NATIVE] = to_unit(head.apply(chosen))
    return found


class _Gathered:
    """The next index as `indexer.pairs` looks at it."""

    def __init__(self, composer: Composer) -> None:
        self._composer = composer

    @property
    def releases(self) -> Sequence[str]:
        return sorted(self._composer.drafts)

    def places_with(self, release: str, modality: str) -> Int64[np.ndarray, " n"]:
        return self._composer.rows_in(release, modality, modality_of(modality))

    def partners_of(
        self, release: str, rows: Int64[np.ndarray, " n"], other: str
    ) -> Int64[np.ndarray, " n"]:
        links = self._composer.links.between(release, other)
        return np.full(len(rows), -1) if links is None else links.partners(release, rows)

    def cells_of(self, release: str) -> Int64[np.ndarray, " n"]:
        return numpy_column(self._composer.rows(release), "healpix_29")

    def vectors_of(self, release: str, modality: str) -> Vectors:
        return self._composer.filling(release, modality, modality_of(modality)).vectors()
