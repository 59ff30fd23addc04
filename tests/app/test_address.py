"""The address bar: plain strings, there and back, and what it does not allow."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.address import BRIDGES, MAX_NEIGHBOURS, SPACES, TARGETS, Address, parse
from indexer import parse_filters

FILTERS = ("redshift>0.1", "0.1<=magnitude<0.5", 'object_class="a;b"', "moc(5/1-3 8 6/400)")


@given(
    question=st.text(max_size=300).map(str.strip),
    to=st.sampled_from(TARGETS),
    k=st.integers(1, MAX_NEIGHBOURS),
    bridge=st.sampled_from(BRIDGES),
    space=st.sampled_from(SPACES),
    where=st.lists(st.sampled_from(FILTERS)).map(lambda texts: parse_filters(*texts).text),
    fold=st.booleans(),
    other_sources=st.booleans(),
    examples=st.lists(st.sampled_from(["demo-desi:5", "x:1"]), unique=True).map(tuple),
    probe=st.booleans(),
)
def test_a_question_survives_the_address(
    question, to, k, bridge, space, where, fold, other_sources, examples, probe
):
    address = Address(
        question,
        to,
        k,
        bridge,
        space,
        where,
        fold,
        other_sources,
        examples[:1],
        examples[1:],
        probe,
    )
    params = address.to_params()
    assert all(isinstance(value, str) for value in params.values())
    assert parse(params) == (address, ())


def test_a_default_leaves_no_trace_in_the_address():
    assert Address().to_params() == {}
    assert parse({}) == (Address(), ())


@given(
    st.dictionaries(
        st.sampled_from(["q", "to", "k", "bridge", "space", "where", "fold", "also", "not", "x"]),
        st.text(max_size=400),
        max_size=5,
    )
)
def test_no_address_breaks_the_page(params):
    address, remarks = parse(params)
    assert isinstance(address, Address)
    assert all(remarks)


@pytest.mark.parametrize(
    ("params", "expected", "remark"),
    [
        ({"k": "0"}, Address(), "“0” neighbours; 12 are shown"),
        ({"k": "-3"}, Address(), "“-3” neighbours"),
        ({"k": "1000"}, Address(k=100), "100 are shown"),
        ({"k": "9" * 400}, Address(), "neighbours; 12 are shown"),
        ({"k": "٣"}, Address(), "neighbours; 12 are shown"),
        ({"k": "nan"}, Address(), "“nan” neighbours"),
        ({"to": "smell"}, Address(), "asks for “smell”.*image, spectrum, xp"),
        ({"bridge": "golden gate"}, Address(), "auto, linked, aligned"),
        ({"space": "outer"}, Address(), "names the space “outer”.*: spectrum, spectrum_native"),
        ({"q": "x" * 301}, Address(), "at most 300"),
        ({"where": "redshift~3"}, Address(), "nothing is filtered: a filter is redshift>0.1"),
        ({"where": "redshift>2; redshift<1"}, Address(), "nothing is filtered: the range"),
        ({"where": "x>1;" * 1001}, Address(), "4004 characters; at most 4000"),
        ({"also": "x" * 301}, Address(), "names 1 examples as “also”; the first 30 are read"),
        ({"fold": "maybe"}, Address(), "fold=“maybe”; it is 1 or absent"),
    ],
)
def test_what_an_address_does_not_allow_is_said(params, expected, remark):
    address, remarks = parse(params)
    assert address == expected
    assert len(remarks) == 1
    assert re.search(remark, remarks[0])


def test_case_and_blanks_are_forgiven():
    address, remarks = parse({"q": "  demo-desi:5 ", "to": " Spectrum", "k": "007"})
    assert address == Address("demo-desi:5", "spectrum", 7)
    assert remarks == ()


def test_filters_are_read_in_any_form_and_kept_in_their_own():
    address, remarks = parse({"where": " |b|>20;redshift >= 0.10 ", "fold": "1"})
    assert address == Address(where="redshift>=0.1; |b|>20", fold=True)
    assert remarks == ()
    with pytest.raises(ValueError, match=r"as filters write themselves, got 'redshift >= 0\.1'"):
        Address(where="redshift >= 0.1")


def test_a_wrong_question_cannot_be_made():
    with pytest.raises(ValueError, match="k must be between 1 and 100, got 101"):
        Address(k=101)
    with pytest.raises(ValueError, match="got 'smell' and 'auto'"):
        Address(to="smell")
    with pytest.raises(ValueError, match="one of spectrum, spectrum_native, got 'shared'"):
        Address(space="shared")
