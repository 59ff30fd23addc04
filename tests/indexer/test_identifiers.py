"""What people type -> objects."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import QueryError
from indexer.identifiers import (
    PlateMjdFiber,
    clean_identifier,
    decode_spec_obj_id,
    encode_spec_obj_id,
    find_objects,
    parse_plate_mjd_fiber,
)


@dataclass(frozen=True)
class Listed:
    release: str
    survey: str
    sorted_ids: tuple[str, ...]


BEYOND_INT63 = encode_spec_obj_id(PlateMjdFiber(9145, 58042, 17), run2d=1300)
DIRECTORIES = (
    Listed("demo-desi", "desi", ("-2713437", "39627866878511337", "75339253994786944")),
    Listed("demo-hsc", "hsc", ("75339253994786944",)),
    Listed("gaia-dr3", "gaia", ("1666767135588491904",)),
    Listed("legacysurvey-dr10", "legacysurvey", ("0421p022-7410", "J094651.40-010228.5")),
    Listed(
        "sdss-dr17",
        "sdss",
        tuple(
            sorted(
                [
                    "299489677444933632",
                    str(encode_spec_obj_id(PlateMjdFiber(266, 51630, 2), 26)),
                    str(encode_spec_obj_id(PlateMjdFiber(266, 51631, 1), 26)),
                    str(BEYOND_INT63),
                    "2994896",
                ]
            )
        ),
    ),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gaia-dr3:1666767135588491904", ["gaia-dr3:1666767135588491904"]),
        ("gaia:1666767135588491904", ["gaia-dr3:1666767135588491904"]),
        ("GAIA : 1666767135588491904", ["gaia-dr3:1666767135588491904"]),
        ("Gaia DR3 1666767135588491904", ["gaia-dr3:1666767135588491904"]),
        ("gaia dr 3 1666767135588491904", ["gaia-dr3:1666767135588491904"]),
        ("1666767135588491904", ["gaia-dr3:1666767135588491904"]),
        ("source_id 1666767135588491904", ["gaia-dr3:1666767135588491904"]),
        ("TARGETID: 39627866878511337", ["demo-desi:39627866878511337"]),
        ("DESI 39627866878511337", ["demo-desi:39627866878511337"]),
        ("b'39627866878511337'", ["demo-desi:39627866878511337"]),
        ("b'   39627866878511337 '", ["demo-desi:39627866878511337"]),
        ("demo-desi:b'39627866878511337'", ["demo-desi:39627866878511337"]),
        ("-2713437", ["demo-desi:-2713437"]),
        ("0421p022-7410", ["legacysurvey-dr10:0421p022-7410"]),
        ("0421P022-7410", ["legacysurvey-dr10:0421p022-7410"]),
        ("J094651.40-010228.5", ["legacysurvey-dr10:J094651.40-010228.5"]),
        ("SDSS J094651.40-010228.5", ["legacysurvey-dr10:J094651.40-010228.5"]),
        ("266-51630-1", ["sdss-dr17:299489677444933632"]),
        ("0266-51630-0001", ["sdss-dr17:299489677444933632"]),
        ("spec-0266-51630-0001", ["sdss-dr17:299489677444933632"]),
        ("spec-0266-51630-0001.fits", ["sdss-dr17:299489677444933632"]),
        ("sdss:266-51630-1", ["sdss-dr17:299489677444933632"]),
        ("SDSS 266-51630-1", ["sdss-dr17:299489677444933632"]),
        ("SDSS 266 51630 1", ["sdss-dr17:299489677444933632"]),
        ("9145-58042-17", [f"sdss-dr17:{BEYOND_INT63}"]),
        (str(BEYOND_INT63), [f"sdss-dr17:{BEYOND_INT63}"]),
        ("75339253994786944", ["demo-desi:75339253994786944", "demo-hsc:75339253994786944"]),
        ("hsc:75339253994786944", ["demo-hsc:75339253994786944"]),
        ("1234", []),
        ("266-51630-3", []),
        ("desi:1666767135588491904", []),
        ("150.1 2.2", []),
    ],
)
def test_texts_find_objects(text: str, found: list[str]) -> None:
    assert [":".join(pair) for pair in find_objects(text, DIRECTORIES)] == found


def test_the_number_beyond_int63_is_one() -> None:
    assert BEYOND_INT63 > 2**63


def test_two_reductions_of_one_spectrum_are_two_objects() -> None:
    name = PlateMjdFiber(266, 51630, 1)
    ids = tuple(sorted(str(encode_spec_obj_id(name, run2d)) for run2d in (26, 103)))
    found = find_objects("266-51630-1", [Listed("sdss", "sdss", ids)])
    assert [object_id for _, object_id in found] == list(ids)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "an identifier is needed"),
        ("b'  '", "an identifier is needed"),
        ("lsst:12", "'lsst' is no release or survey of this index; it has: demo-desi, demo-hsc"),
        ("99999-51630-1", "plate of an SDSS spectrum must be between 1 and 16383, got 99999"),
    ],
)
def test_refusals_say_why(text: str, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        find_objects(text, DIRECTORIES)


def test_decode_known_spec_obj_id() -> None:
    assert decode_spec_obj_id("299489677444933632") == PlateMjdFiber(266, 51630, 1)
    assert decode_spec_obj_id("b'   2575025233207519232'").plate == 2287


@pytest.mark.parametrize("bad", ["-1", "abc", str(2**64), "12.5"])
def test_decode_refuses(bad: str) -> None:
    with pytest.raises(QueryError, match="an unsigned 64-bit integer"):
        decode_spec_obj_id(bad)


@given(
    plate=st.integers(1, 16383),
    mjd=st.integers(50000, 66383),
    fiber=st.integers(1, 4095),
    run2d=st.integers(0, 16383),
)
def test_encoding_comes_back_and_is_found(plate: int, mjd: int, fiber: int, run2d: int) -> None:
    name = PlateMjdFiber(plate, mjd, fiber)
    encoded = encode_spec_obj_id(name, run2d)
    assert decode_spec_obj_id(encoded) == name
    assert parse_plate_mjd_fiber(str(name)) == name
    others = [encoded + (1 << 24), encoded // 10, encoded // 1000]
    ids = tuple(sorted({str(encoded), *map(str, others)}))
    assert find_objects(str(name), [Listed("s", "sdss", ids)]) == [("s", str(encoded))]


@pytest.mark.parametrize(
    ("text", "clean"),
    [("b'0421p022-7410'", "0421p022-7410"), ('b" 5"', "5"), ("  12 ", "12"), ("b12", "b12")],
)
def test_clean(text: str, clean: str) -> None:
    assert clean_identifier(text) == clean
