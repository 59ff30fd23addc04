"""Fit the recalibrations of the decoder's redshifts, and publish the index with them."""

from collections.abc import Sequence
from pathlib import Path

from aion_encoder.observations import MODALITIES
from indexer.compose import Composer
from indexer.errors import BuildError
from indexer.index_file import open_index
from indexer.index_model import IndexInfo
from indexer.known_values import LabelSource
from indexer.layout import redshift_readout_file, space_unit
from indexer.progress import Announce, mute
from indexer.redshift_readouts import SOURCES, RedshiftReadout, fit_readout, write_readout
from indexer.republish import republish
from indexer.spaces import SHARED
from indexer.survey_files import SurveyFiles

__all__ = ["recalibrate_index"]


def recalibrate_index(
    index: Path | str,
    files: SurveyFiles,
    labels: LabelSource | None = None,
    *,
    at_most: int = SOURCES,
    announce: Announce = mute,
) -> tuple[IndexInfo, tuple[RedshiftReadout, ...], tuple[str, ...]]:
    """Fit a recalibration for every modality that knows enough redshifts, and publish them.

    Only the folders of these modalities' spaces become new units; vectors stay as they are.

    Parameters
    ----------
    index
        Folder of an index.
    files
        The survey files that it was built from, with encoder and decoder.
    labels
        Redshifts and classes beside those of the catalogues.
    at_most
        Sources of a modality.
    announce
        Called with the name of each step.

    Returns
    -------
    The new `index.json`, what was fitted, and why others were not, in sentences.

    Raises
    ------
    BuildError
        If no modality could be recalibrated; the index stays as it is.
    """
    index = Path(index)
    opened = open_index(index)
    if files.ask_redshift is None:
        raise BuildError("a recalibration needs weights with a decoder; these have none")
    fitted, reasons = [], []
    for modality in MODALITIES:
        if modality not in opened.info.spaces:
            continue
        announce(f"reading redshifts, {modality}")
        found = fit_readout(opened, files, modality, labels, at_most=at_most)
        if isinstance(found, str):
            reasons.append(found)
        else:
            fitted.append(found)
    if not fitted:
        raise BuildError(f"no redshift could be recalibrated: {'; '.join(reasons)}")

    def recalibrated(composer: Composer) -> Sequence[str]:
        before = composer.before
        assert before is not None
        if before.index_id != opened.info.index_id:
            raise BuildError("the index was published anew meanwhile; recalibrate again")
        if SHARED in before.spaces:
            users = {
                name: release.spaces[SHARED]
                for name, release in before.releases.items()
                if SHARED in release.spaces
            }
            composer.keep_space(SHARED, users)
        for each in fitted:
            _give(composer, each)
        return before.notes

    info = republish(index, recalibrated, gathering="gathering parts", announce=announce)
    return info, tuple(fitted), tuple(reasons)


def _give(composer: Composer, readout: RedshiftReadout) -> None:
    """A kept space that gains a file is another unit: the published one must not change."""
    info = composer.spaces[readout.modality]
    unit = space_unit(readout.modality, composer.generation)
    (composer.root / info.directory).rename(composer.root / unit)
    composer.spaces[readout.modality] = info.model_copy(update={"directory": unit})
    write_readout(composer.root / redshift_readout_file(unit), readout)
