"""What the API answers: the searcher's own answers, in every format, and refusals in words."""

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.table import Table

from app.rest.models import Cone, Neighbours, ObjectSays, Problem, Releases, Spaces, State
from indexer import IndexFormatError, SearchOptions, parse_filters
from indexer.export import MEDIA_TYPES
from tests.indexer.small_sky import SHARED_ID, key_of, spectrum_of, xp_of

ASKED = key_of("demo-legacysurvey", 30)
PROBLEM = "application/problem+json"


def refused(response, status, kind):
    """Check a refusal, and return its document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    assert "Traceback" not in response.text
    problem = Problem.model_validate(response.json())
    assert (problem.type, problem.status) == (f"urn:aion-search:{kind}", status)
    return response.json()


def test_neighbours_are_those_of_the_searcher(api, api_searcher):
    asked = {
        "object": ASKED,
        "k": 4,
        "to": "spectrum",
        "bridge": "linked",
        "release": ["demo-sdss", "demo-desi"],
        "where": ["redshift<1.3", "has(image)"],
        "fold_duplicates": "true",
        "leave_out_source": "true",
    }
    options = SearchOptions(
        k=4,
        to="spectrum",
        bridge="linked",
        releases=("demo-sdss", "demo-desi"),
        filters=parse_filters("redshift<1.3", "has(image)"),
        exclude_source=True,
        fold_duplicates=True,
    )
    expected = api_searcher.search(api_searcher.query_object(ASKED), options)
    answer = api.get("/neighbours", params=asked)
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(expected.document()))
    assert len(answer.json()["hits"]) == 4
    Neighbours.model_validate(answer.json())


def test_examples_for_and_against(api):
    more = {"also": key_of("demo-legacysurvey", 31), "not": key_of("demo-legacysurvey", 90)}
    answer = api.get("/neighbours", params={"object": ASKED, **more})
    assert answer.json()["receipt"]["examples"]["method"] == "mean"
    probe = api.get("/neighbours", params={"object": ASKED, **more, "probe": "true"})
    assert probe.json()["receipt"]["examples"]["method"] == "probe"
    lonely = api.get("/neighbours", params={"object": ASKED, "probe": "true"})
    assert "probe needs examples against" in refused(lonely, 422, "invalid")["detail"]


def test_a_position(api):
    answer = api.get("/neighbours", params={"position": "150.1 -0.01", "k": 1})
    assert answer.json()["query"]["kind"] == "position"
    nowhere = api.get("/neighbours", params={"position": "10 80"})
    assert "no object of this index within" in refused(nowhere, 404, "unknown-object")["detail"]
    wrong = api.get("/neighbours", params={"position": "400 80"})
    assert "right ascension must lie between" in refused(wrong, 422, "query")["detail"]


@pytest.mark.parametrize("name", sorted(MEDIA_TYPES))
def test_formats_by_content_type_and_by_name(api, name):
    by_type = api.get(
        "/neighbours", params={"object": ASKED, "k": 3}, headers={"Accept": MEDIA_TYPES[name]}
    )
    by_name = api.get("/neighbours", params={"object": ASKED, "k": 3, "format": name})
    for answer in (by_type, by_name):
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == MEDIA_TYPES[name]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(_keys_in(answer.content, name)) == 3
    assert ("attachment" in by_name.headers.get("content-disposition", "")) == (name != "json")


def _keys_in(content, name):
    stream = io.BytesIO(content)
    if name == "json":
        return [hit["key"] for hit in json.loads(content)["hits"]]
    if name == "parquet":
        return pq.read_table(stream).column("key").to_pylist()
    kind = {"csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(name, name)
    return list(Table.read(stream, format=kind)["key"])


def test_the_votable_says_what_its_columns_are(api):
    answer = api.get("/neighbours", params={"object": ASKED, "format": "votable"})
    table = votable.parse(io.BytesIO(answer.content)).get_first_table()
    ucds = {field.name: field.ucd for field in table.fields}
    assert ucds["ra_deg"] == "pos.eq.ra;meta.main"
    assert "receipt" in {
        info.name for info in votable.parse(io.BytesIO(answer.content)).resources[0].infos
    }


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("text/csv;q=0.2, application/fits;q=0.9", "application/fits"),
        ("text/*", "text/csv"),
        ("application/fits;q=0, */*;q=x, application/json", "application/json"),
    ],
)
def test_what_is_accepted_most_comes(api, accept, expected):
    answer = api.get("/cone", params={"position": "150 0"}, headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(expected)


def test_what_is_not_written_here_is_refused(api):
    answer = api.get("/neighbours", params={"object": ASKED}, headers={"Accept": "image/png"})
    assert "application/json" in refused(answer, 406, "not-acceptable")["detail"]


def test_an_object_with_its_pages_and_neighbours(api):
    answer = api.get(f"/objects/{key_of('demo-sdss', 3)}")
    told = answer.json()
    ObjectSays.model_validate(told)
    assert told["links"][-1]["label"] == "Spectrum"
    assert key_of("demo-legacysurvey", 3) in told["counterparts"]
    assert told["redshift"] == 0.03
    assert "healpix_29" not in told
    for each in told["neighbours"]:
        followed = api.get(f"http://testserver{each['url']}&k=1")
        assert followed.status_code == 200
        assert followed.json()["receipt"]["to"] == each["to"]


def test_an_identifier_of_several_objects(api):
    for answer in (
        api.get(f"/objects/{SHARED_ID}"),
        api.get("/neighbours", params={"object": SHARED_ID}),
    ):
        candidates = refused(answer, 409, "ambiguous")["candidates"]
        assert candidates == [f"demo-desi:{SHARED_ID}", f"demo-hsc:{SHARED_ID}"]
        assert api.get(f"/objects/{candidates[0]}").status_code == 200


def test_a_cone(api, api_searcher):
    answer = api.get("/cone", params={"position": "150.0 0.0", "radius": 40})
    told = answer.json()
    Cone.model_validate(told)
    keys = [each["key"] for each in told["objects"]]
    # Sources are 36 arcsec apart along both axes; source 40 lies at 150 0.
    inside = {key_of("demo-legacysurvey", source) for source in (20, 40, 41, 60)}
    assert inside <= set(keys)
    assert keys[:1] == [key_of("demo-legacysurvey", 40)]
    away = [each["separation_arcsec"] for each in told["objects"]]
    assert away == sorted(away)
    assert max(away) <= 40
    few = api.get("/cone", params={"position": "150.0 0.0", "radius": 40, "limit": 2}).json()
    assert len(few["objects"]) == 2
    assert few["query"]["left_out"] == len(keys) - 2
    table = api.get("/cone", params={"position": "150.0 0.0", "radius": 40, "format": "votable"})
    assert list(Table.read(io.BytesIO(table.content), format="votable")["key"]) == keys
    empty = api.get("/cone", params={"position": "10 80", "format": "votable"})
    assert len(Table.read(io.BytesIO(empty.content), format="votable")) == 0


def test_what_the_index_holds(api, api_searcher):
    told = Releases.model_validate(api.get("/releases").json())
    assert {each.name: each.indexed for each in told.releases}["demo-legacysurvey"] == 160
    spaces = Spaces.model_validate(api.get("/spaces").json())
    assert {each.name for each in spaces.spaces} == set(api_searcher.index.info.spaces)
    assert told.index.id == api_searcher.index.info.index_id


def test_health_needs_no_index_and_readiness_does(serve):
    def none():
        raise IndexFormatError("/srv/secret/index is no index")

    client = serve(none)
    assert State.model_validate(client.get("/health").json()).status == "ok"
    for answer in (client.get("/ready"), client.get("/neighbours", params={"object": ASKED})):
        assert "secret" not in json.dumps(refused(answer, 503, "no-index"))
        assert answer.headers["retry-after"] == "10"
    assert "aion_search_ready 0" in client.get("/metrics").text


def test_a_fault_shows_no_trace(serve):
    def broken():
        raise ZeroDivisionError("a secret of the inside")

    answer = serve(broken).get("/releases")
    assert "secret" not in json.dumps(refused(answer, 500, "fault"))


def _spectrum_file(source=120):
    spectrum = spectrum_of(source, "sdss")
    table = Table({"wavelength": spectrum.wavelength_angstrom, "flux": spectrum.flux})
    table["ivar"] = spectrum.ivar
    table["wavelength"].unit = "Angstrom"
    table["flux"].unit = "1e-17 erg / (s cm2 Angstrom)"
    table["ivar"].unit = "1e34 s2 cm4 Angstrom2 / erg2"
    stream = io.StringIO()
    table.write(stream, format="ascii.ecsv")
    return stream.getvalue().encode()


def test_a_spectrum(api):
    answer = api.post(
        "/neighbours/spectrum",
        params={"k": 2, "also": key_of("demo-desi", 121)},
        files={"file": ("mine.ecsv", _spectrum_file())},
        data={"survey": "sdss", "medium": "vacuum"},
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["query"]["examples"]["for"][0]["file_name"] == "mine.ecsv"
    assert len(told["hits"]) == 2


def test_coefficients(api):
    xp = xp_of(3)
    table = Table({"source_id": [1666767135588491904 + 3], "ra": [150.03], "dec": [-0.02]})
    table["bp_coefficients"] = [np.asarray(xp.bp, float)]
    table["rp_coefficients"] = [np.asarray(xp.rp, float)]
    stream = io.BytesIO()
    table.write(stream, format="fits")
    sent = {"file": ("xp.fits", stream.getvalue())}
    answer = api.post("/neighbours/xp", params={"k": 3}, files=sent)
    assert answer.status_code == 200, answer.text
    assert answer.json()["query"]["object_id"].endswith("907")
    two = [("file", ("a.fits", stream.getvalue())), ("file", ("b.fits", stream.getvalue()))]
    assert "one file" in refused(api.post("/neighbours/xp", files=two), 422, "file")["detail"]


def test_an_image(api):
    from tests.indexer.small_sky import image_of

    hdu = fits.PrimaryHDU(np.asarray(image_of(12, "legacysurvey").flux, np.float32))
    stream = io.BytesIO()
    hdu.writeto(stream)
    answer = api.post(
        "/neighbours/image",
        params={"k": 2},
        files={"file": ("cutout.fits", stream.getvalue())},
        data={"survey": "legacysurvey", "bands": "grz", "pixel_scale": "0.262"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["query"]["assumptions"]["survey"] == "read as legacysurvey, as you stated"
    tiny = api.post(
        "/neighbours/image",
        files={"file": ("cutout.fits", stream.getvalue())},
        data={"survey": "legacysurvey", "bands": "grz", "pixel_scale": "1e-300"},
    )
    assert "pixel_scale" in refused(tiny, 422, "invalid")["detail"]


def test_a_vector(api, api_searcher):
    query = api_searcher.query_object(ASKED)
    unit = api_searcher.vector(query, "image")
    raw = unit + api_searcher.index.space("image").mean
    answer = api.post(
        "/neighbours/vector",
        params={"k": 3, "to": "image"},
        json={"modality": "image", "vector": raw.tolist()},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["query"]["kind"] == "vector"
    short = api.post("/neighbours/vector", json={"modality": "image", "vector": [1.0]})
    assert "must have the shape (32,)" in refused(short, 422, "query")["detail"]
