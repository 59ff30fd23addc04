"""The client against a real server on loopback: what it gives is what the searcher gives."""

import json
import socket
import threading
import time

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette

from app.api import Limits, create_api, mounted
from indexer import AmbiguousError, Hits, QueryError, ReadError, SearchOptions, parse_filters
from indexer.client import Client, ClientError
from indexer.errors import UnknownObjectError
from indexer.hits import HIT_COLUMNS
from indexer.readers.uploads import read_spectrum_file
from indexer.told import hits_of
from tests.app.test_api import ASKED, _spectrum_file
from tests.indexer.small_sky import SHARED_ID, key_of


@pytest.fixture(scope="module")
def client(api_searcher):
    api = create_api(lambda: api_searcher, Limits(per_minute=100_000, json_bytes=2000))
    app = Starlette(routes=[mounted(api)])
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}/")
    server.should_exit = True
    thread.join()
    listening.close()


def assert_equal(told: Hits, known: Hits):
    assert type(told) is Hits
    assert len(told) == len(known) > 0
    for column in HIT_COLUMNS:
        mine, its = getattr(told, column.name), getattr(known, column.name)
        assert mine.dtype == its.dtype, column.name
        np.testing.assert_array_equal(mine, its, err_msg=column.name)
    assert told.document() == json.loads(json.dumps(known.document()))


@pytest.mark.parametrize(
    "options",
    [
        SearchOptions(k=3),
        SearchOptions(k=5, to="spectrum", bridge="linked", exclude_source=True),
        SearchOptions(
            k=5,
            to="spectrum",
            bridge="aligned",
            releases=("demo-sdss",),
            filters=parse_filters("redshift<1.2", 'object_class="GALAXY"'),
            fold_duplicates=True,
        ),
    ],
)
def test_hits_of_an_object_are_those_of_the_searcher(client, api_searcher, options):
    known = api_searcher.search(api_searcher.query_object(ASKED), options)
    assert_equal(client.neighbours(ASKED, options), known)


def test_hits_of_a_position(client, api_searcher):
    known = api_searcher.search(api_searcher.query_position("150.1 0.0", 10.0))
    assert_equal(client.neighbours_at("150.1 0.0", radius_arcsec=10.0), known)


def test_hits_of_several_examples(client):
    also, against = [key_of("demo-legacysurvey", 31)], [key_of("demo-legacysurvey", 90)]
    told = client.neighbours(ASKED, also=also, against=against, probe=True)
    assert [each.key for each in told.query.examples.positives] == [ASKED, *also]
    assert told.query.examples.method == "probe"


def test_hits_of_a_file(client, api_searcher, tmp_path):
    path = tmp_path / 'my "own" spectrum é.ecsv'
    path.write_bytes(_spectrum_file())
    upload = read_spectrum_file([path], survey="sdss", medium="vacuum")
    known = api_searcher.search(api_searcher.query_upload(upload), SearchOptions(k=4))
    told = client.neighbours_of_file(
        "spectrum", [path], SearchOptions(k=4), survey="sdss", medium="vacuum"
    )
    np.testing.assert_array_equal(told.key, known.key)
    np.testing.assert_array_equal(told.score, known.score)
    assert told.query.sha256 == known.query.sha256


def test_hits_of_a_vector(client, api_searcher):
    vector = np.linspace(-1.0, 1.0, 32)
    known = api_searcher.search(api_searcher.query_vector(vector, "image"))
    assert_equal(client.neighbours_of_vector(vector, "image"), known)


def test_objects_cones_releases_and_spaces(client, api_searcher):
    assert client.object(ASKED)["key"] == ASKED
    told, known = client.cone("150 0", 40.0), api_searcher.cone("150 0", 40.0)
    assert told.document() == known.document()
    assert all(told.columns[name].dtype == known.columns[name].dtype for name in told.columns)
    assert len(client.releases()) == 5
    assert "shared" in {each["name"] for each in client.spaces()}


def test_errors_are_those_of_the_searcher(client, tmp_path):
    with pytest.raises(AmbiguousError, match="can be 2 objects") as ambiguous:
        client.neighbours(SHARED_ID)
    assert ambiguous.value.candidates == (f"demo-desi:{SHARED_ID}", f"demo-hsc:{SHARED_ID}")
    with pytest.raises(UnknownObjectError, match="no object of this index is called"):
        client.object("nobody/..")
    with pytest.raises(QueryError, match="is no release of this index"):
        client.neighbours(ASKED, SearchOptions(releases=("nowhere",)))
    letter = tmp_path / "letter.fits"
    letter.write_text("SIMPLE  = not")
    with pytest.raises(ReadError, match=r"letter\.fits"):
        client.neighbours_of_file("image", [letter])
    with pytest.raises(ReadError, match=r"absent\.fits: cannot be read"):
        client.neighbours_of_file("image", [tmp_path / "absent.fits"])
    with pytest.raises(ClientError, match="at most 2000 bytes") as large:
        client.neighbours_of_vector(np.linspace(0.1, 1.0, 1000), "image")
    assert large.value.status == 413


def test_a_server_that_is_not_there():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ClientError, match="does not answer"):
        Client(f"http://127.0.0.1:{port}").releases()
    with pytest.raises(ClientError, match="begins with http"):
        Client("file:///etc/passwd")


def test_what_is_no_answer_is_refused():
    with pytest.raises(ValueError, match="an answer has query, receipt and hits"):
        hits_of({"hits": []})
