"""From survey files to a published index: joins the parts, notices what is missing.

plan -> encode -> rows -> link -> spaces, calibrated -> align -> verify -> publish
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from indexer.arrow_tables import read_parquet, write_parquet
from indexer.brought import read_facts
from indexer.compose import Composer
from indexer.drift import with_drift_notes
from indexer.durable import sha256_of
from indexer.encoders import Encoders, Weights, open_encoders
from indexer.encoding import EncodeReport, encode, encode_tasks, tasks_of
from indexer.errors import BuildError
from indexer.index_file import write_index_file, writing
from indexer.index_model import NATIVE, FileInfo, IndexInfo, ManifestInfo
from indexer.layout import build_dir, next_dir, next_index_file, unclaimed_unit
from indexer.manifests import Manifest
from indexer.native_space import fill_native
from indexer.plan import plan
from indexer.progress import Announce, Progress, mute, silent
from indexer.publish import (
    adopt,
    collect_garbage,
    publish,
    published,
    refuse_foreign,
    root_of,
    sealed,
)
from indexer.room import making_room_known
from indexer.runners.local import Here
from indexer.runners.turns import Runner
from indexer.shared_space import fill_shared
from indexer.staging import Staged
from indexer.tools import Tools
from indexer.verify import verify
from indexer.wanted import Wanted
from indexer.xp_basis import basis_named

__all__ = ["BuildReport", "EncodeReport", "build", "builder_name", "encode", "files_of"]


@dataclass(frozen=True)
class BuildReport:
    """What a build gave.

    Attributes
    ----------
    index
        Folder of the index.
    info
        Its `index.json`.
    changed
        False if the index was up to date, and nothing was done.
    """

    index: Path
    info: IndexInfo
    changed: bool

    @property
    def message(self) -> str:
        """What happened, in a sentence."""
        releases = self.info.releases.values()
        counts = (
            f"{sum(each.indexed for each in releases)} objects of {len(releases)} releases "
            f"indexed, {sum(each.rejected for each in releases)} rejected with reasons"
        )
        if not self.changed:
            return f"{self.index} is up to date: {counts}"
        return f"{self.index} is published: {counts}"


def build(
    manifest: Manifest,
    index: Path | str,
    *,
    weights: str = "demo",
    native_weights: str | None = None,
    progress: Progress = silent,
    runner: Runner | None = None,
    announce: Announce = mute,
    tools: Tools | None = None,
    log: Path | None = None,
) -> BuildReport:
    """Build an index, or bring a published one up to date.

    Work that a killed build finished is not done again. Segments whose files, manifest and
    encoder are unchanged stay as they are, with the spaces and heads they use; new segments are
    filled into these. To fit heads anew, `align`; everything anew, build into another folder.

    Parameters
    ----------
    manifest
        What to index.
    index
        Folder of the index: new, empty, or an index.
    weights
        As for `aion_encoder.open_encoder`; not opened where all vectors are brought.
    native_weights
        As for `aion_encoder.universal_spectra.open_universal_encoder`: spectra are encoded by it,
        too, in the space ``spectrum_native``. ``none`` for none. Default: as the manifest says,
        else the bundled ones beside the bundled weights of AION-1, else none.
    progress
        Called with the input files done and their number.
    runner
        Where partitions are encoded; see `indexer.runners`. Default: here, one after the other.
    announce
        Called with the name of each step.
    log
        File of JSON lines (`indexer.run_log`) where each process tells of its partitions.

    Raises
    ------
    BuildError
        If there is too little room, the folder holds something else, or nothing can be indexed.
    LockedError
        If another process is building this index, or tasks of a job array are encoding for it.
    StoppedError
        If a signal asked the build to end while it was encoding; see `indexer.runners.stop`.
    """
    index, tools = Path(index), tools or Tools()
    refuse_foreign(index)
    announce("planning")
    work = plan(manifest, tools)
    with writing(index), making_room_known(index, work.estimated_bytes):
        announce("opening the encoder")
        names, encoders = open_encoders(work, weights, native_weights, tools)
        before, native = published(index), encoders.native
        wanted = Wanted(work, encoders.aion, tools, None if native is None else native.identity)
        ready = sealed(index)
        if (
            ready is not None
            and _follows(before, ready)
            and wanted.is_met_by(ready, _root_of_native(index, ready))
        ):
            announce("publishing")
            publish(index)
            return BuildReport(index, ready, changed=True)
        if before is not None and wanted.is_met_by(before, index):
            shutil.rmtree(build_dir(index), ignore_errors=True)
            return BuildReport(index, before, changed=False)
        # What is no use goes first: it may be what fills the disk.
        collect_garbage(index)
        work.check_resources(index)
        info = _make(
            index, before, wanted, encoders, names, runner or Here(), progress, announce, log
        )
        announce("publishing")
        publish(index)
        return BuildReport(index, info, changed=True)


def _follows(before: IndexInfo | None, ready: IndexInfo) -> bool:
    return ready.generation == (1 if before is None else before.generation + 1)


def _root_of_native(index: Path, ready: IndexInfo) -> Path:
    # The one file of a finished build that tells whether it is what is wanted.
    native = ready.spaces.get(NATIVE)
    return next_dir(index) if native is None else root_of(index, native.directory)


def _make(
    index: Path,
    before: IndexInfo | None,
    wanted: Wanted,
    encoders: Encoders,
    weights: Weights,
    runner: Runner,
    progress: Progress,
    announce: Announce,
    log: Path | None,
) -> IndexInfo:
    kept = wanted.kept(before, index)
    tasks = tasks_of(index, wanted, kept)
    announce("encoding")
    staged = encode_tasks(tasks, encoders, weights, wanted.tools, runner, progress, log)
    by_release: dict[str, list[Staged]] = {}
    for task, each in zip(tasks, staged, strict=True):
        by_release.setdefault(task.release.release.name, []).append(each)
    if not kept and not any(each.indexed for each in staged):
        reasons = "no object could be indexed"
        rejected = sum(each.rejected for each in staged)
        raise BuildError(f"{reasons}: {rejected} were read and all were rejected; see `plan`")
    builder = builder_name()
    manifest = wanted.plan.manifest
    composer = Composer(index, before, encoders.aion, builder, manifest.brought)
    announce("writing catalogues")
    for release in wanted.plan.releases:
        name = release.release.name
        if name in kept:
            composer.keep(name)
        else:
            stated = release.release
            coded = stated.keep_vectors == "8-bit"
            basis = basis_named(stated.xp_basis, manifest.root) if stated.xp_basis else None
            composer.add(name, by_release[name], stated.vectors, coded=coded, basis=basis)
    announce("linking sources")
    # Before the spaces: to calibrate them it must be known who is the same source.
    composer.link({each.release.name: each.release.epoch for each in wanted.plan.releases})
    announce("filling spaces")
    composer.fill_spaces()
    fill_native(composer, wanted.native)
    announce("aligning modalities")
    said = (*_brought_notes(composer), *fill_shared(composer))
    notes = with_drift_notes(said, composer.root, composer.drafts)
    unclaimed = _write_unclaimed(composer, wanted)
    sha256 = {
        name: {path: digest for each in parts for path, digest in each.inputs.items()}
        for name, parts in by_release.items()
    }
    announce("hashing")
    info = IndexInfo(
        name=manifest.name,
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        generation=composer.generation,
        software=builder,
        encoder=encoders.aion.identity,
        manifest=ManifestInfo(
            name=manifest.name,
            title=manifest.title,
            sha256=wanted.manifest_sha256,
        ),
        releases={
            each.release.name: composer.release_info(each, sha256.get(each.release.name, {}))
            for each in wanted.plan.releases
        },
        spaces=composer.spaces,
        links=tuple(composer.links.tables),
        unclaimed=unclaimed,
        unclaimed_files=len(wanted.unclaimed()),
        notes=notes,
        files=files_of(next_dir(index), before),
    )
    announce("verifying")
    verify(next_dir(index), info=info, hashes=False).raise_for_problems()
    write_index_file(next_index_file(index), info)
    return info


def _brought_notes(composer: Composer) -> list[str]:
    facts = {name: read_facts(composer.root, each.unit) for name, each in composer.drafts.items()}
    return [each.note(name) for name, each in sorted(facts.items()) if each is not None]


def builder_name() -> str:
    """Return name and version of this software, as `index.json` states them."""
    try:
        return f"aion-search {version('aion-search')}"
    except PackageNotFoundError:
        return "aion-search 0.1.0"


def _write_unclaimed(composer: Composer, wanted: Wanted) -> str:
    table, before = wanted.unclaimed(), composer.before
    if before is not None and read_parquet(composer.index / before.unclaimed).equals(table):
        adopt(composer.index, before.unclaimed)
        return before.unclaimed
    unit = unclaimed_unit(composer.generation)
    write_parquet(table, composer.root / unit)
    return unit


def files_of(root: Path, before: IndexInfo | None) -> dict[str, FileInfo]:
    """Return size and hash of every file of the next index."""
    known = {} if before is None else before.files
    files = {}
    for path in sorted(each for each in root.rglob("*") if each.is_file()):
        name = path.relative_to(root).as_posix()
        # A published file never changes, so one that is taken over has the hash it had.
        files[name] = known.get(name) or FileInfo(bytes=path.stat().st_size, sha256=sha256_of(path))
    return files
