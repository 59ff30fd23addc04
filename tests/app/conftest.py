"""The page in this process, on invented data; the API on an index of a small sky."""

from contextlib import ExitStack

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app import resources
from app.api import Limits, create_api
from indexer.search import open_searcher
from tests.app.fakes import FakePropertyReader, FakeSearcher
from tests.indexer.small_sky import build_small_index


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


@pytest.fixture(scope="session")
def api_searcher(tmp_path_factory):
    """The searcher of an index of the small sky, made by the fake encoder."""
    index = build_small_index(tmp_path_factory.mktemp("api-index"))
    return open_searcher(index, weights="fake")


@pytest.fixture
def serve(api_searcher):
    """Serve the API as it is mounted, in this process; gives a client of it."""
    with ExitStack() as stack:

        def start(open_searcher=lambda: api_searcher, **options):
            api = create_api(open_searcher, **options)
            app = Starlette(routes=[Mount("/api", app=api)])
            return stack.enter_context(TestClient(app, base_url="http://testserver/api/v1"))

        yield start


@pytest.fixture
def api(serve):
    """A client of the API with its usual limits, but for the rate."""
    return serve(limits=Limits(per_minute=100_000))
