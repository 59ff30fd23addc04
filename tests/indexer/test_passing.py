"""Which rows pass, against every object looked at by itself."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from plain_catalog import ordered

from indexer import passing
from indexer.arrow_tables import numpy_column
from indexer.errors import QueryError
from indexer.filters import parse_filters
from indexer.index_model import MODALITY_BITS, bits_of
from indexer.links import Links, PairLinks
from indexer.passing import Passing

COUNT = 4000


@dataclass
class FakeSegment:
    name: str
    rows: pa.Table
    info: SimpleNamespace = field(init=False)

    def __post_init__(self):
        placed = int((self.column("healpix_29") >= 0).sum())
        self.info = SimpleNamespace(placed=placed)

    def __len__(self):
        return len(self.rows)

    def column(self, name):
        return numpy_column(self.rows, name)

    def rows_with(self, modality):
        return np.flatnonzero(self.column("modalities") & bits_of(modality))


class FakeIndex:
    def __init__(self, *segments, links=None):
        self.segments = {each.name: each for each in segments}
        self.releases = tuple(self.segments)
        self.links = Links(links or {})

    def segment(self, name):
        return self.segments[name]


def segment(name, modality, seed, count=COUNT, **more):
    """Objects all over the sky, some at 0h, at the poles and nowhere."""
    rng = np.random.default_rng(seed)
    ra = rng.uniform(0.0, 360.0, count)
    dec = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count)))
    ra[:200] = rng.normal(0.0, 1.0, 200) % 360.0
    dec[200:300] = 90.0 - np.abs(rng.normal(0.0, 0.5, 100))
    dec[300:400] = -90.0 + np.abs(rng.normal(0.0, 0.5, 100))
    ra[400], dec[400], dec[401], dec[402] = 0.0, 0.0, 90.0, -90.0
    ra[500:550] = dec[500:550] = np.nan
    redshift = rng.uniform(0.0, 1.0, count).astype(np.float32)
    redshift[::7] = np.nan
    columns = {
        "object_id": [f"{name}{number:05d}" for number in range(count)],
        "ra_deg": ra,
        "dec_deg": dec,
        "redshift": redshift,
        "redshift_ok": rng.random(count) < 0.5,
        "object_class": rng.choice(["GALAXY", "QSO", "Seyfert 1", ""], count),
        "modalities": np.full(count, MODALITY_BITS[modality], np.uint8),
        "source_file": pa.array(rng.choice(["a.fits", "b.fits"], count)).dictionary_encode(),
        **more,
    }
    return FakeSegment(name, ordered(pa.table(columns)).table.combine_chunks())


@pytest.fixture(scope="module")
def index():
    a, b = segment("a", "image", 1), segment("b", "spectrum", 2, pm=np.arange(COUNT) * 0.01)
    rng = np.random.default_rng(3)
    row_a = np.sort(rng.choice(COUNT, 500, replace=False))
    links = PairLinks(("a", "b"), row_a, rng.choice(COUNT, 500, replace=False), np.zeros(500))
    return FakeIndex(a, b, links={("a", "b"): links})


def mask_of(index, text, release="a"):
    found = Passing(index, parse_filters(text)).rows(release)
    mask = np.zeros(found.total, dtype=bool)
    mask[found.rows()] = True
    assert found.count == mask.sum()
    return mask


def positions(index, release="a"):
    return index.segment(release).column("ra_deg"), index.segment(release).column("dec_deg")


@pytest.fixture(params=[64, passing._BLOCK])
def _blocks(request, monkeypatch):
    monkeypatch.setattr(passing, "_BLOCK", request.param)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize(
    "text",
    [
        "redshift>0.5",
        "0.2<=redshift<0.4; redshift_ok=true",
        "object_class=QSO,Seyfert 1; redshift<0.9",
        "source_file=b.fits; redshift_ok=false",
        "redshift_ok=true,false",
        "dec_deg>10",
    ],
)
def test_columns(index, text):
    rows = index.segment("a").rows.to_pylist()
    truth = {
        "redshift>0.5": lambda o: o["redshift"] > 0.5,
        "0.2<=redshift<0.4; redshift_ok=true": lambda o: (
            0.2 <= o["redshift"] < 0.4 and o["redshift_ok"]
        ),
        "object_class=QSO,Seyfert 1; redshift<0.9": lambda o: (
            o["object_class"] in ("QSO", "Seyfert 1") and o["redshift"] < 0.9
        ),
        "source_file=b.fits; redshift_ok=false": lambda o: (
            o["source_file"] == "b.fits" and not o["redshift_ok"]
        ),
        "redshift_ok=true,false": lambda _: True,
        "dec_deg>10": lambda o: o["dec_deg"] > 10.0,
    }[text]
    np.testing.assert_array_equal(mask_of(index, text), [truth(each) for each in rows])


def test_what_a_release_lacks_passes_nowhere(index):
    assert mask_of(index, "pm>=1", "b").sum() == COUNT - 100
    assert mask_of(index, "pm>=1", "a").sum() == 0
    assert mask_of(index, "release=b", "a").sum() == 0
    assert mask_of(index, "release=b", "b").all()


def separations(ra, dec, ra0, dec0):
    """Angles by the formula for tangents, in degrees."""
    ra, dec, ra0, dec0 = map(np.radians, (ra, dec, ra0, dec0))
    apart = ra - ra0
    opposite = np.hypot(
        np.cos(dec0) * np.sin(apart),
        np.cos(dec) * np.sin(dec0) - np.sin(dec) * np.cos(dec0) * np.cos(apart),
    )
    beside = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(apart)
    return np.degrees(np.arctan2(opposite, beside))


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize(
    "centre", [(150.0, 2.0), (0.0, 0.0), (359.9, 45.0), (10.0, 90.0), (7.0, -89.5)]
)
@pytest.mark.parametrize("radius", ["0.001deg", "1.3deg", "40deg", "120deg", "180deg"])
def test_cones(index, centre, radius):
    ra, dec = positions(index)
    truth = separations(ra, dec, *centre) <= float(radius.removesuffix("deg")) * (1.0 + 1e-12)
    place = f"({centre[0]},{centre[1]},{radius})"
    np.testing.assert_array_equal(mask_of(index, f"cone{place}"), truth)
    # Of an object without a position nobody knows where it is not.
    np.testing.assert_array_equal(mask_of(index, f"away{place}"), ~truth & np.isfinite(ra))


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("lon", [(0, 360), (10, 20), (350, 10), (359, 358), (0, 1), (90, 270)])
@pytest.mark.parametrize("lat", [(-90, 90), (-5, 5), (89, 90), (-90, -88.5), (-30, 60)])
def test_boxes(index, lon, lat):
    ra, dec = positions(index)
    across = (ra >= lon[0]) | (ra <= lon[1])
    if lon[0] < lon[1]:
        across = (ra >= lon[0]) & (ra <= lon[1])
    truth = across & (dec >= lat[0]) & (dec <= lat[1])
    text = f"box({lon[0]}..{lon[1]},{lat[0]}..{lat[1]})"
    np.testing.assert_array_equal(mask_of(index, text), truth)


def galactic_by_astropy(ra, dec):
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    return SkyCoord(np.nan_to_num(ra) * u.deg, np.nan_to_num(dec) * u.deg).galactic


def test_galactic_coordinates(index):
    ra, dec = positions(index)
    placed = np.isfinite(ra)
    theirs = galactic_by_astropy(ra, dec)
    lat, lon = theirs.b.deg, theirs.l.deg
    for text, truth in {
        "|b|>=20": np.abs(lat) >= 20.0,
        "|b|<10.5": np.abs(lat) < 10.5,
        "5<|b|<=60": (np.abs(lat) > 5.0) & (np.abs(lat) <= 60.0),
        "|b|>=0": np.ones(len(lat), dtype=bool),
        "|b|>95": np.zeros(len(lat), dtype=bool),
        "galactic_box(350..20,-30..10)": ((lon >= 350.0) | (lon <= 20.0))
        & (lat >= -30)
        & (lat <= 10),
        "galactic_box(100..200,60..90)": (lon >= 100.0) & (lon <= 200.0) & (lat >= 60.0),
    }.items():
        np.testing.assert_array_equal(mask_of(index, text), truth & placed, err_msg=text)


@pytest.mark.usefixtures("_blocks")
def test_coverage_maps(index):
    import astropy.units as u
    from mocpy import MOC

    ra, dec = positions(index)
    placed = np.isfinite(ra)
    for moc in (
        MOC.from_string("3/0-99 200 5/5000 9/1000000-1000200", "ascii"),
        MOC.from_string("2/15 31 3/120-122 253 9/786431 1048576", "ascii"),
    ):
        truth = np.zeros(len(ra), dtype=bool)
        truth[placed] = moc.contains_lonlat(ra[placed] * u.deg, dec[placed] * u.deg)
        assert truth.any()
        text = " ".join(moc.to_string("ascii").split())
        np.testing.assert_array_equal(mask_of(index, f"moc({text})"), truth)


def test_having_another_modality(index):
    links = index.links.between("a", "b")
    truth = np.isin(np.arange(COUNT), links.row_a)
    np.testing.assert_array_equal(mask_of(index, "has(spectrum)", "a"), truth)
    assert mask_of(index, "has(spectrum)", "b").all()
    np.testing.assert_array_equal(
        np.flatnonzero(mask_of(index, "has(image)", "b")), np.sort(links.row_b)
    )
    assert mask_of(index, "has(xp)", "a").sum() == 0


def test_rows_that_lead_to_one_that_passes(index):
    found = Passing(index, parse_filters("redshift>0.5"))
    links = index.links.between("a", "b")
    redshift = index.segment("b").column("redshift")
    truth = links.row_a[redshift[links.row_b] > 0.5]
    np.testing.assert_array_equal(found.reaching("a", "spectrum", ["b"]).rows(), truth)
    own = found.reaching("b", "spectrum", ["b"])
    np.testing.assert_array_equal(own.rows(), np.flatnonzero(redshift > 0.5))
    assert found.reaching("a", "xp", ["b"]).count == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "colour>1",
            r"this index has no column 'colour'; filters know object_id, ra_deg, .*, \|b\| and "
            "release",
        ),
        ("modalities>1", "this index has no column 'modalities'"),
        ("release=c", "c is no release of this index; it has: a, b"),
        ("object_class>1", "object_class is a text: write object_class=ONE,OTHER; got"),
        ("redshift=1", "redshift is a number: write redshift>=0.1 or 0.1<=redshift<0.5; got"),
        ("redshift_ok>0", "redshift_ok is a flag: write redshift_ok=true or redshift_ok=false"),
        ("redshift_ok=yes", "redshift_ok is a flag, true or false, got yes"),
        ("|b|=3", r"\|b\| is a number: write"),
    ],
)
def test_what_the_index_does_not_know(index, text, message):
    with pytest.raises(QueryError, match=message):
        Passing(index, parse_filters(text))
