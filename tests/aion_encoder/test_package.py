"""The package's front door."""

import subprocess
import sys

import pytest

import aion_encoder


def test_that_importing_it_does_not_import_torch() -> None:
    code = (
        "import sys, aion_encoder, aion_encoder.encoder, aion_encoder.heads, "
        "aion_encoder.observations, aion_encoder.identity; "
        "[getattr(aion_encoder, name) for name in aion_encoder.__all__]; "
        "assert not {'torch', 'aion', 'huggingface_hub'} & set(sys.modules), 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_that_every_public_name_is_there_and_listed() -> None:
    assert sorted(aion_encoder.__all__, key=lambda name: (not name.isupper(), name)) == (
        aion_encoder.__all__
    )
    for name in aion_encoder.__all__:
        assert getattr(aion_encoder, name) is not None
        assert name in dir(aion_encoder)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Encodr'"):
        _ = aion_encoder.Encodr
