"""Observations of indexed objects, read again from the survey files that the index was made from.

An index keeps vectors and previews, no pixels. Who needs pixels names the manifest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from aion_encoder.observations import Observation
from aion_encoder.readouts import RedshiftDistribution
from aion_encoder.universal_spectra import NativeSpectrum
from indexer.errors import QueryError
from indexer.index_file import Index
from indexer.labelled import Place
from indexer.manifests import Manifest, load_manifest
from indexer.readers.records import Record
from indexer.redshift_readouts import tokens_to_redshift
from indexer.weights import is_fake, open_weights, weights_of

if TYPE_CHECKING:
    from indexer.tools import Tools

__all__ = ["SurveyFiles", "open_survey_files"]


def _own_tools() -> "Tools":
    # Imported here: with it come all readers.
    from indexer.tools import Tools

    return Tools()


@dataclass(frozen=True, eq=False)
class SurveyFiles:
    """The files behind an index, and its encoder.

    Attributes
    ----------
    manifest
        By which the index was built, with the root of the files.
    open_encoder
        Opens the encoder of the index, with its decoder where there is one.
    tools
        Readers.
    ask_redshift
        Gives the decoder's distributions of the redshift of observations, given the encoder and
        these; None where there is no decoder to ask.
    imagine
        Gives raw vectors of what the decoder makes up for another survey, given the encoder,
        observations and that survey's name; None where there is no decoder to ask.
    """

    manifest: Manifest
    open_encoder: Callable[[], Any]
    tools: "Tools" = field(default_factory=_own_tools)
    ask_redshift: Callable[[Any, Sequence[Observation]], RedshiftDistribution] | None = None
    imagine: Callable[[Any, Sequence[Observation], str], np.ndarray[Any, Any]] | None = None
    _opened: list[Any] = field(default_factory=list, init=False, repr=False)

    def encoder(self, index: Index) -> Any:
        """Return the encoder, opened once.

        Raises
        ------
        QueryError
            If it is not that of the index; both identities are stated.
        """
        if not self._opened:
            self._opened.append(self.open_encoder())
        encoder = self._opened[0]
        wanted = index.info.encoder
        if encoder.identity.digest != wanted.digest:
            raise QueryError(
                f"observations must be encoded as the index was, by {wanted.repository} (identity "
                f"{wanted.digest}), but the encoder at hand is {encoder.identity.repository} "
                f"(identity {encoder.identity.digest}); name the right weights"
            )
        return encoder

    def observations(
        self,
        index: Index,
        rows: Mapping[str, Int64[np.ndarray, " n"]],
        modality: str,
    ) -> dict[Place, Observation]:
        """Read the observations of some objects in one modality.

        Every partition with one of them is read whole: few objects from many files take as long
        as all of their files.

        Parameters
        ----------
        rows
            Per release.

        Returns
        -------
        By release and row; an object whose file is not there any more, or is another, is missing.

        Raises
        ------
        QueryError
            If the manifest does not know a release of the index.
        ManifestError
            If its folder is not there, or holds no file of a release.
        """
        found: dict[Place, Observation] = {}
        names = {release.name for release in self.manifest.releases}
        for name, wanted in rows.items():
            if not len(wanted):
                continue
            if name not in names:
                raise QueryError(
                    f"the manifest {self.manifest.name!r} has no release {name!r}; name the one "
                    "that the index was built from"
                )
            self._of_release(index, name, wanted, modality, found)
        return found

    def _of_release(
        self,
        index: Index,
        name: str,
        wanted: np.ndarray[Any, Any],
        modality: str,
        found: dict[Place, Observation],
    ) -> None:
        segment, release = index.segment(name), self.manifest.release(name)
        table = segment.rows.select(["object_id", "source_file"]).take(wanted)
        places = dict(zip(table.column("object_id").to_pylist(), wanted.tolist(), strict=True))
        files = set(table.column("source_file").to_pylist())
        for partition in self.tools.partitions(self.manifest, release):
            if files.isdisjoint(partition.files):
                continue
            for each in self.tools.read_partition(self.manifest, release, partition):
                if not isinstance(each, Record) or each.object_id not in places:
                    continue
                for observation in each.observations:
                    if isinstance(observation, NativeSpectrum):
                        # Nothing of AION-1, which all of this is about.
                        continue
                    if observation.modality == modality:
                        found.setdefault((name, places[each.object_id]), observation)


def open_survey_files(
    index: Index, manifest: Path, *, root: Path | None = None, weights: str | None = None
) -> SurveyFiles:
    """Return the files behind an index by its manifest, with its encoder and decoder.

    Parameters
    ----------
    root
        Folder of the files, where it is not the manifest's own.
    weights
        Where the weights of the index's encoder are, if not where the index says.

    Raises
    ------
    ManifestError
        If the manifest is wrong.
    """
    named = weights or weights_of(index.info.encoder)

    def opened() -> Any:
        if is_fake(named):
            return open_weights(named)
        # Imported here: it loads torch.
        from aion_encoder.encoder import open_encoder

        return open_encoder(named, keep_decoder=True)

    return SurveyFiles(
        load_manifest(manifest, root=root),
        opened,
        ask_redshift=None if is_fake(named) else tokens_to_redshift,
        imagine=None if is_fake(named) else _imagine,
    )


def _imagine(
    encoder: Any, observations: Sequence[Observation], survey: str
) -> np.ndarray[Any, Any]:
    # Imported here: others need no decoder.
    from aion_encoder.decoder import imagined_vectors

    encoded = encoder.encode([(each,) for each in observations], tokens=True)
    return imagined_vectors(encoder, encoded, survey)
