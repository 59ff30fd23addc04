"""Manifests of vectors that somebody else made: what is declared, and what may share a space."""

from pathlib import Path

import pytest

from aion_encoder.identity import EncoderIdentity
from indexer.errors import ManifestError
from indexer.manifests import load_manifest

HEAD = 'name = "m"\ntitle = "M"\nroot = "sky"\n'
RELEASE = """
[[releases]]
name = "one"
title = "One"
survey = "legacysurvey"
reader = "vectors"
files = ["dataset/**/*.parquet"]

[releases.vectors]
modality = "image"
column = "embedding"

[releases.vectors.encoder]
repository = "someone/aion"
dim = 8
"""
OTHER = RELEASE.replace('"one"', '"two"')


def loaded(folder: Path, text: str):
    path = folder / "m.toml"
    path.write_text(HEAD + text)
    return load_manifest(path)


def test_what_is_not_declared_is_absent(tmp_path: Path) -> None:
    release = loaded(tmp_path, RELEASE).release("one")
    assert release.modality == "image"
    assert not release.has_spectra
    identity = release.vectors.identity
    assert (identity.files, identity.preprocessing, identity.pooling) == ({}, None, "")
    assert release.vectors.dim == 8


def test_a_whole_declaration_is_an_encoder(tmp_path: Path) -> None:
    whole = (
        RELEASE
        + f"""pooling = "mean_output"
preprocessing = 1
files = {{ "model.safetensors" = "{"a" * 64}" }}
"""
    )
    assert isinstance(loaded(tmp_path, whole).release("one").vectors.identity, EncoderIdentity)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('reader = "vectors"', 'reader = "mmu_hdf5"', "need each other"),
        ('"legacysurvey"', '"desi"', "gives a spectrum, but vectors.modality is 'image'"),
        ('"legacysurvey"', '"My Survey"', "must be in lower case"),
        ("*.parquet", "*.fits", "must all end in .parquet, or all in .npy"),
        ("*.parquet", "*.npy", "need vectors.table"),
        ('column = "embedding"', 'table = "{stem}.csv"', "need vectors.column"),
        ('"embedding"', '"a{}b{}"', "may have one"),
        ('repository = "someone/aion"\n', "", "repository: Field required"),
        ("dim = 8", "dim = 0", "greater than 0"),
        ("dim = 8", 'dim = 8\nsha256 = "x"', "Extra inputs are not permitted"),
        ("[releases.vectors]", "[releases.native]", "Extra inputs"),
    ],
)
def test_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in RELEASE
    with pytest.raises(ManifestError, match=message):
        loaded(tmp_path, RELEASE.replace(old, new))


@pytest.mark.parametrize("table", ["/tmp/x.csv", "../x.csv", "{stem}.fits"])
def test_tables_beside_arrays_are_refused(tmp_path: Path, table: str) -> None:
    arrays = RELEASE.replace("*.parquet", "*.npy").replace(
        'column = "embedding"', f"table = '{table}'"
    )
    with pytest.raises(ManifestError, match=r"vectors\.table must"):
        loaded(tmp_path, arrays)


def test_two_encoders_of_one_modality_are_refused_in_words_that_say_both(tmp_path: Path) -> None:
    assert len(loaded(tmp_path, RELEASE + OTHER).releases) == 2
    foreign = OTHER.replace("someone/aion", "someone/else")
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, RELEASE + foreign)
    for told in ("of one are of someone/aion (identity", "of two of someone/else (identity"):
        assert told in str(caught.value)
    assert "index them apart" in str(caught.value)


def test_two_modalities_may_be_of_two_encoders(tmp_path: Path) -> None:
    spectra = OTHER.replace("legacysurvey", "desi").replace('"image"', '"spectrum"')
    assert len(loaded(tmp_path, RELEASE + spectra.replace("someone/aion", "x/y")).releases) == 2


def test_one_way_to_compare_in_a_space(tmp_path: Path) -> None:
    contrastive = OTHER.replace('column = "embedding"', 'column = "embedding"\ncomparable = true')
    with pytest.raises(ManifestError, match=r"vectors\.comparable must be the same in one and two"):
        loaded(tmp_path, RELEASE + contrastive)
