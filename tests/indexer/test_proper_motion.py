"""Positions at another epoch, and links of objects that move."""

import json
from pathlib import Path

import astropy.units as u
import fake_sky as sky
import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.build import build
from indexer.index_file import open_index
from indexer.links import (
    LinkEpochs,
    PairLinks,
    Positions,
    link_epochs,
    match,
    read_links,
    unit_sphere,
    write_links,
)
from indexer.manifests import Manifest
from indexer.proper_motion import Motions, motion_columns, motions_of, moved
from indexer.readers.records import Record, standard_columns
from indexer.tools import Tools
from indexer.verify import verify

ARCSEC = 1.0 / 3600.0


def motions(pmra, pmdec, epoch=None) -> Motions:
    pmra, pmdec = np.array(pmra, float), np.array(pmdec, float)
    return Motions(pmra, pmdec, np.full(len(pmra), np.nan) if epoch is None else np.array(epoch))


def positions(ra, dec, epoch_yr=2016.0, motion=None, ids=None) -> Positions:
    names = ids or [f"{number:03d}" for number in range(len(ra))]
    return Positions(np.array(ra, float), np.array(dec, float), names.__getitem__, epoch_yr, motion)


# ERFA brings nearer what is so far away that its motion would be faster than light.
@pytest.mark.filterwarnings("ignore:.*distance overridden")
@given(
    st.floats(0.0, 360.0),
    st.floats(-89.99, 89.99),
    st.floats(-10_000.0, 10_000.0),
    st.floats(-10_000.0, 10_000.0),
    st.floats(1950.0, 2050.0),
)
@settings(deadline=None, max_examples=60)
def test_against_astropy(ra: float, dec: float, pmra: float, pmdec: float, year: float):
    there = moved(
        np.array([ra]),
        np.array([dec]),
        motions([pmra], [pmdec]),
        release_epoch_yr=2016.0,
        to_epoch_yr=year,
    )
    expected = SkyCoord(
        ra * u.deg,
        dec * u.deg,
        # So far away that neither parallax nor perspective counts.
        distance=1e6 * u.pc,
        pm_ra_cosdec=pmra * u.mas / u.yr,
        pm_dec=pmdec * u.mas / u.yr,
        radial_velocity=0 * u.km / u.s,
        obstime=Time(2016.0, format="jyear", scale="tcb"),
    ).apply_space_motion(Time(year, format="jyear", scale="tcb"))
    known = unit_sphere(np.array([expected.ra.deg]), np.array([expected.dec.deg]))
    assert np.linalg.norm(there - known) / np.radians(ARCSEC) < 0.01


def test_who_has_no_motion_stays_and_who_has_an_epoch_moves_from_it():
    ra, dec = np.array([10.0, 10.0, np.nan]), np.array([80.0, 80.0, 0.0])
    there = moved(
        ra,
        dec,
        motions([np.nan, 1000.0, 5.0], [50.0, 0.0, 5.0], [2016.0, 2000.0, np.nan]),
        release_epoch_yr=2016.0,
        to_epoch_yr=2010.0,
    )
    np.testing.assert_allclose(there[0], unit_sphere(ra[:1], dec[:1])[0], atol=1e-15)
    # Ten years at one arcsecond a year; more in right ascension, as the cosine is in the motion.
    expected = unit_sphere(ra[1:2] + 10.0 * ARCSEC / np.cos(np.radians(80.0)), dec[1:2])[0]
    np.testing.assert_allclose(there[1], expected, atol=1e-8)
    assert np.isnan(there[2]).all()


def test_a_fast_star_is_linked_to_where_it_was():
    """Half an arcsecond a year: 6 arcsec in the twelve years between the two surveys."""
    gaia = positions([50.0, 50.001], [20.0, 20.0], 2016.0, motions([300.0, 0.0], [400.0, 0.0]))
    cos = np.cos(np.radians(20.0))
    sdss = positions([50.0 - 3.6 * ARCSEC / cos, 50.0], [20.0 - 4.8 * ARCSEC, 20.0], 2004.0)
    row_a, row_b, separation = match(gaia, sdss)
    assert (row_a.tolist(), row_b.tolist()) == ([0], [0])
    assert separation[0] < 1e-3
    # The other way round is the same.
    row_a, row_b, again = match(sdss, gaia)
    assert (row_a.tolist(), row_b.tolist()) == ([0], [0])
    np.testing.assert_allclose(again, separation, atol=1e-6)
    # Without motions the star is linked to what merely stands where it stands now.
    still = positions([50.0, 50.001], [20.0, 20.0])
    row_a, row_b, _ = match(still, sdss)
    assert (row_a.tolist(), row_b.tolist()) == ([0], [1])


