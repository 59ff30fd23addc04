"""The next index, put together below ``.build/next`` from staged partitions and what stays."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from aion_encoder.observations import MODALITIES
from indexer.arrow_tables import map_table, numpy_column
from indexer.assemble import assemble
from indexer.brought import write_facts
from indexer.calibration import Side, calibrate, write_calibration
from indexer.drafts import Draft, through
from indexer.durable import write_json
from indexer.fill import Filling, fill_segment, train_quantizer
from indexer.index_model import (
    IndexInfo,
    LinkOutInfo,
    ReleaseInfo,
    SpaceInfo,
    bit_of,
)
from indexer.kept_tokens import write_tokens
from indexer.layout import (
    calibration_file,
    encoder_file,
    map_file,
    next_dir,
    pieces_dir,
    redshift_readout_file,
    rows_file,
    segment_space_dir,
    segment_unit,
    space_unit,
    xp_basis_file,
)
from indexer.next_links import NextLinks
from indexer.plan import ReleasePlan, inputs_info
from indexer.publish import adopt
from indexer.quantizers import Quantizer, taken
from indexer.space_maps import make_map, write_map
from indexer.spaces import FIT_AT_MOST, SHARED, Space, fit_space, read_space, write_space
from indexer.staging import Staged
from indexer.tools import EncoderLike
from indexer.vector_releases import BroughtVectors
from indexer.verdicts import Filled, nearest_scores
from indexer.xp_basis import XpBasis, write_basis

__all__ = ["Composer"]


class Composer:
    """Makes the next index, part by part.

    Parameters
    ----------
    index
        Folder of the index.
    before
        What is published, or None.
    encoder
        Whose vectors are put in.
    builder
        Name and version of this software.
    brought
        Of the modalities whose vectors somebody else made, who did, per modality.
    """

    def __init__(
        self,
        index: Path,
        before: IndexInfo | None,
        encoder: EncoderLike,
        builder: str,
        brought: Mapping[str, BroughtVectors] | None = None,
    ) -> None:
        self.index = index
        self.root = next_dir(index)
        self.before = before
        self.encoder = encoder
        self.builder = builder
        self.brought = dict(brought or {})
        self.generation = 1 if before is None else before.generation + 1
        self.drafts: dict[str, Draft] = {}
        self.spaces: dict[str, SpaceInfo] = {}
        self.links = NextLinks(index, self.root, before, self.generation)

    def keep(self, name: str) -> None:
        """Take a published segment over as it is."""
        assert self.before is not None
        info = self.before.releases[name]
        adopt(self.index, info.directory)
        # Its vectors are kept in every space as they are in one.
        coded = any(
            Filling(self.index, info.directory, space, modalities[0]).coded
            for space, modalities in info.spaces.items()
        )
        self.drafts[name] = Draft(name, info.directory, info, None, dict(info.spaces), coded)

    def add(
        self,
        name: str,
        staged: Sequence[Staged],
        brought: BroughtVectors | None = None,
        *,
        coded: bool = False,
        basis: XpBasis | None = None,
    ) -> None:
        """Put a segment together from its staged partitions.

        Parameters
        ----------
        brought
            Who made its vectors, if not the encoder.
        coded
            Keep 8 bits a dimension of its vectors in place of float16.
        basis
            What its XP coefficients stand for, where that is known.
        """
        unit = segment_unit(name, self.generation)
        assembled = assemble(self.root, unit, name, staged, self.builder)
        if brought is not None:
            write_facts(self.root, unit, brought, staged, assembled.origin)
        else:
            write_tokens(self.root, unit, staged, assembled.origin, self.encoder.identity)
        if basis is not None:
            write_basis(basis, self.root / xp_basis_file(unit))
        self.drafts[name] = Draft(name, unit, None, assembled, {}, coded)

    def rows(self, name: str) -> pa.Table:
        """Return the served columns of a segment."""
        return map_table(self.root / rows_file(self.drafts[name].unit))

    def rows_in(self, name: str, space: str, modality: str) -> Int64[np.ndarray, " n"]:
        """Return the rows of a segment that have a vector of a modality in a space."""
        bits = numpy_column(self.rows(name), "modalities")
        return np.flatnonzero(bits & bit_of(space, modality)).astype(np.int64)

    def _rows_of(self, name: str, filling: Filling) -> Int64[np.ndarray, " n"] | None:
        """Return the row of each vector of a filling, None if every row has one."""
        if len(filling.vectors()) == len(self.rows(name)):
            return None
        return self.rows_in(name, filling.space, filling.modality)

    def filling(self, name: str, space: str, modality: str) -> Filling:
        """Return one set of vectors of a segment."""
        return Filling(self.root, self.drafts[name].unit, space, modality)

    def fill_spaces(self) -> None:
        """Make the space of every modality and fill the new segments into it."""
        for modality in MODALITIES:
            new = [each for each in self._with(modality) if each.assembled is not None]
            old = [each for each in self._with(modality) if each.kept is not None]
            if new or old:
                self._fill_space(modality, new, old)

    def _with(self, modality: str) -> list[Draft]:
        return [each for _, each in sorted(self.drafts.items()) if modality in each.modalities]

    def _fill_space(self, modality: str, new: Sequence[Draft], old: Sequence[Draft]) -> None:
        users = {each.name: (modality,) for each in (*new, *old)}
        if not new and self.keep_space(modality, users):
            return
        unit = space_unit(modality, self.generation)
        space = self._published_space(modality) if old else None
        if space is None:
            space = self._fitted(modality, new)
        write_space(self.root, unit, space)
        if modality in self.brought:
            identity = self.brought[modality].identity
            write_json(self.root / encoder_file(unit), identity.model_dump(mode="json"))
        if old:
            self._keep_readout(modality, unit)
        for draft in new:
            assert draft.assembled is not None
            raw = draft.assembled.raw[modality]
            filling = self.filling(draft.name, modality, modality)
            filling.write(len(raw), space.dim, through(space, raw), coded=draft.coded)
            draft.spaces[modality] = (modality,)
        # What a space that is gone shared is no use to one that was fitted anew.
        self.finish_space(
            modality, unit, space.dim, users, [each.name for each in new], anew=not old
        )

    def _keep_readout(self, name: str, unit: str) -> None:
        """Take over what the decoder's redshifts are worth: new segments do not change that."""
        assert self.before is not None
        if name not in self.before.spaces:
            return
        published = redshift_readout_file(self.before.spaces[name].directory)
        if published in self.before.files:
            shutil.copyfile(self.index / published, self.root / redshift_readout_file(unit))

    def _published_space(self, name: str) -> Space | None:
        if self.before is None or name not in self.before.spaces:
            return None
        return read_space(self.index, self.before.spaces[name].directory)

    def _fitted(self, modality: str, new: Sequence[Draft]) -> Space:
        raw = [each.assembled.raw[modality] for each in new if each.assembled is not None]
        count = sum(len(each) for each in raw)
        stride = max(1, count // FIT_AT_MOST)
        sample = np.concatenate([each.take(slice(0, len(each), stride)) for each in raw])
        own, brought = self.encoder.identity, self.brought.get(modality)
        identity = own if brought is None else brought.identity
        as_they_are = own.comparable(modality) if brought is None else brought.compare_as_they_are
        known = self.encoder.reference_spaces if identity.digest == own.digest else {}
        return fit_space(
            modality,
            sample,
            count=count,
            keep=identity.dim,
            encoder=identity.digest,
            comparable=as_they_are,
            reference=known.get(modality),
        )

    def keep_space(self, name: str, users: Mapping[str, tuple[str, ...]]) -> bool:
        """Take a published space over, if the very same segments used it.

        Parameters
        ----------
        users
            Segments with vectors in it, all of them kept, with their modalities.
        """
        if self.before is None or name not in self.before.spaces:
            return False
        used = {
            key: of.spaces[name] for key, of in self.before.releases.items() if name in of.spaces
        }
        if used != dict(users):
            return False
        self.spaces[name] = self.before.spaces[name]
        adopt(self.index, self.spaces[name].directory)
        return True

    def finish_space(
        self,
        name: str,
        unit: str,
        dim: int,
        users: Mapping[str, tuple[str, ...]],
        new: Sequence[str],
        *,
        anew: bool = False,
        asking: Mapping[Side, Any] | None = None,
    ) -> None:
        """Fill the vectors of new segments into FAISS files, and calibrate the space.

        Parameters
        ----------
        users
            All segments with vectors in the space, with their modalities.
        new
            Those whose vectors were just written.
        anew
            Whether the space itself is new, so that what its published lists share is no use.
        asking
            Vectors of queries that are compared with it but are not in it, for calibration.
        """
        fillings = {
            f"{release}:{modality}": self.filling(release, name, modality)
            for release, modalities in sorted(users.items())
            for modality in modalities
        }
        quantizer = self._quantizer(name, unit, fillings, anew)
        pieces = pieces_dir(self.index)
        for release in new:
            for modality in users[release]:
                filling = fillings[f"{release}:{modality}"]
                fill_segment(
                    filling,
                    self._rows_of(release, filling),
                    quantizer,
                    pieces=pieces / segment_space_dir(segment_unit(release), name) / modality,
                )
        vectors = {
            (release, modality): self.filling(release, name, modality).vectors()
            for release, modalities in users.items()
            for modality in modalities
        }
        calibration = calibrate(name, vectors, asking)
        if name != SHARED:
            filled = self._filled(name, vectors)
            nearest = nearest_scores(filled, self._partners)
            calibration = calibration.model_copy(update={"nearest": nearest})
            laid_out = make_map(vectors, {side: each.rows for side, each in filled.items()})
            if laid_out is not None:
                write_map(laid_out, self.root / map_file(unit))
        write_calibration(self.root / calibration_file(unit), calibration)
        present = {modality for modalities in users.values() for modality in modalities}
        self.spaces[name] = SpaceInfo(
            directory=unit,
            modalities=tuple(each for each in MODALITIES if each in present),
            dim=dim,
        )

    def _filled(self, name: str, vectors: Mapping[Side, Any]) -> dict[Side, Filled]:
        from indexer import ann

        return {
            (release, modality): Filled(
                self._rows_of(release, filling), each, ann.load(filling.ann_path)
            )
            for (release, modality), each in vectors.items()
            for filling in [self.filling(release, name, modality)]
        }

    def _partners(
        self, release: str, rows: Int64[np.ndarray, " n"], other: str
    ) -> Int64[np.ndarray, " n"]:
        links = self.links.between(release, other)
        return np.full(len(rows), -1) if links is None else links.partners(release, rows)

    def _quantizer(
        self, name: str, unit: str, fillings: Mapping[str, Filling], anew: bool
    ) -> Quantizer | None:
        if self.before is not None and name in self.before.spaces and not anew:
            found = taken(self.index, self.before.spaces[name].directory, self.root, unit)
            if found is not None:
                return found
        return train_quantizer(self.root, unit, fillings, keep=pieces_dir(self.index))

    def link(self, epochs: Mapping[str, float] | None = None) -> None:
        """Link every two releases, except those whose links are published and still hold.

        Parameters
        ----------
        epochs
            Julian year of the positions of each release. None: those of the manifest are not at
            hand, and every link is kept between segments, which all stay.
        """
        stay = {name for name, draft in self.drafts.items() if draft.kept is not None}
        if epochs is None:
            assert len(stay) == len(self.drafts)
            self.links.keep(stay)
        else:
            self.links.find({name: self.rows(name) for name in self.drafts}, epochs, stay)

    def release_info(self, plan: ReleasePlan, sha256: Mapping[str, str]) -> ReleaseInfo:
        """Describe a segment for `index.json`.

        Parameters
        ----------
        sha256
            Of the input files of a new segment, by path.
        """
        draft, release = self.drafts[plan.release.name], plan.release
        if draft.kept is not None:
            return draft.kept.model_copy(
                update={"directory": draft.unit, "spaces": dict(draft.spaces)}
            )
        made = draft.assembled
        assert made is not None
        magnitude = release.columns.magnitude
        return ReleaseInfo(
            directory=draft.unit,
            title=release.title,
            survey=release.survey,
            simulated=release.simulated,
            homepage=release.homepage,
            licence=release.licence,
            citation=release.citation,
            acknowledgement=release.acknowledgement,
            links=tuple(LinkOutInfo(label=each.label, url=each.url) for each in release.links),
            magnitude_band="" if magnitude is None else magnitude.band,
            read=made.read,
            indexed=made.indexed,
            rejected=made.rejected,
            placed=made.placed,
            vectors=made.vectors,
            spaces=draft.spaces,
            manifest=plan.config,
            inputs=inputs_info(plan.files, sha256),
        )
