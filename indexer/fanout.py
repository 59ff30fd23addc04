"""Groups of segments on Ray actors, when one node does not hold the FAISS files of all of them.

Every actor opens the index, which lies on a file system that all nodes share, and searches the
segments of its group. What it finds is compared exactly and merged here, by the very code that
searches without actors, so that the answers are the same.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.errors import SearchError
from indexer.index_file import Index, Segment, open_index
from indexer.runners.ray_actors import asked_of, connected, import_ray

if TYPE_CHECKING:
    from indexer.ann.recipes import Recipe

__all__ = ["FannedIndex", "fanned_out"]


@dataclass(frozen=True)
class _Facts:
    """What is known of a FAISS file without opening it."""

    recipe: "Recipe"
    dim: int
    count: int
    default_nprobe: int


class Group:
    """What an actor is: an index of which it searches some segments."""

    def __init__(self, index: str, folder: str) -> None:
        os.chdir(folder)
        self._index = open_index(index)

    def is_of(self, info: Any) -> bool:
        """Say whether this is the publication that is searched."""
        return bool(self._index.info == info)

    def facts(self, release: str, space: str, modality: str) -> _Facts:
        """Return the facts of a FAISS file."""
        ann = self._index.segment(release).ann(space, modality)
        return _Facts(ann.recipe, ann.dim, ann.count, ann.default_nprobe)

    def search(self, release: str, space: str, modality: str, *asked: Any, **settings: Any) -> Any:
        """Search a FAISS file."""
        return self._index.segment(release).ann(space, modality).search(*asked, **settings)


class _FarAnn:
    """Stands for a FAISS file that an actor has open; see `indexer.ann.AnnIndex`."""

    def __init__(self, actor: Any, which: tuple[str, str, str]) -> None:
        self._actor, self._which = actor, which
        facts: _Facts = asked_of(actor.facts, *which).result()
        self.recipe, self.dim = facts.recipe, facts.dim
        self.count, self.default_nprobe = facts.count, facts.default_nprobe

    def search(self, queries: Any, k: int, **settings: Any) -> Any:
        return asked_of(self._actor.search, *self._which, queries, k, **settings).result()


class _FarSegment(Segment):
    """A segment whose FAISS files are not opened here."""

    def __init__(self, index: Index, name: str, actor: Any) -> None:
        super().__init__(index.path, name, index.info.releases[name], index.info.files)
        self._actor = actor
        self._far: dict[tuple[str, str], _FarAnn] = {}

    def ann(self, space: str, modality: str | None = None) -> Any:
        """Return what stands for the FAISS index over `vectors`."""
        which = (space, self._one_modality(space, modality))
        if which not in self._far:
            self._far[which] = _FarAnn(self._actor, (self.name, *which))
        return self._far[which]


class FannedIndex(Index):
    """An open index whose segments are searched by actors; used like any other.

    Parameters
    ----------
    index
        The same, as it was opened here.
    actors
        By release.
    """

    def __init__(self, index: Index, actors: dict[str, Any]) -> None:
        super().__init__(index.path, index.info)
        self.segments = {name: _FarSegment(index, name, actor) for name, actor in actors.items()}
        self._threads = ThreadPoolExecutor(max(1, len(set(actors.values()))))

    def each(self, releases: Sequence[str], ask: Any) -> list[Any]:
        """Return what is answered about each of some releases, asking all of them at a time."""
        return list(self._threads.map(ask, map(self.segment, releases)))


@contextmanager
def fanned_out(path: Path | str, groups: int) -> Iterator[FannedIndex]:
    """Open an index for `indexer.search.Searcher`, its segments in groups on as many actors.

    Parameters
    ----------
    path
        Folder of the index.
    groups
        How many; segments go to them by the number of their vectors.

    Raises
    ------
    IndexFormatError
        If the folder holds no index of a known format version.
    SearchError
        If there are not that many segments, or something newer was published meanwhile.
    BuildError
        If Ray is not installed.
    """
    index = open_index(path)
    if not 1 <= groups <= len(index.releases):
        raise SearchError(
            f"the number of groups must be between 1 and that of the segments, which is "
            f"{len(index.releases)}, got {groups}"
        )
    ray = import_ray()
    with connected(ray):
        # By custom, Ray fills a node before it takes the next.
        options = {"max_restarts": -1, "max_task_retries": 1, "scheduling_strategy": "SPREAD"}
        kind = ray.remote(num_cpus=1, **options)(Group)
        actors = [kind.remote(str(path), str(Path.cwd())) for _ in range(groups)]
        try:
            if not all(ray.get([actor.is_of.remote(index.info) for actor in actors])):
                raise SearchError(f"{path} was published anew while it was opened; open it again")
            yield FannedIndex(index, _spread(index, actors))
        finally:
            for actor in actors:
                ray.kill(actor)


def _spread(index: Index, actors: Sequence[Any]) -> dict[str, Any]:
    """Give each segment an actor, the largest first, to the one that has least."""
    loads = [0] * len(actors)
    sizes = {name: sum(index.segment(name).info.vectors.values()) for name in index.releases}
    chosen = {}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        number = loads.index(min(loads))
        chosen[name] = actors[number]
        loads[number] += sizes[name]
    return {name: chosen[name] for name in index.releases}
