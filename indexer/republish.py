"""Publish an index again with something in it fitted anew, without encoding anything."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from indexer.build import builder_name, files_of
from indexer.compose import Composer
from indexer.drift import with_drift_notes
from indexer.errors import BuildError
from indexer.index_file import read_index_file, write_index_file, writing
from indexer.index_model import IndexInfo
from indexer.layout import INDEX_FILE, next_dir, next_index_file, staged_dir
from indexer.native_space import fill_native
from indexer.progress import Announce, mute
from indexer.publish import adopt, collect_garbage, publish, published
from indexer.room import making_room_known
from indexer.tools import StatedEncoder
from indexer.verify import verify
from indexer.weights import bridges_of

__all__ = ["republish"]


def republish(
    index: Path,
    change: Callable[[Composer], Sequence[str]],
    *,
    gathering: str,
    announce: Announce = mute,
) -> IndexInfo:
    """Publish an index again, all segments and links kept.

    Whoever reads the index meanwhile keeps what was published before.

    Parameters
    ----------
    index
        Folder of an index.
    change
        Changes the next index, in which segments, links and the spaces of modalities are in
        place, and returns its notes. What it raises leaves the index as it is.
    gathering
        Name of the first step.
    announce
        Called with the name of each step.

    Returns
    -------
    The new `index.json`.

    Raises
    ------
    BuildError
        If an unfinished build lies in the folder.
    IndexFormatError
        If the folder holds no index.
    LockedError
        If another process is building this index.
    """
    # First of all, so that a folder that is none stays without a lock.
    at_most = sum(each.bytes for each in read_index_file(index / INDEX_FILE).files.values())
    with writing(index), making_room_known(index, at_most):
        before = published(index)
        assert before is not None
        if staged_dir(index).exists():
            raise BuildError(
                f"{index} holds an unfinished build, whose encoded files would be lost; finish it "
                "with `python -m indexer build` first"
            )
        collect_garbage(index)
        announce(gathering)
        encoder = StatedEncoder(before.encoder, bridges_of(before.encoder))
        composer = Composer(index, before, encoder, builder_name())
        for name in before.releases:
            composer.keep(name)
        composer.link()
        composer.fill_spaces()
        fill_native(composer, None)
        try:
            notes = with_drift_notes(change(composer), composer.root, composer.drafts)
        except BuildError:
            collect_garbage(index)
            raise
        announce("hashing")
        adopt(index, before.unclaimed)
        info = _described(composer, before, notes)
        announce("verifying")
        verify(next_dir(index), info=info, hashes=False).raise_for_problems()
        write_index_file(next_index_file(index), info)
        announce("publishing")
        publish(index)
        return info


def _described(composer: Composer, before: IndexInfo, notes: Sequence[str]) -> IndexInfo:
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
            "links": tuple(composer.links.tables),
            "notes": tuple(notes),
            "files": files_of(composer.root, before),
        }
    )
