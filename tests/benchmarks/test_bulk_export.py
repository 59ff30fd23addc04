"""The benchmark of neighbours in bulk, on a few objects."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.bulk_export import main


def test_both_roads_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(tmp_path), "--objects", "120", "--queries", "12", "-k", "3"]
    monkeypatch.setattr(sys, "argv", ["bulk_export", *asked])
    assert main() == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["equal"] is True
    assert set(result["rates"]) == {"same modality", "linked to spectra"}
    assert all(each["ratio"] > 0 for each in result["rates"].values())
