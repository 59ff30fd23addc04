"""Pages and API in one real process, started as `make demo` does."""

import gc
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from streamlit import config

from app.resources import open_unseen
from app.settings import Settings
from indexer.client import Client
from tests.indexer.small_sky import build_small_index, key_of

ROOT = Path(__file__).resolve().parents[2]
START_S = 90.0


def _command():
    lines = (ROOT / "Makefile").read_text().splitlines()
    line = next(line for line in lines if "streamlit run" in line)
    return shlex.split(line.partition("$(BIN)/python ")[2].partition(" --server.port")[0])


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    index = build_small_index(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log"
    options = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *_command(), *options],
            cwd=ROOT,
            env=os.environ | {"AION_SEARCH_INDEX": str(index), "AION_SEARCH_WEIGHTS": "fake"},
            stdout=output,
            stderr=output,
        )
    found = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"{found}/api/v1/health", timeout=5).close()
                break
            except (urllib.error.URLError, TimeoutError):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield found
    finally:
        process.terminate()
        process.wait(20)
    assert "Traceback" not in log.read_text(), log.read_text()
    assert "ScriptRunContext" not in log.read_text(), log.read_text()


def test_one_port_serves_both(address):
    for path, kind in (
        ("/", "text/html"),
        ("/_stcore/health", "text/plain"),
        ("/api/v1/ready", "application/json"),
        ("/api/v1/openapi.json", "application/json"),
        ("/api/v1/metrics", "text/plain"),
    ):
        with urllib.request.urlopen(address + path, timeout=30) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith(kind), path


def test_the_client_is_answered(address):
    hits = Client(address).neighbours(key_of("demo-sdss", 3))
    assert len(hits) == 10


@pytest.mark.parametrize(
    "path", ["..%2f..%2fetc%2fpasswd", "%5c%5chost%5cshare", "%2fetc%2fpasswd"]
)
def test_no_path_leads_out(address, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/api/v1/objects/{path}", timeout=30)
    with refused.value as answer:
        assert answer.code in (400, 404)
        assert b"root:" not in answer.read()


def test_what_stays_is_not_looked_through_for_garbage(address, tmp_path_factory):
    """Streamlit would, of everything and after every run, unless its configuration says no."""
    index = build_small_index(tmp_path_factory.mktemp("opened"))
    before = gc.get_freeze_count()
    try:
        open_unseen(Settings(index, None))
        assert gc.get_freeze_count() > before + 100_000
    finally:
        gc.unfreeze()
    assert config.get_option("runner.postScriptGC") is False
