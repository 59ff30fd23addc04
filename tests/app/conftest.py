"""The page in this process, on invented data."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import resources
from tests.app.fakes import FakePropertyReader, FakeSearcher


@pytest.fixture
def searcher():
    return FakeSearcher()


@pytest.fixture
def page(searcher, monkeypatch, tmp_path):
    """Return the page, not yet run."""
    (tmp_path / "index.json").write_text("{}")
    monkeypatch.setenv("AION_SEARCH_INDEX", str(tmp_path))
    monkeypatch.setattr(resources, "open_searcher", lambda *_, **__: searcher)
    monkeypatch.setattr(resources, "PropertyReader", FakePropertyReader)
    st.cache_resource.clear()
    yield AppTest.from_file("../../app/main.py", default_timeout=30)
    st.cache_resource.clear()
