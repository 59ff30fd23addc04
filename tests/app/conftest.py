"""The page in this process, on invented data; the API on an index of a small sky."""

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app import resources
from app.api import Limits, create_api, mounted
from indexer import ReadError, SeveralObjectsError
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
def indexed_page(api_searcher, monkeypatch, tmp_path):
    """Run one of the pages on the index of the small sky; gives it."""
    (tmp_path / "index.json").write_text("{}")
    monkeypatch.setenv("AION_SEARCH_INDEX", str(tmp_path))
    monkeypatch.setattr(resources, "open_searcher", lambda *_, **__: api_searcher)
    st.cache_resource.clear()

    def opened(view):
        page = AppTest.from_file("../../app/main.py", default_timeout=30)
        page.run()
        page.switch_page(view)
        return page.run()

    yield opened
    st.cache_resource.clear()


@pytest.fixture
def serve(api_searcher):
    """Serve the API as it is mounted, in this process; gives a client of it."""
    with ExitStack() as stack:

        def start(open_searcher=lambda: api_searcher, **options):
            api = create_api(open_searcher, **options)
            app = Starlette(routes=[mounted(api)])
            return stack.enter_context(TestClient(app, base_url="http://testserver/api/v1"))

        yield start


@pytest.fixture
def api(serve):
    """A client of the API with its usual limits, but for the rate."""
    return serve(limits=Limits(per_minute=100_000))


@pytest.fixture
def readers(monkeypatch):
    """Readers that believe every file; a name with 'bad' in it is refused, 'xp' is no spectrum."""

    def reader(kind):
        def read(paths, target_id=None, source_id=None, **stated):
            chosen = target_id or source_id
            path = paths[0] if isinstance(paths, list) else paths
            if "bad" in path.name or (kind == "spectrum" and "xp" in path.name):
                raise ReadError(f"{path.name}: this is no {kind}")
            if "several" in path.name and chosen is None:
                raise SeveralObjectsError(
                    f"{path.name}: the file holds 2 objects, choose one of 11, 12", ("11", "12")
                )
            assert path.read_bytes() == b"content"
            names = (
                ", ".join(Path(each).name for each in paths)
                if isinstance(paths, list)
                else path.name
            )
            known = {name: value for name, value in stated.items() if value is not None}
            return SimpleNamespace(kind=kind, file_name=names, chosen=chosen, stated=known)

        return read

    monkeypatch.setattr(resources, "read_image_file", reader("image"))
    monkeypatch.setattr(resources, "read_spectrum_file", reader("spectrum"))
    monkeypatch.setattr(resources, "read_xp_file", reader("xp"))
