"""Names that Sesame knows: asked only where it is allowed, and answered in words without it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import pytest
from astropy.coordinates.name_resolve import sesame_url

from indexer.errors import QueryError, UnknownObjectError
from indexer.index_file import open_index
from indexer.positions import Position
from indexer.resolve import resolve_text
from indexer.sky_names import place_of_name

ANSWER = "# M 51\t#Q1\n#=S=Simbad\n%C.0 SyG\n%J 202.469575 +47.195258 = 13:29:52.69 +47:11:42.9\n"


class Sesame(BaseHTTPRequestHandler):
    """Knows M 51, and nothing else."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        name = unquote(self.path.partition("?")[2])
        self.asked.append(name)
        told = ANSWER if name == "M 51" else f"# {name}\n#!SIMBAD: Nothing found\n"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(told.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def sesame() -> Iterator[list[str]]:
    """A server in the place of the CDS; gives the names that it was asked for."""
    server = HTTPServer(("127.0.0.1", 0), Sesame)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Sesame.asked = []
    try:
        with sesame_url.set([f"http://127.0.0.1:{server.server_port}/"]):
            yield Sesame.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_name_has_a_place(sesame: list[str]) -> None:
    place = place_of_name(" M  51 ")
    assert (place.ra_deg, place.dec_deg) == pytest.approx((202.469575, 47.195258))
    assert place.notation == "the place of 'M 51' by Sesame"
    assert sesame == ["M 51"]


def test_an_unknown_name_is_said_to_be_unknown(sesame: list[str]) -> None:
    with pytest.raises(UnknownObjectError, match=r"^Sesame knows no object called 'Atlantis'$"):
        place_of_name("Atlantis")


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "M\x0051"])
def test_what_is_no_name_is_not_asked_for(sesame: list[str], name: str) -> None:
    with pytest.raises(QueryError, match="a name has 1 to 80 letters"):
        place_of_name(name)
    assert sesame == []


def test_without_an_answer_it_is_said() -> None:
    # Port 9 discards; nobody listens to it here.
    with (
        sesame_url.set(["http://127.0.0.1:9/"]),
        pytest.raises(QueryError, match="Sesame does not answer, so the name 'M 51' cannot be"),
    ):
        place_of_name("M 51")


def test_only_what_is_neither_identifier_nor_position_is_a_name(small_index: Path) -> None:
    index = open_index(small_index)
    asked = []

    def place(name: str) -> Position:
        asked.append(name)
        first = index.segment(index.releases[0])
        return Position(
            float(first.column("ra_deg")[0]), float(first.column("dec_deg")[0]), "a place"
        )

    found = resolve_text(index, "M 51", place)
    assert found.kind == "position"
    assert found.text == "M 51"
    assert "read as a place" in found.assumptions["position"]
    key = str(found.key)
    assert resolve_text(index, key, place).key == key
    position = f"{found.ra_deg:.6f} {found.dec_deg:+.6f}"
    assert resolve_text(index, position, place).kind == "position"
    for no_name in ("400 10", "123456789012"):
        with pytest.raises(QueryError):
            resolve_text(index, no_name, place)
    assert asked == ["M 51"]
    with pytest.raises(UnknownObjectError, match="no object of this index is called 'M 51'"):
        resolve_text(index, "M 51")
