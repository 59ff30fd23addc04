"""Uploads of Gaia coefficients: every format gives back what was written."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from aion_encoder.observations import GaiaXp
from indexer.errors import ReadError
from indexer.readers import read_xp_file
from tests.indexer.readers.sample_files import sample_table


@pytest.mark.parametrize("form", ["x.fits", "x.ecsv", "x.xml", "x.csv", "both.fits"])
def test_xp_tables(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(0)
    bp, rp = rng.normal(100, 10, (2, 55)), rng.normal(100, 10, (2, 55))
    ids = np.array([5853498713190525696, 5762406957886626816])
    path = tmp_path / form
    if form == "both.fits":
        Table(
            {"source_id": ids, "coeff": np.hstack([bp, rp]), "ra": [1.0, 2.0], "dec": [3.0, 4.0]}
        ).write(path)
    elif form == "x.csv":
        texts = [[f"({', '.join(map(str, row.tolist()))})" for row in each] for each in (bp, rp)]
        Table({"source_id": ids, "bp_coefficients": texts[0], "rp_coefficients": texts[1]}).write(
            path
        )
    else:
        table = Table({"source_id": ids, "bp_coefficients": bp, "rp_coefficients": rp})
        table.write(path, format="votable" if form == "x.xml" else None)
    with pytest.raises(ReadError, match="choose one of 5853498713190525696, 5762406957886626816"):
        read_xp_file(path)
    upload = read_xp_file(path, source_id="5762406957886626816")
    xp = upload.observation
    assert isinstance(xp, GaiaXp)
    np.testing.assert_array_equal(xp.bp, bp[1].astype("f4"))
    np.testing.assert_array_equal(xp.rp, rp[1].astype("f4"))
    if form == "both.fits":
        assert (upload.ra_deg, upload.dec_deg) == (2.0, 4.0)
    else:
        assert (upload.ra_deg, upload.dec_deg) == pytest.approx((135.571, -4.116), abs=1e-3)
        assert "source_id" in upload.assumptions["position"]


def test_xp_tables_that_are_none(tmp_path: Path) -> None:
    sample_table().write(tmp_path / "t.fits")
    with pytest.raises(ReadError, match="it lacks source_id, bp_coefficients, rp_coefficients"):
        read_xp_file(tmp_path / "t.fits")
    Table({"source_id": [1], "coeff": [np.full(100, 1.0)]}).write(tmp_path / "short.fits")
    with pytest.raises(ReadError, match="rp must hold 55 coefficients, got"):
        read_xp_file(tmp_path / "short.fits")
