import subprocess
import sys
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

from demo_sky.__main__ import main


def test_the_command_writes_a_sky(tmp_path: Path) -> None:
    directory = tmp_path / "sky"
    command = [sys.executable, "-m", "demo_sky", "write", str(directory)]
    command += ["--objects", "8", "--seed", "2", "--workers", "1"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "8 sources" in result.stdout
    assert len(pd.read_parquet(directory / "labels.parquet")) == 8


def test_help_says_what_is_written() -> None:
    result = CliRunner().invoke(main, ["write", "--help"])
    assert result.exit_code == 0
    for word in ("--objects", "--seed", "HDF5", "labels.parquet"):
        assert word in result.output


def test_mistakes_are_explained(tmp_path: Path) -> None:
    (tmp_path / "sdss").mkdir()
    result = CliRunner().invoke(main, ["write", str(tmp_path), "--objects", "5"])
    assert result.exit_code == 1
    assert "empty directory" in result.output
    assert CliRunner().invoke(main, ["write", str(tmp_path), "--objects", "0"]).exit_code == 2


def test_the_package_needs_none_of_the_products_own_parts() -> None:
    code = (
        "import sys, demo_sky; "
        "print([m for m in ('torch', 'indexer', 'aion_encoder', 'streamlit') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
