"""Tokens kept by a build, and vectors made of them without pixels."""

from pathlib import Path

import fake_sky as sky
import numpy as np
import pytest
from click.testing import CliRunner

from aion_encoder import ABSENT_TOKEN, Encoder, Pooling, TokenError, open_encoder
from aion_encoder.training.blank import write_random_checkpoint
from indexer.build import build
from indexer.cli import main
from indexer.errors import BuildError, IndexerError, ManifestError
from indexer.from_tokens import encode_from_tokens
from indexer.index_file import open_index
from indexer.kept_tokens import keeping_tokens, read_tokens
from indexer.layout import tokens_file
from indexer.manifests import load_manifest
from indexer.tools import Tools
from indexer.verify import verify

RELEASE = "fake-gaia"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random checkpoint that knows Gaia spectra alone."""
    home = tmp_path_factory.mktemp("weights")
    return write_random_checkpoint(home / "tiny", seed=3, modalities=["xp"])


@pytest.fixture(scope="module")
def built(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that keeps its tokens."""
    home = tmp_path_factory.mktemp("kept")
    manifest = keeping_tokens(sky.write_fake_sky(home / "sky", releases=(RELEASE,)))
    tools = Tools(read_partition=sky.read_fake_partition)
    build(manifest, home / "index", weights=str(weights), native_weights="none", tools=tools)
    return home / "index"


@pytest.fixture(scope="module")
def encoder(weights: Path) -> Encoder:
    return open_encoder(str(weights), device="cpu")


def test_rows_have_the_tokens_of_their_objects(built: Path, encoder: Encoder) -> None:
    index = open_index(built)
    segment = index.segment(RELEASE)
    kept = read_tokens(built, segment.info.directory)
    assert kept is not None
    assert kept.tokenizers == encoder.identity.tokenizers
    assert {key: table.shape for key, table in kept.tokens.items()} == {
        "tok_xp_bp": (len(segment), 55),
        "tok_xp_rp": (len(segment), 55),
    }
    assert all(table.dtype == np.uint16 for table in kept.tokens.values())
    assert kept.tokens["tok_xp_bp"].max() < ABSENT_TOKEN
    # The space was made of these very vectors: the second road to them.
    (block,) = kept.vectors(encoder, "xp")
    rows, raw = block
    np.testing.assert_array_equal(rows, segment.rows_in("xp", "xp"))
    _, stored = segment.vectors("xp", "xp")
    expected = index.space("xp").apply(raw)
    np.testing.assert_allclose(stored[:].astype(np.float32), expected, atol=1e-3)
    assert verify(built).ok


def test_another_pooling_needs_no_pixels(built: Path, weights: Path, tmp_path: Path) -> None:
    other = open_encoder(str(weights), device="cpu", pooling=Pooling.MEAN_ENCODER)
    manifest = load_manifest(encode_from_tokens(open_index(built), tmp_path / "new", other))
    build(manifest, tmp_path / "index", native_weights="none")
    index, before = open_index(tmp_path / "index"), open_index(built)
    assert index.info.encoder == other.identity
    placed = before.segment(RELEASE).info.placed
    assert index.segment(RELEASE).info.rejected == len(before.segment(RELEASE)) - placed == 1
    for name in ("object_id", "redshift", "redshift_ok", "object_class"):
        theirs = before.segment(RELEASE).column(name)[:placed]
        np.testing.assert_array_equal(index.segment(RELEASE).column(name), theirs)
    assert verify(tmp_path / "index").ok


def test_other_tokenizers_are_refused(built: Path, tmp_path: Path) -> None:
    strange = write_random_checkpoint(tmp_path / "strange", seed=4, modalities=["xp"])
    with pytest.raises(TokenError, match=r"tok_xp_bp must be of the tokenizer [0-9a-f]{16} of"):
        encode_from_tokens(
            open_index(built), tmp_path / "new", open_encoder(str(strange), device="cpu")
        )
    assert not list((tmp_path / "new").glob("*.parquet"))


def test_an_index_without_tokens(built: Path, encoder: Encoder, tmp_path: Path) -> None:
    manifest = sky.write_fake_sky(tmp_path / "sky", releases=(RELEASE,))
    with pytest.raises(BuildError, match=r"tokens are to be kept, but fake/\S+ gives none"):
        build(keeping_tokens(manifest), tmp_path / "none", tools=sky.FAKE_TOOLS)
    build(manifest, tmp_path / "index", tools=sky.FAKE_TOOLS)
    index = open_index(tmp_path / "index")
    assert read_tokens(index.path, index.segment(RELEASE).info.directory) is None
    assert not (
        index.path / tokens_file(index.segment(RELEASE).info.directory, "tok_xp_bp")
    ).exists()
    with pytest.raises(IndexerError, match="keeps no tokens; build it with --keep-tokens"):
        encode_from_tokens(index, tmp_path / "new", encoder)
    said = CliRunner().invoke(main, ["encode-tokens", str(index.path), str(tmp_path / "new")])
    assert (said.exit_code, "keeps no tokens" in said.output) == (1, True)


def test_manifests_that_ask_for_what_is_not_there(tmp_path: Path) -> None:
    manifest = Path("data_manifests/aion-embeddings.toml").read_text()
    asked = manifest.replace('reader = "vectors"', 'reader = "vectors"\nkeep_tokens = true')
    (tmp_path / "m.toml").write_text(asked)
    with pytest.raises(ManifestError, match="only observations that AION-1 encodes have tokens"):
        load_manifest(tmp_path / "m.toml", root=tmp_path)
    assert keeping_tokens(load_manifest(Path("data_manifests/aion-embeddings.toml"), root=tmp_path))
