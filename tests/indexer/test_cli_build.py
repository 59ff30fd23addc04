"""What `build` hands on of its options."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from indexer.cli import main
from indexer.errors import BuildError

MANIFESTS = Path(__file__).parents[2] / "data_manifests"


@pytest.mark.parametrize(("options", "asked"), [((), None), (("--bfloat16",), True)])
def test_products_in_bfloat16_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: tuple[str, ...], asked: bool | None
) -> None:
    opened: list[Any] = []

    def build(*_: object, tools: Any, **__: object) -> None:
        tools.open_encoder("demo")
        raise BuildError("far enough")

    def open_encoder(weights: str, **how: Any) -> None:
        opened.append((weights, how["autocast"]))

    monkeypatch.setattr("indexer.build.build", build)
    monkeypatch.setattr("aion_encoder.encoder.open_encoder", open_encoder)
    command = ["build", str(MANIFESTS / "demo.toml"), str(tmp_path / "index"), *options]
    result = CliRunner().invoke(main, command)
    assert "far enough" in result.output
    assert opened == [("demo", asked)]
