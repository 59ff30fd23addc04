"""What must be equal for two vectors to be comparable."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from aion_encoder import EncoderIdentity, Pooling

FACTS: dict[str, Any] = {
    "repository": "polymathic-ai/aion-base",
    "revision": "abc",
    "codecs_repository": "polymathic-ai/aion-base",
    "codecs_revision": "abc",
    "files": {"model.safetensors": "a" * 64, "config.json": "b" * 64},
    "pooling": Pooling.MEAN_CONTEXT,
    "dim": 768,
}


@pytest.mark.parametrize(
    ("change", "comparable"),
    [
        ({}, True),
        ({"repository": "a-copy", "revision": ""}, True),
        ({"codecs_repository": "other", "codecs_revision": ""}, True),
        ({"files": dict(reversed(FACTS["files"].items()))}, True),
        ({"files": {**FACTS["files"], "config.json": "c" * 64}}, False),
        ({"files": {"model.safetensors": "a" * 64}}, False),
        ({"preprocessing": 2}, False),
        ({"pooling": Pooling.MEAN_OUTPUT}, False),
        ({"dim": 1024}, False),
    ],
)
def test_digest(change: dict[str, Any], comparable: bool) -> None:
    one, other = EncoderIdentity(**FACTS), EncoderIdentity(**{**FACTS, **change})
    assert (one.digest == other.digest) is comparable
    assert len(other.digest) == 16
    assert int(other.digest, 16) >= 0


def test_that_it_survives_json() -> None:
    identity = EncoderIdentity(**FACTS)
    again = EncoderIdentity.model_validate_json(identity.model_dump_json())
    assert again == identity
    assert again.digest == identity.digest


def test_that_the_digest_is_the_same_in_another_process() -> None:
    code = (
        "from aion_encoder import EncoderIdentity, Pooling; "
        f"print(EncoderIdentity(**{ {**FACTS, 'pooling': 'mean_context'}!r}).digest)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert found.stdout.strip() == EncoderIdentity(**FACTS).digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": {}}, "at least 1 item"),
        ({"files": {"config.json": "xyz"}}, "should match pattern"),
        ({"dim": 0}, "greater than 0"),
        ({"pooling": "max"}, "Input should be 'mean_output'"),
        ({"poolin": "max"}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_identities(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EncoderIdentity(**{**FACTS, **change})


def test_that_it_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        EncoderIdentity(**FACTS).dim = 3  # type: ignore[misc]
