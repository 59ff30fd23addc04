"""Fit the heads of a built index anew, and publish it with them.

Nothing is encoded: pairs are read from the vectors of the index, a bounded number at once. Only
the space ``shared`` and the segments with vectors in it become new units; all others stay.
"""

from collections.abc import Sequence
from pathlib import Path

from indexer.align import PAIRS_AT_MOST
from indexer.compose import Composer
from indexer.errors import BuildError
from indexer.index_model import IndexInfo
from indexer.progress import Announce, Progress, mute, silent
from indexer.republish import republish
from indexer.shared_space import fill_shared
from indexer.spaces import SHARED

__all__ = ["align_index"]


def align_index(
    index: Path | str,
    *,
    pairs_at_most: int = PAIRS_AT_MOST,
    seed: int = 0,
    progress: Progress = silent,
    announce: Announce = mute,
) -> IndexInfo:
    """Fit heads to the linked pairs of an index, and publish the index with them.

    Whoever reads the index meanwhile keeps what was published before. The same index and seed
    give the same heads on one machine.

    Parameters
    ----------
    index
        Folder of an index.
    pairs_at_most
        Linked pairs to use; more are passed over, evenly.
    seed
        Of the training; which cells of the sky are held out does not depend on it.
    progress
        Called with the pairs that training used and how many it will use at most.
    announce
        Called with the name of each step.

    Returns
    -------
    The new `index.json`.

    Raises
    ------
    BuildError
        If there are too few linked pairs, or an unfinished build lies in the folder; the index
        stays as it is.
    IndexFormatError
        If the folder holds no index.
    LockedError
        If another process is building this index.
    """

    def aligned(composer: Composer) -> Sequence[str]:
        announce("aligning modalities")
        reasons = fill_shared(
            composer, anew=True, pairs_at_most=pairs_at_most, seed=seed, progress=progress
        )
        if SHARED not in composer.spaces:
            raise BuildError("; ".join(reasons))
        assert composer.before is not None
        # What was said of an earlier alignment no longer holds.
        others = [note for note in composer.before.notes if "align" not in note]
        return (*others, *reasons)

    return republish(Path(index), aligned, gathering="gathering pairs", announce=announce)
