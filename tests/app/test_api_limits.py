"""How much a client may ask, and what strangers may try."""

import gzip
import json
import threading
from urllib.parse import quote

import pytest

from app.rest.limits import Limits, Rate
from app.rest.problems import Refusal
from app.uploaded import own_name, written
from indexer.readers import file_kinds
from tests.app.test_api import ASKED, refused

FREELY = 100_000


def test_a_client_that_asks_too_often_waits(serve):
    now = [0.0]
    client = serve(limits=Limits(per_minute=12), clock=lambda: now[0])
    assert [client.get("/spaces").status_code for _ in range(3)] == [200, 200, 429]
    answer = client.get("/spaces")
    assert "at most 12 requests a minute" in refused(answer, 429, "too-many")["detail"]
    assert answer.headers["retry-after"] == "5"
    assert client.get("/health").status_code == 200
    now[0] += 5.0
    assert client.get("/spaces").status_code == 200


def test_clients_are_counted_apart():
    rate = Rate(6, clock=lambda: 0.0)
    rate.take("one")
    rate.take("other")
    with pytest.raises(Refusal, match="at most 6 requests a minute"):
        rate.take("one")


def test_of_too_many_at_once_some_wait_and_some_are_refused(serve, api_searcher):
    let_go, inside = threading.Event(), threading.Semaphore(0)

    def slow():
        inside.release()
        assert let_go.wait(30)
        return api_searcher

    client = serve(slow, limits=Limits(FREELY, searches=1, waiting=1))
    statuses = []

    def ask():
        statuses.append(client.get("/spaces").status_code)

    first, second = threading.Thread(target=ask), threading.Thread(target=ask)
    first.start()
    assert inside.acquire(timeout=30)
    second.start()
    while True:
        third = client.get("/spaces")
        if third.status_code == 503:
            break
    let_go.set()
    first.join()
    second.join()
    assert refused(third, 503, "busy")["detail"].startswith("too many requests at once")
    assert third.headers["retry-after"] == "15"
    assert 200 in statuses


def test_what_takes_too_long_is_given_up_and_its_turn_comes_back(serve, api_searcher):
    let_go = threading.Event()

    def slow():
        assert let_go.wait(30)
        return api_searcher

    client = serve(slow, limits=Limits(FREELY, searches=1, answer_s=0.05, patience_s=20.0))
    assert "took longer than 0.05 s" in refused(client.get("/spaces"), 503, "too-long")["detail"]
    let_go.set()


def test_a_body_that_is_too_large_is_refused_before_it_is_read(serve):
    client = serve(limits=Limits(FREELY, file_bytes=1000, json_bytes=500))
    sent = {"file": ("a.fits", b"x" * 2000)}
    told = refused(client.post("/neighbours/image", files=sent), 413, "too-large")
    assert told["detail"] == "the body must have at most 1000 bytes"

    def chunks():
        for _ in range(1000):
            yield b"[" * 100

    unstated = client.post(
        "/neighbours/vector", content=chunks(), headers={"Content-Type": "application/json"}
    )
    refused(unstated, 413, "too-large")
    lying = client.post(
        "/neighbours/vector",
        content=b"{}",
        headers={"Content-Type": "application/json", "Content-Length": "9" * 30},
    )
    refused(lying, 413, "too-large")


