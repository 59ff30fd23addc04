"""What an index must hold after a build, and whether it does so already."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from aion_encoder.identity import Identity
from indexer.durable import digest_of, sha256_of
from indexer.index_file import read_identity
from indexer.index_model import NATIVE, IndexInfo, InputsInfo
from indexer.plan import Plan, ReleasePlan, changed_date, inputs_info, listing_digest
from indexer.record_table import reject_table
from indexer.remote import RemoteRoot
from indexer.tools import EncoderLike, Tools

__all__ = ["Wanted"]


@dataclass(frozen=True)
class Wanted:
    """What the index must hold after the build.

    Attributes
    ----------
    native
        Who encodes spectra beside `encoder`; None if nobody does.
    """

    plan: Plan
    encoder: EncoderLike
    tools: Tools
    native: Identity | None = None

    @property
    def manifest_sha256(self) -> str:
        """SHA-256 of the manifest, without its folder."""
        # The folder is left out: the same files elsewhere give the same index.
        return digest_of(self.plan.manifest.model_dump(mode="json", exclude={"root"}))

    def unclaimed(self) -> pa.Table:
        """Return the files that are no observations, with reasons."""
        rejects = [(each, "") for each in self.tools.ignored_files(self.plan.manifest)]
        return reject_table(rejects, "")

    def is_met_by(self, info: IndexInfo, root: Path) -> bool:
        """Say whether an index already holds just this; its files lie below `root`."""
        return (
            info.manifest.sha256 == self.manifest_sha256
            and self._same_encoder(info)
            and list(info.releases) == [each.release.name for each in self.plan.releases]
            and all(self.unchanged(each, info, root) for each in self.plan.releases)
            and info.unclaimed_files == len(self.unclaimed())
        )

    def unchanged(self, release: ReleasePlan, info: IndexInfo, root: Path) -> bool:
        """Say whether the segment of a release can stay as it is."""
        known = info.releases.get(release.release.name)
        return (
            known is not None
            and known.manifest == release.config
            # Whose vectors were brought is in the manifest.
            and (release.release.vectors is not None or self._same_encoder(info))
            and (not release.release.has_spectra or self._same_native(info, root))
            and self._same_files(release, known.inputs)
        )

    def kept(self, info: IndexInfo | None, root: Path) -> list[str]:
        """Return the releases whose segments can stay as they are in a published index."""
        if info is None:
            return []
        return [
            each.release.name for each in self.plan.releases if self.unchanged(each, info, root)
        ]

    def _same_encoder(self, info: IndexInfo) -> bool:
        return info.encoder.digest == self.encoder.identity.digest

    def _same_native(self, info: IndexInfo, root: Path) -> bool:
        if NATIVE not in info.spaces or self.native is None:
            return NATIVE not in info.spaces and self.native is None
        return read_identity(root, info, NATIVE).digest == self.native.digest

    def _same_files(self, release: ReleasePlan, inputs: InputsInfo) -> bool:
        if listing_digest(release.files) != inputs.listing:
            return False
        if changed_date(release.files) == inputs.changed:
            return True
        # Touched, or copied: only the contents can tell.
        root = self.plan.manifest.root
        if isinstance(root, RemoteRoot):
            return False
        sha256 = {file.path: sha256_of(root / file.path) for file in release.files}
        return inputs_info(release.files, sha256).content == inputs.content
