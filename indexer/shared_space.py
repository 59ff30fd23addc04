"""The space ``shared`` of the next index: heads on linked pairs, and all vectors through them."""

from collections.abc import Mapping

import numpy as np

from aion_encoder.heads import LinearHead, load_heads, save_heads
from indexer.align import ALIGNED_MODALITIES, Aligned, Pairs, fit_heads
from indexer.arrow_tables import numpy_column
from indexer.compose import Composer, Draft
from indexer.durable import replacing, write_json
from indexer.layout import aligned_heads_file, segment_unit, space_file, space_unit
from indexer.spaces import SHARED, shared_description, to_unit

__all__ = ["fill_shared"]

PAIRS_AT_MOST = 200_000


def fill_shared(composer: Composer) -> str:
    """Make ``shared``: with the published heads if kept segments use them, else with new ones.

    Returns
    -------
    str
        The reason why there is no such space; empty if there is one.
    """
    users = [each for each in composer.drafts.values() if _aligned_of(each)]
    new = [each for each in users if SHARED not in each.spaces]
    if not new and composer.keep_space(SHARED, {each.name: each.spaces[SHARED] for each in users}):
        return ""
    aligned = _published_heads(composer, users)
    if aligned is None:
        fitted = fit_heads(linked_pairs(composer))
        if isinstance(fitted, str):
            return fitted
        aligned = fitted
    unit = space_unit(SHARED, composer.generation)
    with replacing(composer.root / aligned_heads_file(unit)) as temporary:
        save_heads(temporary, aligned.heads, aligned.facts)
    dim = next(iter(aligned.heads.values())).projection.shape[1]
    description = shared_description(
        composer.encoder.identity.digest,
        input_dim=max(head.mean.size for head in aligned.heads.values()),
        dim=dim,
        pairs=int(aligned.facts.get("pairs", 0)),
    )
    write_json(composer.root / space_file(unit), description.model_dump(mode="json"))
    for draft in new:
        _give_own_unit(composer, draft)
        for modality in _aligned_of(draft):
            _project(composer, draft, modality, aligned.heads, dim)
        draft.spaces[SHARED] = _aligned_of(draft)
    composer.finish_space(
        SHARED,
        unit,
        dim,
        {each.name: each.spaces[SHARED] for each in users},
        [each.name for each in new],
    )
    return ""


def _aligned_of(draft: Draft) -> tuple[str, ...]:
    return tuple(modality for modality in ALIGNED_MODALITIES if modality in draft.modalities)


def _published_heads(composer: Composer, users: list[Draft]) -> Aligned | None:
    before = composer.before
    if before is None or not any(SHARED in each.spaces for each in users):
        return None
    path = composer.index / aligned_heads_file(before.spaces[SHARED].directory)
    return Aligned(*load_heads(path))


def _give_own_unit(composer: Composer, draft: Draft) -> None:
    """A kept segment that gains vectors is another unit: the published one must not change."""
    unit = segment_unit(draft.name, composer.generation)
    if draft.unit != unit:
        (composer.root / draft.unit).rename(composer.root / unit)
        draft.unit = unit


def _project(
    composer: Composer, draft: Draft, modality: str, heads: Mapping[str, LinearHead], dim: int
) -> None:
    vectors = composer.filling(draft.name, modality, modality).vectors()
    head = heads[modality]
    composer.filling(draft.name, SHARED, modality).write(
        len(vectors), dim, lambda chosen: to_unit(head.apply(vectors[chosen].astype(np.float32)))
    )


def linked_pairs(composer: Composer) -> Pairs:
    """Gather the vectors of linked images and spectra, at most `PAIRS_AT_MOST`, evenly picked.

    An object that has both an image and a spectrum is a pair by itself.
    """
    left_modality, right_modality = ALIGNED_MODALITIES
    left, right, healpix = [], [], []
    for a in sorted(composer.drafts):
        for b in sorted(composer.drafts):
            if not {left_modality, right_modality} <= {
                *(m for m in composer.drafts[a].modalities if m == left_modality),
                *(m for m in composer.drafts[b].modalities if m == right_modality),
            }:
                continue
            places_a, places_b, rows_a = _places(composer, a, b)
            vectors_a = composer.filling(a, left_modality, left_modality).vectors()
            vectors_b = composer.filling(b, right_modality, right_modality).vectors()
            left.append((vectors_a, places_a))
            right.append((vectors_b, places_b))
            healpix.append(numpy_column(composer.rows(a), "healpix_29")[rows_a])
    count = sum(len(places) for _, places in left)
    stride = max(1, count // PAIRS_AT_MOST)
    if not count:
        nothing = np.empty((0, 1), dtype=np.float32)
        return Pairs(nothing, nothing, np.empty(0, dtype=np.int64))
    return Pairs(
        np.concatenate([vectors[places[::stride]] for vectors, places in left]).astype(np.float32),
        np.concatenate([vectors[places[::stride]] for vectors, places in right]).astype(np.float32),
        np.concatenate([values[::stride] for values in healpix]),
    )


def _places(composer: Composer, a: str, b: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the vectors of pairs stand: images of release a, spectra of release b."""
    left_modality, right_modality = ALIGNED_MODALITIES
    rows_a = composer.rows_with(a, left_modality)
    rows_b = composer.rows_with(b, right_modality)
    if a == b:
        partners = rows_a
    else:
        links = composer.linked(a, b)
        partners = np.full(len(rows_a), -1) if links is None else links.partners(a, rows_a)
    place_b = np.minimum(np.searchsorted(rows_b, partners), max(len(rows_b) - 1, 0))
    there = np.flatnonzero((partners >= 0) & (rows_b[place_b] == partners))
    return there, place_b[there], rows_a[there]
