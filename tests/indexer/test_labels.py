"""Labels: read from every kind of table, and found again in an index by three roads."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from indexer.errors import QueryError, ReadError
from indexer.index_file import Index, open_index
from indexer.known_values import known_values
from indexer.labels import LABEL_NAMES, read_labels
from tests.indexer.small_sky import RELEASES, id_of, key_of, position_of, sdss_id


@pytest.fixture(scope="module")
def index(small_index: Path) -> Index:
    return open_index(small_index)


def by_source(index: Index, values: dict, release: str) -> dict[int, object]:
    """Return the label of every source of a release, found by the object id alone."""
    segment = index.segment(release)
    return {
        source: values[release][segment.row_of(id_of(release, source))]
        for source in RELEASES[release][1]
    }


def simulated_labels(path: Path) -> Path:
    """Write labels in the layout of the simulated sky: ids by survey, and a position."""
    sources = range(160)
    columns = {"source": pa.array(sources)}
    for release, (survey, members) in RELEASES.items():
        ids = [id_of(release, source) if source in members else None for source in sources]
        columns[survey] = pa.array(ids, pa.string())
    ra, dec = zip(*(position_of(source) for source in sources), strict=True)
    columns |= {
        "ra_deg": pa.array(ra),
        "dec_deg": pa.array(dec),
        "object_class": pa.array(["spiral" if s % 3 else "elliptical" for s in sources]),
        "z": pa.array([0.01 * s if s % 2 else None for s in sources], pa.float64()),
        "is_lens": pa.array([s in (3, 60) for s in sources]),
    }
    pq.write_table(pa.table(columns), path)
    return path


def test_labels_of_the_simulated_sky(index: Index, tmp_path: Path):
    labels = read_labels(simulated_labels(tmp_path / "labels.parquet"))
    assert labels.names == ("object_class", "z", "is_lens")
    classes = labels.values("object_class", index)
    redshifts, lenses = labels.values("z", index), labels.values("is_lens", index)
    for release, (_, members) in RELEASES.items():
        found = by_source(index, classes, release)
        assert found == {s: "spiral" if s % 3 else "elliptical" for s in members}
        for source, z in by_source(index, redshifts, release).items():
            assert z == 0.01 * source if source % 2 else np.isnan(z)
        assert {s for s, yes in by_source(index, lenses, release).items() if yes} == {
            3,
            60,
        } & set(members)
    # The second reduction of source 0 has another id: it is found where it lies.
    segment = index.segment("demo-sdss")
    assert classes["demo-sdss"][segment.row_of(sdss_id(0, run2d=103))] == "elliptical"
    (matched,) = labels.match(index)
    counts = matched.counts
    assert (counts.rows, counts.unmatched, counts.duplicated) == (160, 0, 0)
    assert counts.by_identifier == {name: len(members) for name, (_, members) in RELEASES.items()}
    assert counts.by_position == {name: int(name == "demo-sdss") for name in RELEASES}
    assert counts.matched["demo-sdss"] == counts.objects["demo-sdss"] == 151
    assert labels.match(index)[0] is matched
    assert counts.plain()["releases"]["demo-gaia"] == {
        "objects": 10,
        "matched": 10,
        "by_key": 0,
        "by_identifier": 10,
        "by_position": 0,
    }


def test_keys_and_releases_with_ids_reach_their_own_release_alone(index: Index, tmp_path: Path):
    sources = [105, 5, 5]
    keys = [key_of("demo-desi", 105), key_of("demo-hsc", 5), key_of("demo-hsc", 5)]
    whole, parts = tmp_path / "keys.csv", tmp_path / "parts.ecsv"
    whole.write_text(
        "key,stellar_mass\n" + "".join(f"{k},{s}.5\n" for k, s in zip(keys, sources, strict=True))
    )
    table = Table(
        {
            "release": [key.partition(":")[0] for key in keys],
            "object_id": [int(key.partition(":")[2]) for key in keys],
            "stellar_mass": [105.5, 5.5, 9.0],
        }
    )
    table.write(parts, format="ascii.ecsv")
    for path in (whole, parts):
        labels = read_labels(path)
        masses = labels.values("stellar_mass", index)
        # One id stands for another source in each of the two releases.
        assert by_source(index, masses, "demo-desi")[105] == 105.5
        assert by_source(index, masses, "demo-hsc")[5] == 5.5
        assert sum(int(np.isfinite(each).sum()) for each in masses.values()) == 2
        counts = labels.match(index)[0].counts
        assert (counts.duplicated, counts.unmatched) == (1, 0)
        assert counts.by_key["demo-hsc"] == 1


def test_the_nearest_row_within_an_arcsec_counts(index: Index, tmp_path: Path):
    ra, dec = position_of(20)
    arcsec = 1.0 / 3600.0
    rows = [(ra, dec + 0.9 * arcsec, 1.0), (ra, dec + 0.3 * arcsec, 2.0), (ra, dec + 0.02, 3.0)]
    other = position_of(21)
    rows += [(other[0], other[1] - 1.2 * arcsec, 4.0), (-999.0, -999.0, 5.0)]
    path = tmp_path / "positions.fits"
    Table(rows=rows, names=("RA", "DEC", "mag_r")).write(path)
    labels = read_labels(path)
    magnitudes = labels.values("mag_r", index)
    for release in ("demo-legacysurvey", "demo-hsc", "demo-sdss"):
        found = by_source(index, magnitudes, release)
        assert found[20] == 2.0
        assert np.isnan(found[21])
    counts = labels.match(index)[0].counts
    # Unmatched: the first, to which no object is nearest, the one too far, and that without place.
    assert by_source(index, magnitudes, "demo-sdss")[60] == 3.0
    assert (counts.rows, counts.duplicated, counts.unmatched) == (5, 1, 3)


def test_galaxy_zoo_votes_count_from_three_volunteers(index: Index, tmp_path: Path):
    ra, dec = zip(*(position_of(source) for source in (1, 2, 3)), strict=True)
    path = tmp_path / "gz_decals_volunteers_5.csv"
    path.write_text(
        "iauname,ra,dec,smooth-or-featured_total-votes,has-spiral-arms_yes_fraction,"
        "merging_merger_fraction\n"
        f"J1,{ra[0]},{dec[0]},40,0.9,0.1\nJ2,{ra[1]},{dec[1]},2,1.0,1.0\n"
        f"J3,{ra[2]},{dec[2]},3,,0.2\n"
    )
    labels = read_labels(path)
    assert labels.tables[0].layout == "Galaxy Zoo DECaLS (GZD-5)"
    spirals = by_source(index, labels.values("votes_spiral", index), "demo-hsc")
    mergers = by_source(index, labels.values("votes_merger", index), "demo-hsc")
    assert spirals[1] == 0.9
    assert np.isnan([spirals[2], spirals[3], spirals[4]]).all()
    assert (mergers[1], mergers[3]) == (0.1, 0.2)
    assert np.isnan(mergers[2])
    assert labels.match(index)[0].counts.distrusted == {"votes_spiral": 1, "votes_merger": 1}


def test_lens_lists_are_joined_and_leave_all_others_no_lens(index: Index, tmp_path: Path):
    master, hsc = tmp_path / "masterlens.csv", tmp_path / "hsc_lenses.csv"
    places = [position_of(source) for source in (10, 11, 12, 13)]
    master.write_text(
        "ra_coord,dec_coord,lensgrade\n"
        + "".join(f"{r},{d},{g}\n" for (r, d), g in zip(places, ["A", '"B"', "", "D"], strict=True))
    )
    hsc.write_text("ra,dec,grade\n" + f"{places[3][0]},{places[3][1]},a\n")
    labels = read_labels(hsc, master)
    lenses = by_source(index, labels.values("is_lens", index), "demo-legacysurvey")
    assert {source for source, yes in lenses.items() if yes == 1.0} == {10, 11, 12, 13}
    assert set(lenses.values()) == {0.0, 1.0}
    grades = by_source(index, labels.values("lens_grade", index), "demo-legacysurvey")
    assert [grades[source] for source in (10, 11, 12, 13, 14)] == ["A", "B", "C", "A", ""]
    # The earlier table counts.
    lenses = by_source(index, read_labels(master, hsc).values("is_lens", index), "demo-hsc")
    assert lenses[13] == 0.0


def test_desi_and_sdss_redshifts_count_where_the_survey_trusts_them(index: Index, tmp_path: Path):
    desi, sdss = tmp_path / "zall-pix.fits", tmp_path / "specObj.fits"
    Table(
        {
            "TARGETID": np.array([int(id_of("demo-desi", s)) for s in (100, 101, 159)]),
            "Z": [0.5, 0.6, 0.7],
            "ZERR": [1e-4, 1e-4, 1e-4],
            "ZWARN": [0, 4, 0],
            "SPECTYPE": ["GALAXY", "QSO", "STAR"],
            "SUBTYPE": ["", "", "M"],
            "TARGET_RA": [0.0, 0.0, 0.0],
            "TARGET_DEC": [0.0, 0.0, 0.0],
        }
    ).write(desi)
    Table(
        {
            # Beyond 2^63, as text with blanks, as the survey writes it.
            "SPECOBJID": [f"  {sdss_id(145)} ", sdss_id(1)],
            "Z": [0.1, 0.2],
            "Z_ERR": [0.1, -1.0],
            "ZWARNING": [0, 0],
            "CLASS": ["STAR", "GALAXY"],
            "SUBCLASS": ["K3", "STARFORMING"],
            "ELODIE_TEFF": [4500.0, 0.0],
            "ELODIE_LOGG": [4.5, 0.0],
        }
    ).write(sdss)
    labels = read_labels(desi, sdss)
    assert labels.names == ("object_class", "spectral_class", "z", "temperature_k", "logg")
    z = labels.values("z", index)
    assert by_source(index, z, "demo-desi")[100] == 0.5
    assert np.isnan(by_source(index, z, "demo-desi")[101])
    assert by_source(index, z, "demo-desi")[159] == 0.7
    assert by_source(index, z, "demo-sdss")[145] == 0.1
    assert np.isnan(by_source(index, z, "demo-sdss")[1])
    classes = labels.values("object_class", index)
    assert by_source(index, classes, "demo-desi")[159] == "STAR M"
    assert by_source(index, classes, "demo-sdss")[145] == "STAR K3"
    assert by_source(index, labels.values("logg", index), "demo-sdss")[145] == 4.5
    # A counterpart passes on what it knows.
    assert known_values(index, "z", labels)["demo-legacysurvey"][
        index.segment("demo-legacysurvey").row_of(id_of("demo-legacysurvey", 100))
    ] == pytest.approx(0.5)


@pytest.mark.parametrize("compound", [True, False])
def test_provabgs(index: Index, tmp_path: Path, compound: bool):
    path = tmp_path / "BGS_ANY_full.provabgs.sv3.v0.hdf5"
    ids = np.array([int(id_of("demo-desi", s)) for s in (100, 101)])
    values = {
        "TARGETID": ids,
        "Z_HP": np.array([0.2, -999.0]),
        "LOG_MSTAR": np.array([10.5, -999.0]),
        "AVG_SFR": np.array([10.0, 0.0]),
        "TAGE_MW": np.array([7.0, 8.0]),
        "mcmc": np.zeros((2, 3)),
    }
    with h5py.File(path, "w") as file:
        if compound:
            file["__astropy_table__"] = Table(values).as_array()
        else:
            for name, column in values.items():
                file[f"data/{name}"] = column
    labels = read_labels(path)
    assert labels.names == ("z", "stellar_mass", "sfr", "age_gyr")
    first = {n: by_source(index, labels.values(n, index), "demo-desi")[100] for n in labels.names}
    assert first == {"z": 0.2, "stellar_mass": 10.5, "sfr": 1.0, "age_gyr": 7.0}
    second = [by_source(index, labels.values(n, index), "demo-desi")[101] for n in labels.names]
    assert np.isnan(second[:3]).all()
    assert second[3] == 8.0


def test_what_cannot_be_used_is_refused_with_the_reason(index: Index, tmp_path: Path):
    def refused(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(ReadError) as caught:
            read_labels(path)
        return str(caught.value)

    assert "must be one of the known catalogues (Galaxy Zoo" in refused("a.csv", "ra,dec\n1,2\n")
    assert "it has ra, dec" in refused("a.csv", "ra,dec\n1,2\n")
    assert "say which objects they are of" in refused("b.csv", "z,ra\n1,2\n")
    assert "c.csv: 'far' is no number" in refused("c.csv", "key,z\na:1,far\n")
    assert "must be a table of labels: .csv, .ecsv" in refused("d.txt", "z\n1\n")
    assert "cannot read labels from e.parquet" in refused("e.parquet", "z\n1\n")
    assert "must have rows, it has none" in refused("f.csv", "key,z\n")
    path = tmp_path / "float.parquet"
    pq.write_table(pa.table({"targetid": [3.9e16], "z": [0.1]}), path)
    with pytest.raises(ReadError, match="targetid are floating-point numbers, which cannot hold"):
        read_labels(path)
    path = tmp_path / "good.csv"
    path.write_text("key,z\na:1,0.5\n")
    with pytest.raises(QueryError, match=r"no label 'logg' in good.csv; there are z$"):
        read_labels(path).values("logg", index)
    with pytest.raises(QueryError, match="at least one table, got none"):
        read_labels()


def test_every_label_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "labels.md").read_text()
    for name in LABEL_NAMES:
        assert f"| `{name}` |" in page