def test_two_that_know_motions_meet_half_way():
    a = positions([50.0], [0.0], 2016.0, motions([500.0], [0.0]))
    b = positions([50.0 - 4.0 * ARCSEC], [0.0], 2008.0, motions([500.0], [0.0]))
    assert link_epochs(a, b) == LinkEpochs(2016.0, 2008.0, 2012.0)
    _, _, separation = match(a, b)
    assert separation.tolist() == pytest.approx([0.0], abs=1e-5)
    assert link_epochs(b, positions([1.0], [1.0], 2001.0)) == LinkEpochs(2008.0, 2001.0, 2001.0)
    assert link_epochs(positions([1.0], [1.0], 2001.0), b) == LinkEpochs(2001.0, 2008.0, 2001.0)
    assert link_epochs(positions([1.0], [1.0]), positions([1.0], [1.0], 2001.0)) is None


def test_chains_do_not_depend_on_who_comes_first():
    """a1 - b1 - a2 - b2 at equal steps: b1 and a2 each have two neighbours equally near."""
    step = 0.6 * ARCSEC
    a = positions([10.0, 10.0], [0.0, 2 * step], ids=["m", "z"])
    b = positions([10.0, 10.0], [step, 3 * step], ids=["p", "q"])
    # Of its two, b1 takes "m" and a2 takes "p": what is wanted by another is not passed on.
    row_a, row_b, _ = match(a, b)
    assert (row_a.tolist(), row_b.tolist()) == ([0], [0])
    # With other ids the middle two choose each other, and both ends stay alone.
    a = positions([10.0, 10.0], [0.0, 2 * step], ids=["z", "m"])
    row_a, row_b, _ = match(a, b)
    assert (row_a.tolist(), row_b.tolist()) == ([1], [0])
    # Three releases in a row, the outer two too far apart for a link of their own.
    c = positions([10.0], [2 * step])
    first, second, third = positions([10.0], [0.0]), positions([10.0], [step]), c
    assert [len(match(x, y)[0]) for x, y in ((first, second), (second, third), (first, third))] == [
        1,
        1,
        0,
    ]


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_neither_order_of_rows_nor_of_releases_matters(seed: int):
    rng = np.random.default_rng(seed)
    # A coarse grid, so that ties abound.
    grids = [rng.integers(0, 8, (2, 12)) * 0.4 * ARCSEC for _ in range(2)]
    names = [[f"{side}{n}" for n in rng.permutation(12)] for side in "ab"]
    moving = motions(rng.integers(-1, 2, 12) * 400.0, np.zeros(12))

    def linked(order_a, order_b, swap=False):
        a, b = (
            positions(
                grid[0][order],
                grid[1][order],
                2016.0 if side == 0 else 2015.0,
                Motions(
                    *(
                        values[order]
                        for values in (moving.pmra_mas_yr, moving.pmdec_mas_yr, moving.ref_epoch_yr)
                    )
                )
                if side == 0
                else None,
                [names[side][n] for n in order],
            )
            for side, (grid, order) in enumerate(zip(grids, (order_a, order_b), strict=True))
        )
        rows = match(b, a)[1::-1] if swap else match(a, b)[:2]
        return {(a.object_id(int(x)), b.object_id(int(y))) for x, y in zip(*rows, strict=True)}

    plain = np.arange(12)
    expected = linked(plain, plain)
    assert linked(rng.permutation(12), rng.permutation(12)) == expected
    assert linked(plain, plain, swap=True) == expected


