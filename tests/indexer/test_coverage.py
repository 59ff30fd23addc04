"""What an index holds, counted another way."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from indexer import open_index
from indexer.coverage import coverage, rejects_by_reason, texts_of


def test_cells_hold_what_counting_says(small_index: Path) -> None:
    index = open_index(small_index)
    found = coverage(index, order=3)
    cells: Counter[int] = Counter()
    for name in index.releases:
        column = index.segment(name).column("healpix_29")
        cells.update(int(value) >> 52 for value in column if value >= 0)
    assert dict(zip(found.cells.tolist(), found.counts.tolist(), strict=True)) == cells
    assert found.counts.sum() == sum(each.placed for each in index.info.releases.values())


def test_a_cell_is_where_its_objects_are(small_index: Path) -> None:
    index = open_index(small_index)
    name = index.releases[0]
    found = coverage(index, [name], order=5)
    segment = index.segment(name)
    placed = slice(0, segment.info.placed)
    ra, dec = segment.column("ra_deg")[placed], segment.column("dec_deg")[placed]
    for centre_ra, centre_dec in zip(found.ra_deg, found.dec_deg, strict=True):
        away = np.hypot((ra - centre_ra) * np.cos(np.radians(dec)), dec - centre_dec)
        assert away.min() < 1.9


def test_texts_are_those_of_the_catalogues(small_index: Path) -> None:
    index = open_index(small_index)
    columns = [index.segment(name).rows.column("object_class") for name in index.releases]
    texts = {text for column in columns for text in column.to_pylist()}
    assert texts_of(index, "object_class") == sorted(texts - {""})
    assert texts_of(index, "nothing") == []


def test_what_a_reason_has_measured_does_not_part_it_from_its_like() -> None:
    reasons = [
        "92.7 % of the central 96 x 96 pixels are missing; at most 50 % may be",
        "1 % of the central 96 x 96 pixels are missing; at most 50 % may be",
        "the position is 12.5 91.25",
    ]
    segment: Any = SimpleNamespace(
        rejects=pa.table({"reason": reasons, "modality": ["", "", "image"]})
    )
    assert rejects_by_reason(segment) == {
        "… % of the central 96 x 96 pixels are missing; at most 50 % may be": 2,
        "the position is … … (its image only)": 1,
    }


def test_rejects_are_counted_by_reason(small_index: Path) -> None:
    index = open_index(small_index)
    for name, release in index.info.releases.items():
        segment = index.segment(name)
        reasons = rejects_by_reason(segment)
        path = small_index / release.directory / "rejects.parquet"
        read = pq.read_table(path).to_pylist()
        assert sum(reasons.values()) == len(read)
        plain = Counter(
            row["reason"]
            for row in read
            if not row["modality"] and not any(letter.isdigit() for letter in row["reason"])
        )
        assert {reason: reasons[reason] for reason in plain} == plain
        assert list(reasons.values()) == sorted(reasons.values(), reverse=True)
