"""What must be equal for two vectors to be comparable."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from aion_encoder import EncoderIdentity, Pooling
from aion_encoder.identity import DeclaredIdentity, Identity, is_of

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


COMMIT = "0123456789abcdef" * 2 + "01234567"
DECLARED: dict[str, Any] = {
    "repository": "polymathic-ai/aion-base",
    "revision": COMMIT,
    "codecs_repository": "polymathic-ai/aion-base",
    "codecs_revision": COMMIT,
    "preprocessing": 1,
    "pooling": "mean_output",
    "dim": 768,
}
ENCODER = EncoderIdentity(**DECLARED, files=FACTS["files"])


def test_that_a_declaration_of_everything_is_the_identity_of_the_encoder() -> None:
    declared = DeclaredIdentity(**DECLARED, files=FACTS["files"])
    assert declared.resolved() == ENCODER
    assert is_of(declared.resolved(), ENCODER)
    partly = DeclaredIdentity(**{**DECLARED, "preprocessing": None}, files=FACTS["files"])
    # What was not declared is not filled in.
    assert partly.resolved() is partly
    assert not is_of(partly, ENCODER)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"revision": "main"}, False),
        ({"revision": "f" * 40}, False),
        ({"codecs_revision": ""}, False),
        ({"codecs_repository": ""}, False),
        ({"preprocessing": None}, False),
        ({"preprocessing": 2}, False),
        ({"pooling": ""}, False),
        ({"pooling": "mean_context"}, False),
        ({"dim": 1024}, False),
        ({"repository": "someone/else"}, False),
    ],
)
def test_that_commits_stand_for_files_and_nothing_for_what_is_not_declared(
    change: dict[str, Any], same: bool
) -> None:
    declared = DeclaredIdentity(**{**DECLARED, **change})
    assert is_of(declared, ENCODER) is same
    assert declared.digest != ENCODER.digest
    again = TypeAdapter(Identity).validate_json(declared.model_dump_json())
    assert again == declared
    assert again.digest == declared.digest


def test_that_an_encoder_is_read_back_as_one() -> None:
    assert TypeAdapter(Identity).validate_json(ENCODER.model_dump_json()) == ENCODER


def test_what_a_declaration_lacks() -> None:
    assert DeclaredIdentity(**DECLARED).lacks() == ()
    weights, preprocessing, pooling = DeclaredIdentity(repository="x/y", dim=8).lacks()
    assert weights.startswith("the SHA-256 of its files, or the repositories and commits")
    assert preprocessing == "the version of its preprocessing"
    assert pooling.startswith("a pooling that is one of mean_output, mean_context")


def test_declared_lengths_are_those_of_the_pooling() -> None:
    spectra = DeclaredIdentity(repository="x/y", dim=8, pooling="part_means")
    assert spectra.vector_dim("spectrum") == EncoderIdentity(
        **{**FACTS, "pooling": "part_means", "dim": 8}
    ).vector_dim("spectrum")
    assert DeclaredIdentity(repository="x/y", dim=8, pooling="cls").vector_dim("spectrum") == 8
