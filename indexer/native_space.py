"""The space `spectrum_native`: spectra as the universal spectral tokenizer sees them.

Every object with a spectrum has a vector there beside its AION-1 vector, so that spectra on grids
that AION-1 does not take can be searched. The space has an encoder of its own, which it names.
"""

from collections.abc import Sequence

import numpy as np

from aion_encoder.identity import Identity
from indexer.compose import Composer
from indexer.drafts import Draft, through
from indexer.durable import write_json
from indexer.errors import BuildError
from indexer.index_file import read_identity
from indexer.index_model import NATIVE
from indexer.layout import encoder_file, space_unit
from indexer.plan import Plan
from indexer.spaces import FIT_AT_MOST, Space, fit_space, read_space, write_space
from indexer.tools import NativeEncoderLike, Tools

__all__ = ["fill_native", "open_native"]

NO_WEIGHTS = "none"
"""Asks for an index without the space."""

BUNDLED = "spectra-demo"
_BUNDLED_BESIDE = "demo"

_SPECTRUM = "spectrum"


def open_native(
    asked: str | None, work: Plan, beside: Identity, tools: Tools
) -> tuple[str, NativeEncoderLike | None]:
    """Open the universal spectral tokenizer that an index is to be built with.

    What a person states goes before the manifest, the manifest before the default: the bundled
    weights beside the bundled weights of AION-1, which are of the same simulated sky, and none
    beside others, whose spectra they have never seen.

    Parameters
    ----------
    asked
        Weights, or ``none``; None if nobody said.
    work
        Without a release of spectra nothing is opened.
    beside
        Identity of AION-1's weights.
    tools
        Opens weights.

    Returns
    -------
    The weights, empty if there are to be none, and their encoder.

    Raises
    ------
    BuildError
        If there are to be none, and a release has spectra that only the tokenizer takes.
    """
    default = BUNDLED if beside.repository == _BUNDLED_BESIDE else NO_WEIGHTS
    weights = asked or work.manifest.native_weights or default
    spectra = any(each.release.has_spectra for each in work.releases)
    if weights == NO_WEIGHTS:
        _refuse_native(work)
    if weights == NO_WEIGHTS or not spectra:
        return "", None
    return weights, tools.open_native(weights)


def _refuse_native(work: Plan) -> None:
    alone = [each.release for each in work.releases if each.release.native is not None]
    if alone:
        told = " and ".join(f"{each.name} (survey {each.survey})" for each in alone)
        raise BuildError(
            f"only the universal spectral tokenizer takes the spectra of {told}, and this index is "
            "built without it: name its weights with --native-weights, such as "
            f"{BUNDLED}, or leave these releases out"
        )


def fill_native(composer: Composer, identity: Identity | None) -> None:
    """Make the space and fill the new segments into it; does nothing where no vector is.

    Parameters
    ----------
    identity
        Of the encoder of the new segments. None: all segments stay as they are.
    """
    drafts = [draft for _, draft in sorted(composer.drafts.items())]
    new = [each for each in drafts if each.assembled is not None and len(each.assembled.native)]
    old = [each for each in drafts if each.kept is not None and NATIVE in each.spaces]
    users = {each.name: (_SPECTRUM,) for each in (*new, *old)}
    if not users or (not new and composer.keep_space(NATIVE, users)):
        return
    before = composer.before
    published = before if old else None
    if published is not None:
        # Segments are only kept if their vectors are of the encoder that is at hand.
        identity = read_identity(composer.index, published, NATIVE)
        space = read_space(composer.index, published.spaces[NATIVE].directory)
    else:
        assert identity is not None
        space = _fitted(new, identity)
    assert identity is not None
    unit = space_unit(NATIVE, composer.generation)
    write_space(composer.root, unit, space)
    write_json(composer.root / encoder_file(unit), identity.model_dump(mode="json"))
    for draft in new:
        assert draft.assembled is not None
        raw = draft.assembled.native
        filling = composer.filling(draft.name, NATIVE, _SPECTRUM)
        filling.write(len(raw), space.dim, through(space, raw), coded=draft.coded)
        draft.spaces[NATIVE] = (_SPECTRUM,)
    composer.finish_space(NATIVE, unit, space.dim, users, [each.name for each in new])


def _fitted(new: Sequence[Draft], identity: Identity) -> Space:
    raw = [each.assembled.native for each in new if each.assembled is not None]
    count = sum(len(each) for each in raw)
    stride = max(1, count // FIT_AT_MOST)
    sample = np.concatenate([each.take(slice(0, len(each), stride)) for each in raw])
    return fit_space(
        _SPECTRUM,
        sample,
        name=NATIVE,
        count=count,
        keep=identity.dim,
        encoder=identity.digest,
        comparable=identity.comparable(_SPECTRUM),
    )
