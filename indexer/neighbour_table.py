"""Neighbours of every object of an index -> a HATS table, one row per neighbour.

It is made unit by unit in the folder ``OUT.unfinished``: a cell of the sky, or some objects without
a position. A unit is done when its marker is there; a later call goes on with the others, and what
comes out is the same to the byte. At the end the table takes its place in one step.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from indexer.answer_columns import ids_of, keys_of, numbers_of, releases_of
from indexer.arrow_tables import write_parquet
from indexer.batched import Answers, BatchSearcher, block_size
from indexer.bulk_export import BulkSummary
from indexer.durable import replacing, sync_tree, write_json
from indexer.errors import QueryError, SearchError
from indexer.hats_catalog import HEALPIX_COLUMN, ROWS_PER_CELL, Cell, common_cells, describe_hats
from indexer.hits import HitColumn
from indexer.index_file import Index
from indexer.layout import LOCK_FILE
from indexer.links import separation_arcsec
from indexer.options import SearchOptions
from indexer.progress import Progress, silent
from indexer.receipts import index_receipt
from indexer.software import software_version
from indexer.work_folder import work_beside

__all__ = ["COLUMNS", "export_all"]

COLUMNS = {
    HitColumn(
        HEALPIX_COLUMN, "pos.healpix", "HEALPix index of the source, order 29, nested"
    ): pa.int64(),
    HitColumn("source_key", "meta.id;meta.main", "Key of the source"): pa.string(),
    HitColumn("source_release", "meta.dataset", "Release of the source"): pa.string(),
    HitColumn("source_object_id", "meta.id", "The survey's identifier of the source"): pa.string(),
    HitColumn("ra_deg", "pos.eq.ra;meta.main", "Right ascension of the source", "deg"): (
        pa.float64()
    ),
    HitColumn("dec_deg", "pos.eq.dec;meta.main", "Declination of the source", "deg"): (
        pa.float64()
    ),
    HitColumn("rank", "stat.rank", "Place of the neighbour, 1 is best"): pa.int32(),
    HitColumn("neighbour_key", "meta.id.assoc", "Key of the neighbour"): pa.string(),
    HitColumn("neighbour_release", "meta.dataset", "Release of the neighbour"): pa.string(),
    HitColumn("neighbour_object_id", "meta.id.assoc", "The survey's identifier of it"): (
        pa.string()
    ),
    HitColumn("score", "stat.correlation", "Cosine similarity"): pa.float32(),
    HitColumn("percentile", "stat.percentile", "Percentage of random pairs that score less"): (
        pa.float64()
    ),
    HitColumn("bridge", "meta.code", "How it was reached: same, linked or aligned"): pa.string(),
    HitColumn("via", "meta.id.cross", "Object through whose link it was reached"): pa.string(),
    HitColumn("modality", "meta.code", "Which observation of the neighbour was found"): (
        pa.string()
    ),
    HitColumn(
        "separation_arcsec", "pos.angDistance", "Between source and neighbour", "arcsec"
    ): pa.float64(),
}
"""The columns and their types; numbers that are unknown are NaN."""

REFUSED = pa.schema([(name, pa.string()) for name in ("key", "release", "object_id", "reason")])

_GROUP_ROWS = 65_536
"""Rows of a row group: each takes a kilobyte in `_metadata`, of which there is one for all."""

_PARTS = ("unplaced", "refused")
_RECEIPT = "receipt.json"
_NOTE = "question.json"


@dataclass(frozen=True)
class Unit:
    """What is answered and written in one go.

    Attributes
    ----------
    name
        Of its files in the work folder.
    ranges
        Release, first row, and the row after the last.
    cell
        Where its neighbours are written; None for objects without a position.
    """

    name: str
    ranges: tuple[tuple[str, int, int], ...]
    cell: Cell | None

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.ranges)


def export_all(
    index: Index,
    out: Path,
    *,
    options: SearchOptions,
    sources: Sequence[str] = (),
    progress: Progress = silent,
) -> BulkSummary:
    """Write the neighbours of every object as a HATS table; goes on where an earlier call stopped.

    Parameters
    ----------
    index
        What to ask.
    out
        Folder of the table. It appears whole, or not at all.
    options
        Of every search.
    sources
        Releases whose objects are asked; by default all.
    progress
        Called with the objects done, and of all.

    Raises
    ------
    QueryError
        If a release is unknown, or something else lies where the table or its work folder goes.
    SearchError
        If no object has a neighbour.
    LockedError
        If another process is making this table.
    """
    asked = [name for name in index.releases if name in sources or not sources]
    for name in sources:
        index.segment(name)
    receipt = json.loads(json.dumps({**index_receipt(index, options), "sources": asked}))
    with work_beside(out) as work:
        if out.exists():
            summary = _finished(out, receipt)
            _clear(work)
            return summary
        _begin(work, receipt)
        units = list(_units(index, asked, max(1, ROWS_PER_CELL // options.k)))
        searcher = BatchSearcher(index, options)
        schema = _schema(receipt)
        done, total = 0, sum(map(len, units))
        counts = {"answered": 0, "refused": 0, "rows": 0}
        cells = []
        for unit in units:
            marker = work / "done" / f"{unit.name}.json"
            if not marker.exists():
                _answer(searcher, unit, work, schema, lambda n, of=done: progress(of + n, total))
            made = json.loads(marker.read_text())
            counts = {name: count + made[name] for name, count in counts.items()}
            if unit.cell is not None and made["rows"]:
                cells.append(unit.cell)
            done += len(unit)
            progress(done, total)
        if not counts["rows"]:
            _clear(work)
            raise SearchError(f"none of the {total} objects has a neighbour of the kind asked for")
        table = work / "table"
        table.mkdir(exist_ok=True)
        for part in _PARTS:
            _join(sorted((work / part).glob("*.parquet")), table / f"{part}.parquet")
        if cells:
            name = f"{index.info.name}-neighbours"
            more = {f"neighbours_{key}": value for key, value in {"read": total, **counts}.items()}
            more = {"neighbours_index": receipt["index"]["id"], "neighbours_k": options.k, **more}
            describe_hats(table, name, cells, schema, software_version(), more)
        write_json(table / _RECEIPT, {**receipt, "counts": {"read": total, **counts}})
        sync_tree(table)
        table.replace(out)
        _clear(work)
        return _finished(out, receipt)


def _finished(out: Path, receipt: Mapping[str, Any]) -> BulkSummary:
    """Return what a whole table holds, if it is the one that is wanted."""
    try:
        found = json.loads((out / _RECEIPT).read_text())
        counts = found.pop("counts")
    except (OSError, ValueError, KeyError):
        found = None
    if found != receipt:
        raise QueryError(
            f"{out} must be free, or hold these very neighbours, but holds something else: remove "
            "it or name another folder"
        )
    refused = out / "refused.parquet"
    return BulkSummary(**counts, refused_file=refused if counts["refused"] else None)


def _begin(work: Path, receipt: Mapping[str, Any]) -> None:
    """Note what is made in a work folder, or see that it is the same as before."""
    note = work / _NOTE
    if note.exists():
        if json.loads(note.read_text()) != receipt:
            raise QueryError(
                f"{work} holds the unfinished neighbours of another index or with other options: "
                "remove it to begin anew, or name another folder"
            )
    elif any(path.name not in (LOCK_FILE, f"{_NOTE}.tmp") for path in work.iterdir()):
        raise QueryError(
            f"{work} must be free, or hold unfinished neighbours, but holds something else: remove "
            "it or name another folder"
        )
    else:
        write_json(note, receipt)


def _clear(work: Path) -> None:
    """Remove what was made in a work folder. The note goes last: it says whose the folder is."""
    for folder in ("table", "done", *_PARTS):
        shutil.rmtree(work / folder, ignore_errors=True)
    for name in (_NOTE, f"{_NOTE}.tmp"):
        (work / name).unlink(missing_ok=True)


def _units(index: Index, releases: Sequence[str], sources_at_once: int) -> Iterator[Unit]:
    """Divide the objects: those with a position by cells of the sky, then the others."""
    segments = [index.segment(name) for name in releases]
    placed = [segment.column("healpix_29")[: segment.info.placed] for segment in segments]
    for cell in common_cells(placed, sources_at_once):
        edges = [np.searchsorted(healpix, cell.bounds).tolist() for healpix in placed]
        ranges = [(name, *edge) for name, edge in zip(releases, edges, strict=True)]
        kept = tuple(each for each in ranges if each[1] < each[2])
        yield Unit(f"{cell.order}-{cell.pixel}", kept, cell)
    number = 0
    for segment in segments:
        for start in range(segment.info.placed, len(segment), sources_at_once):
            stop = min(start + sources_at_once, len(segment))
            yield Unit(f"unplaced-{number:09d}", ((segment.name, start, stop),), None)
            number += 1


def _answer(
    searcher: BatchSearcher,
    unit: Unit,
    work: Path,
    schema: pa.Schema,
    progress: Any,
) -> None:
    """Write the neighbours of a unit, what was refused, and then its marker."""
    tables, refused = [schema.empty_table()], [REFUSED.empty_table()]
    block = block_size(searcher.options.k)
    done = answered = 0
    for release, first, last in unit.ranges:
        for start in range(first, last, block):
            rows = np.arange(start, min(start + block, last))
            answers = searcher.search(release, rows)
            tables.append(_rows(searcher.index, release, rows, answers, schema))
            refused.append(_refusals(searcher.index, release, rows, answers.refused))
            answered += len(rows) - len(answers.refused)
            done += len(rows)
            progress(done)
    table, without = pa.concat_tables(tables), pa.concat_tables(refused)
    order = np.argsort(table.column(HEALPIX_COLUMN).to_numpy(), kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    place = "table/" + unit.cell.path if unit.cell else f"unplaced/{unit.name}.parquet"
    for part, path in ((table, place), (without, f"refused/{unit.name}.parquet")):
        if len(part):
            write_parquet(part, work / path, group_rows=_GROUP_ROWS)
    counts = {"answered": answered, "refused": len(without), "rows": len(table)}
    write_json(work / "done" / f"{unit.name}.json", counts)


def _rows(
    index: Index, release: str, rows: np.ndarray[Any, Any], answers: Answers, schema: pa.Schema
) -> pa.Table:
    hits = answers.hits
    own = np.full(len(hits), index.releases.index(release))
    source, codes, row = rows[hits["query"]], hits["release"], hits["row"]
    position = [numbers_of(index, own, source, name) for name in ("ra_deg", "dec_deg")]
    other = [numbers_of(index, codes, row, name) for name in ("ra_deg", "dec_deg")]
    columns = {
        HEALPIX_COLUMN: numbers_of(index, own, source, "healpix_29"),
        "source_key": keys_of(index, own, source),
        "source_release": releases_of(index, own),
        "source_object_id": ids_of(index, own, source),
        "ra_deg": position[0],
        "dec_deg": position[1],
        "rank": answers.rank,
        "neighbour_key": keys_of(index, codes, row),
        "neighbour_release": releases_of(index, codes),
        "neighbour_object_id": ids_of(index, codes, row),
        "score": hits["score"],
        "percentile": answers.percentile,
        "bridge": answers.bridge.tolist(),
        "via": keys_of(index, hits["via_release"], hits["via_row"]),
        "modality": answers.modality.tolist(),
        "separation_arcsec": separation_arcsec(*position, *other),
    }
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _refusals(
    index: Index, release: str, rows: np.ndarray[Any, Any], reasons: Mapping[int, str]
) -> pa.Table:
    segment = index.segment(release)
    ids = [segment.object_id(int(rows[place])) for place in reasons]
    values = [
        [f"{release}:{each}" for each in ids],
        [release] * len(ids),
        ids,
        list(reasons.values()),
    ]
    return pa.table([pa.array(each, pa.string()) for each in values], schema=REFUSED)


def _join(parts: Sequence[Path], path: Path) -> None:
    """Join Parquet files into one, a file at a time; none is made of none."""
    if not parts:
        return
    schema = pq.read_schema(parts[0])
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for part in parts:
            writer.write_table(pq.ParquetFile(part).read())


def _schema(receipt: Mapping[str, Any]) -> pa.Schema:
    fields = []
    for column, of_type in COLUMNS.items():
        described = {"ucd": column.ucd, "description": column.description}
        if column.unit:
            described["unit"] = column.unit
        fields.append(pa.field(column.name, of_type, metadata=described))
    return pa.schema(fields, metadata={"receipt": json.dumps(receipt)})
