"""docs/api.md: its examples run, and it lists what there is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.rest.answers import ENDPOINTS
from tests.app.test_api import _spectrum_file
from tests.app.test_asgi import address  # noqa: F401 - a fixture
from tests.indexer.small_sky import key_of

TEXT = (Path(__file__).resolve().parents[2] / "docs/api.md").read_text()
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", TEXT, re.DOTALL)
KEY = key_of("demo-legacysurvey", 30)


def test_every_call_is_listed():
    for endpoint in ENDPOINTS:
        last = endpoint.path.replace("{key}", "KEY").removeprefix("/neighbours")
        assert last in TEXT, endpoint.path


def test_the_python_example_runs(address, capsys):  # noqa: F811
    (code,) = (block for language, block in BLOCKS if language == "python")
    names = {"server": address, "key": KEY}
    exec(code, names)
    assert len(names["hits"]) == 5
    assert len(names["near"]) > 0
    assert "demo-" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_examples_run(address, tmp_path):  # noqa: F811
    spectrum = tmp_path / "mine.ecsv"
    spectrum.write_bytes(_spectrum_file())
    lines = [
        line
        for language, block in BLOCKS
        for line in block.splitlines()
        if language == "sh" and line.startswith("curl")
    ]
    assert len(lines) == 5
    values = {"SERVER": address, "KEY": KEY, "RA": "150.1", "DEC": "0.0", "SPECTRUM": str(spectrum)}
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line.replace("curl", "curl --silent --globoff --fail-with-body", 1)],
            env=values | {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
