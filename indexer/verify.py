"""Whether an index is what it says: sizes, hashes, counts, order, vectors, links."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from indexer.arrow_tables import numpy_column, read_parquet
from indexer.brought import read_facts
from indexer.durable import sha256_of
from indexer.errors import BuildError, IndexerError
from indexer.fill import blocks_of
from indexer.index_file import Index, read_index_file
from indexer.index_model import MODALITY_BITS, VECTOR_BITS, IndexInfo, bit_of
from indexer.layout import INDEX_FILE, LOCK_FILE, UNIT_KINDS, build_dir, units_on_disk
from indexer.links import LINK_RADIUS_ARCSEC, PairLinks, Positions
from indexer.progress import Progress, silent
from indexer.proper_motion import motions_of
from indexer.publish import units_of
from indexer.segment import Segment
from indexer.spaces import SHARED

__all__ = ["Report", "verify"]

NORM_TOLERANCE = 2e-3
"""Rounding to float16 changes the length of a unit vector by less."""

SEPARATION_TOLERANCE_ARCSEC = 1e-3

_IDS_AT_ONCE = 2**20

_ARCSEC = np.pi / 180.0 / 3600.0


@dataclass(frozen=True)
class Report:
    """What was looked at, and what is wrong.

    Attributes
    ----------
    checks
        Number of things that were looked at.
    problems
        One sentence for each that is wrong.
    leftovers
        Units on disk that are not listed, so not part of the index: of an earlier publication,
        or of a build that was killed. The next build removes them.
    strangers
        Whatever else lies in the folder. No build touches it.
    """

    checks: int = 0
    problems: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def raise_for_problems(self) -> None:
        """Raise if something is wrong.

        Raises
        ------
        BuildError
            With all problems.
        """
        if self.problems:
            raise BuildError(
                f"the index has {len(self.problems)} problems: {'; '.join(self.problems)}"
            )


@dataclass
class _Examination:
    checks: int = 0
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, problem: str) -> None:
        self.checks += 1
        if not holds:
            self.problems.append(problem)


def verify(
    index: Path | str,
    *,
    info: IndexInfo | None = None,
    hashes: bool = True,
    progress: Progress = silent,
) -> Report:
    """Examine an index; if it is published anew meanwhile, what was published last.

    Parameters
    ----------
    index
        Its folder.
    info
        What it is compared with. Default: its `index.json`.
    hashes
        Read every file to compare its hash, too.
    progress
        Called with the files looked at and their number.

    Raises
    ------
    IndexFormatError
        If there is no index, or one of another version.
    """
    root = Path(index)
    if info is not None:
        return _examined(root, info, hashes, progress)
    while True:
        listed = read_index_file(root / INDEX_FILE)
        report = _examined(root, listed, hashes, progress)
        # What a later publication removed is no damage.
        if report.ok or read_index_file(root / INDEX_FILE) == listed:
            return report


def _examined(root: Path, info: IndexInfo, hashes: bool, progress: Progress) -> Report:
    found = _Examination()
    _files(root, info, found, hashes, progress)
    if not found.problems:
        try:
            opened = Index(root, info)
            for segment in opened.segments.values():
                _segment(opened, segment, found)
            _encoders(opened, found)
            _links(opened, found)
            _readouts(opened, found)
            _unclaimed(opened, found)
        except IndexerError as error:
            found.expect(False, str(error))
    on_disk = units_on_disk(root)
    return Report(
        found.checks,
        tuple(found.problems),
        leftovers=tuple(sorted(on_disk - units_of(info))),
        strangers=tuple(sorted(_strangers(root, on_disk))),
    )


def _strangers(root: Path, units: set[str]) -> Iterator[str]:
    own = {INDEX_FILE, LOCK_FILE, build_dir(root).name, *UNIT_KINDS}
    for path in root.iterdir():
        if path.name not in own and path.name not in units:
            yield path.name


def _files(
    root: Path,
    info: IndexInfo,
    found: _Examination,
    hashes: bool,
    progress: Progress,
) -> None:
    for done, (name, known) in enumerate(sorted(info.files.items())):
        progress(done, len(info.files))
        path = root / name
        if not path.is_file():
            found.expect(False, f"{name} is missing")
            continue
        try:
            size = path.stat().st_size
            found.expect(
                size == known.bytes, f"{name} must have {known.bytes} bytes, it has {size}"
            )
            if hashes and size == known.bytes:
                same = sha256_of(path) == known.sha256
                found.expect(same, f"{name} has another sha256 than listed")
        except OSError as error:
            # A broken disk: the other files are still worth a look.
            found.expect(False, f"{name} cannot be read ({error.strerror or error})")
    progress(len(info.files), len(info.files))
    listed = set(info.files)
    for unit in sorted(units_of(info)):
        for path in _files_below(root / unit):
            name = path.relative_to(root).as_posix()
            found.expect(name in listed, f"{name} is not listed")


def _files_below(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (each for each in sorted(path.rglob("*")) if each.is_file())


def _segment(index: Index, segment: Segment, found: _Examination) -> None:
    info, name = segment.info, segment.name
    wholly_rejected = numpy_column(segment.rejects, "modality") == ""
    found.expect(
        int(wholly_rejected.sum()) == info.rejected,
        f"{name}: {info.rejected} were rejected, rejects.parquet lists {wholly_rejected.sum()}",
    )
    reasons = segment.rejects.column("reason").to_pylist()
    found.expect(all(reasons), f"{name}: every reject must have a reason")
    _order(segment, found)
    _keys(segment, found)
    _modalities(segment, found)
    for space, modalities in info.spaces.items():
        found.expect(space in index.info.spaces, f"{name}: space {space} is not listed")
        for modality in modalities:
            _vectors(index, segment, space, modality, found)


def _order(segment: Segment, found: _Examination) -> None:
    name, placed = segment.name, segment.info.placed
    healpix = segment.column("healpix_29")
    ids = segment.rows.column("object_id")
    sorting = np.where(healpix < 0, np.iinfo(np.int64).max, healpix)
    later = sorting[1:] > sorting[:-1]
    ties = np.flatnonzero(~later)
    found.expect(
        bool(np.all(sorting[1:] >= sorting[:-1]))
        and all(
            _all_less(ids.take(pa.array(ties[some])), ids.take(pa.array(ties[some] + 1)))
            for some in blocks_of(len(ties), _IDS_AT_ONCE)
        ),
        f"{name}: rows must be in the order of healpix_29, then object_id",
    )
    found.expect(
        int((healpix >= 0).sum()) == placed,
        f"{name}: {placed} objects must have a position, {int((healpix >= 0).sum())} have",
    )


def _keys(segment: Segment, found: _Examination) -> None:
    ids, rows = segment.keys()
    in_rows = segment.rows.column("object_id")
    found.expect(
        len(ids) == len(segment)
        and all(
            _all_less(ids[some], ids[some.start + 1 : some.stop + 1])
            for some in blocks_of(len(ids) - 1, _IDS_AT_ONCE)
        ),
        f"{segment.name}: keys.arrow must list every object id once, in order",
    )
    found.expect(
        all(
            in_rows.take(pa.array(rows[some])).equals(ids[some])
            for some in blocks_of(len(ids), _IDS_AT_ONCE)
        ),
        f"{segment.name}: keys.arrow must name the row of each object id",
    )


def _all_less(ids: pa.ChunkedArray, others: pa.ChunkedArray) -> bool:
    # Arrow compares texts by their UTF-8 bytes.
    return bool(pc.all(pc.less(ids, others), min_count=0).as_py())


def _modalities(segment: Segment, found: _Examination) -> None:
    """A bit of a row promises a vector in a space; a spectrum may have either of two."""
    name, info = segment.name, segment.info
    for modality in MODALITY_BITS:
        listed, there = info.vectors.get(modality, 0), len(segment.rows_with(modality))
        found.expect(
            listed == there,
            f"{name}: {modality} vectors are listed for {listed} objects, {there} have one",
        )
    bits = segment.column("modalities")
    for space, bit in VECTOR_BITS.items():
        found.expect(
            space in info.spaces or not np.any(bits & bit),
            f"{name}: objects have a vector in space {space}, which the segment lacks",
        )


def _vectors(
    index: Index, segment: Segment, space: str, modality: str, found: _Examination
) -> None:
    what = f"{segment.name}: {modality} in space {space}"
    _, vectors = segment.stored(space, modality)
    having = segment.column("modalities") & bit_of(space, modality)
    objects = int(np.count_nonzero(having))
    found.expect(
        objects == len(vectors),
        f"{what}: {len(vectors)} vectors are there for {objects} objects",
    )
    dim = index.info.spaces[space].dim
    found.expect(
        vectors.shape[1] == dim, f"{what}: must have {dim} dimensions, got {vectors.shape[1]}"
    )
    worst = 0.0
    for chosen in blocks_of(len(vectors)):
        norms = np.linalg.norm(vectors[chosen].astype(np.float32), axis=1)
        finite = bool(np.isfinite(norms).all())
        found.expect(finite, f"{what}: vectors must be finite")
        if finite:
            worst = max(worst, float(np.abs(norms - 1.0).max()))
    found.expect(
        worst < NORM_TOLERANCE, f"{what}: vectors must have unit length, one is off by {worst:.2g}"
    )
    ann = segment.ann(space, modality)
    found.expect(
        ann.count == len(vectors),
        f"{what}: the FAISS file must hold {len(vectors)} vectors, got {ann.count}",
    )
    if len(vectors) and ann.count:
        _, nearest, counts = ann.search(vectors[:1].astype(np.float32), 1)
        found.expect(
            counts[0] == 1 and nearest[0, 0] < len(having) and bool(having[nearest[0, 0]]),
            f"{what}: the FAISS file must answer with rows of this segment",
        )


def _encoders(index: Index, found: _Examination) -> None:
    for name in index.info.spaces:
        if name == SHARED:
            continue
        identity, stated = index.encoder_of(name).digest, index.space(name).identity
        found.expect(
            identity == stated,
            f"space {name} must be of the encoder that it names, {stated}, got {identity}",
        )
    for segment in index.segments.values():
        facts = read_facts(index.path, segment.info.directory)
        if facts is not None:
            found.expect(
                facts.vectors == segment.info.indexed
                and facts.encoder.digest == index.encoder_of(facts.modality).digest,
                f"{segment.name}: vectors.json must be of its {segment.info.indexed} vectors and "
                "of the encoder of their space",
            )


def _links(index: Index, found: _Examination) -> None:
    listed = {links.releases: links.count for links in index.info.links}
    for (a, b), links in index.links.pairs.items():
        what = f"links {a} to {b}"
        found.expect(
            len(links.row_a) == listed[a, b],
            f"{what}: {listed[a, b]} are listed, {len(links.row_a)} are there",
        )
        sides: list[np.ndarray[Any, Any]] = []
        for name, rows in ((a, links.row_a), (b, links.row_b)):
            segment = index.segment(name)
            inside = bool(np.all((rows >= 0) & (rows < segment.info.placed)))
            once = len(np.unique(rows)) == len(rows)
            found.expect(
                inside and once, f"{what}: rows of {name} must exist, with a position, and once"
            )
            if inside:
                sides.append(_placed(segment, links).at(rows, _compared(links)))
        if len(sides) == 2:
            chords = np.linalg.norm(sides[0] - sides[1], axis=1)
            separation = 2.0 * np.arcsin(0.5 * chords) / _ARCSEC
            limit = LINK_RADIUS_ARCSEC + SEPARATION_TOLERANCE_ARCSEC
            found.expect(
                bool(np.all(separation <= limit)),
                f"{what}: must lie within {LINK_RADIUS_ARCSEC} arcsec",
            )
            found.expect(
                bool(
                    np.all(
                        np.abs(separation - links.separation_arcsec) < SEPARATION_TOLERANCE_ARCSEC
                    )
                ),
                f"{what}: separations must be those of the positions",
            )


def _compared(links: PairLinks) -> float | None:
    return None if links.epochs is None else links.epochs.compared


def _placed(segment: Segment, links: PairLinks) -> Positions:
    """Return the positions of a segment, with the motions that were used if any were."""
    ra_deg, dec_deg = segment.column("ra_deg"), segment.column("dec_deg")
    if links.epochs is None:
        return Positions(ra_deg, dec_deg, segment.object_id)
    first = segment.name == links.releases[0]
    epoch_yr = links.epochs.a if first else links.epochs.b
    return Positions(ra_deg, dec_deg, segment.object_id, epoch_yr, motions_of(segment.rows))


def _readouts(index: Index, found: _Examination) -> None:
    for modality in index.info.spaces:
        readout = index.redshift_readout(modality)
        if readout is None:
            continue
        found.expect(
            (readout.modality, readout.encoder) == (modality, index.info.encoder.digest),
            f"the recalibration of {modality} must be of that modality and of this index's "
            f"encoder, got {readout.modality} and {readout.encoder}",
        )


def _unclaimed(index: Index, found: _Examination) -> None:
    count = len(read_parquet(index.path / index.info.unclaimed))
    found.expect(
        count == index.info.unclaimed_files,
        f"{index.info.unclaimed_files} unclaimed files are listed, the table has {count}",
    )
