"""Fit the heads of a built index anew, and publish it with them.

Nothing is encoded: pairs are read from the vectors of the index, a bounded number at once. Only
the space ``shared`` and the segments with vectors in it become new units; all others stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Never

from aion_encoder.heads import LinearHead
from aion_encoder.identity import EncoderIdentity
from aion_encoder.observations import Observation
from indexer.align import PAIRS_AT_MOST
from indexer.build import builder_name, files_of
from indexer.compose import Composer
from indexer.errors import BuildError
from indexer.index_file import read_index_file, write_index_file, writing
from indexer.index_model import IndexInfo
from indexer.layout import INDEX_FILE, next_dir, next_index_file, staged_dir
from indexer.progress import Announce, Progress, mute, silent
from indexer.publish import adopt, collect_garbage, publish, published
from indexer.shared_space import fill_shared
from indexer.spaces import SHARED
from indexer.verify import verify
from indexer.weights import bridges_of

__all__ = ["align_index"]


@dataclass(frozen=True)
class _Published:
    """The encoder of an index, as far as it is known without its weights."""

    identity: EncoderIdentity
    bridges: Mapping[str, LinearHead]
    reference_spaces: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Length of its vectors."""
        return self.identity.dim

    def encode(self, objects: Sequence[Sequence[Observation]]) -> Never:
        """Refuse: there is nothing to encode."""
        raise BuildError(f"aligning encodes nothing, {len(objects)} objects were given")


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
    index = Path(index)
    # First of all, so that a folder that is none stays without a lock.
    read_index_file(index / INDEX_FILE)
    with writing(index):
        before = published(index)
        assert before is not None
        if staged_dir(index).exists():
            raise BuildError(
                f"{index} holds an unfinished build, whose encoded files would be lost; finish it "
                "with `python -m indexer build`, then align"
            )
        collect_garbage(index)
        announce("gathering pairs")
        composer = Composer(
            index, before, _Published(before.encoder, bridges_of(before.encoder)), builder_name()
        )
        for name in before.releases:
            composer.keep(name)
        composer.link()
        composer.fill_spaces()
        announce("aligning modalities")
        reasons = fill_shared(
            composer, anew=True, pairs_at_most=pairs_at_most, seed=seed, progress=progress
        )
        if SHARED not in composer.spaces:
            collect_garbage(index)
            raise BuildError("; ".join(reasons))
        announce("hashing")
        adopt(index, before.unclaimed)
        info = _described(composer, before, reasons)
        announce("verifying")
        verify(next_dir(index), info=info, hashes=False).raise_for_problems()
        write_index_file(next_index_file(index), info)
        announce("publishing")
        publish(index)
        return info


def _described(composer: Composer, before: IndexInfo, reasons: tuple[str, ...]) -> IndexInfo:
    # What was said of an earlier alignment no longer holds.
    others = tuple(note for note in before.notes if "align" not in note)
    return before.model_copy(
        update={
            "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "generation": composer.generation,
            "software": composer.builder,
            "releases": {
                name: release.model_copy(
                    update={
                        "directory": composer.drafts[name].unit,
                        "spaces": dict(composer.drafts[name].spaces),
                    }
                )
                for name, release in before.releases.items()
            },
            "spaces": composer.spaces,
            "links": tuple(composer.links),
            "notes": (*others, *reasons),
            "files": files_of(composer.root, before),
        }
    )