def test_epochs_are_kept_with_the_links(tmp_path: Path):
    one = np.array([0])
    epochs = LinkEpochs(2016.0, 2004.0, 2004.0)
    write_links(tmp_path / "a.arrow", PairLinks(("a", "b"), one, one, one * 0.1, epochs))
    assert read_links(tmp_path / "a.arrow", ("a", "b")).epochs == epochs
    write_links(tmp_path / "b.arrow", PairLinks(("a", "b"), one, one, one * 0.1))
    assert read_links(tmp_path / "b.arrow", ("a", "b")).epochs is None


def test_columns_of_motion():
    table = pa.table({"pmra": [1, None], "pmdec": [2.5, float("nan")], "x": [1, 2]})
    columns = motion_columns(table)
    assert list(columns) == ["pmra_mas_yr", "pmdec_mas_yr"]
    known = motions_of(pa.table(columns))
    assert known is not None
    np.testing.assert_array_equal(known.pmra_mas_yr, [1.0, np.nan])
    np.testing.assert_array_equal(known.ref_epoch_yr, [np.nan, np.nan])
    with_epoch = motion_columns(table.append_column("ref_epoch", pa.array([2016.0, 2015.5])))
    known = motions_of(pa.table(with_epoch))
    assert known is not None
    np.testing.assert_array_equal(known.ref_epoch_yr, [2016.0, 2015.5])
    assert motion_columns(table.drop_columns(["pmdec"])) == {}
    assert motion_columns(pa.table({"pmra": ["fast"], "pmdec": [1.0]})) == {}
    assert motions_of(table) is None


# A whole index: BP/RP coefficients of 2016 with motions, spectra as they stood in another year.

MOTION_MAS_YR = 500.0
FAST = "G0007"


def _read(manifest, release, partition):
    for record in sky.read_fake_partition(manifest, release, partition):
        if release.survey == "gaia" and isinstance(record, Record):
            speed = MOTION_MAS_YR if record.object_id == FAST else 0.0
            columns = standard_columns(**dict(record.columns), pmra=0.0, pmdec=speed)
            yield Record(
                record.object_id,
                record.ra_deg,
                record.dec_deg + 12 * speed / 1000.0 * ARCSEC,
                record.observations,
                columns,
                record.source_file,
                record.source_row,
            )
        else:
            yield record


TOOLS = Tools(open_encoder=sky.FAKE_TOOLS.open_encoder, read_partition=_read)


def _manifest(root: Path, epoch: float) -> Manifest:
    plain = sky.fake_manifest(root, ("fake-sdss", "fake-gaia"))
    sdss, gaia = plain.releases
    return plain.model_copy(update={"releases": (sdss.model_copy(update={"epoch": epoch}), gaia)})


def test_an_index_of_moving_objects(tmp_path: Path):
    sky.write_fake_sky(tmp_path / "sky", releases=("fake-sdss", "fake-gaia"), sources=30)
    index = tmp_path / "index"
    build(_manifest(tmp_path / "sky", 2016.0), index, weights="fake", tools=TOOLS)

    def spectrum_of_the_fast():
        opened = open_index(index)
        row = opened.segment("fake-gaia").row_of(FAST)
        source = dict(opened.links.source("fake-gaia", row))
        return "fake-sdss" in source and opened.segment("fake-sdss").object_id(source["fake-sdss"])

    assert not spectrum_of_the_fast()
    first = open_index(index)
    count = first.info.links[0].count
    # Another epoch in the manifest: links are made anew, nothing else is.
    report = build(_manifest(tmp_path / "sky", 2004.0), index, weights="fake", tools=TOOLS)
    assert report.changed
    assert spectrum_of_the_fast() == "S0007"
    info = open_index(index).info
    assert info.links[0].count == count + 1
    assert info.links[0].path == "links/fake-gaia--fake-sdss@2.arrow"
    assert info.releases == first.info.releases
    assert verify(index).problems == ()
    # And the same manifest once more changes nothing.
    report = build(_manifest(tmp_path / "sky", 2004.0), index, weights="fake", tools=TOOLS)
    assert not report.changed


def test_a_manifest_of_before_is_what_it_was(tmp_path: Path):
    manifest = sky.fake_manifest(tmp_path)
    assert "epoch" not in json.dumps(manifest.model_dump(mode="json", exclude={"root"}))
    assert '"epoch": 2004.0' in json.dumps(_manifest(tmp_path, 2004.0).model_dump(mode="json"))