def test_bodies_of_other_kinds(api):
    json_body = {"Content-Type": "application/json"}
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(api.post("/neighbours/image", json={}), 415, "media-type")
    refused(api.post("/neighbours/vector", content=b"1"), 415, "media-type")
    refused(api.post("/neighbours/vector", content=b"{", headers=json_body), 400, "malformed")
    deep = b'{"modality":"image","vector":' + b"[" * 5000
    refused(api.post("/neighbours/vector", content=deep, headers=json_body), 400, "malformed")
    refused(api.post("/neighbours/image", content=b"--y\r\n", headers=form), 400, "malformed")
    no_boundary = {"Content-Type": "multipart/form-data"}
    refused(api.post("/neighbours/xp", content=b"", headers=no_boundary), 400, "malformed")
    other = api.post("/neighbours/image", files={"picture": ("a", b"1")})
    assert "fields named file; got picture" in refused(other, 422, "invalid")["detail"]
    many = [("file", (f"{number}", b"1")) for number in range(9)]
    refused(api.post("/neighbours/image", files=many), 400, "malformed")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "..\\..\\windows",
        "file:///etc/passwd",
        "9" * 300,
        "-" + "9" * 299,
        "%00",
        "\u202e\u0000\ufffd",
        "desi:" + "9" * 290,
        "J" + "9" * 200 + "+" + "9" * 90,
        "Gaia DR3 " + "9" * 280,
        "9" * 5 + "-" + "9" * 20 + "-" + "9" * 20,
        "' OR 1=1 --",
        "${jndi:ldap://x}",
    ],
)
def test_strange_identifiers_are_refused_in_words(api, text):
    for answer in (
        api.get("/neighbours", params={"object": text}),
        api.get("/neighbours", params={"position": text}),
        api.get("/neighbours", params={"object": ASKED, "where": text}),
        api.get("/neighbours", params={"object": ASKED, "release": text}),
        api.get("/neighbours", params={"object": ASKED, "also": text}),
        api.get("/cone", params={"position": text}),
    ):
        assert answer.status_code in (404, 422), answer.text
        told = answer.json()
        assert told["detail"]
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("number", ["1e400", "-1", "0", "nan", "inf", "9" * 5000, "1e-400", "x"])
def test_strange_numbers_are_refused_in_words(api, number):
    for asked in (
        {"object": ASKED, "k": number},
        {"position": "150 0", "radius": number},
        {"object": ASKED, "where": f"redshift>{number}"},
        {"object": ASKED, "where": f"cone(150,0,{number}arcsec)"},
    ):
        answer = api.get("/neighbours", params=asked)
        if "where" in asked and answer.status_code == 200:
            continue
        assert answer.status_code == 422, (asked, answer.text)
        assert answer.json()["detail"]


@pytest.mark.parametrize("text", ["\n0", "0\n", "a\r\nb", "\n"])
def test_a_name_with_the_end_of_a_line_is_refused_as_any_other(api, text):
    answer = api.get(f"/objects/{quote(text, safe='')}")
    assert answer.status_code in (404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_numbers_of_a_vector_that_are_none(api):
    for vector in ("[1e400]", "[NaN]", "[null]", '["a"]', "[]", "[" + "1," * 20_000 + "1]"):
        content = f'{{"modality":"image","vector":{vector}}}'.encode()
        answer = api.post(
            "/neighbours/vector", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422), vector[:20]


def _bomb():
    return gzip.compress(b"\0" * 5_000_000)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bomb.fits.gz", _bomb(), "unpacks to more than"),
        ("twice.gz", gzip.compress(gzip.compress(b"SIMPLE  =")), "compressed twice"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "PNG picture"),
        ("pickle.npy", b"\x93NUMPY\x01\0pickle", "a NumPy file"),
        ("nothing.fits", b"", "the file is empty"),
        ("page.html", b"<html><script>", "a web page"),
        (
            "huge.fits",
            b"SIMPLE  =                    T" + b" " * 50 + b"BITPIX  = -64",
            "huge.fits",
        ),
        (
            "laughs.vot",
            b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">'
            b'<!ENTITY c SYSTEM "file:///etc/passwd">]><VOTABLE>&c;&b;</VOTABLE>',
            "laughs.vot",
        ),
    ],
)
def test_files_made_to_hurt_are_refused_in_words(api, monkeypatch, name, content, words):
    monkeypatch.setattr(file_kinds, "MAX_BYTES", 1 << 20)
    for kind in ("image", "spectrum", "xp"):
        answer = api.post(f"/neighbours/{kind}", files={"file": (name, content)})
        detail = refused(answer, 422, "file")["detail"]
        assert words in detail or name in detail
        assert "root:" not in detail


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\users\\me\\spec.fits", "spec.fits"),
        ("..", "upload"),
        ("", "upload"),
        ("a\0b\n.fits", "ab.fits"),
        ("/", "upload"),
    ],
)
def test_names_of_strangers_stay_in_their_folder(sent, kept):
    assert own_name(sent) == kept
    with written([(sent, b"1"), (sent, b"2")]) as paths:
        assert [path.read_bytes() for path in paths] == [b"1", b"2"]
        assert {path.name for path in paths} == {kept}
        folder = paths[0].parents[1]
    assert not folder.exists()


def test_a_long_name_is_cut():
    assert own_name("é" * 300 + ".fits").endswith(".fits")
    assert len(own_name("é" * 300 + ".fits").encode()) <= 150


def test_script_in_a_name_comes_back_as_text(api):
    answer = api.post("/neighbours/image", files={"file": ("<script>.fits", b"SIMPLE  = no")})
    assert "<script>" in json.loads(answer.text)["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
